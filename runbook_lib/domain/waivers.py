"""Waivers: which finding somebody answers for, until when, and which of them have run out or hide nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

from runbook_lib.models.compliance import Waiver, WaiverState, WaiverStatus
from runbook_lib.models.findings import Finding, Verdict, WaiverReference

__all__ = ["apply_waivers", "fits", "matches"]


def apply_waivers(
    findings: Sequence[Finding], waivers: Sequence[Waiver], today: date
) -> tuple[tuple[Finding, ...], tuple[WaiverStatus, ...]]:
    """Mark the findings that a waiver in force hides, and say what became of each waiver. The last day still counts."""
    used: Counter[int] = Counter()
    result = []
    for finding in findings:
        hits = [i for i, waiver in enumerate(waivers) if matches(waiver, finding) and waiver.expires >= today]
        used.update(hits)
        result.append(_waived(finding, waivers[hits[0]]) if hits else finding)
    states = [_status(waiver, used[index], today) for index, waiver in enumerate(waivers)]
    return tuple(result), tuple(states)


def matches(waiver: Waiver, finding: Finding) -> bool:
    """Whether the waiver speaks of this finding, expired or not."""
    policy = finding.policy if finding.tool == "runbook" else f"{finding.tool}:{finding.policy}"
    return waiver.policy == policy and fits(waiver.address, finding.address)


def fits(pattern: str, text: str) -> bool:
    """Whether the text is as the pattern says, of which a star stands for any characters."""
    # Only the star is special: addresses hold brackets and quotes that other patterns would take for their own.
    first, *middle = pattern.split("*")
    if not middle:
        return pattern == text
    last = middle.pop()
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    position, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def _waived(finding: Finding, waiver: Waiver) -> Finding:
    reference = WaiverReference(owner=waiver.owner, reason=waiver.reason, expires=waiver.expires.isoformat())
    return finding.model_copy(update={"verdict": Verdict.WAIVED, "waiver": reference})


def _status(waiver: Waiver, findings: int, today: date) -> WaiverStatus:
    if waiver.expires < today:
        return WaiverStatus(waiver=waiver, state=WaiverState.EXPIRED)
    return WaiverStatus(
        waiver=waiver, state=WaiverState.IN_FORCE if findings else WaiverState.UNUSED, findings=findings
    )
