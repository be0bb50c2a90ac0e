"""GitLab's refusals and failures as GitLabError, each with what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import GitLabError

__all__ = ["GitLabRefusalError", "gitlab_errors", "map_error"]

REMEDIES = {
    400: "Correct the request; the message says what GitLab did not take.",
    401: "{token} is wrong, has expired or was revoked (a job's token ends with its job). Set a valid one.",
    403: "{token} may not do this. Give its user the role, and the token the scope, that this needs (Developer and"
    " read_api to read; Developer and api to play a job; Maintainer to write and lock a state).",
    404: "Check project and id. GitLab also answers so when the project is not visible to {token}: make its user a"
    " member of the project.",
    409: "Somebody else was faster. Look at the pipeline, then try again.",
    413: "The server's limit is too low for this upload: an administrator can raise it.",
    422: "GitLab found the data invalid; the message says why.",
    429: "Too many requests, also after waiting as GitLab asked. Try again later.",
}
NOT_GITLAB = ("the answer of {url} can't be read as GitLab's", "Check that the address is that of a GitLab.")
ADDRESS = "Check CI_SERVER_URL, or gitlab.url in runbook.yml, and the network."
SERVER = "GitLab itself failed, also when asked again. Look at its status page, then try again."


class GitLabRefusalError(GitLabError):
    """GitLab answered, but not with what was asked for. `status` is the HTTP status."""

    def __init__(self, status: int, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.status = status


@contextmanager
def gitlab_errors(doing: str, url: str, token: str) -> Iterator[None]:
    """Map whatever goes wrong inside; `doing` completes "could not", `token` is the variable that holds the token."""
    import requests
    from gitlab.exceptions import GitlabError as ForeignError

    try:
        yield
    except (ForeignError, requests.RequestException, ValueError, KeyError, TypeError, ModuleNotFoundError) as error:
        raise map_error(error, doing, url, token) from error


def map_error(error: Exception, doing: str, url: str, token: str) -> GitLabError:
    """The error to raise for one of python-gitlab's or requests', or for an answer that could not be read."""
    from gitlab.exceptions import GitlabError as ForeignError

    prefix = f"could not {doing}"
    if isinstance(error, ForeignError) and error.response_code is not None:
        return _refusal(error.response_code, str(error.error_message), prefix, token)
    what, remedy = next(texts for kind, *texts in _failures() if isinstance(error, kind))
    return GitLabError(f"{prefix}: {what.format(url=url, error=error or type(error).__name__)}", remedy)


def _failures() -> list[tuple[type[Exception], str, str]]:
    from gitlab.exceptions import GitlabParsingError, RedirectError
    from requests import exceptions

    return [
        (RedirectError, "{url} sends elsewhere", "Use the address that GitLab gives of itself: https, for one."),
        (exceptions.SSLError, "no trusted TLS connection to {url}", "Name its authority in REQUESTS_CA_BUNDLE."),
        (exceptions.Timeout, "{url} did not answer in time", "Check the address and the network, then try again."),
        (exceptions.JSONDecodeError, *NOT_GITLAB),
        (exceptions.InvalidURL, "{url} is no address", ADDRESS),
        (exceptions.ConnectionError, "{url} can't be reached", ADDRESS),
        (exceptions.RequestException, "{error}", ADDRESS),
        (GitlabParsingError, *NOT_GITLAB),
        (Exception, *NOT_GITLAB),
    ]


def _refusal(status: int, said: str, prefix: str, token: str) -> GitLabRefusalError:
    remedy = REMEDIES.get(status) or (SERVER if status >= 500 else REMEDIES[400])
    # Proxies answer in HTML; one line of it is enough.
    plain = " ".join(said.split())[:200]
    number = "" if plain.startswith(str(status)) else f"{status} "
    return GitLabRefusalError(status, f"{prefix}: GitLab answered {number}{plain}".rstrip(), remedy.format(token=token))
