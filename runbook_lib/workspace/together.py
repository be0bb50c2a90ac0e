"""One look, and one yes, at the plans of several stacks that do the same; each apply checks its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from ..adapters.gitlab import GitLab
from ..adapters.gitlab_data import GitLabJob
from ..domain.people import involved, named
from ..domain.same_change import together
from ..errors import ApprovalError, GitLabError, UsageError
from ..models.approval import ApprovalRequest
from ..models.run import Run
from ..settings import Settings
from .asked import APPROVAL, clock_of, kept_by_job
from .clients import gitlab_client
from .runs import RUN_FILE

__all__ = ["Waiting", "approve_together", "may_approve", "same_requests", "waiting_below"]

WAITS = "manual"
# GitLab's own limit of children below children.
DEPTH = 2


@dataclass(frozen=True)
class Waiting:
    """A stack's pipeline whose request nobody answered: the jobs that asked and that waits, and what was asked."""

    pipeline: int
    asked: GitLabJob
    apply: GitLabJob
    request: ApprovalRequest


def waiting_below(settings: Settings, pipelines: Sequence[int]) -> tuple[Waiting, ...]:
    """Each pipeline among these, and those that they started, whose request waits; UsageError if there is none."""
    gitlab = _gitlab(settings)
    numbers = dict.fromkeys(number for one in pipelines for number in _below(gitlab, one, DEPTH))
    found = tuple(one for number in numbers if (one := _waiting(settings, gitlab, number)))
    if not found:
        raise UsageError(
            f"no request waits in pipeline {', '.join(map(str, pipelines))} or below it",
            "Give the number of the pipeline that started the stacks' own, or theirs.",
        )
    return found


def same_requests(found: Sequence[Waiting], fingerprint: str = "") -> tuple[Waiting, ...]:
    """Those that do the same; ApprovalError where they do not all, unless the fingerprint chooses some."""
    chosen = [one for one in found if one.request.summary.fingerprint.startswith(fingerprint.lower())]
    if not chosen:
        raise UsageError(f"no plan that waits has the fingerprint {fingerprint}", "Start without it: they are listed.")
    first, *others = together(one.request for one in chosen)
    if others:
        said = "; ".join(f"{', '.join(one.stack for one in group)} ({_short(group[0])})" for group in (first, *others))
        raise ApprovalError(
            f"these do not do the same: {said}",
            "Choose by the fingerprint with --fingerprint, or approve each in its own pipeline.",
        )
    return tuple(one for one in chosen if one.request in first)


def may_approve(settings: Settings, found: Sequence[Waiting]) -> str:
    """Who answers, as GitLab says; ApprovalError, before anything is played, if it would not count for one of them."""
    user, now = _gitlab(settings).current_user(), clock_of(settings, datetime.now(UTC))
    for one in found:
        request, where = one.request, f"stack {one.request.stack}, pipeline {one.pipeline}"
        if part := involved(request).part(user):
            raise ApprovalError(f"{user} {part}: {where}", "Ask another approver.")
        if not named(user, request.approvers):
            raise ApprovalError(f"{user} is no approver: {where}", f"It asks {', '.join(request.approvers)}.")
        if now >= request.expires_at:
            raise ApprovalError(f"the request expired: {where}", "Start a new pipeline.")
    return user


def approve_together(settings: Settings, found: Sequence[Waiting]) -> Iterator[tuple[Waiting, str]]:
    """Play each one's job as the token's own user; with each what kept it from being played, empty if nothing did.

    The click names no plan. So whoever asked again in the meantime is looked for before it and after it: a request that
    is made later is not answered by it, and of one that was made before it the job is cancelled.
    """
    gitlab = _gitlab(settings)
    for one in found:
        try:
            _check_unchanged(gitlab, one)
            gitlab.play(one.apply.id)
        except (GitLabError, ApprovalError) as error:
            yield one, error.message
            continue
        try:
            _check_unchanged(gitlab, one)
        except (GitLabError, ApprovalError) as error:
            yield one, f"{error.message}; {_cancelled(gitlab, one)}"
            continue
        yield one, ""


def _cancelled(gitlab: GitLab, one: Waiting) -> str:
    try:
        gitlab.cancel(one.apply.id)
    except GitLabError as error:
        return f"job {one.apply.id} was played and could not be cancelled ({error.message}): cancel it in GitLab"
    return "the job was cancelled"


def _gitlab(settings: Settings) -> GitLab:
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token or settings.environment.in_ci:
        raise UsageError(
            "several requests are answered at a desk, in a GitLab, by a person",
            "Set GITLAB_TOKEN, your own, scope api.",
        )
    return gitlab


def _below(gitlab: GitLab, pipeline: int, depth: int) -> Iterator[int]:
    yield pipeline
    for child in gitlab.started_by(pipeline) if depth else ():
        yield from _below(gitlab, child, depth - 1)


def _waiting(settings: Settings, gitlab: GitLab, pipeline: int) -> Waiting | None:
    jobs = {job.name: job for job in gitlab.pipeline_jobs(pipeline)}
    asked, apply = jobs.get(APPROVAL), jobs.get(settings.config.approval.job)
    if asked is None or apply is None or asked.status != "success" or apply.status != WAITS:
        return None
    return Waiting(pipeline, asked, apply, _request(settings, gitlab, asked))


def _request(settings: Settings, gitlab: GitLab, asked: GitLabJob) -> ApprovalRequest:
    """The request as the job that made it keeps it, which apply compares with its own."""
    run_id = str(asked.pipeline_id)
    try:
        run = Run.model_validate_json(kept_by_job(settings, gitlab, asked.id, run_id, RUN_FILE) or b"")
        folder = next(step.folder for step in run.steps if step.name == APPROVAL)
        kept = kept_by_job(settings, gitlab, asked.id, run_id, f"{folder}/request.json")
        request = ApprovalRequest.model_validate_json(kept or b"")
    except (ValidationError, StopIteration) as error:
        raise ApprovalError(
            f"what the approval job of pipeline {run_id} asked can't be read", "Approve it in its own pipeline."
        ) from error
    if request.run_id != run_id:
        raise ApprovalError(f"pipeline {run_id} asks for run {request.run_id}", "Approve it in its own pipeline.")
    return request


def _check_unchanged(gitlab: GitLab, one: Waiting) -> None:
    jobs = [job for job in gitlab.pipeline_jobs(one.pipeline) if job.name == APPROVAL]
    if not jobs or jobs[-1].id != one.asked.id:
        raise ApprovalError(f"pipeline {one.pipeline} asked again in the meantime", "Look at what it asks now.")


def _short(request: ApprovalRequest) -> str:
    return request.summary.fingerprint[:12] or "no fingerprint"
