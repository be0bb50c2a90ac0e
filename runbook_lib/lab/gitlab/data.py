"""What the lab's GitLab remembers while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .config import MAINTAINER, GitLabLabConfig, JobSpec, LabUser

__all__ = [
    "Approval",
    "Commit",
    "Deployment",
    "GitLabData",
    "Issue",
    "Job",
    "MergeRequest",
    "Note",
    "Pipeline",
    "ProjectRules",
    "State",
]


@dataclass
class Commit:
    """A commit that was pushed; `author` is who wrote it. `jobs` are those of its pipeline file, if it brought one.

    `notes` are the comments on it, in the order in which they were written.
    """

    sha: str
    message: str
    author_name: str
    author_email: str
    created_at: datetime
    jobs: tuple[JobSpec, ...] = ()
    committer_name: str = ""
    committer_email: str = ""
    parents: tuple[str, ...] = ()
    notes: list[Note] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The message's first line."""
        return self.message.partition("\n")[0]


@dataclass
class Note:
    """A comment on a commit; whoever edits it moves `updated_at`."""

    id: int
    author: LabUser
    body: str
    created_at: datetime
    updated_at: datetime


@dataclass
class Job:
    """A job of a pipeline. `user` is who started it: the pipeline's creator, or who played or retried the job.

    `artifacts` are the texts of the files that it uploaded, by their paths; `log` is what it wrote.
    """

    id: int
    pipeline: Pipeline
    spec: JobSpec
    user: LabUser
    created_at: datetime
    status: str = "created"
    queued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    failure_reason: str = ""
    retried: bool = False
    token: str = field(default="", repr=False)
    variables: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    log: str = ""
    downstream: Pipeline | None = None

    @property
    def resource_group(self) -> str:
        """The key of the resource group, the stack's name filled in."""
        return self.spec.resource_group.replace(
            "$RUNBOOK_STACK", self.pipeline.variables.get("RUNBOOK_STACK") or "access"
        )


@dataclass
class Pipeline:
    """A pipeline; its status follows from its jobs."""

    id: int
    sha: str
    ref: str
    user: LabUser
    created_at: datetime
    updated_at: datetime
    source: str = "api"
    variables: dict[str, str] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)

    @property
    def current(self) -> list[Job]:
        """The jobs that count: not those which a retry replaced."""
        return [j for j in self.jobs if not j.retried]


@dataclass
class Approval:
    """What one user said of a deployment or a merge request."""

    user: LabUser
    status: str
    created_at: datetime
    comment: str = ""


@dataclass
class Deployment:
    """A deployment of a job to an environment; blocked while it waits for approvals."""

    id: int
    job: Job
    environment: str
    created_at: datetime
    blocked: bool = False
    approvals: list[Approval] = field(default_factory=list)


@dataclass
class Version:
    """What a push made the head of a merge request; a rebase keeps the patch's id."""

    sha: str
    created_at: datetime
    patch_id: str


@dataclass
class MergeRequest:
    """A merge request; `sha` is the head of its source branch, whatever became of it when it was merged."""

    iid: int
    sha: str
    author: LabUser
    title: str
    created_at: datetime
    approvals: list[Approval] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    merged_by: LabUser | None = None
    merged_at: datetime | None = None
    merge_commit_sha: str = ""
    squash_commit_sha: str = ""
    target: str = "main"
    source: str = ""
    description: str = ""
    versions: list[Version] = field(default_factory=list)


@dataclass
class Issue:
    """An issue, open until it has a time at which it was closed."""

    iid: int
    author: LabUser
    title: str
    description: str
    created_at: datetime
    updated_at: datetime
    labels: tuple[str, ...] = ()
    confidential: bool = False
    closed_at: datetime | None = None
    notes: list[Note] = field(default_factory=list)


@dataclass
class State:
    """A Terraform state: all versions by serial, the highest serial, and the lock, if held."""

    name: str
    versions: dict[int, bytes] = field(default_factory=dict)
    latest: int | None = None
    lock: dict[str, str] | None = None
    deleted_at: datetime | None = None


@dataclass
class ProjectRules:
    """What the project's settings allow whom; the lab begins with what is safe.

    A protected branch or environment has GitLab's access levels: who may push and merge, who may deploy. `variables`
    are the project's own, `access` says who can open it and its pages.
    """

    restrict_variables: bool = True
    variables_role: str = "maintainer"
    branches: dict[str, dict[str, int]] = field(default_factory=dict)
    environments: dict[str, int] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    access: dict[str, str] = field(default_factory=lambda: {"visibility": "private", "pages_access_level": "private"})

    def may_give_variables(self, user: LabUser) -> bool:
        """Whether the user may give variables to a pipeline, or to a job that he plays."""
        needed = {"developer": 30, "maintainer": 40, "owner": 50}.get(self.variables_role, 99)
        return user.access_level >= needed if self.restrict_variables else True


class GitLabData:
    """The whole memory. Handlers run on one event loop and never await between reading and writing."""

    def __init__(self, config: GitLabLabConfig) -> None:
        self.config = config
        self.pipelines: dict[int, Pipeline] = {}
        self.jobs: dict[int, Job] = {}
        self.states: dict[str, State] = {}
        self.deployments: dict[int, Deployment] = {}
        self.merge_requests: dict[int, MergeRequest] = {}
        self.issues: dict[int, Issue] = {}
        self.commits: dict[str, Commit] = {}
        self.refs: dict[str, str] = {}
        self.faults: list[dict[str, Any]] = []
        self.public_emails = {user.username: user.email for user in config.users}
        self.ahead = timedelta()
        self.rules = ProjectRules(
            branches={config.project.branch: {"push": MAINTAINER, "merge": MAINTAINER}},
            environments=dict.fromkeys(config.environments, MAINTAINER),
        )
        self._next_id = 1000

    def new_id(self) -> int:
        """Give the next number; all kinds share one row, so that a mix-up of ids is seen."""
        self._next_id += 1
        return self._next_id

    def now(self) -> datetime:
        """The lab's time."""
        return self.config.clock() + self.ahead

    def history(self, sha: str) -> list[Commit]:
        """The commit and all before it that were pushed, the newest first."""
        seen: dict[str, Commit] = {}
        waiting = [sha]
        while waiting:
            found = self.commits.get(waiting.pop(0))
            if found and found.sha not in seen:
                seen[found.sha] = found
                waiting += found.parents
        return list(seen.values())

    def push(self, ref: str, commit: Commit) -> None:
        """Record a commit as the head of a branch; pushed again it keeps what was said of it."""
        known = self.commits.get(commit.sha)
        commit.notes = known.notes if known else commit.notes
        self.commits[commit.sha] = commit
        self.refs[ref] = commit.sha
