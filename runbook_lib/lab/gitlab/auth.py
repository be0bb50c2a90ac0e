"""Who calls: tokens in headers, job tokens, and HTTP basic for the state backend."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from .config import DEVELOPER, MAINTAINER, REPORTER, LabUser
from .data import GitLabData, Job
from .errors import ApiError

__all__ = [
    "Caller",
    "Data",
    "Developer",
    "JobReader",
    "Known",
    "Maintainer",
    "Reporter",
    "StateReader",
    "StateWriter",
    "get_data",
    "is_known",
    "job_of_token",
]


@dataclass(frozen=True)
class Caller:
    """A user, the way by which he is known, and the job if it is a job's token."""

    user: LabUser
    way: str
    job: Job | None = None


def get_data(request: Request) -> GitLabData:
    """The memory of the application that serves this request."""
    data = request.app.state.data
    assert isinstance(data, GitLabData)  # noqa: S101  # set by create_app
    return data


def job_of_token(data: GitLabData, token: str) -> Job | None:
    """The running job that this token belongs to: a finished job's token is worth nothing."""
    return next((j for j in data.jobs.values() if token and j.token == token and j.status == "running"), None)


def _reads(request: Request) -> bool:
    # A GraphQL query is posted and yet only reads.
    return request.method in {"GET", "HEAD"} or request.url.path == "/api/graphql"


def _by_token(request: Request, token: str, way: str) -> Caller:
    data = get_data(request)
    user = next((u for u in data.config.users if u.token == token), None)
    if user is None:
        raise ApiError.unauthorized()
    if user.expired:
        raise ApiError.expired()
    if not _reads(request) and "api" not in user.scopes:
        raise ApiError.insufficient_scope()
    return Caller(user, way)


def _by_job(data: GitLabData, token: str, way: str) -> Caller:
    job = job_of_token(data, token)
    if job is None:
        raise ApiError.unauthorized()
    return Caller(job.user, way, job)


def _basic(header: str) -> tuple[str, str]:
    try:
        name, _, password = base64.b64decode(header[6:], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ApiError.unauthorized() from error
    return name, password


def _identify(request: Request, ways: frozenset[str]) -> Caller:
    data, headers = get_data(request), request.headers
    authorization = headers.get("authorization", "")
    if "basic" in ways and authorization.lower().startswith("basic "):
        name, password = _basic(authorization)
        by_job = name == "gitlab-ci-token"
        return _by_job(data, password, "basic") if by_job else _by_token(request, password, "basic")
    if "job" in ways and "job-token" in headers:
        return _by_job(data, headers["job-token"], "job")
    token = headers.get("private-token", "")
    if authorization.lower().startswith("bearer "):
        token = token or authorization[7:]
    return _by_token(request, token, "token")


def _member(level: int, ways: frozenset[str]) -> Callable[[Request, str], Caller]:
    def check(request: Request, project_id: str) -> Caller:
        data, caller = get_data(request), _identify(request, ways)
        project = data.config.project
        # GitLab answers 404 for a project that one may not see.
        if project_id not in {str(project.id), project.path} or not caller.user.access_level:
            raise ApiError.not_found("Project")
        if caller.user.access_level < level:
            raise ApiError.forbidden()
        return caller

    return check


def _known(request: Request) -> Caller:
    return _identify(request, frozenset())


def is_known(request: Request) -> bool:
    """Whether the request shows a person's token that works."""
    try:
        _known(request)
    except ApiError:
        return False
    return True


_TOKEN: frozenset[str] = frozenset()
_JOB = frozenset({"job"})
_STATE = frozenset({"basic"})

Data = Annotated[GitLabData, Depends(get_data)]
Known = Annotated[Caller, Depends(_known)]
Reporter = Annotated[Caller, Depends(_member(REPORTER, _TOKEN))]
Developer = Annotated[Caller, Depends(_member(DEVELOPER, _TOKEN))]
Maintainer = Annotated[Caller, Depends(_member(MAINTAINER, _TOKEN))]
JobReader = Annotated[Caller, Depends(_member(REPORTER, _JOB))]
StateReader = Annotated[Caller, Depends(_member(DEVELOPER, _STATE))]
StateWriter = Annotated[Caller, Depends(_member(MAINTAINER, _STATE))]
