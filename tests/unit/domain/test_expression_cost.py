"""What many policies over one resource cost: it is made ready once, and each expression is computed once."""

from __future__ import annotations

from typing import Any

import pytest
from compliance_samples import change, changes_of

from runbook_lib.domain.compliance import expression, judge
from runbook_lib.domain.compliance.expression import Expression, Prepared, compile_expression
from runbook_lib.domain.rules import ResourceView
from runbook_lib.models.policies import Policy


def policy(number: int, when: str) -> Policy:
    return Policy.model_validate(
        {
            "id": f"made-{number}", "title": "Made", "severity": "low", "action": "warn", "on_unknown": "warn",
            "remedy": "None.", "resource": {"types": ["aws_vpc"], "when": when},
        }
    )  # fmt: skip


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often values are taken over into CEL, and how often an expression is computed."""
    found = {"taken": 0, "computed": 0}
    known, judged = expression._known, Expression.judge

    def taken(values: Any) -> Any:
        found["taken"] += isinstance(values, dict) and "cidr_block" in values
        return known(values)

    def computed(self: Expression, prepared: Prepared) -> bool | None:
        found["computed"] += 1
        return judged(self, prepared)

    monkeypatch.setattr(expression, "_known", taken)
    monkeypatch.setattr(Expression, "judge", computed)
    return found


def test_a_resource_is_taken_over_once_for_all_policies(counted: dict[str, int]) -> None:
    made = [
        change(["create"], None, {"cidr_block": f"10.{n}.0.0/16"}, address=f"aws_vpc.v{n}", type="aws_vpc")
        for n in range(3)
    ]
    policies = [policy(number, f'values.cidr_block == "10.{number}.0.0/16"') for number in range(20)]
    report = judge(changes_of(*made), policies)
    assert [finding.address for finding in report.findings] == ["aws_vpc.v0", "aws_vpc.v1", "aws_vpc.v2"]
    assert counted == {"taken": 3, "computed": 60}


def test_policies_with_the_same_expression_share_its_answer(counted: dict[str, int]) -> None:
    made = change(["create"], None, {"cidr_block": "10.0.0.0/16"}, address="aws_vpc.v", type="aws_vpc")
    report = judge(changes_of(made), [policy(number, "has(values.cidr_block)") for number in range(20)])
    assert (len(report.findings), counted["computed"]) == (20, 1)


def test_nothing_is_taken_over_where_the_unknown_decides(counted: dict[str, int]) -> None:
    made = change(["create"], None, {"cidr_block": "x"}, address="aws_vpc.v", type="aws_vpc", unknown={"owner": True})
    report = judge(changes_of(made), [policy(1, 'values.owner == "me"')])
    assert [str(finding.verdict) for finding in report.findings] == ["unknown"]
    assert counted["taken"] == 0


def test_a_text_that_many_expressions_parse_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    expression._parse_json.cache_clear()
    view = ResourceView("aws_vpc.v", "aws_vpc", {"policy": '{"a": [1]}'}, touched=True)
    prepared = Prepared(view)
    for number in range(5):
        assert prepared.answer(compile_expression(f"parse_json(values.policy).a == [{number}]")) is (number == 1)
    assert expression._parse_json.cache_info().misses == 1
