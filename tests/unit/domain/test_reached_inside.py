"""Whether what a rule opens among interfaces of one VPC is reached, and what is said where it is not."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.exposure import exposure
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.exposure import ExposureEntry, Reachable
from runbook_lib.models.network import (
    AclEntry,
    Interface,
    Network,
    NetworkAcl,
    Networks,
    Route,
    RouteTable,
    RouteTarget,
    Subnet,
    Vpc,
)
from runbook_lib.models.rules import Direction, Rule, SourceKind

NAMES = {"sg-1": "web", "sg-2": "front", "sg-3": "other"}
WORLD = "0.0.0.0/0"


def rule(group: str, source: str, egress: bool = False, **fields: Any) -> Rule:
    """TCP on port 80, unless said otherwise, from a group or to one, or a network."""
    usual = {"direction": Direction.EGRESS if egress else Direction.INGRESS, "protocol": "tcp", "from_port": 80,
             "to_port": 80, "source": source, "group": group,
             "source_kind": SourceKind.NETWORK if "/" in source else SourceKind.GROUP}  # fmt: skip
    return Rule.model_validate({**usual, **fields})


def host(number: int, *groups: str, subnet: int = 0, **fields: Any) -> Interface:
    place = subnet or number
    usual = {"id": f"eni-{number}", "name": f"host-{number}", "vpc": "vpc-1", "subnets": (f"subnet-{place}",),
             "groups": groups, "addresses": (f"10.0.{place}.{number}",)}  # fmt: skip
    return Interface.model_validate({**usual, **fields})


WEB, FRONT = host(1, "sg-1"), host(2, "sg-2")


def network(*rules: Rule, hosts: tuple[Interface, ...] = (WEB, FRONT), denied: int = 0, **fields: Any) -> Network:
    """Two subnets without a way out; into that of number `denied` the network ACL lets no TCP on port 80."""
    lets = [AclEntry(number=100, egress=egress, allow=True, protocol="all", network=WORLD) for egress in (False, True)]
    denies = AclEntry(number=1, egress=False, allow=False, protocol="tcp", network=WORLD, from_port=80, to_port=80)
    acls = tuple(
        NetworkAcl(id=f"acl-{n}", vpc="vpc-1", entries=(*([denies] if n == denied else []), *lets)) for n in (1, 2)
    )
    places = tuple(Subnet(id=f"subnet-{n}", vpc="vpc-1", networks=(f"10.0.{n}.0/24",), acl=f"acl-{n}") for n in (1, 2))
    groups = frozenset(NAMES)
    usual = {"vpcs": (Vpc(id="vpc-1", networks=("10.0.0.0/16",)),), "subnets": places, "acls": acls,
             "tables": (RouteTable(id="rtb-1", vpc="vpc-1", main=True),), "interfaces": hosts, "rules": rules,
             "ruled": groups, "peopled": groups, "complete": True}  # fmt: skip
    return Network(**{**usual, **fields})


def opened(before: Network, after: Network) -> tuple[ExposureEntry, ...]:
    return exposure(before.rules, after.rules, NAMES, networks=Networks(before=before, after=after)).opened


def said(new: Rule, *kept: Rule, **fields: Any) -> list[tuple[Reachable, str]]:
    found = opened(network(*kept, **fields), network(*kept, new, **fields))
    return [(each.reachable, each.why) for each in found]


IN, OUT = rule("sg-1", "sg-2"), rule("sg-2", "sg-1", egress=True)
ALREADY = (Reachable.ALREADY_OPEN, "another rule lets it through already")
NOT_LET_OUT = (Reachable.HALF_PATH, "nothing at the other end lets out to it")
NOT_LET_IN = (Reachable.HALF_PATH, "nothing at the other end lets it in")
GETS = (Reachable.REACHABLE, "")
TO_COME = host(1, "sg-1", addresses=(), unsure={"addresses"})
BETWEEN = (Reachable.UNKNOWN, "what lies between is not known")


def unknown_of(group: str, egress: bool = True, **fields: Any) -> Rule:
    """A rule of which nobody knows whom it lets through."""
    return rule(group, WORLD, egress=egress).model_copy(update={"source": UNKNOWN, **fields})


@pytest.mark.parametrize(
    ("new", "kept", "fields", "verdict"),
    [
        (IN, (OUT,), {}, (Reachable.REACHABLE, "")),
        (IN, (rule("sg-2", WORLD, egress=True),), {}, (Reachable.REACHABLE, "")),
        (IN, (), {}, NOT_LET_OUT),
        # What lets out on another port or by another protocol, or lets in at the other end, does not let out.
        (IN, (rule("sg-2", "sg-1", egress=True, from_port=81, to_port=81),), {}, NOT_LET_OUT),
        (IN, (rule("sg-2", "sg-1", egress=True, protocol="udp"),), {}, NOT_LET_OUT),
        (IN, (rule("sg-2", "sg-1"),), {}, NOT_LET_OUT),
        (IN, (rule("sg-2", "sg-3", egress=True),), {}, NOT_LET_OUT),
        (IN, (), {"denied": 1}, NOT_LET_OUT),
        # Nor does what lets out to the addresses beside its own.
        *((IN, (rule("sg-2", f"10.0.1.{n}/32", egress=True),), {},
           GETS if n == 1 else NOT_LET_OUT) for n in (0, 1, 2)),
        # Of a subnet in which its address will be, all must be let through.
        *((IN, (rule("sg-2", net, egress=True),), {"hosts": (TO_COME, FRONT)}, verdict)
          for net, verdict in (("10.0.1.0/24", GETS), ("10.0.0.0/23", GETS), ("10.0.1.0/25", BETWEEN),
                               ("10.0.1.128/25", BETWEEN), ("10.0.3.0/24", NOT_LET_OUT))),
        (IN, (OUT,), {"denied": 2}, (Reachable.REACHABLE, "")),
        (OUT, (IN,), {}, (Reachable.REACHABLE, "")),
        (OUT, (), {}, NOT_LET_IN),
        (OUT, (rule("sg-1", "sg-2", protocol="udp"),), {}, NOT_LET_IN),
        # Another of its groups, or another rule at the other end, let it through before.
        (IN, (OUT, rule("sg-3", "sg-2")), {"hosts": (host(1, "sg-1", "sg-3"), FRONT)}, ALREADY),
        (IN, (OUT, rule("sg-3", "sg-2", from_port=81, to_port=81)), {"hosts": (host(1, "sg-1", "sg-3"), FRONT)},
         (Reachable.REACHABLE, "")),
        # Nobody is there to get through to, or nobody knows who is.
        (IN, (), {"hosts": (FRONT,)}, (Reachable.NO_MEMBER, "web has no member")),
        (IN, (), {"hosts": (WEB,), "peopled": frozenset({"sg-1"})},
         (Reachable.UNKNOWN, "who is in front is not known")),
        (IN, (), {"hosts": (FRONT,), "peopled": frozenset({"sg-2"})},
         (Reachable.UNKNOWN, "who is in web is not known")),
        (IN, (), {"peopled": frozenset({"sg-2"})}, (Reachable.UNKNOWN, "who else is in web is not known")),
        (IN, (OUT,), {"peopled": frozenset()}, (Reachable.REACHABLE, "")),
        # Whoever may have more rules may let out.
        (IN, (), {"ruled": frozenset({"sg-1"})}, BETWEEN),
        (IN, (unknown_of("sg-2"),), {}, BETWEEN),
        (IN, (unknown_of("sg-2", direction=UNKNOWN),), {}, BETWEEN),
        (IN, (unknown_of("sg-1").model_copy(update={"group": UNKNOWN}),), {}, BETWEEN),
        (IN, (rule("sg-3 or sg-2[*]", "sg-3", egress=True),), {}, BETWEEN),
        (IN, (unknown_of("sg-2", egress=False),), {}, NOT_LET_OUT),
        (IN, (unknown_of("sg-1"),), {}, NOT_LET_OUT),
        (OUT, (unknown_of("sg-1", egress=False),), {}, BETWEEN),
        (OUT, (unknown_of("sg-1"),), {}, NOT_LET_IN),
    ],
)  # fmt: skip
def test_what_one_group_opens_to_another_is_said_to_be_reached_or_what_lacks(
    new: Rule, kept: tuple[Rule, ...], fields: dict[str, Any], verdict: tuple[Reachable, str]
) -> None:
    assert said(new, *kept, **fields) == [verdict]


@pytest.mark.parametrize(
    ("new", "kept"),
    [
        (IN, (OUT,)),
        (OUT, (IN,)),
        (IN, (rule("sg-2", "10.0.1.0/24", egress=True),)),
    ],
)
def test_where_both_groups_let_through_and_an_acl_does_not_no_group_is_blamed(
    new: Rule, kept: tuple[Rule, ...]
) -> None:
    denied = (Reachable.OPEN_BUT_NOT_REACHABLE, "no route, or a network ACL that denies it")
    assert said(new, *kept, denied=1) == [denied]


BOTH = {"addresses": ("10.0.1.1", "2001:db8::1")}, {"addresses": ("10.0.2.2", "2001:db8::2")}


@pytest.mark.parametrize(
    ("new", "kept", "verdict"),
    [
        # What lets out by one IP version lets nothing out that comes in by the other.
        (rule("sg-1", "2001:db8::/64"), rule("sg-2", WORLD, egress=True), NOT_LET_OUT),
        (rule("sg-1", "10.0.2.0/24"), rule("sg-2", "::/0", egress=True), NOT_LET_OUT),
        (rule("sg-2", "2001:db8::/64", egress=True), rule("sg-1", "10.0.2.0/24"), NOT_LET_IN),
        (rule("sg-1", "10.0.2.0/24"), rule("sg-2", WORLD, egress=True), (Reachable.REACHABLE, "")),
    ],
)
def test_what_one_end_lets_through_by_ipv4_alone_and_the_other_by_ipv6_is_half_a_path(
    new: Rule, kept: Rule, verdict: tuple[Reachable, str]
) -> None:
    hosts = (host(1, "sg-1", **BOTH[0]), host(2, "sg-2", **BOTH[1]))
    found = opened(network(kept, hosts=hosts), network(kept, new, hosts=hosts))
    assert [(each.reachable, each.why) for each in found] == [verdict]


def test_what_nobody_is_there_for_is_not_called_reached() -> None:
    for new, hosts in ((IN, (WEB,)), (rule("sg-1", "sg-1"), (WEB, FRONT))):
        ((reachable, _),) = said(new, hosts=hosts)
        assert not reachable.lets_through
        # Once somebody else carries the group, and is let out, he gets through.
        group, more = str(new.source), host(9, str(new.source), subnet=2)
        out = rule(group, "sg-1", egress=True)
        assert said(new, out, hosts=(*hosts, more)) == [(Reachable.REACHABLE, "")]


def test_of_a_stretch_of_ports_those_are_reached_that_both_groups_and_the_acl_let_through() -> None:
    wide = rule("sg-1", "sg-2", from_port=70, to_port=90)
    out = rule("sg-2", "sg-1", egress=True, from_port=80, to_port=100)
    found = opened(network(out, denied=1), network(out, wide, denied=1))
    assert [(each.from_port, each.to_port) for each in found if each.reachable.lets_through] == [(81, 90)]
    assert {(each.from_port, each.to_port) for each in found} == {(70, 80), (81, 90)}


def test_ports_that_were_open_already_are_told_from_those_that_nothing_lets_through() -> None:
    before = (
        rule("sg-3", "sg-2", from_port=81, to_port=90),
        rule("sg-2", "sg-3", egress=True, from_port=81, to_port=90),
    )
    new = rule("sg-1", "sg-2", from_port=70, to_port=90)
    hosts = (host(1, "sg-1", "sg-3"), FRONT)
    found = opened(network(*before, hosts=hosts), network(*before, new, hosts=hosts))
    told = {(each.from_port, each.to_port): (each.reachable, each.why) for each in found}
    assert told == {(70, 80): NOT_LET_OUT, (81, 90): ALREADY}


def test_a_group_without_a_member_is_said_to_be_the_reason() -> None:
    assert said(IN, hosts=(WEB,)) == [(Reachable.NO_MEMBER, "front has no member")]


TWO_GROUPS = {"hosts": (host(1, "sg-1", "sg-3"), FRONT)}
FROM_FRONT = rule("sg-1", "10.0.2.0/24")
BY_OTHER = (Reachable.ALREADY_OPEN, "another of its groups lets it through already")


@pytest.mark.parametrize(
    ("kept", "verdict"),
    [
        ((rule("sg-3", "10.0.0.0/16"),), BY_OTHER),
        ((rule("sg-3", "10.0.2.0/25"), rule("sg-3", "10.0.2.128/25")), BY_OTHER),
        ((rule("sg-3", "10.0.2.0/24", protocol="all", from_port=None, to_port=None),), BY_OTHER),
        ((rule("sg-3", "10.0.2.0/24", from_port=70, to_port=80), rule("sg-3", "10.0.2.0/24")), BY_OTHER),
        # Where another group let through only a part of it, whoever is at the other end is asked.
        ((rule("sg-3", "10.0.2.0/25"),), NOT_LET_OUT),
        ((rule("sg-3", "10.0.2.0/24", from_port=81, to_port=81),), NOT_LET_OUT),
        ((rule("sg-3", "10.0.2.0/24", protocol="udp"),), NOT_LET_OUT),
        ((rule("sg-3", "10.0.2.0/24", egress=True),), NOT_LET_OUT),
        ((rule("sg-2", "10.0.2.0/24"),), NOT_LET_OUT),
        ((), NOT_LET_OUT),
    ],
)
def test_what_another_group_of_all_members_let_through_already_is_said_to_be_open(
    kept: tuple[Rule, ...], verdict: tuple[Reachable, str]
) -> None:
    assert said(FROM_FRONT, *kept, **TWO_GROUPS) == [verdict]


def test_a_stretch_of_ports_is_open_already_where_rules_of_another_group_make_it_up_together() -> None:
    new = rule("sg-1", "10.0.2.0/24", from_port=70, to_port=90)
    low, high = (rule("sg-3", "10.0.0.0/16", from_port=a, to_port=b) for a, b in ((60, 80), (81, 95)))
    assert said(new, low, high, **TWO_GROUPS) == [BY_OTHER]
    assert said(new, low, **TWO_GROUPS) == [NOT_LET_OUT]


SOMEWHERE = {"subnets": ("subnet-1", "subnet-2"), "addresses": (), "unsure": frozenset({"addresses"})}
EITHER = {"subnets": ("subnet-1", "subnet-2"), "addresses": ("10.0.1.1", "10.0.2.1")}
MAYBE = (Reachable.UNKNOWN, "what lies between is not known")


@pytest.mark.parametrize(
    ("place", "denied", "verdict"),
    [
        (SOMEWHERE, 0, (Reachable.REACHABLE, "")),
        # In one of its subnets it would be reached, in the other one not: it is in one of them.
        (SOMEWHERE, 1, MAYBE),
        # One that has an address in each is reached by one of them.
        (EITHER, 0, (Reachable.REACHABLE, "")),
        (EITHER, 1, (Reachable.REACHABLE, "")),
        # Unless nobody knows in which of the two it is.
        ({**EITHER, "unsure": frozenset({"subnets"})}, 1, MAYBE),
        ({"subnets": ()}, 0, MAYBE),
    ],
)
def test_what_may_be_in_either_of_two_subnets_is_surely_reached_only_where_both_let_through(
    place: dict[str, Any], denied: int, verdict: tuple[Reachable, str]
) -> None:
    out = rule("sg-2", WORLD, egress=True, protocol="all", from_port=None, to_port=None)
    hosts = (host(1, "sg-1", **place), FRONT)
    assert said(IN, out, hosts=hosts, denied=denied) == [verdict]


def test_whoever_may_carry_any_group_may_let_through_whatever_it_is() -> None:
    hazy = frozenset({"groups"})
    for hosts in ((WEB, host(2, unsure=hazy)), (host(1, "sg-1", unsure=hazy), FRONT)):
        (entry,) = opened(network(OUT, hosts=hosts), network(OUT, IN, hosts=hosts))
        (web,) = entry.interfaces
        if hosts[0] is WEB:
            # Not even its rules are known then: it may be let out, and it may be in front.
            assert (web.reachable, web.why) == MAYBE
            assert (entry.reachable, entry.why) == (Reachable.UNKNOWN, "who else is in web is not known")
        else:
            assert (entry.reachable, web.reachable) == (Reachable.REACHABLE, Reachable.REACHABLE)


def test_whoever_has_no_address_is_kept_out_by_no_group() -> None:
    out = rule("sg-2", WORLD, egress=True, protocol="all", from_port=None, to_port=None)
    denied = (Reachable.OPEN_BUT_NOT_REACHABLE, "no route, or a network ACL that denies it")
    assert said(IN, out, hosts=(host(1, "sg-1", addresses=()), FRONT)) == [denied]


def table(*routes: Route, **fields: Any) -> RouteTable:
    return RouteTable.model_validate({"id": "rtb-1", "vpc": "vpc-1", "main": True, "routes": routes, **fields})


OUT_THERE, SOMEHOW = (Route(network=WORLD, target=to) for to in (RouteTarget.INTERNET, RouteTarget.UNKNOWN))
SEEN: dict[str, Any] = {"public": ("198.51.100.7",)}
NOT_KNOWN = "its {} is not known".format
NO_ROUTES, NO_ACL = "its routes are not known", NOT_KNOWN("network ACL")


@pytest.mark.parametrize(
    ("own", "fields", "why"),
    [
        (SEEN, {"tables": (table(OUT_THERE),)}, ""),
        ({"unsure": frozenset({"public"})}, {"tables": (table(OUT_THERE),)},
         "whether it has a public address is not known"),
        ({**SEEN, "unsure": frozenset({"subnets"})}, {"tables": (table(OUT_THERE),)}, NOT_KNOWN("subnet")),
        ({"unsure": frozenset({"subnets", "public"})}, {"tables": (table(OUT_THERE),)},
         f"{NOT_KNOWN('subnet')}, whether it has a public address is not known"),
        (SEEN, {"tables": (table(unsure=True),)}, NO_ROUTES),
        (SEEN, {"tables": ()}, NO_ROUTES),
        (SEEN, {"tables": (table(OUT_THERE),), "acls": ()}, NO_ACL),
        (SEEN, {"tables": (), "acls": ()}, f"{NO_ROUTES}, {NO_ACL}"),
        # Where it is nothing else, it is the route.
        (SEEN, {"tables": (table(SOMEHOW),)}, "where its routes lead is not known"),
    ],
)  # fmt: skip
def test_what_is_not_known_of_the_way_from_the_internet_is_said(
    own: dict[str, Any], fields: dict[str, Any], why: str
) -> None:
    verdict = (Reachable.UNKNOWN, why) if why else (Reachable.REACHABLE, "")
    assert said(rule("sg-1", WORLD), hosts=(host(1, "sg-1", **own), FRONT), **fields) == [verdict]


FAR = rule("sg-1", "10.0.3.0/24")
LISTED = rule("sg-1", "pl-1", source_kind=SourceKind.PREFIX_LIST)


@pytest.mark.parametrize(
    ("new", "fields", "verdict"),
    [
        (FAR, {"tables": (table(OUT_THERE),)},
         (Reachable.OPEN_BUT_NOT_REACHABLE, "nothing here has an address in 10.0.3.0/24")),
        (FAR, {"complete": False}, (Reachable.UNKNOWN, "who has an address in 10.0.3.0/24 is not known")),
        (FAR, {"vpcs": ()}, (Reachable.UNKNOWN, "who has an address in 10.0.3.0/24 is not known")),
        (LISTED, {}, (Reachable.UNKNOWN, "what is in pl-1 is not known")),
        (rule("sg-1", "sg-1"), {}, (Reachable.NO_MEMBER, "web has no member besides")),
        (rule("sg-1 or sg-2[*]", WORLD), {},
         (Reachable.UNKNOWN, "which of these groups it is, is known only after apply")),
    ],
)  # fmt: skip
def test_whoever_is_not_there_or_not_known_is_said_to_be(
    new: Rule, fields: dict[str, Any], verdict: tuple[Reachable, str]
) -> None:
    assert said(new, **fields) == [verdict]


@pytest.mark.parametrize(("fronts", "verdict"), [
    (40, NOT_LET_OUT), (41, (Reachable.UNKNOWN, "there are too many interfaces to ask each about each")),
])  # fmt: skip
def test_more_than_two_thousand_pairs_are_not_asked_one_by_one(fronts: int, verdict: tuple[Reachable, str]) -> None:
    webs = tuple(host(number, "sg-1", subnet=1) for number in range(1, 51))
    peers = tuple(host(number, "sg-2", subnet=2) for number in range(101, 101 + fronts))
    assert said(IN, hosts=(*webs, *peers)) == [verdict]


ALL_OUT = rule("sg-2", WORLD, egress=True, protocol="all", from_port=None, to_port=None)


@pytest.mark.parametrize(
    ("net", "met"),
    [
        ("10.0.2.2/32", True),
        # The first and the last address of a network are of it.
        ("10.0.2.2/31", True),
        ("10.0.2.0/30", True),
        ("10.0.2.3/32", False),
        ("10.0.2.1/32", False),
        ("10.0.2.0/31", False),
    ],
)
def test_whoever_has_an_address_in_a_network_is_met_by_it(net: str, met: bool) -> None:
    nobody = (Reachable.OPEN_BUT_NOT_REACHABLE, f"nothing here has an address in {net}")
    assert said(rule("sg-1", net), ALL_OUT) == [(Reachable.REACHABLE, "") if met else nobody]


def test_what_came_by_its_group_before_is_not_new_where_it_comes_by_its_network() -> None:
    hosts = (host(1, "sg-1", "sg-3"), FRONT, host(3, "sg-2", subnet=2))
    already = (Reachable.ALREADY_OPEN, "another rule lets it through already")
    assert said(FROM_FRONT, rule("sg-3", "sg-2"), ALL_OUT, hosts=hosts) == [already]
    # And the other way round.
    assert said(IN, rule("sg-3", "10.0.2.0/24"), ALL_OUT, hosts=hosts) == [already]
    for kept in (rule("sg-3", "sg-2", from_port=81, to_port=81), rule("sg-3", "sg-2", protocol="udp")):
        assert said(FROM_FRONT, kept, ALL_OUT, hosts=hosts) == [(Reachable.REACHABLE, "")]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("groups", [("sg-1",), ("sg-1", "sg-3")])
def test_members_of_one_group_in_different_places_are_judged_each_by_its_own(
    groups: tuple[str, ...], order: int
) -> None:
    hosts = (host(1, *groups, **SEEN), host(4, *groups, subnet=2, public=("198.51.100.8",)))[::order]
    some, new = rule("sg-3", "203.0.113.0/24"), rule("sg-1", WORLD)
    fields: dict[str, Any] = {"hosts": hosts, "denied": 1, "tables": (table(OUT_THERE),)}
    (entry,) = opened(network(some, **fields), network(some, new, **fields))
    assert [(each.name, each.reachable) for each in entry.interfaces] == [
        ("host-4", Reachable.REACHABLE),
        ("host-1", Reachable.OPEN_BUT_NOT_REACHABLE),
    ]
    assert (entry.reachable, entry.more_interfaces) == (Reachable.REACHABLE, 0)


OPEN_ACLS = tuple(
    NetworkAcl(
        id=f"acl-{number}",
        vpc="vpc-1",
        entries=tuple(
            AclEntry(number=at, egress=egress, allow=True, protocol="all", network=net)
            for at, net in ((100, WORLD), (101, "::/0"))
            for egress in (False, True)
        ),
    )
    for number in (1, 2)
)
ALL_OUT_6 = rule("sg-2", "::/0", egress=True, protocol="all", from_port=None, to_port=None)


@pytest.mark.parametrize(
    ("new", "kept", "reached"),
    [
        # What lets out by IPv4 lets nothing out by IPv6, and the other way round.
        (rule("sg-1", "2001:db8:0:2::/64"), ALL_OUT, False),
        (rule("sg-1", "2001:db8:0:2::/64"), ALL_OUT_6, True),
        (FROM_FRONT, ALL_OUT_6, False),
        (FROM_FRONT, ALL_OUT, True),
        # By its group it is let in by either.
        (IN, ALL_OUT, True),
        (IN, ALL_OUT_6, True),
    ],
)
@pytest.mark.parametrize("fronts", [1, 2])
def test_whoever_has_addresses_of_both_kinds_gets_through_by_that_which_both_ends_let_through(
    new: Rule, kept: Rule, reached: bool, fronts: int
) -> None:
    web = host(1, "sg-1", addresses=("10.0.1.1", "2001:db8:0:1::1"))
    peers = [
        host(number, "sg-2", subnet=2, addresses=(f"10.0.2.{number}", f"2001:db8:0:2::{number}"))
        for number in range(2, 2 + fronts)
    ]
    ((verdict, _),) = said(new, kept, hosts=(web, *peers), acls=OPEN_ACLS)
    assert verdict.lets_through is (verdict is Reachable.REACHABLE) is reached
