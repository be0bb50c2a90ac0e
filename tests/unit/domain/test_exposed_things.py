"""What a change opens and closes of things: somebody who comes, goes, is moved or gets another group."""

from __future__ import annotations

from typing import Any

import pytest
from test_reached_inside import (
    FRONT,
    IN,
    LISTED,
    NAMES,
    OPEN_ACLS,
    OUT,
    OUT_THERE,
    SEEN,
    WEB,
    WORLD,
    host,
    network,
    rule,
    table,
)

from runbook_lib.domain import verdicts
from runbook_lib.domain.exposure import exposure
from runbook_lib.models.exposure import Exposure, ExposureEntry
from runbook_lib.models.network import Interface, Network, Networks, Route, RouteTarget
from runbook_lib.models.rules import Rule

# Who reaches whom, each with its kind; on what; of which interfaces; with which verdict, and why.
Told = tuple[str, str, str, list[str], str, str]


def told(each: ExposureEntry) -> Told:
    ports = f"{each.protocol} {each.from_port}-{each.to_port}"
    named = [one.name for one in each.interfaces]
    assert {(one.reachable, one.why) for one in each.interfaces} <= {(each.reachable, each.why)}
    return (
        f"{each.source} ({each.source_kind})", f"{each.target} ({each.target_kind})", ports, named,
        each.reachable.value, each.why,
    )  # fmt: skip


def found(before: Network, after: Network) -> Exposure:
    return exposure(before.rules, after.rules, NAMES, NAMES, Networks(before=before, after=after))


def reached(source: str, target: str, *interfaces: str, ports: str = "tcp 80-80") -> Told:
    return source, target, ports, list(interfaces), "reachable", ""


BY_GROUP = rule("sg-3", "sg-2")
BOTH = host(1, "sg-1", "sg-3")
TWO_PORTS = rule("sg-2", "sg-1", egress=True, to_port=81)
HALF = "half_path", "web does not let it in"


@pytest.mark.parametrize(
    ("hosts", "kept", "new", "opened"),
    [
        # Another group of whom it lets out to lets it in, so that nothing of the path lacks.
        ((BOTH, FRONT), (BY_GROUP,), (OUT,), [reached("front (group)", "web (group)", "host-2")]),
        ((WEB, FRONT), (BY_GROUP,), (OUT,), [("front (group)", "web (group)", "tcp 80-80", [], *HALF)]),
        # Of two ports one gets through.
        ((BOTH, FRONT), (BY_GROUP,), (TWO_PORTS,),
         [reached("front (group)", "web (group)", "host-2"), ("front (group)", "web (group)", "tcp 80-81", [], *HALF)]),
        # Of what the group does let in nothing is said again.
        ((WEB, FRONT), (IN,), (TWO_PORTS,),
         [reached("front (group)", "web (group)", "host-2"), ("front (group)", "web (group)", "tcp 81-81", [], *HALF)]),
        # What was half a path before is no news.
        ((WEB, FRONT), (OUT,), (rule("sg-3", "10.0.2.0/24", protocol="udp"),),
         [("10.0.2.0/24 (private)", "other (group)", "udp 80-80", [], "no_member", "other has no member")]),
    ],
)  # fmt: skip
def test_half_a_path_is_told_unless_another_group_makes_it_whole(
    hosts: tuple[Interface, ...], kept: tuple[Rule, ...], new: tuple[Rule, ...], opened: list[Told]
) -> None:
    change = found(network(*kept, hosts=hosts), network(*kept, *new, hosts=hosts))
    assert [told(each) for each in change.opened] == opened
    assert change.closed == ()


def only_of_rules(*rules: Rule, **fields: Any) -> str:
    return found(network(**fields), network(*rules, **fields)).rules_sha256


def test_the_digest_is_of_rules_whoever_is_reached_and_of_no_change_without_networks() -> None:
    assert only_of_rules(IN) == only_of_rules(IN, hosts=(WEB,)) != only_of_rules(OUT)
    assert len(only_of_rules(IN)) == 64
    assert exposure((), (IN,), NAMES).rules_sha256 == ""


FRONT_TO_WEB = [
    # By what its own group lets out to, and by the one whom it gets to.
    reached("host-2 (interface)", "web (group)", "host-2"),
    reached("host-2 (interface)", "host-1 (interface)", "host-1"),
]


@pytest.mark.parametrize("before", [(WEB,), (WEB, host(2)), (WEB, host(2, "sg-3"))])
def test_who_comes_or_gets_a_group_reaches_what_the_group_lets_him(before: tuple[Interface, ...]) -> None:
    come = found(network(IN, OUT, hosts=before), network(IN, OUT))
    assert ([told(each) for each in come.opened], come.closed) == (FRONT_TO_WEB, ())
    # And the other way round he loses it.
    gone = found(network(IN, OUT), network(IN, OUT, hosts=before))
    assert ([told(each) for each in gone.closed], gone.opened) == (FRONT_TO_WEB, ())


def test_of_who_gets_another_group_only_that_is_told_which_he_had_not() -> None:
    ports: dict[str, Any] = {"from_port": 80, "to_port": 81}
    rules = IN, OUT, rule("sg-3", "sg-1", egress=True, **ports), rule("sg-1", "sg-3", **ports)
    change = found(network(*rules), network(*rules, hosts=(WEB, host(2, "sg-2", "sg-3"))))
    assert [told(each) for each in change.opened] == [
        reached("host-2 (interface)", "web (group)", "host-2", ports="tcp 81-81"),
        reached("host-2 (interface)", "host-1 (interface)", "host-1", ports="tcp 81-81"),
    ]


def test_who_goes_with_the_rule_that_let_him_is_told_of_by_the_rule() -> None:
    change = found(network(IN, OUT), network(IN, hosts=(WEB,)))
    assert [(each.source, each.target) for each in change.closed] == [("front", "web"), ("host-2", "host-1")]


def test_who_is_let_through_by_a_network_acl_is_reached_by_whom_his_rules_let_in() -> None:
    change = found(network(IN, OUT, denied=1), network(IN, OUT))
    assert [told(each) for each in change.opened] == [reached("front (group)", "host-1 (interface)", "host-1")]
    back = found(network(IN, OUT), network(IN, OUT, denied=1))
    assert ([told(each) for each in back.closed], back.opened) == (
        [reached("front (group)", "host-1 (interface)", "host-1")],
        (),
    )


def test_somebody_without_a_name_is_called_by_his_id() -> None:
    nameless = host(2, "sg-2", name="")
    change = found(network(IN, OUT, hosts=(WEB,)), network(IN, OUT, hosts=(WEB, nameless)))
    assert [(each.source, each.target) for each in change.opened] == [("eni-2", "web"), ("eni-2", "host-1")]


BEYOND = Route(network="10.9.0.0/16", target=RouteTarget.BEYOND, via="tgw-1")
FROM_ALL, FROM_OFFICE, FROM_STRANGER = (rule("sg-1", net) for net in (WORLD, "10.9.1.0/24", "203.0.113.0/24"))
SIX = rule("sg-1", "2600:2::/48")
TO_ALL = rule("sg-1", WORLD, egress=True, from_port=443, to_port=443)
PUBLIC_WEB = host(1, "sg-1", **SEEN)
INTERNET, OFFICE, HOST = "0.0.0.0/0 (internet)", "10.9.1.0/24 (private)", "host-1 (interface)"
NO_ROUTES = "its routes are not known"


@pytest.mark.parametrize(
    ("one", "own", "routes", "opened"),
    [
        (PUBLIC_WEB, FROM_ALL, table(OUT_THERE), [reached(INTERNET, HOST, "host-1")]),
        (PUBLIC_WEB, TO_ALL, table(OUT_THERE), [reached(HOST, INTERNET, "host-1", ports="tcp 443-443")]),
        (PUBLIC_WEB, FROM_STRANGER, table(OUT_THERE),
         [reached("203.0.113.0/24 (network)", HOST, "host-1")]),
        # What keeps the internet out is said; of what gets nobody out nothing is, nor of a few who do not get in.
        (WEB, FROM_ALL, table(OUT_THERE),
         [(INTERNET, HOST, "tcp 80-80", ["host-1"], "open_but_not_reachable", "no public address")]),
        (PUBLIC_WEB, FROM_ALL, table(), [(INTERNET, HOST, "tcp 80-80", ["host-1"], "open_but_not_reachable",
                                          "no route to an internet gateway")]),
        (WEB, TO_ALL, table(OUT_THERE), []),
        (WEB, FROM_STRANGER, table(OUT_THERE), []),
        # What lies beyond a VPN needs no public address.
        (WEB, FROM_OFFICE, table(BEYOND), [reached(OFFICE, HOST, "host-1")]),
        (WEB, FROM_OFFICE, table(), []),
        (PUBLIC_WEB, FROM_STRANGER, table(unsure=True),
         [("203.0.113.0/24 (network)", HOST, "tcp 80-80", ["host-1"], "unknown", NO_ROUTES)]),
        (WEB, FROM_OFFICE, table(unsure=True), [(OFFICE, HOST, "tcp 80-80", ["host-1"], "unknown", NO_ROUTES)]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("earlier", [(), (host(1),)])
def test_who_comes_is_reached_from_beyond_by_whom_rules_routes_and_addresses_let_through(
    one: Interface, own: Rule, routes: Any, opened: list[Told], earlier: tuple[Interface, ...]
) -> None:
    fields: dict[str, Any] = {"tables": (routes,)}
    change = found(network(own, hosts=earlier, **fields), network(own, hosts=(one,), **fields))
    assert ([told(each) for each in change.opened], change.closed) == (opened, ())


def test_who_has_addresses_of_both_kinds_is_reached_by_each_on_its_own() -> None:
    six = Route(network="::/0", target=RouteTarget.INTERNET, via="igw-1")
    one = host(1, "sg-1", addresses=("10.0.1.1", "2600:1:0:1::1"), **SEEN)
    fields: dict[str, Any] = {"tables": (table(OUT_THERE, six),), "acls": OPEN_ACLS}
    for rules in ((SIX, FROM_STRANGER), (FROM_STRANGER, SIX)):
        change = found(network(*rules, hosts=(), **fields), network(*rules, hosts=(one,), **fields))
        assert [told(each) for each in change.opened] == [
            reached("203.0.113.0/24 (network)", HOST, "host-1"), reached("2600:2::/48 (network)", HOST, "host-1"),
        ]  # fmt: skip
    # By the one alone that the way leads to.
    change = found(network(*rules, hosts=()), network(*rules, hosts=(one,), tables=(table(six),), acls=OPEN_ACLS))
    assert [each.source for each in change.opened] == ["2600:2::/48"]


def test_who_comes_with_the_rules_that_let_him_is_told_of_by_the_rules_and_by_whom_he_gets_to() -> None:
    change = found(network(hosts=(WEB,)), network(IN, OUT))
    assert [told(each) for each in change.opened] == [
        reached("front (group)", "web (group)", "host-2"),
        reached("front (group)", "web (group)", "host-1"),
        reached("host-2 (interface)", "host-1 (interface)", "host-1"),
    ]


@pytest.mark.parametrize(
    ("new", "opened"),
    [
        (FROM_ALL, reached(INTERNET, "web (group)", "host-1")),
        (FROM_STRANGER, reached("203.0.113.0/24 (network)", "web (group)", "host-1")),
        (FROM_OFFICE, reached(OFFICE, "web (group)", "host-1")),
        (TO_ALL, reached("web (group)", INTERNET, "host-1", ports="tcp 443-443")),
    ],
)
def test_who_comes_with_the_rule_that_lets_networks_is_told_of_by_the_rule(new: Rule, opened: Told) -> None:
    fields: dict[str, Any] = {"tables": (table(OUT_THERE, BEYOND),)}
    change = found(network(hosts=(), **fields), network(new, hosts=(PUBLIC_WEB,), **fields))
    assert [told(each) for each in change.opened] == [opened]


def test_what_a_rule_opens_to_a_list_that_nobody_has_read_is_told_of_the_rule_alone() -> None:
    # Who comes with the rule is among those whom the rule's own opening is of.
    for before in ((), (host(1),)):
        change = found(network(hosts=before), network(LISTED, hosts=(WEB,)))
        assert [told(each) for each in change.opened] == [
            ("pl-1 (prefix_list)", "web (group)", "tcp 80-80", ["host-1"], "unknown", "what is in pl-1 is not known")
        ]


def test_who_gets_a_public_address_is_newly_reached_though_his_rules_are_as_they_were() -> None:
    fields: dict[str, Any] = {"tables": (table(OUT_THERE),)}
    change = found(network(FROM_ALL, hosts=(WEB,), **fields), network(FROM_ALL, hosts=(PUBLIC_WEB,), **fields))
    assert [told(each) for each in change.opened] == [reached(INTERNET, HOST, "host-1")]
    assert change.sentence == "The internet can newly reach host-1 (198.51.100.7) on tcp 80; nobody loses access."


def test_what_a_route_leads_to_is_newly_reached_and_what_was_reached_is_not_told_again() -> None:
    rules = FROM_OFFICE, FROM_ALL
    before = network(*rules, hosts=(PUBLIC_WEB,), tables=(table(OUT_THERE),))
    after = network(*rules, hosts=(PUBLIC_WEB,), tables=(table(OUT_THERE, BEYOND),))
    assert [told(each)[:3] for each in found(before, after).opened] == [("10.9.0.0/16 (private)", HOST, "tcp 80-80")]


@pytest.mark.parametrize(
    ("count", "called", "shown", "more"),
    [
        (2, "host-1, host-2", 2, 0),
        (3, "host-1, host-2, host-3", 3, 0),
        (4, "host-1, host-2 and 2 more", 4, 0),
        (10, "host-1, host-2 and 8 more", 10, 0),
        (12, "host-1, host-2 and 10 more", 10, 2),
    ],
)
def test_those_who_come_alike_are_told_together(count: int, called: str, shown: int, more: int) -> None:
    hosts = tuple(host(number, "sg-1", subnet=1, **SEEN) for number in range(1, count + 1))
    fields: dict[str, Any] = {"tables": (table(OUT_THERE),)}
    (entry,) = found(network(FROM_ALL, hosts=(), **fields), network(FROM_ALL, hosts=hosts, **fields)).opened
    assert (entry.target, len(entry.interfaces), entry.more_interfaces) == (called, shown, more)


def test_too_many_who_come_are_not_asked_of_all_who_are_there() -> None:
    there = tuple(host(number, subnet=1) for number in range(1, 135))
    come = tuple(host(number, subnet=2, addresses=()) for number in range(201, 351))
    (entry,) = found(network(hosts=there), network(hosts=(*there, *come))).opened
    why = "there are too many interfaces to ask each about each"
    assert told(entry) == (
        "host-201, host-202 and 148 more (interface)", "134 other interfaces (interface)", "all None-None",
        [f"host-{number}" for number in range(201, 211)], "unknown", why,
    )  # fmt: skip
    assert entry.more_interfaces == 140


UNREAD = (
    "pl-1 (prefix_list)",
    "host-1 (interface)",
    "tcp 80-80",
    ["host-1"],
    "unknown",
    "what is in pl-1 is not known",
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Who comes, and who gets the group.
        ({"hosts": (FRONT,)}, {}),
        ({"hosts": (host(1, "sg-3"), FRONT)}, {}),
        # Who had it, and can be got to from elsewhere now.
        ({}, {"hosts": (host(1, "sg-1", public=("203.0.113.9",)), FRONT)}),
        ({}, {"tables": (table(OUT_THERE),)}),
    ],
)
def test_of_a_list_that_nobody_read_nobody_knows_who_newly_gets_to_whom_it_lets(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    change = found(network(LISTED, **before), network(LISTED, **after))
    assert [told(each) for each in change.opened] == [UNREAD]
    assert "Nobody gains" not in change.sentence
    out = rule("sg-1", "pl-1", egress=True, source_kind="prefix_list")
    (outward,) = found(network(out, **before), network(out, **after)).opened
    assert told(outward) == (UNREAD[1], UNREAD[0], *UNREAD[2:])


def test_of_a_list_that_nobody_read_nothing_is_said_where_nothing_of_its_group_changes() -> None:
    other = host(2, "sg-2", "sg-3")
    assert found(network(LISTED), network(LISTED, hosts=(WEB, other))).opened == ()
    # Another group that lets in by the same list brings nobody else.
    again = LISTED.model_copy(update={"group": "sg-3"})
    assert found(network(LISTED, again), network(LISTED, again, hosts=(host(1, "sg-1", "sg-3"), FRONT))).opened == ()
    # And of a rule that is new the rule says it.
    (rules,) = found(network(hosts=(FRONT,)), network(LISTED)).opened
    assert (rules.target_kind, rules.reachable.value, rules.why) == ("group", "unknown", UNREAD[-1])


NOT_BETWEEN = "unknown", "what lies between is not known"
LET_IN = rule("sg-1", "sg-3"), rule("sg-2", WORLD, egress=True)


def test_who_gets_a_group_may_newly_reach_whom_it_is_let_to_where_an_acl_is_not_known() -> None:
    gets = host(2, "sg-2", "sg-3")
    change = found(network(*LET_IN, acls=()), network(*LET_IN, acls=(), hosts=(WEB, gets)))
    assert [told(each) for each in change.opened] == [
        # By what it is let out to, and by the one whom it may get to.
        ("host-2 (interface)", "10.0.0.0/16 (private)", "tcp 80-80", ["host-2"], *NOT_BETWEEN),
        ("host-2 (interface)", "host-1 (interface)", "tcp 80-80", ["host-1"], *NOT_BETWEEN),
    ]
    assert "Nobody gains" not in change.sentence
    # What he surely reaches is not said to be unknown besides.
    sure = found(network(*LET_IN), network(*LET_IN, hosts=(WEB, gets)))
    assert {each.reachable.value for each in sure.opened} == {"reachable"}


@pytest.mark.parametrize("unsure", [False, True], ids=["not there", "not known"])
def test_where_an_acl_is_no_longer_known_nobody_knows_who_newly_comes_by_rules_that_stood(unsure: bool) -> None:
    before = network(IN, OUT, denied=1)
    hazy = before.acls[0].model_copy(update={"unsure": True})
    after = network(IN, OUT, acls=(*([hazy] if unsure else []), before.acls[1]))
    change = found(before, after)
    assert [told(each) for each in change.opened] == [
        ("front (group)", "host-1 (interface)", "tcp 80-80", ["host-1"], *NOT_BETWEEN)
    ]
    # What was not known before either is no news.
    assert found(after, after.model_copy(update={"tables": (table(OUT_THERE),)})).opened == ()


def test_where_too_many_may_come_by_rules_that_stood_it_is_said_that_nobody_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verdicts, "_MOST_STANDING", 0)
    hosts = (WEB, FRONT, host(3, "sg-2", subnet=2))
    change = found(network(IN, OUT, denied=1, hosts=hosts), network(IN, OUT, hosts=hosts))
    assert [told(each) for each in change.opened] == [
        ("front (group)", "host-1 (interface)", "tcp 80-80", ["host-1"], "unknown", verdicts.TOO_MANY)
    ]
