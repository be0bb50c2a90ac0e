"""The manual job of the pipeline: who played it approved, or rejected if the job was told so."""

from __future__ import annotations

from collections.abc import Sequence

from ...models.approval import ApprovalRequest, Decision
from ..gitlab import GitLab
from ..gitlab_data import GitLabJob

__all__ = ["GitLabManualJob"]

# In all other states the job was not played: its `user` is still who started the pipeline.
PLAYED = frozenset({"running", "success", "failed", "canceled", "canceling"})
YES = frozenset({"", "approve", "approved"})


class GitLabManualJob:
    """The job named `job` in the pipeline.

    A manual job can only be played, so a rejection is played too: with the variable RUNBOOK_DECISION=reject (and
    RUNBOOK_REASON). Inside the job they are in its environment, which hands them over as `rejected` and `reason`; from
    outside GitLab is asked. They can turn an approval into a rejection; who it was, GitLab alone says.
    """

    def __init__(self, gitlab: GitLab, pipeline_id: int, job: str, *, rejected: bool = False, reason: str = "") -> None:
        self._gitlab = gitlab
        self._job = job
        self._pipeline_id = pipeline_id
        self._told = (rejected, reason)

    def decisions(self, request: ApprovalRequest) -> Sequence[Decision]:
        """Who played the job, if anybody did since it was last created; dated when it was put in the queue."""
        job = own = self._own()
        if job is None:
            job = self._find()
        if job is None or job.status not in PLAYED or job.played_at is None:
            return ()
        rejected, reason = self._told if own else self._answer(job)
        return (
            Decision(
                source="gitlab_job",
                user=job.user,
                approved=not rejected,
                at=job.played_at,
                # The click names no plan: it answers the request of this pipeline, if it came after it.
                plan_sha256=request.plan_sha256,
                reason=reason,
                reference=job.web_url,
            ),
        )

    def _own(self) -> GitLabJob | None:
        # Inside the job itself its own token says whose it is; nothing else is needed, and nothing is newer.
        own = self._gitlab.whose_job() if self._gitlab.has_job_token else None
        return own if own and (own.name, own.pipeline_id) == (self._job, self._pipeline_id) else None

    def _find(self) -> GitLabJob | None:
        if not self._gitlab.has_token:
            return None
        found = [job for job in self._gitlab.pipeline_jobs(self._pipeline_id) if job.name == self._job]
        return found[-1] if found else None

    def _answer(self, job: GitLabJob) -> tuple[bool, str]:
        told = self._gitlab.play_variables(job.id)
        # Whatever is not clearly a yes is a no.
        rejected = told.get("RUNBOOK_DECISION", "").lower() not in YES
        return rejected or self._told[0], told.get("RUNBOOK_REASON", "") or self._told[1]
