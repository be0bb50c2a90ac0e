"""Two judgements of one change, by what stood before it and by what it brings: the stricter of both counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from runbook_lib.models.compliance import ComplianceReport
from runbook_lib.models.findings import Action, Finding, Severity, Verdict

from .judge import outcome_of

__all__ = ["stricter"]

T = TypeVar("T")

_ACTIONS, _SEVERITIES = list(Action), list(Severity)
_VERDICTS = [Verdict.FAILED, Verdict.UNKNOWN, Verdict.WAIVED, Verdict.PASSED]
_EARLIER = "It blocks by what was in force before this change."


def stricter(now: ComplianceReport, before: ComplianceReport) -> ComplianceReport:
    """The report of now, with each finding as grave as in either, and those that only stood before added."""
    known = {_key(finding): finding for finding in before.findings}
    found = [_graver(finding, known.pop(_key(finding), finding)) for finding in now.findings]
    found += [_said_of_before(finding) for finding in known.values()]
    found.sort(key=lambda f: (_SEVERITIES.index(f.severity), f.verdict is not Verdict.FAILED, f.address, f.policy))
    checked = now.checked.model_copy(update={"policies": max(now.checked.policies, before.checked.policies)})
    return now.model_copy(update={"findings": tuple(found), "outcome": outcome_of(found), "checked": checked})


def _key(finding: Finding) -> tuple[str, str, str, str]:
    rule = finding.rule.model_dump_json() if finding.rule else ""
    return finding.tool, finding.policy, finding.address, rule


def _graver(one: Finding, other: Finding) -> Finding:
    verdict = _first(_VERDICTS, (one.verdict, other.verdict))
    action = _first(_ACTIONS, (one.action, other.action))
    severity = _first(_SEVERITIES, (one.severity, other.severity))
    changed = one.model_copy(update={"verdict": verdict, "action": action, "severity": severity})
    if verdict is not Verdict.WAIVED and changed.waiver:
        changed = changed.model_copy(update={"waiver": None})
    blocks = action is Action.BLOCK and verdict is not Verdict.WAIVED
    blocked = one.action is Action.BLOCK and one.verdict is not Verdict.WAIVED
    return _said_of_before(changed) if blocks and not blocked else changed


def _said_of_before(finding: Finding) -> Finding:
    return finding.model_copy(update={"remedy": f"{finding.remedy} {_EARLIER}".strip()})


def _first(order: list[T], values: Iterable[T]) -> T:
    return min(values, key=order.index)
