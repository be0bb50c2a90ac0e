"""The review of what one person approved alone: an issue in GitLab that is open until two others have looked."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ...models.approval import ApprovalRequest
from ..gitlab import GitLab
from ..gitlab_data import GitLabIssue

__all__ = ["LABEL", "NEEDED", "Review", "close_review", "open_review", "review_of", "reviews", "say_reviewed"]

LABEL: Final = "runbook-break-glass"
NEEDED: Final = 2
_OPENED: Final = re.compile(r"runbook: alone approved plan ([0-9a-f]{64}) of run (\S+) of stack (\S+)")
_REVIEWED: Final = "runbook: reviewed run {}"


@dataclass(frozen=True)
class Review:
    """One issue. `user` approved alone, who is who opened it; `reviewers` are the others that have looked.

    `run_id` is empty where somebody changed the issue so that it can't be told what it is of.
    """

    iid: int
    user: str
    url: str
    run_id: str = ""
    plan_sha256: str = ""
    stack: str = ""
    reviewers: tuple[str, ...] = ()

    def is_open(self, may: Collection[str]) -> bool:
        """Whether fewer have looked than must, of those who may, whatever GitLab says of the issue itself."""
        known = {name.casefold() for name in may}
        return len([name for name in self.reviewers if name.casefold() in known]) < NEEDED


def open_review(gitlab: GitLab, request: ApprovalRequest, reason: str) -> Review:
    """Open the issue, as the token's user; one that is there already for this very plan is the one."""
    user = gitlab.current_user()
    for known in reviews(gitlab):
        if (known.run_id, known.plan_sha256, known.user) == (request.run_id, request.plan_sha256, user):
            return known
    text = (
        f"runbook: alone approved plan {request.plan_sha256} of run {request.run_id} of stack {request.stack}\n\n"
        f"{request.exposure.sentence or 'Nobody gains or loses access.'}\n\nReason: {' '.join(reason.split())}\n\n"
        f"Two other approvers look at it, and say so: `runbook review {request.run_id}`. Until then it is open."
    )
    return _read(gitlab, gitlab.open_issue(f"Review: run {request.run_id} was approved by {user} alone", text, LABEL))


def reviews(gitlab: GitLab) -> tuple[Review, ...]:
    """All reviews that were ever opened, closed issues too, the oldest first."""
    return tuple(_read(gitlab, issue) for issue in gitlab.issues(LABEL))


def review_of(gitlab: GitLab, run_id: str) -> Review | None:
    """The review of a run; None if nobody approved it alone."""
    return next((review for review in reviews(gitlab) if review.run_id == run_id), None)


def say_reviewed(gitlab: GitLab, review: Review, text: str) -> Review:
    """Say that the token's user has looked."""
    gitlab.comment_issue(review.iid, f"{_REVIEWED.format(review.run_id)}\n\n{text}".strip())
    return _read(gitlab, next(issue for issue in gitlab.issues(LABEL) if issue.iid == review.iid))


def close_review(gitlab: GitLab, review: Review) -> None:
    """Close the issue."""
    body = next(issue.body for issue in gitlab.issues(LABEL) if issue.iid == review.iid)
    gitlab.edit_issue(review.iid, body, close=True)


def _read(gitlab: GitLab, issue: GitLabIssue) -> Review:
    said = _OPENED.fullmatch(issue.body.partition("\n")[0].strip())
    if said is None:
        return Review(issue.iid, issue.author, issue.url)
    wanted = _REVIEWED.format(said[2])
    looked = [
        note.author
        for note in gitlab.issue_notes(issue.iid)
        if not note.edited and note.body.partition("\n")[0].strip() == wanted and note.author != issue.author
    ]
    return Review(issue.iid, issue.author, issue.url, said[2], said[1], said[3], tuple(dict.fromkeys(looked)))
