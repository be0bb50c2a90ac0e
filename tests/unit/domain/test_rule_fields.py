"""Every field of a rule counts wherever rules are compared or exported, without being named there."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.compliance import judge
from runbook_lib.domain.drift import compare
from runbook_lib.domain.rules import RuleChanges
from runbook_lib.domain.rules.changes import touched_rules
from runbook_lib.models.base import UNKNOWN, Outcome
from runbook_lib.models.findings import Action, Severity
from runbook_lib.models.policies import Policy, RuleMatch
from runbook_lib.models.rules import COMPARED_FIELDS, EXPORTED_FIELDS, Direction, Rule
from runbook_lib.models.verification import Difference, DifferenceKind, Verification
from runbook_lib.report.csv_formats import differences_csv

RULE = Rule(
    direction="ingress", protocol="tcp", from_port=80, to_port=80, source="10.0.0.0/8", description="web",
    expires="2027-01-31", group="sg-1", address="aws_vpc_security_group_ingress_rule.web",
)  # fmt: skip
OTHER: dict[str, Any] = {
    "direction": "egress", "protocol": "udp", "from_port": 79, "to_port": 81, "source": "192.0.2.0/24",
    "source_kind": "group", "entries": ("10.0.0.0/8",), "description": "mail", "expires": "2026-12-31", "group": "sg-2",
    "address": "other",
}  # fmt: skip


def changed(field: str) -> Rule:
    return Rule.model_validate({**dict(RULE), field: OTHER[field]})


def test_no_field_is_left_out_here() -> None:
    assert set(OTHER) == set(Rule.model_fields)


@pytest.mark.parametrize("field", OTHER)
def test_a_change_of_any_field_touches_the_rule(field: str) -> None:
    assert touched_rules([RULE], [RULE], ()) == frozenset()
    assert touched_rules([RULE], [changed(field)], ()) == {0}


@pytest.mark.parametrize("field", [field for field in OTHER if field not in {"entries", "address"}])
def test_a_difference_in_any_field_but_the_address_and_the_entries_is_drift(field: str) -> None:
    found = compare([RULE], [RULE], [changed(field)], ["sg-2"])
    assert field in COMPARED_FIELDS
    assert found.outcome is Outcome.BLOCKED


@pytest.mark.parametrize("field", ["entries", "address"])
def test_where_a_rule_stands_and_what_its_list_holds_is_no_drift(field: str) -> None:
    assert compare([RULE], [RULE], [changed(field)]).outcome is Outcome.PASSED


@pytest.mark.parametrize("field", [field for field in OTHER if field not in {"source_kind", "address"}])
def test_any_field_that_is_not_known_is_named_by_a_finding_and_read_back_from_json(field: str) -> None:
    unknown = RULE.model_copy(update={"direction": UNKNOWN, field: UNKNOWN})
    policy = Policy(
        id="no-egress", title="Nothing goes out", severity=Severity.LOW, remedy="None.", action=Action.WARN,
        on_unknown=Action.WARN, rule=RuleMatch(direction=Direction.EGRESS),
    )  # fmt: skip
    (finding,) = judge(RuleChanges(after=(unknown,), touched=frozenset({0})), [policy]).findings
    named = finding.message.partition("(not known before apply: ")[2].rstrip(")").split(", ")
    assert set(named) == {"direction", field}
    assert Rule.model_validate_json(unknown.model_dump_json()) == unknown


def test_the_columns_of_a_rule_in_csv_are_its_fields_but_the_entries() -> None:
    found = Verification(
        outcome=Outcome.BLOCKED,
        in_sync=0,
        differences=(Difference(kind=DifferenceKind.MISSING, group="sg-1", rule=RULE),),
    )
    names, values = (line.split(",") for line in differences_csv(found).splitlines())
    beside = {"kind", "fields", "subject", "blocks", "same_access", "accepted_by"}
    assert {*names} == beside | {*OTHER} - {"entries"}
    shown = dict(zip(names, values, strict=True))
    assert {field: shown[field] for field in EXPORTED_FIELDS} == {f: str(getattr(RULE, f)) for f in EXPORTED_FIELDS}
