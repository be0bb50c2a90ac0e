"""Which rules somebody means, which one is the same from run to run, and what a plan does to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from compliance_samples import network_rule

from runbook_lib.domain.blame import Asked, events, identity, is_live
from runbook_lib.domain.rules import RuleChanges
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.blame import BlameKind
from runbook_lib.models.rules import Direction, Rule, SourceKind

# AWS's id of a group that is there, and Terraform's address of one that a plan makes.
NAMES: Mapping[str, str] = {"sg-1": "web", "aws_security_group.web": "web (new)", "sg-2": "db", "sg-9": ""}


@pytest.mark.parametrize(
    ("asked", "fields", "meant"),
    [
        ({}, {}, True),
        ({"address": "a.b"}, {}, True),
        ({"address": "a.c"}, {}, False),
        # A group goes by its id, its address or its name, before it has an id and after.
        ({"group": "sg-1"}, {}, True),
        ({"group": "sg-2"}, {}, False),
        ({"group": "web"}, {}, True),
        ({"group": "db"}, {}, False),
        ({"group": "web"}, {"group": "aws_security_group.web"}, True),
        ({"group": "sg-1"}, {"group": "aws_security_group.web"}, True),
        ({"group": "aws_security_group.web"}, {}, True),
        ({"group": "sg-7"}, {"group": "sg-7"}, True),
        ({"group": "sg-7"}, {"group": "sg-8"}, False),
        ({"group": "sg-7", "groups": frozenset({"sg-1"})}, {}, True),
        ({"group": "sg-7", "groups": frozenset({"db"})}, {"group": "sg-2"}, True),
        ({"group": "sg-7", "groups": frozenset({"sg-8"})}, {}, False),
        ({"groups": frozenset({"sg-2"})}, {}, True),  # more names of no group
        # Two groups without a name are not one for that.
        ({"group": "sg-9"}, {"group": "sg-7"}, False),
        ({"protocol": "tcp"}, {}, True),
        ({"protocol": "udp"}, {}, False),
        ({"protocol": "udp"}, {"protocol": "all"}, True),
        ({"protocol": "udp"}, {"protocol": UNKNOWN}, True),
        # A port is within the rule's own two, where these are known and not all of them.
        ({"port": 22}, {}, True),
        ({"port": 79}, {"from_port": 80, "to_port": 90}, False),
        ({"port": 80}, {"from_port": 80, "to_port": 90}, True),
        ({"port": 90}, {"from_port": 80, "to_port": 90}, True),
        ({"port": 91}, {"from_port": 80, "to_port": 90}, False),
        ({"port": 91}, {"from_port": 80, "to_port": UNKNOWN}, True),
        ({"port": 79}, {"from_port": 80, "to_port": UNKNOWN}, False),
        ({"port": 79}, {"from_port": UNKNOWN, "to_port": 90}, True),
        ({"port": 91}, {"from_port": UNKNOWN, "to_port": 90}, False),
        ({"port": 22}, {"protocol": "all", "from_port": None, "to_port": None}, True),
        ({"port": 22}, {"protocol": "all", "from_port": -1, "to_port": -1}, True),
        ({"port": 1}, {"from_port": 0, "to_port": 0}, False),
        ({"port": 0}, {"from_port": 0, "to_port": 0}, True),
        # ICMP's numbers are types and codes.
        ({"port": 8}, {"protocol": "icmp", "from_port": 8, "to_port": -1}, False),
        ({"port": 8}, {"protocol": "icmpv6", "from_port": None, "to_port": None}, False),
        ({}, {"protocol": "icmp", "from_port": 8, "to_port": -1}, True),
        # All that is asked has to be so.
        ({"group": "web", "port": 22, "protocol": "tcp", "address": "a.b"}, {}, True),
        ({"group": "web", "port": 22, "protocol": "tcp", "address": "a.b"}, {"group": "sg-2"}, False),
        ({"group": "web", "port": 23, "protocol": "tcp", "address": "a.b"}, {}, False),
    ],
)
def test_a_rule_is_meant_if_all_that_is_asked_is_so_of_it_or_may_be(
    asked: dict[str, Any], fields: dict[str, Any], meant: bool
) -> None:
    assert Asked(**asked).means(network_rule(**fields), NAMES) is meant


GROUP_SOURCE: dict[str, Any] = {"source_kind": SourceKind.GROUP, "source": "sg-1"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {}, True),
        # Where it stands and what is said of it make it no other rule.
        ({}, {"address": "a.c", "description": "other", "expires": "2027-01-01"}, True),
        ({}, {"group": "aws_security_group.web"}, True),
        ({}, {"group": "sg-2"}, False),
        ({"group": "sg-7"}, {"group": "sg-8"}, False),
        (GROUP_SOURCE, {**GROUP_SOURCE, "source": "aws_security_group.web"}, True),
        (GROUP_SOURCE, {**GROUP_SOURCE, "source": "sg-2"}, False),
        ({}, {"source": "198.51.100.0/24"}, False),
        (GROUP_SOURCE, {**GROUP_SOURCE, "source_kind": SourceKind.PREFIX_LIST}, False),
        ({}, {"direction": Direction.EGRESS}, False),
        ({}, {"protocol": "udp"}, False),
        ({}, {"from_port": 21}, False),
        ({}, {"to_port": 23}, False),
    ],
)
def test_a_rule_is_the_same_whatever_is_written_of_it_and_once_its_groups_have_ids(
    one: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    found = [identity(network_rule(**fields), NAMES) for fields in (one, other)]
    assert (found[0] == found[1]) is same


@pytest.mark.parametrize(
    ("live", "there"),
    [
        ([], False),
        ([{}], True),
        # The rules are those of one group, whatever it is called there.
        ([{"group": "sg-7", "address": "", "description": None}], True),
        ([{"source": "198.51.100.0/24"}], False),
        ([{"source": "198.51.100.0/24"}, {}], True),
        ([{"protocol": "udp"}, {"from_port": 21}, {"to_port": 23}, {"direction": Direction.EGRESS}], False),
    ],
)
def test_a_rule_is_live_if_one_of_its_group_s_rules_is_as_it_is(live: list[dict[str, Any]], there: bool) -> None:
    assert is_live(network_rule(), [network_rule(**fields) for fields in live], NAMES) is there


def test_a_live_rule_knows_its_source_by_the_id_that_the_plan_knew_by_its_address() -> None:
    planned = network_rule(source_kind=SourceKind.GROUP, source="aws_security_group.web")
    assert is_live(planned, [network_rule(**GROUP_SOURCE)], NAMES)
    assert not is_live(planned, [network_rule(**GROUP_SOURCE)], {})
    assert not is_live(planned, [network_rule(source_kind=SourceKind.GROUP, source="sg-2")], NAMES)


def told(before: list[Rule], after: list[Rule], touched: set[int], **asked: Any) -> list[tuple[BlameKind, str]]:
    changes = RuleChanges(before=tuple(before), after=tuple(after), touched=frozenset(touched))
    return [(kind, rule.address) for kind, rule in events(changes, NAMES, Asked(**asked))]


def test_a_plan_opens_alters_and_closes_rules_in_the_order_in_which_they_stand() -> None:
    old, gone, kept = (network_rule(address=f"r.{name}", from_port=port, to_port=port)
                       for name, port in (("old", 1), ("gone", 2), ("kept", 3)))  # fmt: skip
    new = network_rule(address="r.new", from_port=4, to_port=4)
    described = old.model_copy(update={"description": "other"})
    assert told([old, gone, kept], [new, kept, described], {0, 2}) == [
        (BlameKind.OPENED, "r.new"),
        (BlameKind.ALTERED, "r.old"),
        (BlameKind.CLOSED, "r.gone"),
    ]
    assert told([old, gone, kept], [new, kept, described], {0, 2}, port=1) == [(BlameKind.ALTERED, "r.old")]
    assert told([old, gone, kept], [new, kept, described], {0, 2}, port=2) == [(BlameKind.CLOSED, "r.gone")]
    assert told([old, gone, kept], [new, kept, described], {0, 2}, port=3) == []


def test_many_rules_are_told_in_the_order_of_the_plan() -> None:
    rules = [network_rule(address=f"r.{port}", from_port=port, to_port=port) for port in range(40)]
    assert told([], rules, set(range(40))) == [(BlameKind.OPENED, f"r.{port}") for port in range(40)]
