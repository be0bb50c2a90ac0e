"""Whether rules let the same through, however they are split."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from runbook_lib.domain.canonical import canonical
from runbook_lib.domain.same_access import same_access
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.rules import Direction, Rule, SourceKind


def rule(low: Any, high: Any = None, source: Any = "10.0.0.0/8", **more: Any) -> Rule:
    given = {"direction": Direction.INGRESS, "protocol": "tcp", "group": "sg-1", **more}
    return canonical(Rule(from_port=low, to_port=low if high is None else high, source=source, **given))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([rule(80, 81)], [rule(80), rule(81)], True),
        ([rule(80, 90)], [rule(80, 85), rule(83, 90)], True),
        ([rule(80, source="10.0.0.0/8")], [rule(80, source="10.0.0.0/9"), rule(80, source="10.128.0.0/9")], True),
        ([rule(80), rule(80)], [rule(80)], True),
        ([rule(0, 65535)], [rule(0, 1000), rule(1001, 65535)], True),
        ([rule(80, 82)], [rule(80), rule(82)], False),
        ([rule(80)], [rule(80, source="10.0.0.0/9")], False),
        ([rule(80)], [rule(80, protocol="udp")], False),
        ([rule(80)], [], False),
        ([rule(80, source="0.0.0.0/0")], [rule(80, source="::/0")], False),
        ([rule(8, 0, protocol="icmp")], [rule(8, 1, protocol="icmp")], False),
        ([rule(8, 0, protocol="icmp")], [rule(8, 0, protocol="icmp")], True),
        (
            [rule(80, source="sg-2", source_kind=SourceKind.GROUP)],
            [rule(80, source="sg-3", source_kind=SourceKind.GROUP)],
            False,
        ),
        (
            [rule(80, 81, source="sg-2", source_kind=SourceKind.GROUP)],
            [rule(80, source="sg-2", source_kind=SourceKind.GROUP), rule(81, source="sg-2", source_kind="group")],
            True,
        ),
        ([rule(UNKNOWN, UNKNOWN)], [rule(UNKNOWN, UNKNOWN)], False),
        ([rule(80, source=UNKNOWN)], [rule(80, source=UNKNOWN)], False),
    ],
)
def test_the_same_comes_through_or_not(one: list[Rule], other: list[Rule], same: bool) -> None:
    assert same_access(one, other) is same
    assert same_access(other, one) is same


def test_it_says_of_small_worlds_what_trying_every_packet_says() -> None:
    chance = random.Random(7)  # no secret
    networks = {"10.0.0.0/30": range(4), "10.0.0.0/31": range(2), "10.0.0.2/31": range(2, 4), "10.0.0.1/32": (1,)}

    def some() -> list[Rule]:
        ports = [sorted(chance.choices(range(4), k=2)) for _ in range(chance.randint(0, 3))]
        return [rule(low, high, chance.choice([*networks])) for low, high in ports]

    def packets(rules: list[Rule]) -> set[tuple[int, int]]:
        return {
            (port, host)
            for each, port in itertools.product(rules, range(4))
            if each.from_port <= port <= each.to_port  # type: ignore[operator]
            for host in networks[str(each.source)]
        }

    tried = [(some(), some()) for _ in range(600)]
    assert [same_access(*pair) for pair in tried] == [packets(one) == packets(other) for one, other in tried]
    assert any(one and packets(one) == packets(other) and one != other for one, other in tried)
