"""Who asked for a change, when, and who wrote it: as GitLab says, which no file of a run can change."""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from ..adapters.approvals.gitlab_comment import ask_in_comment, asked_in_comment
from ..adapters.gitlab import GitLab
from ..adapters.gitlab_data import GitLabCommit, GitLabJob, is_job
from ..domain.people import addresses
from ..errors import ApprovalError, GitLabError
from ..models.approval import ApprovalRequest
from ..models.run import Run
from ..settings import Settings
from .applied_commit import applied_commit
from .clients import gitlab_client
from .context import StepContext
from .governance import approval_config
from .records import request_file

__all__ = ["announce", "as_gitlab_says", "check_own_pipeline", "clock_of", "kept_by_job", "who_wrote"]

APPROVAL = "approval"
_WITHOUT = "Start the job without this variable: GitLab itself sets it."


def clock_of(settings: Settings, local: datetime) -> datetime:
    """The time by the clock that dates decisions: GitLab's where it is configured, else this machine's."""
    gitlab = gitlab_client(settings)
    return gitlab.now() if gitlab else local


def who_wrote(settings: Settings, run: Run) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The logins of all who made the run's commits since the one applied last, and who can't be told."""
    gitlab = gitlab_client(settings)
    if not run.commit:
        return (), (() if gitlab is None else ("the commits' authors",))
    if gitlab is None or not gitlab.has_token:
        return (), (run.author or "the commits' authors",)
    commits, missing = _commits(gitlab, settings, run)
    found = {address: None for one in commits for address in _addresses(gitlab, one)}
    logins = {address: gitlab.login_of_email(address) for address in found}
    known = tuple(dict.fromkeys(name for name in logins.values() if name))
    return known, (*(address for address, name in logins.items() if not name), *missing)


def announce(settings: Settings, request: ApprovalRequest) -> ApprovalRequest:
    """Let GitLab take down who asks for what, and when, and give the request back with its word for it."""
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token or settings.environment.pipeline_id:
        return _dated(request, request.requester, clock_of(settings, request.created_at))
    if not request.commit:
        raise ApprovalError("no commit is checked out, so GitLab can't say who wrote the change", "Commit and push it.")
    note = ask_in_comment(gitlab, request)
    return _dated(request, note.author, note.created_at)


def as_gitlab_says(context: StepContext, request: ApprovalRequest) -> ApprovalRequest:
    """The request with who asked, when and until when, and who wrote, all found out anew; as it is without GitLab.

    At a desk also whether it says what it said when it was asked: in a pipeline its seal does.
    """
    settings, run = context.settings, context.run
    gitlab, lasts = gitlab_client(settings), approval_config(context).expires_after
    request = request.model_copy(update={"expires_at": min(request.expires_at, request.created_at + lasts)})
    if gitlab is None:
        return request
    authors, unknown = who_wrote(settings, run)
    request = request.model_copy(update={"authors": authors, "unknown_authors": unknown})
    pipeline = settings.environment.pipeline_id
    if pipeline:
        asking = _approval_job(gitlab, int(pipeline))
        if asking:
            _check_asked(settings, gitlab, asking, request, request_file(context.store))
        began = asking.started_at if asking else None
        return _dated(request, gitlab.pipeline_user(int(pipeline)), began or request.created_at)
    note = asked_in_comment(gitlab, request)
    if note is None:
        raise ApprovalError(
            f"GitLab knows of no such request for plan {request.plan_sha256[:12]} of run {request.run_id}",
            "Run the approval step: it asks there.",
        )
    return _dated(request, note.author, note.created_at)


def _dated(request: ApprovalRequest, requester: str, at: datetime) -> ApprovalRequest:
    lasts = request.expires_at - request.created_at
    return request.model_copy(update={"requester": requester, "created_at": at, "expires_at": at + lasts})


def _commits(gitlab: GitLab, settings: Settings, run: Run) -> tuple[tuple[GitLabCommit, ...], tuple[str, ...]]:
    """The commits, and what is missing from them."""
    try:
        head, applied = gitlab.commit(run.commit), applied_commit(settings, run)
        if not applied:
            return (head,), ("who wrote the commits before, as none is known to be applied",)
        between = gitlab.commits_between(applied, run.commit)
    except GitLabError:
        return (), (f"who wrote {run.commit[:12]}, as GitLab does not show it",)
    return (*between, *(() if head.sha in {one.sha for one in between} else (head,))), ()


def _addresses(gitlab: GitLab, commit: GitLabCommit) -> tuple[str, ...]:
    found = addresses(commit.author_email, commit.committer_email, commit.message)
    # What GitLab itself commits, at the wish of the author, it commits in its own name.
    return tuple(address for address in found if address == commit.author_email or not gitlab.is_own_address(address))


def _approval_job(gitlab: GitLab, pipeline: int) -> GitLabJob | None:
    """The job that asked, the last of its name; ApprovalError without one. None where a job's token can't tell."""
    if not gitlab.has_token:
        return None  # runbook.yml accepts that by name: gitlab.accept
    jobs = [job for job in gitlab.pipeline_jobs(pipeline) if job.name == APPROVAL]
    if not jobs or jobs[-1].started_at is None:
        raise ApprovalError(
            f"pipeline {pipeline} has no job {APPROVAL} that ran, so GitLab can't say when and for what it was asked",
            f"Name the job {APPROVAL} that runs the approval step, and start a new pipeline.",
        )
    return jobs[-1]


def check_own_pipeline(settings: Settings) -> None:
    """ApprovalError in a job of another pipeline than CI_PIPELINE_ID says, or of which nobody can say whose it is.

    And in another one than runbook.yml names as the job that applies: playing that is what approves.
    """
    gitlab, named = gitlab_client(settings), settings.environment.pipeline_id
    if gitlab is None or not (named and settings.environment.in_ci):
        return
    if not gitlab.has_job_token:
        raise ApprovalError("this job has no CI_JOB_TOKEN, so GitLab can't say which pipeline it is of", _WITHOUT)
    own = gitlab.whose_job()
    if own.pipeline_id != int(named):
        raise ApprovalError(
            f"CI_PIPELINE_ID says {named}, but this job belongs to pipeline {own.pipeline_id}", _WITHOUT
        )
    applies = settings.config.approval.job
    if not is_job(own.name, applies):
        raise ApprovalError(
            f"this job is {own.name}, and approval.job in runbook.yml names {applies}",
            "Name the job there that applies, and begin a new pipeline.",
        )


def kept_by_job(settings: Settings, gitlab: GitLab, job_id: int, run_id: str, name: str) -> bytes | None:
    """A file of the run folder as a job uploaded it; None if it uploaded none of this name."""
    outputs = settings.outputs
    folder = outputs.relative_to(settings.root).as_posix() if outputs.is_relative_to(settings.root) else outputs.name
    return gitlab.artifact(job_id, f"{folder}/{run_id}/{name}")


def _check_asked(settings: Settings, gitlab: GitLab, job: GitLabJob, request: ApprovalRequest, name: str) -> None:
    # Who plays a job of a pipeline approves what its approval job showed, and nothing else.
    pipeline, kept = job.pipeline_id, kept_by_job(settings, gitlab, job.id, request.run_id, name)
    if kept is None:
        raise ApprovalError(
            f"what the approval job of pipeline {pipeline} asked of run {request.run_id} is not among its artifacts",
            "Let that job keep the run folder as an artifact, and ask again in the pipeline of this run.",
        )
    if _parsed(kept).digest != request.digest:
        raise ApprovalError(
            f"the request is not the one that the approval job of pipeline {pipeline} made", "Begin a new pipeline."
        )


def _parsed(kept: bytes) -> ApprovalRequest:
    try:
        return ApprovalRequest.model_validate_json(kept)
    except ValidationError as error:
        raise ApprovalError("what the approval job uploaded is no request", "Begin a new pipeline.") from error
