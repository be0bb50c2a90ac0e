"""What a rule that goes had covered is judged with the change."""

from __future__ import annotations

from typing import Any

import pytest
from compliance_samples import network_rule

from runbook_lib.domain.compliance.uncovered import uncovered
from runbook_lib.domain.rules import RuleChanges
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.rules import Rule, SourceKind

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


def of_list(*entries: str, **fields: Any) -> Rule:
    return network_rule(source="pl-1", source_kind=SourceKind.PREFIX_LIST, entries=entries, address="a.list", **fields)


@pytest.mark.parametrize(
    ("gone", "stays", "covered"),
    [
        # Its ports and its networks all lie within, to the last.
        ({"from_port": 22, "to_port": 30}, {"from_port": 22, "to_port": 30}, True),
        ({"from_port": 22, "to_port": 30}, {"from_port": 23, "to_port": 29}, True),
        ({"from_port": 22, "to_port": 30}, {"from_port": 21, "to_port": 30}, False),
        ({"from_port": 22, "to_port": 30}, {"from_port": 22, "to_port": 31}, False),
        ({"from_port": UNKNOWN}, {"from_port": 0, "to_port": 65535}, True),
        ({"protocol": "all", "from_port": None, "to_port": None}, {"from_port": UNKNOWN}, True),
        ({}, {"protocol": "all", "from_port": None, "to_port": None}, False),
        ({"protocol": "icmp", "from_port": 8, "to_port": 0}, {"protocol": "icmp", "from_port": 3, "to_port": 1}, True),
        ({"source": "10.0.0.0/9"}, {"source": "10.0.0.0/8"}, False),
        ({"source": "10.0.0.0/8"}, {"source": "10.0.0.0/8", "to_port": 22}, False),
        ({"group": UNKNOWN}, {"group": UNKNOWN}, False),
        ({"direction": UNKNOWN}, {"direction": UNKNOWN}, False),
        ({"source": UNKNOWN, "source_kind": SourceKind.UNKNOWN}, {}, False),
        ({"source": "sg-9", "source_kind": SourceKind.GROUP}, {"source": "sg-9", "source_kind": SourceKind.GROUP,
                                                               "to_port": 22}, False),
    ],
)  # fmt: skip
def test_only_what_wholly_lies_within_what_goes_is_uncovered(
    gone: dict[str, Any], stays: dict[str, Any], covered: bool
) -> None:
    assert within(network_rule(**{"source": "10.0.0.0/10", **stays}), network_rule(**gone_from(gone))) is covered


def gone_from(fields: dict[str, Any]) -> dict[str, Any]:
    return {"source": "10.0.0.0/8", **fields}


def test_a_list_is_uncovered_where_each_of_its_networks_is_in_one_of_those_that_go() -> None:
    both, other = of_list("10.0.0.0/9", "11.0.0.0/9"), of_list("10.0.0.0/9", "2001:db8::/32")
    wide = of_list("10.0.0.0/8", "11.0.0.0/8", group="sg-1")
    assert within(both, wide)
    assert not within(other, wide)
    assert not within(both, network_rule(source="10.0.0.0/8"))
    # Both may change at once: each is looked at by its own place.
    changes = RuleChanges(before=(wide, WORLD), after=(network_rule(source="8.0.0.0/8", protocol="udp"), both, HALF))
    assert uncovered(changes) == {1, 2}


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
