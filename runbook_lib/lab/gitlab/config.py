"""Who and what exists in the lab's GitLab when it starts."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

__all__ = [
    "DEVELOPER",
    "MAINTAINER",
    "OUTSIDER",
    "REPORTER",
    "GitLabLabConfig",
    "JobSpec",
    "LabProject",
    "LabUser",
    "default_config",
]

OUTSIDER = 0
REPORTER = 20
DEVELOPER = 30
MAINTAINER = 40


@dataclass(frozen=True)
class LabUser:
    """A person or a bot. `access_level` is GitLab's number; 0 is no member of the project."""

    id: int
    username: str
    name: str
    token: str = field(repr=False)
    access_level: int = DEVELOPER
    scopes: tuple[str, ...] = ("api",)
    expired: bool = False

    @property
    def email(self) -> str:
        """The address in the commits and in `GET /user`."""
        return f"{self.username}@example.com"


@dataclass(frozen=True)
class LabProject:
    """The one project. It is private, as one with infrastructure is."""

    id: int = 42
    path: str = "platform/network-access"
    branch: str = "main"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class JobSpec:
    """A job of the pipeline, as .gitlab-ci.yml declares it. `when` is on_success, manual or on_failure.

    In the environment's name $RUNBOOK_STACK is replaced, as GitLab does with any variable. Of the jobs with one
    `resource_group` one runs at a time. A `trigger` job starts another pipeline, and is a bridge to GitLab, no job.
    """

    name: str
    stage: str
    when: str = "on_success"
    allow_failure: bool = False
    environment: str = ""
    resource_group: str = ""
    trigger: bool = False
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)


_JOBS = (
    JobSpec("prepare", "prepare"),
    JobSpec("compliance", "validate"),
    JobSpec("plan", "plan"),
    JobSpec("approval", "approval"),
    JobSpec("apply", "deploy", when="manual", environment="production/$RUNBOOK_STACK"),
    JobSpec("reject", "deploy", when="manual", allow_failure=True),
    JobSpec("verification", "verify"),
    JobSpec("service_tests", "services", trigger=True),
    JobSpec("failure", "failure", when="on_failure"),
)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class GitLabLabConfig:
    """Everything that `create_app` needs.

    `required_approvals` above zero makes the environments protected, as Premium can; zero is the Free tier.
    `environments` are protected from who may not deploy, which asks for no approval.
    `page_url` is where the pages of pipelines and jobs lead, the lab having one page for all. A deleted state is gone
    `deleting_seconds` later; a write to a state that somebody else has locked is answered with `locked_status`: GitLab
    itself fails there, and older versions said 409.
    """

    users: tuple[LabUser, ...]
    project: LabProject = LabProject()
    jobs: tuple[JobSpec, ...] = _JOBS
    required_approvals: int = 0
    max_state_bytes: int = 50_000_000
    deleting_seconds: float = 0
    locked_status: int = 500
    clock: Callable[[], datetime] = _now
    page_url: str = ""
    environments: tuple[str, ...] = ("production/access", "production/network")

    def user(self, username: str) -> LabUser | None:
        """The user of that name, whatever its case."""
        return next((u for u in self.users if u.username == username.lower()), None)


_PEOPLE = (
    ("riley", "Riley Requester", DEVELOPER, ("api",)),
    ("alex", "Alex Approver", MAINTAINER, ("api",)),
    ("sam", "Sam Second", MAINTAINER, ("api",)),
    ("project_42_bot", "runbook", DEVELOPER, ("read_api",)),
    ("casey", "Casey Colleague", OUTSIDER, ("api",)),
)


def default_config(tokens: Mapping[str, str] | None = None) -> GitLabLabConfig:
    """Make the lab's usual people: riley asks, alex and sam approve, the bot reads, casey is no member.

    `tokens` gives a user's personal access token by name; who is not named gets a random one.
    """
    known = dict(tokens or {})
    users = tuple(
        LabUser(n, who, name, known.get(who) or f"glpat-{secrets.token_urlsafe(15)}", level, scopes)
        for n, (who, name, level, scopes) in enumerate(_PEOPLE, start=101)
    )
    return GitLabLabConfig(users=users)
