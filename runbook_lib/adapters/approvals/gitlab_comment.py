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
from .gitlab_review import reviews

__all__ = [
    "SIGNED",
    "GitLabComments",
    "answer_in_comment",
    "ask_in_comment",
    "asked_in_comment",
    "began_in_comment",
    "begin_in_comment",
]

_OURS: Final = "runbook:"
# What the listener signed.
SIGNED: Final = "runbook: signed "
_ALONE: Final = "alone approved"
_WORDS: Final = {True: "approved", False: "rejected"}
_LINE: Final = re.compile(r"runbook: (asked|approved|alone approved|rejected|began) plan ([0-9a-f]{64}) of run (\S+)")


class GitLabComments:
    """The comments on the request's commit. Who wrote one, and when, GitLab says; only an unedited one approves.

    With `approves` false they reject alone: a no is heard wherever it is said. Who approves alone, in an emergency, is
    heard as well, where the review of that is open for all to see.
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
        reviewed = _reviewed(self._gitlab, request) if any(decision.break_glass for decision in found) else ()
        return tuple(
            decision
            for decision in found
            if not decision.approved or (decision.user in reviewed if decision.break_glass else self._approves)
        )


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


def answer_in_comment(
    gitlab: GitLab, request: ApprovalRequest, answer: tuple[bool, str], *, alone: bool = False
) -> Decision:
    """Say the answer (whether approved, and why) in GitLab, and give back how it was taken down there."""
    approved, reason = answer
    word = _ALONE if alone else _WORDS[approved]
    note = _comment(gitlab, request, f"{_line(word, request)}\n\n{reason}".strip())
    return _decision(note, request.plan_sha256, word, reason)


def _reviewed(gitlab: GitLab, request: ApprovalRequest) -> frozenset[str]:
    found = (one for one in reviews(gitlab) if one.run_id == request.run_id)
    return frozenset(one.user for one in found if one.plan_sha256 == request.plan_sha256)


def _line(word: str, request: ApprovalRequest) -> str:
    return f"{_OURS} {word} plan {request.plan_sha256} of run {request.run_id}"


def _digest_line(request: ApprovalRequest) -> str:
    return f"Request: sha256 {request.digest}"


def _read(note: GitLabNote, request: ApprovalRequest) -> Sequence[Decision]:
    first, _, rest = note.body.partition("\n")
    if first.startswith(SIGNED):
        return ()  # by what it is signed with alone: slack_answer
    if not first.strip().casefold().startswith(_OURS):
        return ()
    said = _LINE.fullmatch(first.strip())
    if said is None:
        return (_decision(note, request.plan_sha256, "rejected", f"not understood: {first.strip()[:200]}"),)
    word, digest, run_id = said.groups()
    if run_id != request.run_id or word in {"asked", "began"} or (note.edited and word != "rejected"):
        return ()
    return (_decision(note, digest, word, rest.strip()),)


def _decision(note: GitLabNote, digest: str, word: str, reason: str) -> Decision:
    return Decision(
        source="gitlab_comment",
        user=note.author,
        approved=word in {_ALONE, _WORDS[True]},
        break_glass=word == _ALONE,
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
