"""The manual jobs of the pipeline: who played `apply` approved, unless it was told no; who played `reject` did not."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from ...errors import GitLabError
from ...models.approval import ApprovalRequest, Decision
from ..gitlab import GitLab
from ..gitlab_data import GitLabJob

__all__ = ["GitLabManualJob", "GitLabRejectJob", "rejection_by_job", "said_no"]

# In all other states the job was not played: its `user` is still who started the pipeline.
PLAYED = frozenset({"running", "success", "failed", "canceled", "canceling"})
WAITING = frozenset({"created", "manual", "skipped", "scheduled"})
YES = frozenset({"approve", "approved"})
DECISION, REASON, MANUAL = "RUNBOOK_DECISION", "RUNBOOK_REASON", "CI_JOB_MANUAL"
ALIKE = ("RUNBOOK_DECISION", "RUNBOOK_REASON", "RUNBOOK_REJECT", "RUNBOOK_REJECTED", "DECISION", "REASON", "REJECT")


def said_no(told: Mapping[str, str]) -> bool:
    """Whether variables that a job was given are a no: whatever is said there and is not clearly a yes."""
    decision = told.get(DECISION, "").strip().casefold()
    if decision and decision not in YES:
        return True
    # A reason alone tells of a no; beside a clear yes it is the yes's.
    known = {DECISION, REASON} if decision else {DECISION}
    return any(value.strip() and name not in known and _alike(name) for name, value in told.items())


def _alike(name: str) -> bool:
    # A name that is spelt wrong was meant all the same; nobody need say yes by a variable.
    return bool(difflib.get_close_matches(name.upper(), ALIKE, n=1, cutoff=0.85))


class GitLabManualJob:
    """The job named `job` in the pipeline, whose player approves.

    RUNBOOK_DECISION, RUNBOOK_REASON and what looks like them can turn that into a rejection. Inside the job they are in
    its environment, which hands them over as `told`; from outside GitLab is asked. Who it was, GitLab alone says. Of a
    job that starts by itself it is who retried one before it, or began the pipeline: no approval, but for who retried
    that very job.
    """

    def __init__(self, gitlab: GitLab, pipeline_id: int, job: str, told: Mapping[str, str] | None = None) -> None:
        self._gitlab = gitlab
        self._job = job
        self._pipeline_id = pipeline_id
        self._told = dict(told or {})

    def decisions(self, request: ApprovalRequest) -> Sequence[Decision]:
        """Who played the job, if anybody did since it was last created; dated when it was put in the queue.

        And who played it with a no before it was retried, whatever it was retried with.
        """
        earlier = self._gitlab.earlier_jobs(self._pipeline_id, self._job) if self._gitlab.has_token else ()
        return (*self._refused(earlier, request), *self._played(request, retried=bool(earlier)))

    def _refused(self, earlier: Sequence[GitLabJob], request: ApprovalRequest) -> Iterator[Decision]:
        for job in earlier:
            told = self._gitlab.play_variables(job.id)
            if said_no(told):
                yield _decision(job, request, told, job.played_at or self._gitlab.now())

    def _played(self, request: ApprovalRequest, *, retried: bool) -> Iterator[Decision]:
        job = own = self._own()
        if job is None:
            job = _find(self._gitlab, self._pipeline_id, self._job)
        if job is None or job.status not in PLAYED or job.played_at is None:
            return
        told = self._told if own else self._told | self._gitlab.play_variables(job.id)
        if said_no(told) or retried or self._is_manual(job):
            yield _decision(job, request, told, job.played_at)

    def _is_manual(self, job: GitLabJob) -> bool:
        # Without a token to ask by the job's own environment may still turn a yes into none.
        return self._gitlab.is_manual(job.id) if self._gitlab.has_token else self._told.get(MANUAL) == "true"

    def _own(self) -> GitLabJob | None:
        # Inside the job itself its own token says whose it is; nothing else is needed, and nothing is newer.
        own = self._gitlab.whose_job() if self._gitlab.has_job_token else None
        return own if own and (own.name, own.pipeline_id) == (self._job, self._pipeline_id) else None


class GitLabRejectJob:
    """The job named `job` in the pipeline, whose player rejects, whatever becomes of the job."""

    def __init__(self, gitlab: GitLab, pipeline_id: int, job: str) -> None:
        self._gitlab = gitlab
        self._job = job
        self._pipeline_id = pipeline_id

    def decisions(self, request: ApprovalRequest) -> Sequence[Decision]:
        """Who played the job, also while it still waits for a runner."""
        job = _find(self._gitlab, self._pipeline_id, self._job)
        if job is None or job.status in WAITING:
            return ()
        return (rejection_by_job(job, request, self._reason(job), self._gitlab.now()),)

    def _reason(self, job: GitLabJob) -> str:
        try:
            return self._gitlab.play_variables(job.id).get(REASON, "")
        except GitLabError:
            # The no counts, whatever else can't be read.
            return ""


def rejection_by_job(job: GitLabJob, request: ApprovalRequest, reason: str, now: datetime) -> Decision:
    """What playing the job for it says; dated `now` while the job waits for a runner."""
    return Decision(
        source="gitlab_reject_job",
        user=job.user,
        approved=False,
        at=job.played_at or now,
        plan_sha256=request.plan_sha256,
        reason=reason,
        reference=job.web_url,
    )


def _decision(job: GitLabJob, request: ApprovalRequest, told: Mapping[str, str], at: datetime) -> Decision:
    return Decision(
        source="gitlab_job",
        user=job.user,
        approved=not said_no(told),
        at=at,
        # The click names no plan: it answers the request of this pipeline, if it came after it.
        plan_sha256=request.plan_sha256,
        reason=told.get(REASON, ""),
        reference=job.web_url,
    )


def _find(gitlab: GitLab, pipeline_id: int, name: str) -> GitLabJob | None:
    if not gitlab.has_token:
        return None
    found = [job for job in gitlab.pipeline_jobs(pipeline_id) if job.name == name]
    return found[-1] if found else None
