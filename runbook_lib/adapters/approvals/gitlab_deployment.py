"""Deployment approvals of a protected environment, a Premium feature: approving does not start the job."""

from __future__ import annotations

from collections.abc import Sequence

from ...models.approval import ApprovalRequest, Decision
from ..gitlab import GitLab

__all__ = ["GitLabDeployment"]


class GitLabDeployment:
    """The approvals and rejections of the deployment by the job named `job` in the pipeline."""

    def __init__(self, gitlab: GitLab, pipeline_id: int, job: str) -> None:
        self._gitlab = gitlab
        self._job = job
        self._pipeline_id = pipeline_id

    def decisions(self, request: ApprovalRequest) -> Sequence[Decision]:
        """One decision a person, the latest; none on the Free tier, or where GitLab does not say when."""
        if not self._gitlab.has_token:
            # A job's own token can't read them.
            return ()
        return tuple(
            Decision(
                source="gitlab_deployment",
                user=approval.user,
                approved=approval.approved,
                at=approval.at,
                plan_sha256=request.plan_sha256,
                reason=approval.comment,
                reference=approval.url,
            )
            for approval in self._gitlab.deployment_approvals(self._pipeline_id, self._job)
            if approval.at is not None
        )
