"""Answers given by Slack's buttons: signed by the listener, and kept as comments on the commit."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import ValidationError

from ...errors import EvidenceError
from ...models.approval import ApprovalRequest, Decision
from ...models.approval_config import SlackApprovals
from ...models.slack_answer import SlackAnswer
from ..gitlab import GitLab
from ..gitlab_data import GitLabNote
from ..signing import sign_statement, verify_envelope
from .gitlab_comment import SIGNED

__all__ = ["SlackAnswers", "project_address", "say_signed"]

_TYPE: Final = "application/vnd.runbook.slack-answer+json"


class SlackAnswers:
    """The comments that hold signed answers, whoever wrote them: the key alone, which runbook.yml pins, is believed.

    `known` are logins by Slack's ids of whom a no is heard, also where it is not agreed who they are.
    """

    def __init__(self, gitlab: GitLab, config: SlackApprovals, known: Mapping[str, str] | None = None) -> None:
        self._gitlab = gitlab
        self._config = config
        self._known = known or {}

    def decisions(self, request: ApprovalRequest) -> Sequence[Decision]:
        """All answers to this run; one that does not verify is told of, and counts for nothing."""
        if not (request.commit and self._gitlab.has_token):
            return ()
        notes = [note for note in self._gitlab.comments(request.commit) if note.body.startswith(SIGNED)]
        found = [self._decision(note, request) for note in notes]
        return tuple(decision for decision in found if decision)

    def _decision(self, note: GitLabNote, request: ApprovalRequest) -> Decision | None:
        try:
            answer = _opened(note.body, self._config.key)
        except EvidenceError as error:
            return _doubtful(note, request, error.message)
        if answer.project != project_address(self._gitlab):
            return _doubtful(note, request, f"it is of {answer.project}")
        if answer.asked.run_id != request.run_id:
            return None
        who = self._config.users.get(answer.user, "") or ("" if answer.approved else self._known.get(answer.user, ""))
        doubt = ""
        if not who:
            doubt = f"{answer.user} is none of approval.slack.users in runbook.yml"
        elif answer.asked.commit != request.commit or answer.asked.stack != request.stack:
            doubt = "it is of another commit or stack"
        return Decision(
            source="slack",
            user=who or f"slack:{answer.user}",
            approved=answer.approved,
            at=answer.at,
            plan_sha256=answer.asked.plan_sha256,
            reason=answer.reason,
            reference=note.url,
            doubt=doubt,
        )


def say_signed(gitlab: GitLab, answer: SlackAnswer, key: str) -> GitLabNote:
    """Sign an answer and keep it as a comment on its commit."""
    envelope = sign_statement(answer.model_dump_json().encode(), key, _TYPE)
    word = "approved" if answer.approved else "rejected"
    text = f"{SIGNED}{base64.b64encode(envelope).decode()}\n\nSomebody {word} run {answer.asked.run_id} in Slack."
    return gitlab.comment(answer.asked.commit, text)


def project_address(gitlab: GitLab) -> str:
    """The project that an answer is of."""
    path = gitlab.project if "/" in gitlab.project else gitlab.project_path()
    return f"{gitlab.url}/{path}"


def _opened(body: str, key: str) -> SlackAnswer:
    text = body.partition("\n")[0].removeprefix(SIGNED).strip()
    try:
        envelope = base64.b64decode(text, validate=True)
        return SlackAnswer.model_validate_json(verify_envelope(envelope, key, _TYPE)[0])
    except (binascii.Error, ValidationError, ValueError) as error:
        raise EvidenceError("it is no answer that the listener wrote") from error


def _doubtful(note: GitLabNote, request: ApprovalRequest, why: str) -> Decision:
    return Decision(
        source="slack",
        user=note.author,
        approved=True,
        at=note.created_at,
        plan_sha256=request.plan_sha256,
        reference=note.url,
        doubt=f"it is no answer of the listener's: {why}",
    )
