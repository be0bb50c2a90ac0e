"""An answer to an approval request, given at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ..adapters.approvals import Terminal, record_decision
from ..domain.approval import ApplyFacts, rejections, same_person
from ..errors import ApprovalError, UsageError
from ..models.approval import ApprovalRequest, Decision
from ..settings import Settings
from .clients import gitlab_client
from .deciding import REQUEST, read_request
from .runs import run_store

__all__ = ["answer_request"]


def answer_request(settings: Settings, run_id: str, digest: str, answer: tuple[bool, str]) -> Decision:
    """Record an answer (whether approved, and why) to the run's request, refusing what could never count."""
    store = run_store(settings, run_id)
    if not store.exists(REQUEST):
        raise UsageError(f"run {run_id} asks for no approval", "Look for its id in outputs/, or run the approval step.")
    request, now = read_request(store), datetime.now(UTC)
    if digest and not request.plan_sha256.startswith(digest.lower()):
        raise ApprovalError(
            f"the request is for plan {request.plan_sha256[:12]}, not {digest}", "Read the request as it stands now."
        )
    if now >= request.expires_at:
        raise ApprovalError(
            f"the request expired at {request.expires_at:%Y-%m-%d %H:%M} UTC", "Run the plan step again."
        )
    gitlab = gitlab_client(settings)
    decision = record_decision(store, request, gitlab, answer, now)
    _warn_if_worthless(request, decision)
    if decision.approved:
        _warn_if_rejected(request, Terminal(store).decisions(request))
    return decision


def _warn_if_worthless(request: ApprovalRequest, decision: Decision) -> None:
    # It is kept as evidence all the same: who tried to approve a change of their own is worth knowing.
    own = any(same_person(decision.user, name) for name in (request.requester, request.author))
    if own and not decision.approved:
        return  # Who asked for a change may always withdraw it.
    if own:
        raise ApprovalError(f"{decision.user} asked for this change: it was recorded and does not count", _who(request))
    if decision.user.casefold() not in {name.casefold() for name in request.approvers}:
        hint = " Set GITLAB_TOKEN: by it GitLab says who you are." if decision.user.startswith("local:") else ""
        raise ApprovalError(
            f"{decision.user} is no approver: it was recorded and does not count", f"{_who(request)}{hint}"
        )


def _warn_if_rejected(request: ApprovalRequest, decisions: Sequence[Decision]) -> None:
    facts = ApplyFacts(request.plan_sha256, request.state_lineage, request.state_serial)
    said = rejections(request, decisions, facts)
    if said:
        raise ApprovalError(f"the approval was recorded and does not count: {said[0]}", "A rejection is final.")


def _who(request: ApprovalRequest) -> str:
    return f"Approvers are {', '.join(request.approvers)}."
