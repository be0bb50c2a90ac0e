"""The way to GitLab: python-gitlab's client with its own retries, its failures as GitLabError with what to do next."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode

from ..errors import GitLabError
from .heard import hear

if TYPE_CHECKING:
    import gitlab

__all__ = ["GitLabHttp", "GitLabRefusalError", "gitlab_errors", "map_error", "state_address"]

T = TypeVar("T")
TIMEOUT = 20.0
PAGE = 100  # as much as GitLab gives at once
# Names of variables, not their values.
TOKEN, JOB_TOKEN, STATE_PASSWORD = "GITLAB_TOKEN", "CI_JOB_TOKEN", "TF_HTTP_PASSWORD"


class GitLabHttp:
    """Calls with the user's token or, with `as_job`, the running job's. `doing` completes "could not" in an error."""

    def __init__(self, url: str, token: str, job_token: str, state_login: tuple[str, str] | None, retries: int) -> None:
        self.url = url
        self.has_token = bool(token)
        self.has_job_token = bool(job_token)
        self._token = token
        self._job_token = job_token
        # The state API takes a job's token as a password, and in no other way.
        self._state_login = state_login or (None if token or not job_token else ("gitlab-ci-token", job_token))
        self._state_variable = STATE_PASSWORD if state_login else JOB_TOKEN
        self._retries = retries

    def get(
        self,
        path: str,
        doing: str,
        parse: Callable[[dict[str, Any]], T],
        *,
        as_job: bool = False,
        query: Mapping[str, Any] | None = None,
    ) -> T:
        """Get one object."""
        client, variable = self._client(doing, as_job)
        with gitlab_errors(doing, self.url, variable):
            answer = client.http_get(path, query_data=dict(query or {}), max_retries=self._retries)
            hear(_question(path, query), answer)
            return parse(_object(answer))

    def date(self, path: str, doing: str, *, as_job: bool = False) -> str:
        """The header Date of an answer."""
        client, variable = self._client(doing, as_job)
        with gitlab_errors(doing, self.url, variable):
            # Of a kept answer it would be a time long gone.
            answer = client.http_get(path, raw=True, headers={"Cache-Control": "no-cache"}, max_retries=self._retries)
            date = str(answer.headers["Date"])  # type: ignore[union-attr]
            hear(f"Date of {path}", date)
            return date

    def list(
        self,
        path: str,
        doing: str,
        parse: Callable[[dict[str, Any]], T],
        query: Mapping[str, Any] | None = None,
        *,
        most: int = 0,
    ) -> tuple[T, ...]:
        """Get a list, all its pages; with `most` only its beginning."""
        client, variable = self._client(doing, as_job=False)
        with gitlab_errors(doing, self.url, variable):
            pages = {"get_all": False, "per_page": most} if most else {"get_all": True, "per_page": PAGE}
            options: dict[str, Any] = {**pages, "max_retries": self._retries}
            answer = list(client.http_list(path, query_data=dict(query or {}), **options))
            hear(_question(path, query), answer)
            return tuple(parse(_object(item)) for item in answer)

    def each(
        self, path: str, doing: str, parse: Callable[[dict[str, Any]], T], query: Mapping[str, Any] | None = None
    ) -> Iterator[T]:
        """One after the other of a list of any length, each page asked for when it is come to."""
        client, variable = self._client(doing, as_job=False)
        options: dict[str, Any] = {"iterator": True, "per_page": PAGE, "max_retries": self._retries}
        with gitlab_errors(doing, self.url, variable):
            pages = iter(client.http_list(path, query_data=dict(query or {}), **options))
        while True:
            with gitlab_errors(doing, self.url, variable):
                item = next(pages, None)
                if item is None:
                    return
                parsed = parse(_object(item))
            yield parsed

    def download(self, path: str, doing: str, target: IO[bytes], most: int) -> bool:
        """Write bytes into a file as they come; False, and the rest is left, where there are more than `most`."""
        client, variable = self._client(doing, as_job=False)
        with gitlab_errors(doing, self.url, variable):
            answer: Any = client.http_get(path, raw=True, streamed=True, max_retries=self._retries)
            with answer:
                size = 0
                for piece in answer.iter_content(1 << 16):
                    size += len(piece)
                    if size > most:
                        return False
                    target.write(piece)
        return True

    def post(self, path: str, doing: str, parse: Callable[[dict[str, Any]], T], body: Mapping[str, Any]) -> T:
        """Post JSON; the same call may reach GitLab twice, when its first answer was lost."""
        client, variable = self._client(doing, as_job=False)
        with gitlab_errors(doing, self.url, variable):
            return parse(_object(client.http_post(path, post_data=dict(body), max_retries=self._retries)))

    def put(self, path: str, doing: str, parse: Callable[[dict[str, Any]], T], body: Mapping[str, Any]) -> T:
        """Put JSON."""
        client, variable = self._client(doing, as_job=False)
        with gitlab_errors(doing, self.url, variable):
            return parse(_object(client.http_put(path, post_data=dict(body), max_retries=self._retries)))

    def raw(self, path: str, doing: str, *, as_job: bool = False) -> bytes:
        """Get bytes, whatever they say they are; none for 204."""
        return self._raw(*self._client(doing, as_job), path, doing)

    def raw_state(self, path: str, doing: str) -> bytes:
        """Get bytes of the state API: as Terraform would, else with the user's token."""
        if self._state_login is None:
            return self.raw(path, doing)
        return self._raw(self._as_terraform, self._state_variable, path, doing)

    def change_state(
        self, verb: str, path: str, doing: str, *, query: Mapping[str, str] | None = None, body: Any = None
    ) -> tuple[int, Any]:
        """Call the state API as Terraform would, once; the status and the JSON, also of a conflict."""
        from gitlab.exceptions import GitlabHttpError

        client, variable = (
            (self._as_terraform, self._state_variable) if self._state_login else self._client(doing, as_job=False)
        )
        with gitlab_errors(doing, self.url, variable):
            try:
                answer = client.http_request(verb, path, query_data=dict(query or {}), post_data=body, max_retries=0)
            except GitlabHttpError as error:
                if error.response_code != 409:
                    raise
                return 409, json.loads(error.response_body or b"{}")
            return answer.status_code, json.loads(answer.content or b"{}")

    def _raw(self, client: gitlab.Gitlab, variable: str, path: str, doing: str) -> bytes:
        with gitlab_errors(doing, self.url, variable):
            answer = client.http_get(path, raw=True, max_retries=self._retries)
            if isinstance(answer, dict):
                raise TypeError("not bytes")
            return bytes(answer.content)

    def _client(self, doing: str, as_job: bool) -> tuple[gitlab.Gitlab, str]:
        if as_job and not self._job_token:
            raise GitLabError(
                f"could not {doing}: there is no job token", f"{JOB_TOKEN} is set inside GitLab jobs only."
            )
        if not (as_job or self._token):
            raise GitLabError(
                f"could not {doing}: {TOKEN} is not set", "Give a project access token with the scope read_api or api."
            )
        return (self._as_job, JOB_TOKEN) if as_job else (self._as_user, TOKEN)

    @cached_property
    def _as_user(self) -> gitlab.Gitlab:
        return self._connect({"private_token": self._token})

    @cached_property
    def _as_job(self) -> gitlab.Gitlab:
        return self._connect({"job_token": self._job_token})

    @cached_property
    def _as_terraform(self) -> gitlab.Gitlab:
        user, password = self._state_login or ("", "")
        return self._connect({"http_username": user, "http_password": password})

    def _connect(self, credentials: dict[str, Any]) -> gitlab.Gitlab:
        import gitlab

        return gitlab.Gitlab(
            self.url,
            timeout=TIMEOUT,
            retry_transient_errors=True,
            # Pages are fetched from the address that was given, though GitLab may know itself by another.
            keep_base_url=True,
            **credentials,
        )


def _question(path: str, query: Mapping[str, Any] | None) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise TypeError("not a JSON object")
    return answer


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
ADDRESS = "Check gitlab.url in runbook.yml, and the network."
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


def state_address(api_url: str, project: str, name: str) -> dict[str, str]:
    """The environment that points Terraform's http backend at a state in GitLab, without the credentials."""
    address = f"{api_url.rstrip('/')}/projects/{quote(project, safe='')}/terraform/state/{quote(name, safe='')}"
    return {
        "TF_HTTP_ADDRESS": address,
        "TF_HTTP_LOCK_ADDRESS": f"{address}/lock",
        "TF_HTTP_UNLOCK_ADDRESS": f"{address}/lock",
        "TF_HTTP_LOCK_METHOD": "POST",
        "TF_HTTP_UNLOCK_METHOD": "DELETE",
    }
