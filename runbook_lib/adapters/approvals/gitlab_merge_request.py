"""Merge-request approvals: of the very commit, and given after the plan was shown."""

from __future__ import annotations

from collections.abc import Sequence

from ...models.approval import ApprovalRequest, Decision
from ..gitlab import GitLab

__all__ = ["GitLabMergeRequest"]


class GitLabMergeRequest:
    """The approvals of merge requests whose head is the request's commit. There is no rejection among them."""

    def __init__(self, gitlab: GitLab) -> None:
        self._gitlab = gitlab

    def decisions(self, request: ApprovalRequest) -> Sequence[Decision]:
        """Who approves now: one taken back is not told of, nor one that GitLab does not date."""
        if not (request.commit and self._gitlab.has_token):
            return ()
        return tuple(
            Decision(
                source="gitlab_merge_request",
                user=approval.user,
                approved=True,
                at=approval.at,
                # An approval of the commit is one of the plan only if it came after it: its time decides.
                plan_sha256=request.plan_sha256,
                reference=approval.url,
            )
            for approval in self._gitlab.merge_request_approvals(request.commit)
            if approval.at is not None
        )
