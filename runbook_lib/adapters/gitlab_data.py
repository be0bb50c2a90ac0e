"""What is asked of GitLab by GraphQL, and what is read from all of its answers, as plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

__all__ = [
    "DeploymentApproval",
    "DeploymentReference",
    "GitLabBranch",
    "GitLabCommit",
    "GitLabDeployed",
    "GitLabIssue",
    "GitLabJob",
    "GitLabNote",
    "GitLabPipeline",
    "GitLabSettings",
    "HeldLock",
    "MergeRequestApproval",
    "MergeRequestNote",
    "MergeRequestReference",
    "MergeRequestVersion",
    "StateLock",
    "is_job",
    "login_of",
    "parse_commits",
    "parse_deployment_approvals",
    "parse_downstream",
    "parse_notes",
    "time_of",
]


def is_job(name: str, wanted: str) -> bool:
    """Whether a job has this name; `parallel` adds to it which one of many it is: `apply: [web]`, `apply 1/2`."""
    return name == wanted or name.startswith((f"{wanted}: ", f"{wanted} "))


def time_of(text: str | None) -> datetime | None:
    """The moment that an answer says; None where it says none."""
    return datetime.fromisoformat(text) if text else None


def login_of(document: Mapping[str, Any]) -> str:
    """The login of the `user` in an answer, empty if there is none."""
    return str((document.get("user") or {}).get("username") or "")


@dataclass(frozen=True)
class GitLabJob:
    """A job. `user` is the login of who started it: for a manual job, once it is played, the player."""

    id: int
    name: str
    status: str
    user: str
    pipeline_id: int
    created_at: datetime | None
    started_at: datetime | None
    queued_seconds: float
    web_url: str
    commit: str
    commit_author: str

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> GitLabJob:
        """Read the API's job."""
        commit = document.get("commit") or {}
        return cls(
            id=int(document["id"]),
            name=str(document["name"]),
            status=str(document["status"]),
            user=login_of(document),
            pipeline_id=int(document["pipeline"]["id"]),
            created_at=time_of(document.get("created_at")),
            started_at=time_of(document.get("started_at")),
            queued_seconds=float(document.get("queued_duration") or 0),
            web_url=str(document.get("web_url") or ""),
            commit=str(commit.get("id") or ""),
            commit_author=str(commit.get("author_email") or ""),
        )

    @property
    def played_at(self) -> datetime | None:
        """When the job was put in the queue: GitLab tells only when it left it, and how long it stayed."""
        return self.started_at - timedelta(seconds=self.queued_seconds) if self.started_at else None


@dataclass(frozen=True)
class GitLabPipeline:
    """A pipeline. `user` is who started it; `source` is how, as GitLab calls it; `name` is what its workflow says."""

    id: int
    sha: str
    ref: str
    user: str
    source: str
    created_at: datetime | None
    status: str
    updated_at: datetime | None = None
    name: str = ""

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> GitLabPipeline:
        """Read the API's pipeline."""
        return cls(
            id=int(document["id"]),
            sha=str(document["sha"]),
            ref=str(document["ref"]),
            user=login_of(document),
            source=str(document.get("source") or ""),
            created_at=time_of(document.get("created_at")),
            status=str(document["status"]),
            updated_at=time_of(document.get("updated_at")),
            name=str(document.get("name") or ""),
        )


@dataclass(frozen=True)
class GitLabBranch:
    """A branch and its head; whether somebody below a Maintainer may push to it, or merge into it."""

    name: str
    sha: str
    protected: bool
    default: bool
    developers_push: bool = True
    developers_merge: bool = True

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> GitLabBranch:
        """Read the API's branch."""
        return cls(
            name=str(document["name"]),
            sha=str(document["commit"]["id"]),
            protected=bool(document["protected"]),
            default=bool(document.get("default")),
            # What is not told is taken to be so.
            developers_push=bool(document.get("developers_can_push", True)),
            developers_merge=bool(document.get("developers_can_merge", True)),
        )


@dataclass(frozen=True)
class GitLabCommit:
    """A commit as it says of itself who made it: anybody can write any address into one."""

    sha: str
    author_email: str
    committer_email: str
    message: str
    created_at: datetime | None
    parents: tuple[str, ...] = ()

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> GitLabCommit:
        """Read the API's commit."""
        return cls(
            sha=str(document["id"]),
            author_email=str(document["author_email"] or ""),
            committer_email=str(document["committer_email"] or ""),
            message=str(document["message"] or ""),
            created_at=time_of(document.get("created_at")),
            parents=tuple(str(one) for one in document.get("parent_ids") or ()),
        )


@dataclass(frozen=True)
class GitLabDeployed:
    """A deployment; `job` is the name of the job that carried it out, empty if it was only reported."""

    sha: str
    ref: str
    user: str
    at: datetime | None
    job: str = ""
    status: str = ""
    started: bool = False
    job_id: int = 0
    pipeline_id: int = 0
    url: str = ""

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> GitLabDeployed:
        """Read the API's deployment."""
        job = document.get("deployable") or {}
        return cls(
            sha=str(document["sha"]),
            ref=str(document["ref"]),
            user=login_of(document),
            at=time_of(job.get("finished_at") or document.get("updated_at")),
            job=str(job.get("name") or ""),
            status=str(document.get("status") or ""),
            started=bool(job.get("started_at")),
            job_id=int(job.get("id") or 0),
            pipeline_id=int((job.get("pipeline") or {}).get("id") or 0),
            url=str(job.get("web_url") or ""),
        )

    def made_by(self, job: str, ref: str) -> bool:
        """Whether a job of this name made it on this branch."""
        return is_job(self.job, job) and self.ref == ref


@dataclass(frozen=True)
class GitLabNote:
    """A comment. An edited one says what its last editor wrote, whoever that was."""

    author: str
    body: str
    created_at: datetime
    edited: bool
    url: str = ""


def parse_notes(document: Mapping[str, Any], url: str) -> tuple[GitLabNote, ...]:
    """The comments of one discussion; `url` is the page of what they are about."""
    return tuple(
        GitLabNote(
            author=str(note["author"]["username"]),
            body=str(note["body"]),
            created_at=datetime.fromisoformat(note["created_at"]),
            edited=note["updated_at"] != note["created_at"],
            url=f"{url}#note_{note['id']}",
        )
        for note in document["notes"]
        if not note.get("system")
    )


@dataclass(frozen=True)
class MergeRequestNote:
    """What somebody said on a merge request's page."""

    id: int
    author: str
    body: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> MergeRequestNote:
        """Read the API's note."""
        made, renewed = (datetime.fromisoformat(document[name]) for name in ("created_at", "updated_at"))
        return cls(int(document["id"]), login_of({"user": document["author"]}), str(document["body"]), made, renewed)


@dataclass(frozen=True)
class GitLabIssue:
    """An issue; `author` is the login of who opened it."""

    iid: int
    title: str
    body: str
    author: str
    url: str

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> GitLabIssue:
        """From the API's JSON."""
        return cls(
            iid=int(document["iid"]),
            title=str(document["title"]),
            body=str(document.get("description") or ""),
            author=str(document["author"]["username"]),
            url=str(document.get("web_url") or ""),
        )


@dataclass(frozen=True)
class GitLabSettings:
    """The project's settings that matter here. An empty role: it is not for this token to see.

    `variables_role` is who may at least give variables to pipelines and manual jobs: developer, maintainer, owner or
    no_one_allowed.
    """

    path: str
    default_branch: str
    variables_role: str
    url: str = ""

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> GitLabSettings:
        """Read the API's project."""
        restricted = document.get("restrict_user_defined_variables")
        # The role means nothing where the restriction is off; old versions know no role, and mean Maintainers.
        role = str(document.get("ci_pipeline_variables_minimum_override_role") or "maintainer")
        return cls(
            path=str(document["path_with_namespace"]),
            default_branch=str(document["default_branch"] or ""),
            variables_role="" if restricted is None else role if restricted else "developer",
            url=str(document.get("web_url") or ""),
        )


@dataclass(frozen=True)
class StateLock:
    """Who holds the lock of a state, and since when."""

    user: str
    since: datetime | None


@dataclass(frozen=True)
class HeldLock:
    """A lock as the state API knows it: the id by which it is given back, who took it and when."""

    id: str
    who: str
    created: str


@dataclass(frozen=True)
class DeploymentReference:
    """A deployment and the job that carries it out; 0 for a deployment without a job."""

    id: int
    job_id: int

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> DeploymentReference:
        """Read the API's deployment."""
        return cls(int(document["id"]), int((document.get("deployable") or {}).get("id") or 0))


@dataclass(frozen=True)
class DeploymentApproval:
    """What one user said of a deployment; `at` is None where GitLab does not tell."""

    user: str
    approved: bool
    at: datetime | None
    comment: str
    url: str


def parse_deployment_approvals(document: Mapping[str, Any]) -> tuple[DeploymentApproval, ...]:
    """The approvals of one deployment; the Free tier's answer has none."""
    url = str((document.get("deployable") or {}).get("web_url") or "")
    return tuple(
        DeploymentApproval(
            user=login_of(approval),
            approved=approval["status"] == "approved",
            at=time_of(approval.get("created_at")),
            comment=str(approval.get("comment") or ""),
            url=url,
        )
        for approval in document.get("approvals") or ()
    )


@dataclass(frozen=True)
class MergeRequestApproval:
    """Who approved a merge request; `at` is None where GitLab is too old to tell."""

    user: str
    at: datetime | None
    url: str


@dataclass(frozen=True)
class MergeRequestVersion:
    """What a push to a merge request left as its head; `patch` is the same for the same difference on another base."""

    sha: str
    patch: str
    at: datetime
    id: int = 0

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> MergeRequestVersion:
        """Read the API's version."""
        at = datetime.fromisoformat(document["created_at"])
        patch = str(document.get("patch_id_sha") or "")
        return cls(str(document["head_commit_sha"]), patch, at, int(document["id"]))


@dataclass(frozen=True)
class MergeRequestReference:
    """A merge request; `sha` is the head of its source branch, `merged_as` the commits that its merge made."""

    iid: int
    sha: str
    url: str
    target: str = ""
    merged: bool = False
    merged_as: tuple[str, ...] = ()

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> MergeRequestReference:
        """Read the API's merge request."""
        made = (document.get(name) for name in ("merge_commit_sha", "squash_commit_sha"))
        return cls(
            int(document["iid"]),
            str(document.get("sha") or ""),
            str(document.get("web_url") or ""),
            str(document.get("target_branch") or ""),
            document.get("state") == "merged",
            tuple(str(sha) for sha in made if sha),
        )

    def brought(self, commit: str, branch: str) -> bool:
        """Whether its merge into the branch is what made this commit, however it was merged."""
        return self.merged and self.target == branch and commit in {self.sha, *self.merged_as}

    def approvals(self, document: Mapping[str, Any]) -> tuple[MergeRequestApproval, ...]:
        """Read the API's approvals of this merge request."""
        return tuple(
            MergeRequestApproval(login_of(approval), time_of(approval.get("approved_at")), self.url)
            for approval in document["approved_by"]
        )


def parse_downstream(bridge: Mapping[str, Any]) -> int:
    """The pipeline that a trigger job started; 0 if it started none."""
    return int((bridge.get("downstream_pipeline") or {}).get("id") or 0)


def parse_commits(comparison: Mapping[str, Any]) -> tuple[GitLabCommit, ...]:
    """The commits of a comparison."""
    return tuple(GitLabCommit.parse(commit) for commit in comparison["commits"])
