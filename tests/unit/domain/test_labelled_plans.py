"""Every labelled plan, judged by the default pack's policies on security groups."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
from compliance_samples import ROOT, judged
from ruamel.yaml import YAML

from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.rules import rules_from_plan
from runbook_lib.models.compliance import ComplianceReport, Scope

PLANS = ROOT / "tests/fixtures/plans"
CASES = [
    pytest.param(labels.stem, case, id=case["case"])
    for labels in sorted(PLANS.glob("*.yml"))
    for case in YAML(typ="safe").load(labels)
]


@lru_cache
def _report(group: str, scope: str) -> ComplianceReport:
    plan = parse_plan((PLANS / f"{group}.json").read_bytes())
    return judged(rules_from_plan(plan), Scope(scope))


@pytest.mark.parametrize(("group", "case"), CASES)
def test_labelled_case_gets_the_verdicts_that_aws_semantics_owe_it(group: str, case: dict[str, Any]) -> None:
    found: dict[str, str] = {}
    for finding in _report(group, case.get("scope", "changed")).findings:
        of_groups = finding.policy.startswith("sg-") and finding.address in case["addresses"]
        if of_groups and found.get(finding.policy) != "failed":
            found[finding.policy] = str(finding.verdict)
    undecided = set(case.get("undecided", ()))
    assert {p: v for p, v in found.items() if p not in undecided} == {
        p: v for p, v in case["expect"].items() if p not in undecided
    }


def test_there_are_at_least_120_labelled_cases() -> None:
    assert len(CASES) >= 120
