"""Two judgements of one change, by what stood before it and by what it brings: the stricter of both counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import reduce
from typing import TypeVar

from runbook_lib.models.compliance import ComplianceReport
from runbook_lib.models.findings import Action, Finding, Severity, Verdict

from .judge import outcome_of

__all__ = ["stricter"]

T = TypeVar("T")
_Key = tuple[str, ...]

_ACTIONS, _SEVERITIES = list(Action), list(Severity)
_VERDICTS = [Verdict.FAILED, Verdict.UNKNOWN, Verdict.WAIVED, Verdict.PASSED]
_BEFORE = "by what was in force before this change."


def stricter(now: ComplianceReport, before: ComplianceReport) -> ComplianceReport:
    """The report of now, with each finding as grave as in either, and those that only stood before added."""
    told, stood = _keyed(now.findings), _keyed(before.findings)
    here = {exact for exact, _ in told}
    alike: dict[_Key, list[Finding]] = defaultdict(list)
    for exact, finding in stood:
        alike[exact if exact in here else exact[:-1]].append(finding)
    gravest = {key: reduce(_graver, findings) for key, findings in alike.items()}
    # One policy may say two things of one resource, each in its own words. What is worded anew is compared with all
    # that was said otherwise before.
    found, taken = [], set[_Key]()
    for exact, finding in told:
        key = exact if exact in alike else exact[:-1]
        taken.add(key)
        found.append(_graver(finding, gravest.get(key, finding)))
    found += [_said_of_before(finding) for key, findings in alike.items() if key not in taken for finding in findings]
    found.sort(key=lambda f: (_SEVERITIES.index(f.severity), f.verdict is not Verdict.FAILED, f.address, f.policy))
    checked = now.checked.model_copy(update={"policies": max(now.checked.policies, before.checked.policies)})
    return now.model_copy(update={"findings": tuple(found), "outcome": outcome_of(found), "checked": checked})


def _keyed(findings: Iterable[Finding]) -> list[tuple[_Key, Finding]]:
    """Each with what it is about, and as the last part of that the words in which it says so."""
    return [
        ((each.tool, each.policy, each.address, each.rule.model_dump_json() if each.rule else "", each.message), each)
        for each in findings
    ]


def _graver(one: Finding, other: Finding) -> Finding:
    verdict = _first(_VERDICTS, (one.verdict, other.verdict))
    action = _first(_ACTIONS, (one.action, other.action))
    severity = _first(_SEVERITIES, (one.severity, other.severity))
    changed = one.model_copy(update={"verdict": verdict, "action": action, "severity": severity})
    if verdict is not Verdict.WAIVED and changed.waiver:
        changed = changed.model_copy(update={"waiver": None})
    return _said_of_before(changed) if _blocks(changed) and not _blocks(one) else changed


def _said_of_before(finding: Finding) -> Finding:
    said = f"It {'blocks' if _blocks(finding) else 'is found'} {_BEFORE}"
    return finding.model_copy(update={"remedy": f"{finding.remedy} {said}".strip()})


def _blocks(finding: Finding) -> bool:
    return finding.action is Action.BLOCK and finding.verdict is not Verdict.WAIVED


def _first(order: list[T], values: Iterable[T]) -> T:
    return min(values, key=order.index)
