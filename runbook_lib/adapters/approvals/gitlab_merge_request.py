"""Merge-request approvals: of the very commit after the plan was shown, or of the merge request that brought it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from ...models.approval import ApprovalRequest, Decision
from ..gitlab import GitLab
from ..gitlab_data import MergeRequestApproval, MergeRequestNote, MergeRequestReference, MergeRequestVersion

__all__ = ["GitLabMergeRequest", "NotedEffect"]


@dataclass(frozen=True)
class NotedEffect:
    """What approvals of before the merge are held to.

    `branch` is the one that is applied from. `differs` says in what a note on the merge request is another than this
    plan's, empty if in nothing; None for what is no such note. `doubt` is why no earlier approval can count at all.
    """

    branch: str
    differs: Callable[[str], str | None]
    doubt: str = ""


class GitLabMergeRequest:
    """The approvals of merge requests of the request's commit. There is no rejection among them.

    Of a merge request into the branch that is applied from, open or never merged, those of its very head count, if they
    came after the plan was shown. Of the one whose merge made the commit those count that were given when its note
    showed a plan that does the same, and to nothing that was pushed since.
    """

    def __init__(self, gitlab: GitLab, effect: NotedEffect | None = None) -> None:
        self._gitlab = gitlab
        self._effect = effect

    def decisions(self, request: ApprovalRequest) -> Sequence[Decision]:
        """Who approves now: one taken back is not told of, nor one that GitLab does not date."""
        if not (request.commit and self._gitlab.has_token):
            return ()
        found: list[Decision] = []
        for merge_request in self._gitlab.merge_requests_of(request.commit):
            if self._effect and merge_request.brought(request.commit, self._effect.branch):
                found += self._before_the_merge(merge_request, request, self._effect)
            elif merge_request.sha == request.commit and self._leads_here(merge_request):
                found += self._of_its_head(merge_request, request)
        return tuple(found)

    def _of_its_head(self, merge_request: MergeRequestReference, request: ApprovalRequest) -> Iterator[Decision]:
        approvals = [one for one in self._gitlab.approvals_of(merge_request) if one.at is not None]
        versions = self._gitlab.merge_request_versions(merge_request.iid) if approvals else ()
        for one in approvals:
            if one.at is not None:
                # It may have had another head when it was given, and this one before and after.
                yield _decision(one, one.at, request, _pushed(merge_request, versions, one.at))

    def _leads_here(self, merge_request: MergeRequestReference) -> bool:
        # Whoever approves that a commit goes somewhere else has not looked at what it does here.
        return self._effect is None or merge_request.target == self._effect.branch

    def _before_the_merge(
        self, merge_request: MergeRequestReference, request: ApprovalRequest, effect: NotedEffect
    ) -> Iterator[Decision]:
        approvals = self._gitlab.approvals_of(merge_request)
        if not approvals:
            return
        versions = self._gitlab.merge_request_versions(merge_request.iid)
        notes = self._gitlab.merge_request_notes(merge_request.iid)
        fingerprint = request.summary.fingerprint
        for one in approvals:
            if one.at is not None:
                doubt = (
                    effect.doubt
                    or ("" if fingerprint else "this plan has no fingerprint to compare with")
                    or _pushed(merge_request, versions, one.at)
                    or _noted(notes, effect, one.at)
                )
                yield _decision(one, one.at, request, doubt, "" if doubt else fingerprint)


def _decision(
    approval: MergeRequestApproval, at: datetime, request: ApprovalRequest, doubt: str, fingerprint: str = ""
) -> Decision:
    return Decision(
        source="gitlab_merge_request",
        user=approval.user,
        approved=True,
        at=at,
        # An approval of the commit is one of the plan only if it came after it, or of a plan that does the same.
        plan_sha256=request.plan_sha256,
        fingerprint=fingerprint,
        doubt=doubt,
        reference=approval.url,
    )


def _pushed(merge_request: MergeRequestReference, versions: Sequence[MergeRequestVersion], at: datetime) -> str:
    """Whether it is another than what was approved: by a push, or into another branch.

    A rebase that changes nothing is nothing else. A version of the same head is there where the branch changed.
    """
    seen = [version for version in versions if version.at <= at]
    if not seen or versions[-1].sha != merge_request.sha:
        return f"GitLab does not say what merge request {merge_request.iid} was when it was given"
    last, known = versions[-1], seen[-1]
    if any(one.sha == other.sha for one, other in pairwise(versions[len(seen) - 1 :])):
        return f"what merge request {merge_request.iid} is merged into changed after it was given"
    if known.sha == last.sha or (known.patch and known.patch == last.patch):
        return ""
    return f"{last.sha[:12]} was pushed to merge request {merge_request.iid} after it was given for {known.sha[:12]}"


def _noted(notes: Sequence[MergeRequestNote], effect: NotedEffect, at: datetime) -> str:
    """Whether the merge request said something else of the plan, or nothing, when it was approved."""
    shown = [(note, differs) for note in notes if (differs := effect.differs(note.body)) is not None]
    before = [(note, differs) for note, differs in shown if note.created_at <= at]
    if not before:
        return "no note on the merge request said what the plan does when it was given"
    for note, differs in before:
        if note.updated_at > at:
            return "the note on the merge request was written anew after it was given"
        if differs:
            return f"the note on the merge request was another: {differs}"
    return ""
