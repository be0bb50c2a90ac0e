"""The way to GitLab: python-gitlab's client with its own retries, errors mapped, answers parsed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import GitLabError
from .gitlab_errors import gitlab_errors

if TYPE_CHECKING:
    import gitlab

__all__ = ["GitLabHttp"]

T = TypeVar("T")
TIMEOUT = 20.0
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

    def get(self, path: str, doing: str, parse: Callable[[dict[str, Any]], T], *, as_job: bool = False) -> T:
        """Get one object."""
        client, variable = self._client(doing, as_job)
        with gitlab_errors(doing, self.url, variable):
            return parse(_object(client.http_get(path, max_retries=self._retries)))

    def list(
        self, path: str, doing: str, parse: Callable[[dict[str, Any]], T], query: Mapping[str, Any] | None = None
    ) -> tuple[T, ...]:
        """Get a list, all its pages."""
        client, variable = self._client(doing, as_job=False)
        with gitlab_errors(doing, self.url, variable):
            options: dict[str, Any] = {"get_all": True, "per_page": 100, "max_retries": self._retries}
            return tuple(
                parse(_object(item)) for item in client.http_list(path, query_data=dict(query or {}), **options)
            )

    def post(self, path: str, doing: str, parse: Callable[[dict[str, Any]], T], body: Mapping[str, Any]) -> T:
        """Post JSON; the same call may reach GitLab twice, when its first answer was lost."""
        client, variable = self._client(doing, as_job=False)
        with gitlab_errors(doing, self.url, variable):
            return parse(_object(client.http_post(path, post_data=dict(body), max_retries=self._retries)))

    def raw(self, path: str, doing: str, *, as_job: bool = False) -> bytes:
        """Get bytes, whatever they say they are; none for 204."""
        return self._raw(*self._client(doing, as_job), path, doing)

    def raw_state(self, path: str, doing: str) -> bytes:
        """Get bytes of the state API: as Terraform would, else with the user's token."""
        if self._state_login is None:
            return self.raw(path, doing)
        return self._raw(self._as_terraform, self._state_variable, path, doing)

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


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise TypeError("not a JSON object")
    return answer
