"""Values made without validation are what validated ones are, in everything that pydantic does with them."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest

from runbook_lib.domain.compliance import judge
from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.rules import rules_from_plan
from runbook_lib.models.base import UNKNOWN, Model
from runbook_lib.models.findings import Finding, Severity, Verdict
from runbook_lib.models.plan import ResourceChange
from runbook_lib.models.policies import Policy
from runbook_lib.models.rules import Direction, Rule
from runbook_lib.models.steps import BUILT_IN, RunStep, Step

RULE = Rule(direction=Direction.INGRESS, protocol="tcp", from_port=22, to_port=UNKNOWN, source="10.0.0.0/8")
VALUES = [
    RULE,
    ResourceChange(address="a.b", type="a", name="b", actions=("create",), after={"c": [1]}),
    Finding(policy="p", verdict=Verdict.FAILED, severity=Severity.LOW, address="a.b", rule=RULE, message="m"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_trusted_value_is_as_a_validated_one(value: Model) -> None:
    trusted = type(value).trusted(**dict(value))
    assert trusted == value
    assert repr(trusted) == repr(value)
    assert trusted.model_dump_json() == value.model_dump_json()
    assert trusted.model_copy(update={"address": "x"}) == value.model_copy(update={"address": "x"})
    assert copy.deepcopy(trusted) == pickle.loads(pickle.dumps(trusted)) == value
    assert trusted.model_fields_set == set(type(value).model_fields)
    with pytest.raises(ValueError, match="frozen"):
        trusted.address = "y"  # type: ignore[attr-defined]


def test_what_is_read_from_a_plan_and_judged_has_every_field_in_its_order() -> None:
    folder = Path(__file__).parents[1] / "fixtures/plans"
    policy = Policy.model_validate({
        "id": "p", "title": "t", "severity": "low", "action": "warn", "on_unknown": "warn", "description": "d",
        "remedy": "r", "rule": {"direction": "ingress"},
    })  # fmt: skip
    seen = set()
    for path in sorted(folder.glob("*.json")):
        plan = parse_plan(json.loads(path.read_text()))
        changes = rules_from_plan(plan)
        for value in (*plan.changes, *changes.after, *judge(changes, [policy]).findings):
            assert list(dict(value)) == list(type(value).model_fields)
            type(value).model_validate(dict(value))
            seen.add(type(value))
    assert seen == {ResourceChange, Rule, Finding}


def test_the_built_in_steps_are_valid() -> None:
    assert [Step.model_validate(dict(step)) for step in BUILT_IN] == list(BUILT_IN)
    assert [RunStep.model_validate(dict(step.recorded)) for step in BUILT_IN] == [step.recorded for step in BUILT_IN]
