"""Which rules are the world only together, on which ports, and how surely."""

from __future__ import annotations

from typing import Any

import pytest
from compliance_samples import network_rule

from runbook_lib.domain.compliance.together import world_together
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.rules import Direction, Rule, SourceKind

# Each is as much as is no world yet.
LOW, HIGH = "8.0.0.0/8", "9.0.0.0/8"
SSH = ("tcp", 22, 22)


def on(low: Any, high: Any = None, protocol: Any = "tcp") -> dict[str, Any]:
    return {"protocol": protocol, "from_port": low, "to_port": low if high is None else high}


def from_(source: Any, ports: dict[str, Any] | None = None, **fields: Any) -> Rule:
    return network_rule(source=source, **(ports or {}), **fields)


def listed(*entries: str, **fields: Any) -> Rule:
    """A rule for a prefix list; without entries it is one of which nothing is known."""
    return from_("pl-1", source_kind=SourceKind.PREFIX_LIST, entries=entries or UNKNOWN, **fields)


def sure(*openings: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return [(opening, True) for opening in openings]


def unsure(*openings: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return [(opening, False) for opening in openings]


def found(*rules: Rule) -> dict[int, list[tuple[Any, ...]]]:
    return {
        index: [(tuple(part.opening), part.certain) for part in parts] for index, parts in world_together(rules).items()
    }


@pytest.mark.parametrize(
    ("rules", "parts"),
    [
        pytest.param([from_(LOW), from_(HIGH)], {0: sure(SSH), 1: sure(SSH)}, id="two halves of it"),
        pytest.param(
            [from_(f"{first}.0.0.0/12") for first in range(20, 37)],
            {index: sure(SSH) for index in range(17)},
            id="many parts of it",
        ),
        pytest.param(
            [from_("2600::/32"), from_("2600:1::/32"), from_(LOW)], {0: sure(SSH), 1: sure(SSH)}, id="of IPv6"
        ),
        pytest.param(
            [from_("2600::/32"), from_("2600:1::/32"), from_(LOW), from_(HIGH)],
            {0: sure(SSH), 1: sure(SSH), 2: sure(SSH), 3: sure(SSH)},
            id="of both versions",
        ),
        pytest.param([from_(LOW), listed(HIGH)], {0: sure(SSH), 1: sure(SSH)}, id="half of it in a list"),
        pytest.param(
            [from_(LOW), from_(HIGH), from_("8.0.0.0/14")],
            {0: sure(SSH), 1: sure(SSH), 2: sure(SSH)},
            id="what lies in another is a part as well: the other may go",
        ),
        pytest.param(
            [from_(LOW), from_(HIGH), from_("9.0.0.0/15"), from_("198.51.100.0/24")],
            {0: sure(SSH), 1: sure(SSH)},
            id="what is narrow is no part that counts",
        ),
        pytest.param([from_(LOW), from_("9.0.0.0/15")], {}, id="something narrow beside what is no world yet"),
        pytest.param(
            [from_(LOW), *(from_(f"9.{second}.0.0/16") for second in range(4))],
            dict.fromkeys(range(5), sure(SSH)),
            id="many that are narrow",
        ),
        pytest.param(
            [from_(LOW), from_(HIGH), from_(LOW)],
            {0: sure(SSH), 1: sure(SSH), 2: sure(SSH)},
            id="what stands twice is a part twice",
        ),
        pytest.param(
            [from_(LOW), from_(HIGH), from_("10.0.0.0/8")], {0: sure(SSH), 1: sure(SSH)}, id="private is no part"
        ),
        pytest.param([from_("0.0.0.0/0"), from_(LOW)], {}, id="the whole world needs no help"),
        pytest.param([from_("0.0.0.0/1"), from_("128.0.0.0/1")], {}, id="each half of all is the world by itself"),
        pytest.param(
            [from_("0.0.0.0/0"), from_(LOW), from_(HIGH)],
            {1: sure(SSH), 2: sure(SSH)},
            id="what lets in all already hides nothing",
        ),
        pytest.param([from_("8.0.0.0/9"), from_("8.128.0.0/10")], {}, id="a quarter is missing"),
        pytest.param([from_(LOW)], {}, id="half of it"),
        pytest.param([from_(LOW), from_(LOW), from_(LOW)], {}, id="the same half again and again"),
        pytest.param([], {}, id="nothing"),
        pytest.param(
            [from_(LOW), from_("2600:1::/32"), from_(HIGH, group="sg-2"), from_("2600::/32", group="sg-2")],
            {},
            id="of two groups",
        ),
        pytest.param([from_(LOW), from_(HIGH, direction=Direction.EGRESS)], {}, id="in and out"),
        pytest.param(
            [from_(half, direction=Direction.EGRESS) for half in (LOW, HIGH)], {0: sure(SSH), 1: sure(SSH)}, id="out"
        ),
    ],
)  # fmt: skip
def test_rules_of_one_group_and_direction_add_up(rules: list[Rule], parts: dict[int, Any]) -> None:
    assert found(*rules) == parts


@pytest.mark.parametrize(
    ("one", "other", "parts"),
    [
        (on(20, 30), on(25, 40), [("tcp", 25, 30)]),
        (on(20, 30), on(30, 40), [("tcp", 30, 30)]),
        (on(20, 30), on(22, 23), [("tcp", 22, 23)]),
        (on(0, 65535), on(65535, 65535), [("tcp", 65535, 65535)]),
        (on(0, 65535), on(0, 0), [("tcp", 0, 0)]),
        (on(20, 30, "udp"), on(20, 30, "udp"), [("udp", 20, 30)]),
        (on(8, 0, "icmp"), on(8, 0, "icmp"), [("icmp", 8, 0)]),
        (on(None, None, "47"), on(None, None, "47"), [("47", None, None)]),
        (on(None, None, "all"), on(None, None, "all"), [("all", None, None)]),
        (on(None, None, "all"), on(22), [("tcp", 22, 22)]),
        (on(None, None, "all"), on(53, 54, "udp"), [("udp", 53, 54)]),
        (on(None, None, "all"), on(None, None, "47"), [("47", None, None)]),
        (on(20, 30), on(31, 40), []),
        (on(22), on(22, 22, "udp"), []),
        (on(None, None, "47"), on(None, None, "50"), []),
    ],
)
def test_they_are_the_world_on_the_ports_that_both_open(
    one: dict[str, Any], other: dict[str, Any], parts: list[tuple[Any, ...]]
) -> None:
    both = {0: sure(*parts), 1: sure(*parts)} if parts else {}
    assert found(from_(LOW, one), from_(HIGH, other)) == both
    assert found(from_(HIGH, other), from_(LOW, one)) == both


def test_several_rules_for_the_other_half_are_each_met_on_their_own_ports() -> None:
    assert found(from_(LOW, on(20, 30)), from_(HIGH, on(22)), from_(HIGH, on(25, 40))) == {
        0: sure(("tcp", 22, 22), ("tcp", 25, 30)),
        1: sure(("tcp", 22, 22)),
        2: sure(("tcp", 25, 30)),
    }


@pytest.mark.parametrize(
    ("rules", "parts"),
    [
        pytest.param(
            [from_(LOW), from_(HIGH, on(UNKNOWN))], {0: unsure(SSH), 1: unsure(("tcp", UNKNOWN, UNKNOWN))}, id="ports"
        ),
        pytest.param(
            [from_(LOW), from_(HIGH, on(22, 22, UNKNOWN))],
            {0: unsure(SSH), 1: unsure((UNKNOWN, 22, 22))},
            id="the protocol",
        ),
        pytest.param([from_(LOW), from_(HIGH, group=UNKNOWN)], {0: unsure(SSH), 1: unsure(SSH)}, id="the group"),
        pytest.param(
            [from_(LOW), from_(HIGH, group="aws_security_group.web[*]")],
            {0: unsure(SSH), 1: unsure(SSH)},
            id="which of several groups",
        ),
        pytest.param(
            [from_(half, group=UNKNOWN) for half in (LOW, HIGH)], {0: unsure(SSH), 1: unsure(SSH)}, id="both groups"
        ),
        pytest.param([from_(LOW), from_(HIGH, direction=UNKNOWN)], {0: unsure(SSH), 1: unsure(SSH)}, id="which way"),
        pytest.param([from_(LOW), from_("10.0.0.0/8", group=UNKNOWN)], {}, id="the group, and the rest is private"),
        pytest.param([from_(LOW, on(22, 22, "udp")), from_(HIGH, on(UNKNOWN))], {}, id="ports of another protocol"),
        pytest.param([from_("8.0.0.0/9"), from_("8.128.0.0/9"), from_("9.192.0.0/10", group=UNKNOWN)],
                     {0: unsure(SSH), 1: unsure(SSH), 2: unsure(SSH)}, id="the group of one of three"),
        pytest.param([from_(LOW), from_(HIGH), from_("9.0.0.0/10", group=UNKNOWN)],
                     {0: sure(SSH), 1: sure(SSH), 2: unsure(SSH)}, id="the group, and the others are enough"),
    ],
)  # fmt: skip
def test_what_is_not_known_of_one_makes_both_unsure(rules: list[Rule], parts: dict[int, Any]) -> None:
    assert found(*rules) == parts


@pytest.mark.parametrize(
    ("rules", "parts"),
    [
        pytest.param([from_(LOW), listed()], {0: unsure(SSH)}, id="half of it"),
        pytest.param([from_("8.0.0.0/11"), listed()], {0: unsure(SSH)}, id="the narrowest that counts"),
        pytest.param([from_("8.0.0.0/12"), listed()], {}, id="too narrow"),
        pytest.param([from_("2600::/35"), listed()], {0: unsure(SSH)}, id="the narrowest that counts of IPv6"),
        pytest.param([from_("2600::/36"), listed()], {}, id="too narrow of IPv6"),
        pytest.param([from_("10.0.0.0/8"), listed()], {}, id="private"),
        pytest.param([from_("224.0.0.0/4"), listed()], {}, id="multicast"),
        pytest.param([from_("0.0.0.0/0"), listed()], {}, id="the world"),
        pytest.param([from_(LOW), listed(group="sg-2")], {}, id="of another group"),
        pytest.param([from_(LOW), listed(**on(23))], {}, id="on another port"),
        pytest.param([from_(LOW, on(20, 30)), listed()], {0: unsure(SSH)}, id="on one port of several"),
        pytest.param([listed(), listed()], {}, id="two of which nothing is known"),
        pytest.param(
            [from_(LOW), listed(group=UNKNOWN)], {0: unsure(SSH)}, id="of a group that is not known either"
        ),
        # Of what is unsure itself: its ports, its group or its way may be those of the list.
        pytest.param([from_(LOW, on(UNKNOWN)), listed()], {0: unsure(("tcp", UNKNOWN, UNKNOWN))}, id="on any port"),
        pytest.param([from_(LOW, on(UNKNOWN)), listed(group=UNKNOWN)], {0: unsure(("tcp", UNKNOWN, UNKNOWN))},
                     id="on unknown ports, of a group that is not known either"),
        pytest.param([from_(LOW, on(UNKNOWN)), listed(group="sg-2")], {}, id="on unknown ports, of another group"),
        pytest.param([from_(LOW, on(UNKNOWN)), listed(**on(22, 22, "udp"))], {}, id="on unknown ports of another kind"),
        pytest.param([from_(LOW, on(UNKNOWN)), listed(**on(None, None, "all"))],
                     {0: unsure(("tcp", UNKNOWN, UNKNOWN))}, id="on unknown ports, and all are listed"),
        pytest.param([from_("8.0.0.0/12", on(UNKNOWN)), listed()], {}, id="on unknown ports, too narrow"),
        pytest.param([from_("8.0.0.0/11", on(UNKNOWN)), listed()], {0: unsure(("tcp", UNKNOWN, UNKNOWN))},
                     id="on unknown ports, the narrowest that counts"),
        pytest.param([from_(LOW, group=UNKNOWN), listed(group="sg-2")], {0: unsure(SSH)}, id="which may be its group"),
        pytest.param([from_(LOW, direction=UNKNOWN), listed(direction=Direction.EGRESS)], {0: unsure(SSH)},
                     id="which may be its way"),
        pytest.param([from_(LOW), listed(direction=Direction.EGRESS)], {}, id="the other way"),
        pytest.param([from_(LOW), listed(direction=UNKNOWN)], {0: unsure(SSH)}, id="whichever way"),
        pytest.param([from_(LOW, on(None, None, "all")), listed()], {0: unsure(SSH)}, id="beside all protocols"),
        pytest.param([from_(LOW), listed(**on(None, None, "all"))], {0: unsure(SSH)}, id="of all protocols"),
        pytest.param([from_(LOW), listed(**on(22, 22, UNKNOWN))], {0: unsure(SSH)}, id="of an unknown protocol"),
        pytest.param(
            [from_(LOW, on(80)), from_(HIGH, on(80)), from_("203.0.113.0/24"), listed()],
            {0: sure(("tcp", 80, 80)), 1: sure(("tcp", 80, 80))},
            id="a narrow one beside the world on another port",
        ),
    ],
)  # fmt: skip
def test_a_list_of_which_nothing_is_known_may_hold_the_rest_beside_a_wide_network(
    rules: list[Rule], parts: dict[int, Any]
) -> None:
    assert found(*rules) == parts


def test_the_other_end_that_is_a_group_is_no_part_of_the_world() -> None:
    group = from_("sg-9", source_kind=SourceKind.GROUP)
    itself = from_("self", source_kind=SourceKind.SELF)
    assert found(group, from_(LOW), itself, from_(HIGH)) == {1: sure(SSH), 3: sure(SSH)}
    assert found(from_(LOW), group, itself) == {}
