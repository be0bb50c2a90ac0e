"""What the lab's GitLab remembers while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .config import GitLabLabConfig, JobSpec, LabUser

__all__ = ["Approval", "Commit", "Deployment", "GitLabData", "Job", "MergeRequest", "Pipeline", "State"]


@dataclass
class Commit:
    """A commit that was pushed; `author` is who wrote it. `jobs` are those of its pipeline file, if it brought one."""

    sha: str
    title: str
    author_name: str
    author_email: str
    created_at: datetime
    jobs: tuple[JobSpec, ...] = ()


@dataclass
class Job:
    """A job of a pipeline. `user` is who started it: the pipeline's creator, or who played or retried the job."""

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
class MergeRequest:
    """A merge request; `sha` is the head of its source branch."""

    iid: int
    sha: str
    author: LabUser
    title: str
    created_at: datetime
    approvals: list[Approval] = field(default_factory=list)


@dataclass
class State:
    """A Terraform state: all versions by serial, the highest serial, and the lock, if held."""

    name: str
    versions: dict[int, bytes] = field(default_factory=dict)
    latest: int | None = None
    lock: dict[str, str] | None = None


class GitLabData:
    """The whole memory. Handlers run on one event loop and never await between reading and writing."""

    def __init__(self, config: GitLabLabConfig) -> None:
        self.config = config
        self.pipelines: dict[int, Pipeline] = {}
        self.jobs: dict[int, Job] = {}
        self.states: dict[str, State] = {}
        self.deployments: dict[int, Deployment] = {}
        self.merge_requests: dict[int, MergeRequest] = {}
        self.commits: dict[str, Commit] = {}
        self.refs: dict[str, str] = {}
        self.faults: list[dict[str, Any]] = []
        self._next_id = 1000

    def new_id(self) -> int:
        """Give the next number; all kinds share one row, so that a mix-up of ids is seen."""
        self._next_id += 1
        return self._next_id

    def now(self) -> datetime:
        """The lab's time."""
        return self.config.clock()

    def push(self, ref: str, commit: Commit) -> None:
        """Record a commit as the head of a branch."""
        self.commits[commit.sha] = commit
        self.refs[ref] = commit.sha
