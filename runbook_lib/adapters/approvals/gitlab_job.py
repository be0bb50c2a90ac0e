"""The manual job of the pipeline: who played it approved, or rejected if the job was told so."""

from __future__ import annotations

from collections.abc import Sequence

from ...models.approval import ApprovalRequest, Decision
from ..gitlab import GitLab
from ..gitlab_data import GitLabJob

__all__ = ["GitLabManualJob"]

# In all other states the job was not played: its `user` is still who started the pipeline.
PLAYED = frozenset({"running", "success", "failed", "canceled", "canceling"})


class GitLabManualJob:
    """The job named `job` in the pipeline.

    A manual job can only be played, so a rejection is played too: with the variable RUNBOOK_DECISION=reject, which
    the running job hands over as `rejected` (and RUNBOOK_REASON as `reason`). It can turn an approval into a rejection,
    never the other way; who it was, GitLab alone says.
    """

    def __init__(self, gitlab: GitLab, pipeline_id: int, job: str, *, rejected: bool = False, reason: str = "") -> None:
        self._gitlab = gitlab
        self._job = job
        self._pipeline_id = pipeline_id
        self._rejected = rejected
        self._reason = reason

    def decisions(self, request: ApprovalRequest) -> Sequence[Decision]:
        """Who played the job, if anybody did since it was last created; dated when it was put in the queue."""
        job = self._find()
        if job is None or job.status not in PLAYED or job.played_at is None:
            return ()
        return (
            Decision(
                source="gitlab_job",
                user=job.user,
                approved=not self._rejected,
                at=job.played_at,
                # The click names no plan: it answers the request of this pipeline, if it came after it.
                plan_sha256=request.plan_sha256,
                reason=self._reason,
                reference=job.web_url,
            ),
        )

    def _find(self) -> GitLabJob | None:
        # Inside the job itself its own token says whose it is; nothing else is needed, and nothing is newer.
        if self._gitlab.has_job_token:
            own = self._gitlab.whose_job()
            if own.name == self._job and own.pipeline_id == self._pipeline_id:
                return own
        if not self._gitlab.has_token:
            return None
        found = [job for job in self._gitlab.pipeline_jobs(self._pipeline_id) if job.name == self._job]
        return found[-1] if found else None
