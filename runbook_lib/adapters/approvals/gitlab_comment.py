"""Comments on the commit: what `runbook approve` and `runbook reject` say there, by the approver's own token."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ...errors import InputError
from ...models.approval import ApprovalRequest, Decision
from ..gitlab import GitLab
from ..gitlab_data import GitLabNote
from ..gitlab_http import GitLabRefusalError

__all__ = [
    "GitLabComments",
    "answer_in_comment",
    "ask_in_comment",
    "asked_in_comment",
    "began_in_comment",
    "begin_in_comment",
]

_OURS: Final = "runbook:"
_WORDS: Final = {True: "approved", False: "rejected"}
_LINE: Final = re.compile(r"runbook: (asked|approved|rejected|began) plan ([0-9a-f]{64}) of run (\S+)")


class GitLabComments:
    """The comments on the request's commit. Who wrote one, and when, GitLab says; only an unedited one approves.

    With `approves` false they reject alone: a no is heard wherever it is said.
    """

    def __init__(self, gitlab: GitLab, *, approves: bool = True) -> None:
        self._gitlab = gitlab
        self._approves = approves

    def decisions(self, request: ApprovalRequest) -> Sequence[Decision]:
        """All answers to this run; what was meant for us and can't be understood is a no."""
        if not (request.commit and self._gitlab.has_token):
            return ()
        notes = _comments(self._gitlab, request.commit)
        found = [decision for note in notes for decision in _read(note, request)]
        return tuple(decision for decision in found if self._approves or not decision.approved)


def ask_in_comment(gitlab: GitLab, request: ApprovalRequest) -> GitLabNote:
    """Say in GitLab what is asked: its author and its time are who asked, and when."""
    sentence = request.exposure.sentence or "nobody gains or loses access"
    text = f"{_line('asked', request)}\n\n{request.stack}: {sentence}\n\n{_digest_line(request)}"
    return _comment(gitlab, request, text)


def asked_in_comment(gitlab: GitLab, request: ApprovalRequest) -> GitLabNote | None:
    """The last comment by which who asked for this plan asked for it; None if there is none that says what it says.

    Who asked is who did so first: whoever comes later may have read the plan's digest there. What was edited since, or
    is of a request that said anything else, is no such comment.
    """
    wanted = _line("asked", request)
    found = [note for note in _comments(gitlab, request.commit) if note.body.split("\n")[0].strip() == wanted]
    theirs = [note for note in found if note.author == found[0].author and not note.edited]
    last = theirs[-1] if theirs else None
    return last if last and last.body.rstrip().endswith(_digest_line(request)) else None


def begin_in_comment(gitlab: GitLab, commit: str, run_id: str, plan_sha256: str) -> GitLabNote:
    """Say in GitLab that the plan's apply begins, so that nobody begins it again."""
    return gitlab.comment(commit, f"{_OURS} began plan {plan_sha256} of run {run_id}")


def began_in_comment(gitlab: GitLab, commit: str, run_id: str) -> GitLabNote | None:
    """The comment that says that an apply of this run began, whoever wrote it; None if none does."""
    for note in _comments(gitlab, commit):
        said = _LINE.fullmatch(note.body.partition("\n")[0].strip())
        if said and said[1] == "began" and said[3] == run_id:
            return note
    return None


def answer_in_comment(gitlab: GitLab, request: ApprovalRequest, answer: tuple[bool, str]) -> Decision:
    """Say the answer (whether approved, and why) in GitLab, and give back how it was taken down there."""
    approved, reason = answer
    note = _comment(gitlab, request, f"{_line(_WORDS[approved], request)}\n\n{reason}".strip())
    return _decision(note, request.plan_sha256, approved, reason)


def _line(word: str, request: ApprovalRequest) -> str:
    return f"{_OURS} {word} plan {request.plan_sha256} of run {request.run_id}"


def _digest_line(request: ApprovalRequest) -> str:
    return f"Request: sha256 {request.digest}"


def _read(note: GitLabNote, request: ApprovalRequest) -> Sequence[Decision]:
    first, _, rest = note.body.partition("\n")
    if not first.strip().casefold().startswith(_OURS):
        return ()
    said = _LINE.fullmatch(first.strip())
    if said is None:
        return (_decision(note, request.plan_sha256, False, f"not understood: {first.strip()[:200]}"),)
    word, digest, run_id = said.groups()
    if run_id != request.run_id or word in {"asked", "began"} or (note.edited and word == "approved"):
        return ()
    return (_decision(note, digest, word == "approved", rest.strip()),)


def _decision(note: GitLabNote, digest: str, approved: bool, reason: str) -> Decision:
    return Decision(
        source="gitlab_comment",
        user=note.author,
        approved=approved,
        at=note.created_at,
        plan_sha256=digest,
        reason=reason,
        reference=note.url,
    )


def _comments(gitlab: GitLab, commit: str) -> Sequence[GitLabNote]:
    try:
        return gitlab.comments(commit)
    except GitLabRefusalError as refusal:
        raise _unknown_commit(refusal, commit) from refusal


def _comment(gitlab: GitLab, request: ApprovalRequest, text: str) -> GitLabNote:
    try:
        return gitlab.comment(request.commit, text)
    except GitLabRefusalError as refusal:
        raise _unknown_commit(refusal, request.commit) from refusal


def _unknown_commit(refusal: GitLabRefusalError, commit: str) -> Exception:
    if refusal.status != 404 or "Project" in refusal.message:
        return refusal
    return InputError(
        f"GitLab does not know the commit {commit[:12]}, so nobody can be asked there",
        "Push it (git push), then run the approval step again.",
    )
