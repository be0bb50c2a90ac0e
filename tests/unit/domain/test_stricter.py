"""Of two judgements of one change the stricter counts, finding by finding, and says where it comes from."""

from __future__ import annotations

from typing import Any

import pytest
from compliance_samples import network_rule

from runbook_lib.domain.compliance import stricter
from runbook_lib.models.base import Outcome
from runbook_lib.models.compliance import Checked, ComplianceReport
from runbook_lib.models.findings import Action, Finding, Severity, Verdict, WaiverReference

BEFORE = "Remove it. It blocks by what was in force before this change."
WAIVER = WaiverReference(owner="sam", reason="Known.", expires="2026-12-31")
WAIVED: dict[str, Any] = {"verdict": Verdict.WAIVED, "waiver": WAIVER}


def finding(**fields: Any) -> Finding:
    usual = {
        "policy": "p", "verdict": Verdict.FAILED, "severity": Severity.MEDIUM, "address": "a", "message": "m",
        "remedy": "Remove it.", "action": Action.BLOCK, "tool": "runbook",
    }  # fmt: skip
    return Finding.model_validate({**usual, **fields})


def report(*findings: Finding, policies: int = 1) -> ComplianceReport:
    checked = Checked(resources=3, rules=2, policies=policies)
    return ComplianceReport(outcome=Outcome.PASSED, checked=checked, findings=findings)


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        ({}, {}, {}),
        # What is said for the first time is said as it is.
        ({}, None, {}),
        (WAIVED, None, WAIVED),
        ({"action": Action.WARN}, {}, {"remedy": BEFORE}),
        ({"action": Action.WARN}, {"action": Action.APPROVE}, {"action": Action.APPROVE}),
        ({"action": Action.APPROVE}, {"action": Action.WARN}, {"action": Action.APPROVE}),
        ({}, {"action": Action.WARN}, {}),
        ({"severity": Severity.LOW}, {"severity": Severity.HIGH}, {"severity": Severity.HIGH}),
        ({"severity": Severity.CRITICAL}, {"severity": Severity.HIGH}, {"severity": Severity.CRITICAL}),
        ({"verdict": Verdict.UNKNOWN}, {}, {}),
        ({}, {"verdict": Verdict.UNKNOWN}, {}),
        # A change waives nothing for itself.
        (WAIVED, {}, {"remedy": BEFORE}),
        (WAIVED, {"verdict": Verdict.UNKNOWN}, {"verdict": Verdict.UNKNOWN, "remedy": BEFORE}),
        ({**WAIVED, "action": Action.WARN}, {"action": Action.WARN}, {"action": Action.WARN}),
        ({}, WAIVED, {}),
        (WAIVED, WAIVED, WAIVED),
        ({**WAIVED, "action": Action.WARN}, WAIVED, WAIVED),
    ],
)
def test_a_finding_is_as_grave_as_the_graver_of_both_judgements_says(
    now: dict[str, Any], before: dict[str, Any] | None, expected: dict[str, Any]
) -> None:
    earlier = report() if before is None else report(finding(**before))
    assert stricter(report(finding(**now)), earlier).findings == (finding(**expected),)


@pytest.mark.parametrize(
    "other",
    [{"policy": "q"}, {"address": "b"}, {"tool": "trivy"}, {"rule": network_rule()}],
)
def test_what_only_stood_before_is_added_with_where_it_comes_from(other: dict[str, Any]) -> None:
    found = stricter(report(finding()), report(finding(**other))).findings
    assert sorted(each.remedy for each in found) == ["Remove it.", BEFORE]
    assert finding(**other, remedy=BEFORE) in found
    assert stricter(report(), report(finding(remedy=""))).findings[0].remedy == BEFORE.removeprefix("Remove it. ")


SURE: dict[str, Any] = {"message": "m: 0.0.0.0/1"}
UNSURE: dict[str, Any] = {"message": "m: a network", "verdict": Verdict.UNKNOWN, "action": Action.APPROVE}


def test_of_two_things_that_a_policy_says_of_one_resource_each_stays_as_grave_as_it_was() -> None:
    both = report(finding(**SURE), finding(**UNSURE))
    assert stricter(both, both).findings == both.findings
    now = report(finding(**SURE, action=Action.WARN), finding(**UNSURE))
    found = stricter(now, both)
    assert (found.outcome, found.findings) == (Outcome.BLOCKED, (finding(**SURE, remedy=BEFORE), finding(**UNSURE)))


def test_one_of_two_things_that_is_said_no_more_still_counts() -> None:
    found = stricter(report(finding(**UNSURE)), report(finding(**SURE), finding(**UNSURE)))
    assert found.findings == (finding(**SURE, remedy=BEFORE), finding(**UNSURE))


def test_what_is_said_in_other_words_is_as_grave_as_all_that_was_said_of_it_before() -> None:
    found = stricter(report(finding(message="New.", action=Action.WARN)), report(finding(**SURE), finding(**UNSURE)))
    assert found.findings == (finding(message="New.", remedy=BEFORE),)


@pytest.mark.parametrize("milder", [{"action": Action.WARN}, {"action": Action.APPROVE}, WAIVED])
def test_what_only_stood_before_and_blocks_nothing_is_not_said_to_block(milder: dict[str, Any]) -> None:
    (found,) = stricter(report(), report(finding(**milder))).findings
    assert found == finding(**milder, remedy="Remove it. It is found by what was in force before this change.")


def test_of_both_judgements_findings_stand_in_one_order_and_the_worst_decides() -> None:
    low, unsure = finding(severity=Severity.LOW), finding(address="0", verdict=Verdict.UNKNOWN, action=Action.WARN)
    early = [finding(policy="q", action=Action.WARN), finding(address="b", action=Action.WARN)]
    now, before = report(low, unsure, policies=2), report(*early, policies=5)
    found = stricter(now, before)
    assert [(each.severity, each.address, each.policy) for each in found.findings] == [
        (Severity.MEDIUM, "a", "q"), (Severity.MEDIUM, "b", "p"), (Severity.MEDIUM, "0", "p"), (Severity.LOW, "a", "p"),
    ]  # fmt: skip
    assert (found.outcome, found.checked) == (Outcome.BLOCKED, Checked(resources=3, rules=2, policies=5))
    assert stricter(before, now).checked.policies == 5
    assert stricter(report(unsure), report(unsure)).outcome is Outcome.WARNED
    assert stricter(report(), report()).outcome is Outcome.PASSED
