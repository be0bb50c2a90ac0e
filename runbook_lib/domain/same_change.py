"""Which of several requests ask for the same: one look answers all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..models.approval import ApprovalRequest

__all__ = ["together"]

# Of a finding its place in the files, and of a plan who made it and when, differ from stack to stack.
_FINDING = {"policy", "verdict", "severity", "address", "message", "action", "tool", "waiver"}
_SHOWN = {
    "exposure", "risk", "governance", "code", "complete", "dirty", "requirements", "break_glass", "policy_sha256",
    "earlier", "unknown_authors",
}  # fmt: skip

# Each stack's groups have ids of their own.
_OWN = {"exposure": {kind: {"__all__": {"target_id"}} for kind in ("opened", "closed", "unknown")}}


def together(requests: Iterable[ApprovalRequest]) -> tuple[tuple[ApprovalRequest, ...], ...]:
    """The requests by what they ask for, the largest group first; each keeps its order.

    The same is what has the same fingerprint, and of which an approver is shown the same: what opens and for how long,
    findings, checks, risk and its reasons, what became of the runs before, whose approval is needed. A request without
    a fingerprint is the same as no other.
    """
    groups: dict[str, list[ApprovalRequest]] = {}
    for request in requests:
        alone = "" if request.summary.fingerprint else f"{request.run_id}/{request.stack}"
        groups.setdefault(f"{alone}{_asked(request)}", []).append(request)
    return tuple(tuple(group) for group in sorted(groups.values(), key=len, reverse=True))


def _asked(request: ApprovalRequest) -> str:
    said = request.model_dump(mode="json", include=_SHOWN, exclude=_OWN)
    findings = [finding.model_dump(mode="json", include=_FINDING) for finding in request.findings]
    ordered = sorted(findings, key=lambda finding: json.dumps(finding, sort_keys=True))
    summary = request.summary
    return json.dumps([summary.fingerprint, summary.checks, summary.temporary, said, ordered], sort_keys=True)
