"""What a rule that goes had covered is judged with the change."""

from __future__ import annotations

from typing import Any

import pytest
from compliance_samples import network_rule

from runbook_lib.domain.compliance.uncovered import uncovered
from runbook_lib.domain.rules import RuleChanges
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.rules import Rule

WORLD = network_rule(source="0.0.0.0/0", address="a.world")
HALF = network_rule(source="0.0.0.0/1", address="a.half")


def within(rule: Rule, removed: Rule = WORLD) -> bool:
    return uncovered(RuleChanges(before=(removed, rule), after=(rule,))) == {0}


@pytest.mark.parametrize(
    ("fields", "covered"),
    [
        ({}, True),
        ({"from_port": 20, "to_port": 25}, False),
        ({"protocol": "udp"}, False),
        ({"group": "sg-2"}, False),
        ({"direction": "egress"}, False),
        ({"source": "::/1"}, False),
        ({"source": UNKNOWN, "source_kind": "unknown"}, False),
    ],
)
def test_what_lies_within_a_rule_that_goes_is_uncovered(fields: dict[str, Any], covered: bool) -> None:
    assert within(Rule.model_validate({**HALF.model_dump(), **fields})) is covered


def test_where_everything_was_open_every_port_was_covered() -> None:
    everything = WORLD.model_copy(update={"protocol": "all", "from_port": None, "to_port": None})
    assert within(HALF, everything)
    assert within(HALF.model_copy(update={"protocol": "47", "from_port": None, "to_port": None}), everything)


def test_a_rule_that_stood_twice_covers_nothing_by_which_it_goes() -> None:
    assert uncovered(RuleChanges(before=(WORLD, WORLD), after=(WORLD,))) == frozenset()


def test_nothing_is_uncovered_where_nothing_goes() -> None:
    assert uncovered(RuleChanges(before=(WORLD, HALF), after=(WORLD, HALF))) == frozenset()
    moved = WORLD.model_copy(update={"address": "a.moved", "description": "another"})
    assert uncovered(RuleChanges(before=(WORLD, HALF), after=(moved, HALF))) == frozenset()
