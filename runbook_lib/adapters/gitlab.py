"""GitLab's API by python-gitlab: who is who, pipelines and jobs, states and their locks, approvals."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlsplit

from ..errors import GitLabError
from .gitlab_archive import GitLabArchive
from .gitlab_changes import GitLabChanges
from .gitlab_data import (
    DeploymentApproval,
    DeploymentReference,
    GitLabBranch,
    GitLabCommit,
    GitLabDeployed,
    GitLabIssue,
    GitLabJob,
    GitLabNote,
    GitLabPipeline,
    GitLabSettings,
    HeldLock,
    MergeRequestApproval,
    MergeRequestNote,
    MergeRequestReference,
    MergeRequestVersion,
    StateLock,
    login_of,
    parse_commits,
    parse_deployment_approvals,
    parse_downstream,
    parse_notes,
)
from .gitlab_http import TOKEN, GitLabHttp, GitLabRefusalError, state_address
from .gitlab_queries import JOB_PLAYED, STATE_LOCK, parse_job_variables, parse_manual_job, parse_state_lock
from .gitlab_users import GitLabUsers, username

__all__ = ["GitLab", "state_address"]

T = TypeVar("T")
RETRIES = 4
# What Terraform tells of itself when it takes a lock.
PROBE = {"Operation": "Probe", "Info": "", "Who": "runbook", "Version": "", "Created": "", "Path": ""}
STARTED = frozenset({"pending", "running", "success", "failed"})
# What GitLab has between the play and the runner, and after a cancellation that has not ended yet.
STARTED |= {"waiting_for_resource", "preparing", "waiting_for_callback", "canceling"}


class GitLab:
    """One project of one GitLab. `token` reads (and plays, with the api scope); `job_token` is the running job's.

    `state_login` is a user and a token for states alone, as Terraform's http backend takes them.
    """

    def __init__(  # noqa: PLR0913  credentials are named, one by one
        self,
        api_url: str,
        token: str,
        project: str,
        *,
        job_token: str = "",
        state_login: tuple[str, str] | None = None,
        retries: int = RETRIES,
    ) -> None:
        self.url = api_url.rstrip("/").removesuffix("/api/v4").rstrip("/")
        self.project = project
        self._http = GitLabHttp(self.url, token, job_token, state_login, retries)
        self._path = f"/projects/{quote(project, safe='')}"

    def __repr__(self) -> str:
        return f"GitLab({self.url!r}, project={self.project!r})"

    @property
    def has_token(self) -> bool:
        """Whether there is a token beside the job's: without one, little more than the job itself can be read."""
        return self._http.has_token

    @property
    def has_job_token(self) -> bool:
        """Whether this runs inside a job, and `whose_job` can be asked."""
        return self._http.has_job_token

    @property
    def archive(self) -> GitLabArchive:
        """What is kept of pipelines that ended."""
        return GitLabArchive(self._http, self._path)

    @property
    def changes(self) -> GitLabChanges:
        """What is proposed to the project."""
        return GitLabChanges(self._http, self._path)

    def current_user(self) -> str:
        """The login that the token belongs to."""
        return self._http.get("/user", "ask whose token this is", username)

    def token_scopes(self) -> tuple[str, ...]:
        """What the token may do."""
        path = "/personal_access_tokens/self"
        return self._http.get(path, "ask what this token may do", lambda answer: tuple(answer["scopes"]))

    def role(self, login: str) -> int:
        """The user's access level in the project, its groups included; 0 for who is no member."""
        path, doing = f"{self._path}/members/all", f"ask which role {login} has"
        found = self._http.list(path, doing, lambda who: (username(who), int(who["access_level"])), {"query": login})
        return max((level for name, level in found if name.casefold() == login.casefold()), default=0)

    def whose_job(self) -> GitLabJob:
        """The running job that CI_JOB_TOKEN belongs to; its `user` is who started or played it."""
        return self._http.get("/job", "ask whose job this is", GitLabJob.parse, as_job=True)

    def project_path(self) -> str:
        """The project's path, whether it was named by path or by id."""
        return self._http.get(self._path, f"read the project {self.project}", lambda it: str(it["path_with_namespace"]))

    def pipeline_user(self, pipeline_id: int) -> str:
        """The login of who started a pipeline; with a job token alone who started this job, the nearest it may know."""
        if self.has_token:
            return self._http.get(f"{self._path}/pipelines/{pipeline_id}", f"read the pipeline {pipeline_id}", login_of)
        job = self.whose_job()
        if job.pipeline_id != pipeline_id:
            raise GitLabError(
                f"could not read the pipeline {pipeline_id}: it is not this job's", f"Set {TOKEN}: it may read others."
            )
        return job.user

    def now(self) -> datetime:
        """GitLab's own time, to the second: the one clock by which what it dates can be judged."""
        doing = "ask GitLab's clock"
        as_job = not self.has_token
        date = self._http.date("/job" if as_job else "/version", doing, as_job=as_job)
        return parsedate_to_datetime(date)

    def pipeline(self, pipeline_id: int | Literal["latest"]) -> GitLabPipeline:
        """One pipeline; `latest` is the default branch's newest, none of another pipeline's."""
        path = f"{self._path}/pipelines/{pipeline_id}"
        return self._http.get(path, f"read the pipeline {pipeline_id}", GitLabPipeline.parse)

    def ended_pipelines(self, ref: str, status: str, since: datetime) -> tuple[GitLabPipeline, ...]:
        """The newest pipelines of a branch with this status, those of other pipelines too; the oldest first.

        Of cancelled ones those since a time; one that waits for somebody was changed last when it began to.
        """
        query = {"ref": ref, "status": status, "order_by": "updated_at", "sort": "desc"}
        query |= {} if status == "manual" else {"updated_after": since.isoformat()}
        found: dict[int, GitLabPipeline] = {}
        for more in ({}, {"source": "parent_pipeline"}):
            doing = f"list the pipelines that are {status}"
            listed = self._http.list(f"{self._path}/pipelines", doing, GitLabPipeline.parse, query | more, most=100)
            found |= {pipeline.id: pipeline for pipeline in listed}
        return tuple(found[number] for number in sorted(found))

    def last_success(self, job: str) -> datetime | None:
        """When the last job of this name that ended well was started; None if none did of the newest hundred."""
        doing, query = f"ask when {job} ended well", {"scope": "success"}
        found = self._http.list(f"{self._path}/jobs", doing, GitLabJob.parse, query, most=100)
        return next((one.started_at for one in found if one.name == job and one.started_at), None)

    def project_settings(self) -> GitLabSettings:
        """The project's settings, as far as the token may see them."""
        return self._http.get(self._path, f"read the project {self.project}", GitLabSettings.parse)

    def default_branch(self) -> str:
        """The name of the branch that is applied from."""
        return self.project_settings().default_branch

    def branch(self, name: str) -> GitLabBranch:
        """One branch; GitLabRefusalError 404 if there is none of this name."""
        path = f"{self._path}/repository/branches/{quote(name, safe='')}"
        return self._http.get(path, f"read the branch {name}", GitLabBranch.parse)

    def who_may_deploy(self, environment: str) -> tuple[int, ...] | None:
        """The access levels that may deploy to a protected environment, 0 for a user or group by name; None if anybody.

        GitLabRefusalError 403 where the token may not see it: only a Maintainer's may.
        """
        path = f"{self._path}/protected_environments/{quote(environment, safe='')}"
        try:
            return self._http.get(path, f"ask who may deploy to {environment}", _deployers)
        except GitLabRefusalError as refusal:
            if refusal.status == 404 and "Project" not in refusal.message:
                return None
            raise

    def last_deployment(self, environment: str, job: str = "", ref: str = "") -> GitLabDeployed | None:
        """The last successful deployment, None if there was none; `job` and `ref` leave those of others out.

        Any Developer can report a deployment that never was: only one that a job on a protected branch made counts.
        """
        found = self._succeeded({"environment": environment}, f"ask what was deployed to {environment}")
        return next((one for one in found if one.made_by(job or one.job, ref or one.ref)), None)

    def deployed_by(self, job: str, ref: str) -> tuple[GitLabDeployed, ...]:
        """The newest successful deployments to any environment that this job made on a branch, the newest first."""
        found = self._succeeded({}, f"ask what the job {job} deployed")
        return tuple(one for one in found if one.made_by(job, ref))

    def _succeeded(self, asked: Mapping[str, str], doing: str) -> list[GitLabDeployed]:
        query = {**asked, "status": "success", "order_by": "finished_at", "sort": "desc"}
        # GitLab puts in order by when they ended only what it is asked for by that, too.
        query["finished_after"] = "2000-01-01T00:00:00Z"
        return list(self._http.list(f"{self._path}/deployments", doing, GitLabDeployed.parse, query, most=100))

    def deployments(self, environment: str, job: str, ref: str) -> tuple[GitLabDeployed, ...]:
        """The newest deployments by a job on a branch, however they ended, the newest first."""
        query = {"environment": environment, "order_by": "created_at", "sort": "desc"}
        doing = f"ask what was deployed to {environment}"
        found = self._http.list(f"{self._path}/deployments", doing, GitLabDeployed.parse, query, most=100)
        return tuple(one for one in found if one.made_by(job, ref))

    def commit(self, sha: str) -> GitLabCommit:
        """One commit; GitLabRefusalError 404 if it was not pushed."""
        path = f"{self._path}/repository/commits/{quote(sha, safe='')}"
        return self._http.get(path, f"read the commit {sha[:12]}", GitLabCommit.parse)

    def commits_between(self, old: str, new: str) -> tuple[GitLabCommit, ...]:
        """The commits that `new` has and `old` has not, those of merged branches as well, the oldest first."""
        doing = f"list the commits from {old[:12]} to {new[:12]}"
        path, query = f"{self._path}/repository/compare", {"from": old, "to": new}
        return self._http.get(path, doing, parse_commits, query=query)

    def login_of_email(self, email: str) -> str:
        """The login of the user who shows this very address, or to whom GitLab gave it; empty when it can't be told."""
        return GitLabUsers(self._http, self.url).login_of_email(email)

    def is_own_address(self, email: str) -> bool:
        """Whether an address is GitLab's own, in whose name it commits what a user asks for on its pages."""
        return email.strip().casefold() == f"noreply@{urlsplit(self.url).hostname}"

    def comment(self, sha: str, text: str) -> GitLabNote:
        """Say something of a commit, as the token's user; GitLabRefusalError 404 if it was not pushed."""
        path = f"{self._path}/repository/commits/{quote(sha, safe='')}/discussions"
        page = self._commit_page(sha)
        doing = f"comment on the commit {sha[:12]}"
        return self._http.post(path, doing, lambda answer: parse_notes(answer, page)[0], {"body": text})

    def comments(self, sha: str) -> tuple[GitLabNote, ...]:
        """What was said of a commit, in the order in which it was."""
        path = f"{self._path}/repository/commits/{quote(sha, safe='')}/discussions"
        page = self._commit_page(sha)
        found = self._http.list(path, f"read what was said of {sha[:12]}", lambda one: parse_notes(one, page))
        return tuple(sorted((note for notes in found for note in notes), key=lambda note: note.created_at))

    def _commit_page(self, sha: str) -> str:
        return f"{self.url}/{self.project}/-/commit/{sha}" if "/" in self.project else ""

    def pipeline_jobs(self, pipeline_id: int) -> tuple[GitLabJob, ...]:
        """The jobs of a pipeline in the order of their ids, those that a retry replaced left out."""
        path = f"{self._path}/pipelines/{pipeline_id}/jobs"
        found = self._http.list(path, f"list the jobs of pipeline {pipeline_id}", GitLabJob.parse)
        return tuple(sorted(found, key=lambda job: job.id))

    def started_by(self, pipeline_id: int) -> tuple[int, ...]:
        """The pipelines that a pipeline's trigger jobs started, in the order of their ids."""
        path, doing = f"{self._path}/pipelines/{pipeline_id}/bridges", f"list what pipeline {pipeline_id} started"
        return tuple(sorted(filter(None, self._http.list(path, doing, parse_downstream))))

    def earlier_jobs(self, pipeline_id: int, name: str) -> tuple[GitLabJob, ...]:
        """The jobs of this name before the last one of it, which a retry replaced, whether they came to run or not."""
        path = f"{self._path}/pipelines/{pipeline_id}/jobs"
        doing = f"list the jobs of pipeline {pipeline_id}, also those that were retried"
        found = self._http.list(path, doing, GitLabJob.parse, {"include_retried": "true"})
        return tuple(sorted((job for job in found if job.name == name), key=lambda job: job.id)[:-1])

    def job(self, job_id: int) -> GitLabJob:
        """One job."""
        return self._http.get(f"{self._path}/jobs/{job_id}", f"read the job {job_id}", GitLabJob.parse)

    def artifact(self, job_id: int, path: str) -> bytes | None:
        """A file that a job uploaded; None if it uploaded none of this path."""
        return self.archive.file(job_id, path)

    def cancel(self, job_id: int) -> GitLabJob:
        """Cancel a job."""
        return self._http.post(f"{self._path}/jobs/{job_id}/cancel", f"cancel the job {job_id}", GitLabJob.parse, {})

    def play(self, job_id: int, variables: Mapping[str, str] | None = None) -> GitLabJob:
        """Start a manual job as the token's user, with variables; GitLabRefusalError 400 if it can't be played."""
        body = {"job_variables_attributes": [{"key": k, "value": v} for k, v in (variables or {}).items()]}
        try:
            return self._http.post(f"{self._path}/jobs/{job_id}/play", f"play the job {job_id}", GitLabJob.parse, body)
        except GitLabRefusalError as refusal:
            played = self.job(job_id) if refusal.status == 400 else None
            # The answer to a first try may have been lost: then the job is ours already.
            if played and played.status in STARTED and played.user == self.current_user():
                return played
            raise

    def state(self, name: str, serial: int | None = None) -> bytes | None:
        """A Terraform state, the latest version or that of a serial; None if there is none. A job token may, too."""
        version = "" if serial is None else f"/versions/{serial}"
        path = f"{self._path}/terraform/state/{quote(name, safe='')}{version}"
        try:
            return self._http.raw_state(path, f"read the state {name}") or None
        except GitLabRefusalError as refusal:
            # GitLab answers 404 for a project you may not see, too; then the message names the project.
            if refusal.status == 404 and "Project" not in refusal.message:
                return None
            raise

    def state_lock(self, name: str) -> StateLock | None:
        """Who holds the state's lock; None if nobody. REST tells it only to who tries to take the lock."""
        doing = f"ask who locked the state {name}"
        return self._query(STATE_LOCK, {"name": name}, doing, parse_state_lock)

    def held_lock(self, name: str) -> HeldLock | None:
        """The lock of a state with its id; None if nobody holds it. Needs the role that may lock.

        GitLab tells the id only to who tries to take the lock: where that succeeds it is given back at once.
        """
        path, own = f"{self._path}/terraform/state/{quote(name, safe='')}/lock", str(uuid.uuid4())
        doing = f"ask who locked the state {name}"
        status, told = self._http.change_state("post", path, doing, body={**PROBE, "ID": own})
        if status == 409:
            return HeldLock(str(told["ID"]), str(told.get("Who", "")), str(told.get("Created", "")))
        self._http.change_state("delete", path, f"give back the lock of the state {name}", query={"ID": own})
        return None

    def unlock_state(self, name: str, lock_id: str) -> bool:
        """Take the lock of this id away; whether it was this one that was held."""
        path = f"{self._path}/terraform/state/{quote(name, safe='')}/lock"
        status, _ = self._http.change_state("delete", path, f"unlock the state {name}", query={"ID": lock_id})
        return status != 409

    def play_variables(self, job_id: int) -> dict[str, str]:
        """The variables that whoever played a manual job gave it; GitLabError if this token may not see them."""
        return self._of_job(job_id, f"read what the player of job {job_id} told it", parse_job_variables)

    def is_manual(self, job_id: int) -> bool:
        """Whether a job starts only when somebody plays it; GitLabError if this token may not see that."""
        return self._of_job(job_id, f"ask whether job {job_id} is one that is played", parse_manual_job)

    def _of_job(self, job_id: int, doing: str, parse: Callable[[dict[str, Any]], T | None]) -> T:
        told = self._query(JOB_PLAYED, {"job": f"gid://gitlab/Ci::Build/{job_id}"}, doing, parse)
        if told is None:
            raise GitLabError(f"could not {doing}", f"Make the user of {TOKEN} a Developer of the project.")
        return told

    def open_issues(self, label: str) -> tuple[GitLabIssue, ...]:
        """The open issues with this label, the oldest first."""
        return self.issues(label, "opened")

    def issues(self, label: str, state: str = "all") -> tuple[GitLabIssue, ...]:
        """The issues with this label, closed ones too, the oldest first."""
        query = {"state": state, "labels": label, "order_by": "created_at", "sort": "asc"}
        return tuple(self._http.list(f"{self._path}/issues", "read the issues", GitLabIssue.parse, query))

    def issue_notes(self, iid: int) -> tuple[GitLabNote, ...]:
        """What was said of an issue, the oldest first."""
        path, query = f"{self._path}/issues/{iid}/notes", {"sort": "asc", "order_by": "created_at"}
        found = self._http.list(path, f"read issue {iid}", lambda note: parse_notes({"notes": [note]}, ""), query)
        return tuple(note for notes in found for note in notes)

    def open_issue(self, title: str, body: str, label: str) -> GitLabIssue:
        """Open an issue that members alone may see."""
        content = {"title": title, "description": body, "labels": label, "confidential": True}
        return self._http.post(f"{self._path}/issues", f"open the issue {title!r}", GitLabIssue.parse, content)

    def edit_issue(self, iid: int, body: str, *, close: bool = False) -> GitLabIssue:
        """Replace what an issue says; `close` closes it with that."""
        content = {"description": body} | ({"state_event": "close"} if close else {})
        return self._http.put(f"{self._path}/issues/{iid}", f"edit the issue {iid}", GitLabIssue.parse, content)

    def merge_request_notes(self, iid: int) -> tuple[MergeRequestNote, ...]:
        """What was said on a merge request's page, the oldest first."""
        path, query = f"{self._path}/merge_requests/{iid}/notes", {"sort": "asc", "order_by": "created_at"}
        return self._http.list(path, f"read the notes of merge request {iid}", MergeRequestNote.parse, query)

    def note_merge_request(self, iid: int, body: str, note: int = 0) -> MergeRequestNote:
        """Say something on a merge request's page, or something else in a note's place."""
        path, doing = f"{self._path}/merge_requests/{iid}/notes", f"write a note on merge request {iid}"
        if note:
            return self._http.put(f"{path}/{note}", doing, MergeRequestNote.parse, {"body": body})
        return self._http.post(path, doing, MergeRequestNote.parse, {"body": body})

    def comment_issue(self, iid: int, body: str) -> None:
        """Comment on an issue."""
        self._http.post(f"{self._path}/issues/{iid}/notes", f"comment on the issue {iid}", dict, {"body": body})

    def _query(self, query: str, variables: dict[str, str], doing: str, parse: Callable[[dict[str, Any]], T]) -> T:
        project = self.project if "/" in self.project else self.project_path()
        body = {"query": query, "variables": {"project": project, **variables}}
        return self._http.post(f"{self.url}/api/graphql", doing, parse, body)

    def commit_author(self, sha: str, fallback: str = "") -> str:
        """The login of who wrote a commit; the e-mail address where GitLab does not tell whose it is."""
        email = self._author_email(sha) or fallback
        return (self.login_of_email(email) if self.has_token else "") or email

    def _author_email(self, sha: str) -> str:
        if not self.has_token:
            job = self.whose_job()
            return job.commit_author if job.commit == sha else ""
        try:
            path = f"{self._path}/repository/commits/{quote(sha, safe='')}"
            return self._http.get(path, f"read the commit {sha}", lambda commit: str(commit["author_email"]))
        except GitLabRefusalError as refusal:
            if refusal.status == 404 and "Project" not in refusal.message:
                # A commit that was not pushed: what git says is all there is.
                return ""
            raise

    def deployment_approvals(self, pipeline_id: int, job: str) -> tuple[DeploymentApproval, ...]:
        """What was said of the deployment by this job of this pipeline; nothing on the Free tier."""
        path, doing = f"{self._path}/deployments", f"read the approvals of pipeline {pipeline_id}'s deployment"
        wanted = [j for j in self.pipeline_jobs(pipeline_id) if j.name == job]
        if not wanted:
            return ()
        # Deployments can't be asked for by job: take those that changed since the job was made.
        query, made = {"order_by": "updated_at", "sort": "desc"}, wanted[-1].created_at
        query |= {"updated_after": made.isoformat()} if made else {}
        found = self._http.list(path, doing, DeploymentReference.parse, query)
        mine = [d.id for d in found if d.job_id == wanted[-1].id]
        return self._http.get(f"{path}/{mine[0]}", doing, parse_deployment_approvals) if mine else ()

    def merge_requests_of(self, commit: str) -> tuple[MergeRequestReference, ...]:
        """The merge requests that hold a commit, or made it by being merged."""
        path = f"{self._path}/repository/commits/{quote(commit, safe='')}/merge_requests"
        return tuple(self._http.list(path, f"read the merge requests of {commit[:12]}", MergeRequestReference.parse))

    def approvals_of(self, request: MergeRequestReference) -> tuple[MergeRequestApproval, ...]:
        """Who approves a merge request."""
        path = f"{self._path}/merge_requests/{request.iid}/approvals"
        return self._http.get(path, "read the merge request's approvals", request.approvals)

    def merge_request_versions(self, iid: int) -> tuple[MergeRequestVersion, ...]:
        """What each push to a merge request made of it, the oldest first."""
        path, doing = f"{self._path}/merge_requests/{iid}/versions", f"read the pushes to merge request {iid}"
        return tuple(sorted(self._http.list(path, doing, MergeRequestVersion.parse), key=lambda one: (one.at, one.id)))


def _deployers(environment: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(level.get("access_level") or 0) for level in environment["deploy_access_levels"])
