"""What routes, network ACLs and addresses let through, asked of networks that a person can check by eye."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.intervals import network_interval
from runbook_lib.domain.network.filters import Filters, Way
from runbook_lib.models.network import (
    AclEntry,
    Interface,
    Network,
    NetworkAcl,
    Route,
    RouteTable,
    RouteTarget,
    Subnet,
    Vpc,
)

ALL = ((0, 65535),)
FOUR, SIX = "10.0.{}.0/24", "2001:db8:0:{}::/64"


def allows(number: int = 100, **fields: Any) -> AclEntry:
    usual = {"number": number, "egress": False, "allow": True, "protocol": "all", "network": "0.0.0.0/0"}
    return AclEntry.model_validate({**usual, **fields})


def both_ways(**fields: Any) -> tuple[AclEntry, ...]:
    return tuple(allows(egress=egress, **fields) for egress in (False, True))


OPEN_4, OPEN_6 = both_ways(), both_ways(network="::/0", number=101)


def subnets(one: tuple[str, ...], other: tuple[str, ...], **of_other: Any) -> tuple[Subnet, ...]:
    """subnet-1 with the ACL acl-1, and subnet-2 with acl-2, unless said otherwise."""
    first = Subnet(id="subnet-1", vpc="vpc-1", networks=tuple(net.format(1) for net in one), acl="acl-1")
    second = {"id": "subnet-2", "vpc": "vpc-1", "networks": tuple(net.format(2) for net in other), "acl": "acl-2"}
    return first, Subnet.model_validate({**second, **of_other})


def filters(
    places: tuple[Subnet, ...], one: tuple[AclEntry, ...] = OPEN_4, other: tuple[AclEntry, ...] = OPEN_4, **more: Any
) -> Filters:
    acls = (NetworkAcl(id="acl-1", vpc="vpc-1", entries=one), NetworkAcl(id="acl-2", vpc="vpc-1", entries=other))
    vpcs = (Vpc(id="vpc-1", networks=("10.0.0.0/16",)),)
    return Filters(Network(**{"subnets": places, "acls": acls, "vpcs": vpcs, **more}))


DENIES: dict[str, Any] = {"number": 1, "allow": False, "protocol": "tcp", "from_port": 80, "to_port": 80}
DENIES_ANSWERS: dict[str, Any] = {**DENIES, "from_port": 1024, "to_port": 65535}


@pytest.mark.parametrize(
    ("one", "other", "entries", "open_between"),
    [
        ((FOUR,), (FOUR,), (OPEN_4, OPEN_4), True),
        # What lets IPv6 through matters where there is some, at either end, and only there.
        ((FOUR, SIX), (FOUR,), (OPEN_4, OPEN_4), False),
        ((FOUR,), (FOUR, SIX), (OPEN_4, OPEN_4), False),
        ((SIX,), (SIX,), (OPEN_4, OPEN_4), False),
        ((FOUR, SIX), (FOUR, SIX), (OPEN_4 + OPEN_6, OPEN_4 + OPEN_6), True),
        ((FOUR, SIX), (FOUR,), (OPEN_4 + OPEN_6, OPEN_4), True),
        ((FOUR,), (FOUR, SIX), (OPEN_4, OPEN_4 + OPEN_6), True),
        ((FOUR,), (FOUR,), (OPEN_6, OPEN_6), False),
        # Out of the one, into the other; the answers the other way.
        ((FOUR,), (FOUR,), ((allows(**DENIES, egress=True), *OPEN_4), OPEN_4), False),
        ((FOUR,), (FOUR,), (OPEN_4, (allows(**DENIES), *OPEN_4)), False),
        ((FOUR,), (FOUR,), ((allows(**DENIES), *OPEN_4), OPEN_4), True),
        ((FOUR,), (FOUR,), (OPEN_4, (allows(**DENIES, egress=True), *OPEN_4)), True),
        ((FOUR,), (FOUR,), ((allows(**DENIES_ANSWERS), *OPEN_4), OPEN_4), False),
        ((FOUR,), (FOUR,), (OPEN_4, (allows(**DENIES_ANSWERS, egress=True), *OPEN_4)), False),
    ],
)
def test_between_two_subnets_everything_is_open_if_both_acls_let_all_of_it_through(
    one: tuple[str, ...], other: tuple[str, ...], entries: tuple[tuple[AclEntry, ...], tuple[AclEntry, ...]],
    open_between: bool,
) -> None:  # fmt: skip
    found = filters(subnets(one, other), *entries)
    assert found.open_between("subnet-1", "subnet-2", "tcp") is open_between
    # And where everything is open, each packet gets through.
    if open_between:
        assert through(found, "subnet-1", "subnet-2") == (ALL, ALL)


def test_answers_are_asked_of_tcp_alone() -> None:
    for protocol, is_open in (("tcp", False), ("udp", True)):
        denies = allows(**{**DENIES_ANSWERS, "protocol": protocol})
        found = filters(subnets((FOUR,), (FOUR,)), (denies, *OPEN_4))
        assert found.open_between("subnet-1", "subnet-2", protocol) is is_open


@pytest.mark.parametrize(
    ("of_other", "there"),
    [({"vpc": "vpc-2"}, "subnet-2"), ({"acl": "acl-9"}, "subnet-2"), ({}, "subnet-9")],
)
def test_what_is_elsewhere_or_not_known_is_not_called_open(of_other: dict[str, Any], there: str) -> None:
    found = filters(subnets((FOUR,), (FOUR,), **of_other))
    assert not found.open_between("subnet-1", there, "tcp")
    assert not found.open_between(there, "subnet-1", "tcp")


def through(found: Filters, here: str, there: str, protocol: str = "tcp", host: str = "10.0.{}.5") -> object:
    ends = []
    for place in (here, there):
        version, span = network_interval(host.format(place[-1]))
        ends.append((found.subnets.get(place), version, span))
    return found.through(ends[0], ends[1], protocol)


def test_of_two_addresses_what_the_acls_let_through_of_both() -> None:
    # The one lets nothing out to port 80, the other nothing in to port 90, and neither asks about others' addresses.
    elsewhere = allows(**{**DENIES, "number": 2, "from_port": 100, "to_port": 100}, network="10.0.9.0/24")
    first = (allows(**DENIES, egress=True), *OPEN_4)
    second = (allows(**{**DENIES, "from_port": 90, "to_port": 90}), elsewhere, *OPEN_4)
    found = filters(subnets((FOUR,), (FOUR,)), first, second)
    rest = ((0, 79), (81, 89), (91, 65535))
    assert through(found, "subnet-1", "subnet-2") == (rest, rest)
    assert through(found, "subnet-1", "subnet-2", "udp") == (ALL, ALL)
    assert through(found, "subnet-2", "subnet-1") == (ALL, ALL)
    # Inside a subnet no ACL is asked, and of one that is not known nobody can tell.
    assert through(found, "subnet-1", "subnet-1") == (ALL, ALL)
    assert through(found, "subnet-1", "subnet-9") == ((), ALL)
    assert through(found, "subnet-9", "subnet-1") == ((), ALL)


def test_an_acl_that_may_have_more_entries_may_let_anything_through() -> None:
    network = filters(subnets((FOUR,), (FOUR,))).network
    for at in (0, 1):
        acls = [acl.model_copy(update={"unsure": number == at}) for number, acl in enumerate(network.acls)]
        found = Filters(network.model_copy(update={"acls": tuple(acls)}))
        assert not found.open_between("subnet-1", "subnet-2", "udp")
        assert through(found, "subnet-1", "subnet-2", "udp") == ((), ALL)


def test_where_an_entry_is_of_nobody_knows_which_network_its_ports_alone_are_in_doubt() -> None:
    doubt: dict[str, Any] = {"number": 1, "network": "", "protocol": "udp", "from_port": 80, "to_port": 80}
    denies: dict[str, Any] = {**DENIES, "protocol": "udp", "from_port": 90, "to_port": 90}
    doubtful, sure = (allows(**doubt, egress=True), *OPEN_4), (allows(**denies), *OPEN_4)
    found = filters(subnets((FOUR,), (FOUR,)), doubtful, sure)
    assert through(found, "subnet-1", "subnet-2", "udp") == (
        ((0, 79), (81, 89), (91, 65535)), ((0, 89), (91, 65535)),
    )  # fmt: skip
    found = filters(subnets((FOUR,), (FOUR,)), (allows(**denies, egress=True), *OPEN_4), (allows(**doubt), *OPEN_4))
    assert through(found, "subnet-1", "subnet-2", "udp") == (
        ((0, 79), (81, 89), (91, 65535)), ((0, 89), (91, 65535)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("there", "back", "target", "maybe"),
    [
        ("10.1.2.0/24", "10.0.1.0/24", RouteTarget.BEYOND, ALL),
        ("10.1.2.0/24", "10.0.1.0/24", RouteTarget.UNKNOWN, ALL),
        ("10.1.2.0/24", "10.0.1.0/24", RouteTarget.INTERNET, ()),
        ("10.1.2.0/24", "10.0.3.0/24", RouteTarget.BEYOND, ()),
        ("10.1.3.0/24", "10.0.1.0/24", RouteTarget.BEYOND, ()),
    ],
)
def test_another_vpc_may_be_reached_if_routes_lead_there_and_back(
    there: str, back: str, target: RouteTarget, maybe: object
) -> None:
    tables = tuple(
        RouteTable(id=f"rtb-{vpc}", vpc=vpc, main=True, routes=(Route(network=network, target=target),))
        for vpc, network in (("vpc-1", there), ("vpc-2", back))
    )
    found = filters(subnets((FOUR,), ("10.1.{}.0/24",), vpc="vpc-2"), tables=tables)
    one, other = (network_interval(address)[1] for address in ("10.0.1.5", "10.1.2.5"))
    ends = (found.subnets["subnet-1"], 4, one), (found.subnets["subnet-2"], 4, other)
    assert found.through(*ends, "tcp") == ((), maybe)


def test_a_subnet_has_its_own_table_and_acl_or_its_vpc_s() -> None:
    tables = (RouteTable(id="rtb-1", vpc="vpc-1", main=True), RouteTable(id="rtb-2", vpc="vpc-1"))
    acls = (NetworkAcl(id="acl-1", vpc="vpc-1", default=True), NetworkAcl(id="acl-2", vpc="vpc-1"))
    found = Filters(Network(tables=tables, acls=acls))
    for asked, table, acl in (
        ({}, "rtb-1", "acl-1"),
        ({"table": "rtb-2", "acl": "acl-2"}, "rtb-2", "acl-2"),
        ({"table": "rtb-9", "acl": "acl-9"}, None, None),
        ({"unsure": {"table"}}, None, "acl-1"),
        ({"unsure": {"acl"}}, "rtb-1", None),
        # What is said to be its own is, whatever else may be so.
        ({"table": "rtb-2", "acl": "acl-2", "unsure": {"table", "acl"}}, "rtb-2", "acl-2"),
        ({"vpc": "vpc-2"}, None, None),
    ):
        subnet = Subnet.model_validate({"id": "subnet-1", "vpc": "vpc-1", **asked})
        own = found.table_of(subnet), found.acl_of(subnet)
        assert tuple(each and each.id for each in own) == (table, acl)


@pytest.mark.parametrize(
    ("vpcs", "own", "handed"),
    [((), "vpc-1", False), (("vpc-1",), "vpc-1", True), (("vpc-2",), "vpc-1", False), (("",), "vpc-1", True),
     (("vpc-2",), "", True), ((), "", False)],
)  # fmt: skip
def test_a_load_balancer_may_hand_on_to_all_of_its_vpc_and_one_of_no_vpc_to_each(
    vpcs: tuple[str, ...], own: str, handed: bool
) -> None:
    balancers = tuple(Interface(id=f"lb-{vpc}", vpc=vpc, forwards=True) for vpc in vpcs)
    still = Interface(id="eni-9", vpc=own)
    assert Filters(Network(interfaces=(*balancers, still))).handed_on(still) is handed


OUT = Route(network="0.0.0.0/0", target=RouteTarget.INTERNET)
OUT_6 = Route(network="::/0", target=RouteTarget.INTERNET)
VPN = Route(network="172.16.0.0/12", target=RouteTarget.BEYOND)
NO_GATEWAY, NO_ADDRESS, DENIED = "no route to an internet gateway", "no public address", "the network ACL denies it"


@pytest.mark.parametrize(
    ("source", "routes", "entries", "interface", "lacks"),
    [
        ("198.51.100.0/24", (), OPEN_4, {}, [NO_GATEWAY, NO_ADDRESS]),
        ("198.51.100.0/24", (), OPEN_4, {"public": ("203.0.113.9",)}, [NO_GATEWAY]),
        ("198.51.100.0/24", (OUT,), OPEN_4, {}, [NO_ADDRESS]),
        ("198.51.100.0/24", (OUT,), (), {"public": ("203.0.113.9",)}, [DENIED]),
        ("198.51.100.0/24", (OUT,), (), {}, [NO_ADDRESS, DENIED]),
        ("198.51.100.0/24", (), (), {"public": ("203.0.113.9",)}, [NO_GATEWAY]),
        # The VPC's own need no way to come by.
        ("10.0.9.0/24", (), (), {}, []),
        # By a VPN one comes without a public address.
        ("172.16.0.0/16", (VPN,), (), {}, [DENIED]),
        ("172.16.0.0/16", (), (), {"public": ("203.0.113.9",)}, ["no route"]),
        ("2001:db8:9::/48", (OUT_6,), OPEN_6, {"public": ("203.0.113.9",)}, ["no IPv6 address"]),
        ("2001:db8:9::/48", (OUT_6,), OPEN_4, {"addresses": ("2001:db8::5",)}, [DENIED]),
        ("198.51.100.0/24", (OUT,), (), {"subnets": ("subnet-9",)}, [NO_GATEWAY, NO_ADDRESS]),
        ("198.51.100.0/24", (), (), {"subnets": ()}, []),
    ],
)
def test_what_keeps_packets_out_is_said_in_words(
    source: str, routes: tuple[Route, ...], entries: tuple[AclEntry, ...], interface: dict[str, Any], lacks: list[str]
) -> None:
    table = RouteTable(id="rtb-1", vpc="vpc-1", routes=routes, main=True)
    found = filters(subnets((FOUR,), (FOUR,)), entries, tables=(table,))
    own = Interface.model_validate({"id": "eni-1", "vpc": "vpc-1", "subnets": ("subnet-1",), **interface})
    version, span = network_interval(source)
    assert found.lacks(own, Way(False, "udp"), version, (span,), (53, 53)) == lacks


@pytest.mark.parametrize(("ports", "lacks"), [((443, 443), []), ((22, 22), [DENIED]), ((22, 23), []), ((0, 65535), [])])
def test_a_network_acl_that_denies_these_ports_alone_is_what_keeps_them_out(
    ports: tuple[int, int], lacks: list[str]
) -> None:
    table = RouteTable(id="rtb-1", vpc="vpc-1", routes=(OUT,), main=True)
    denied = AclEntry(
        number=50, egress=False, protocol="tcp", from_port=22, to_port=22, network="0.0.0.0/0", allow=False
    )
    found = filters(subnets((FOUR,), (FOUR,)), (denied, *OPEN_4), tables=(table,))
    own = Interface(id="eni-1", vpc="vpc-1", subnets=("subnet-1",), public=("203.0.113.9",))
    assert found.lacks(own, Way(False, "tcp"), 4, (network_interval("198.51.100.0/24")[1],), ports) == lacks


def test_what_could_come_by_a_vpn_is_kept_out_by_the_acl_though_that_lets_the_rest_in() -> None:
    table = RouteTable(id="rtb-1", vpc="vpc-1", routes=(OUT, VPN), main=True)
    denied = AclEntry(number=50, egress=False, protocol="udp", network="172.16.0.0/12", allow=False)
    found = filters(subnets((FOUR,), (FOUR,)), (denied, *OPEN_4), tables=(table,))
    own = Interface(id="eni-1", vpc="vpc-1", subnets=("subnet-1",), addresses=("10.0.1.5",))
    everywhere = (network_interval("0.0.0.0/0")[1],)
    assert found.lacks(own, Way(False, "udp"), 4, everywhere, (53, 53)) == [DENIED]


@pytest.mark.parametrize(
    ("target", "out", "addresses", "lacks"),
    [
        # A gateway leads to the internet's addresses alone, whatever its route says.
        (RouteTarget.INTERNET, False, "10.99.0.0/16", ["no route"]),
        (RouteTarget.INTERNET, True, "10.99.0.0/16", ["no route"]),
        # By NAT one gets out without a public address, and nobody in.
        (RouteTarget.NAT, True, "198.51.100.0/24", [DENIED]),
        (RouteTarget.NAT, False, "198.51.100.0/24", [NO_GATEWAY, NO_ADDRESS]),
    ],
)
def test_what_is_lacking_depends_on_where_a_route_really_leads(
    target: RouteTarget, out: bool, addresses: str, lacks: list[str]
) -> None:
    route = Route(network="0.0.0.0/0", target=target)
    table = RouteTable(id="rtb-1", vpc="vpc-1", routes=(route,), main=True)
    found = filters(subnets((FOUR,), (FOUR,)), (), tables=(table,))
    own = Interface(id="eni-1", vpc="vpc-1", subnets=("subnet-1",), addresses=("10.0.1.5",))
    assert found.lacks(own, Way(out, "udp"), 4, (network_interval(addresses)[1],), (53, 53)) == lacks


def test_of_two_tables_that_are_both_called_main_nobody_knows_which_one_it_is() -> None:
    place = Subnet(id="subnet-1", vpc="vpc-1", networks=("10.0.1.0/24",))
    tables = tuple(RouteTable(id=f"rtb-{number}", vpc="vpc-1", main=True) for number in (1, 2))
    assert Filters(Network(subnets=(place,), tables=tables[:1])).table_of(place) == tables[0]
    assert Filters(Network(subnets=(place,), tables=tables)).table_of(place) is None


# Who can be asked about: two of the internet, two beyond a VPN, one of the VPC itself, and the same of IPv6.
ASKED = ("8.8.8.8", "1.1.1.1", "172.16.0.1", "10.9.0.1", "10.0.1.9")
ASKED_6 = ("2600::1", "fd00::1")
Gets = dict[str, str]


def outside(found: Filters, own: Interface, way: Way, asked: tuple[str, ...]) -> list[tuple[tuple[int, int], Gets]]:
    """By stretches of ports, who of these gets through: surely, or maybe."""
    told = []
    for spread in found.outside(own, way):
        gets: Gets = {}
        for address in asked:
            version, (point, _) = network_interval(address)
            sure, maybe = (
                any(low <= point <= high for low, high in spans)
                for spans in (spread.allowed[version].sure, spread.allowed[version].maybe)
            )
            assert maybe or not sure  # what is sure may be, too
            gets |= {address: "surely"} if sure else {address: "maybe"} if maybe else {}
        told.append((spread.ports, gets))
    return told


def leads(network: str, target: RouteTarget) -> Route:
    return Route(network=network, target=target)


INTERNET = {"8.8.8.8": "surely", "1.1.1.1": "surely"}
MAY_INTERNET = dict.fromkeys(INTERNET, "maybe")
FAR = {"172.16.0.1": "surely", "10.9.0.1": "surely"}
MAY_FAR = dict.fromkeys(FAR, "maybe")
PRIVATE: dict[str, Any] = {"public": ()}
HAZY = frozenset({"public"})


@pytest.mark.parametrize(
    ("routes", "interface", "comes_in", "gets_out"),
    [
        ((), {}, {}, {}),
        ((OUT,), {}, INTERNET, INTERNET),
        ((OUT,), PRIVATE, {}, {}),
        ((OUT,), {**PRIVATE, "unsure": HAZY}, MAY_INTERNET, MAY_INTERNET),
        # By a NAT gateway one gets out, and nobody comes in; nor does what is private lie behind it.
        ((leads("0.0.0.0/0", RouteTarget.NAT),), PRIVATE, {}, INTERNET),
        ((VPN,), PRIVATE, {"172.16.0.1": "surely"}, {"172.16.0.1": "surely"}),
        # Whether the internet lies behind a VPN nobody here can tell; the VPC itself does not.
        ((leads("0.0.0.0/0", RouteTarget.BEYOND),), PRIVATE, {**MAY_INTERNET, **FAR}, {**MAY_INTERNET, **FAR}),
        ((leads("0.0.0.0/0", RouteTarget.UNKNOWN),), PRIVATE, {**MAY_INTERNET, **MAY_FAR}, {**MAY_INTERNET, **MAY_FAR}),
        ((leads("0.0.0.0/0", RouteTarget.NOWHERE),), {}, {}, {}),
        # The longest prefix wins, in whatever order they stand.
        *(((OUT, leads("8.8.8.0/24", RouteTarget.NOWHERE))[::order], {}, {"1.1.1.1": "surely"}, {"1.1.1.1": "surely"})
          for order in (1, -1)),
        *(((OUT, leads("8.8.0.0/16", RouteTarget.NOWHERE), leads("8.8.8.0/24", RouteTarget.INTERNET))[::order], {},
           INTERNET, INTERNET) for order in (1, -1)),
        ((OUT, leads("8.8.8.0/24", RouteTarget.BEYOND)), {}, {"8.8.8.8": "maybe", "1.1.1.1": "surely"},
         {"8.8.8.8": "maybe", "1.1.1.1": "surely"}),
        # Of two to the same network one is known: it is that one.
        *(((OUT, leads("0.0.0.0/0", RouteTarget.UNKNOWN))[::order], {}, INTERNET, INTERNET) for order in (1, -1)),
        # Of which network it is nobody knows: it may be any for which there is no other.
        ((leads("", RouteTarget.INTERNET), VPN), {}, {**MAY_INTERNET, **MAY_FAR, "172.16.0.1": "surely"},
         {**MAY_INTERNET, **MAY_FAR, "172.16.0.1": "surely"}),
        # Nobody knows in which subnet it is, or whether in others, too.
        ((OUT,), {"subnets": ()}, {**MAY_INTERNET, **MAY_FAR, "10.0.1.9": "maybe"},
         {**MAY_INTERNET, **MAY_FAR, "10.0.1.9": "maybe"}),
        ((OUT,), {"unsure": frozenset({"subnets"})}, MAY_INTERNET, MAY_INTERNET),
        # A load balancer is in each of its subnets: one that leads out is enough.
        ((OUT,), {"subnets": ("subnet-1", "subnet-2")}, INTERNET, INTERNET),
        ((OUT,), {"subnets": ("subnet-2", "subnet-1")}, INTERNET, INTERNET),
        ((OUT,), {"subnets": ("subnet-2",)}, {}, {}),
    ],
)  # fmt: skip
def test_routes_and_addresses_decide_who_comes_in_and_who_is_got_to(
    routes: tuple[Route, ...], interface: dict[str, Any], comes_in: Gets, gets_out: Gets
) -> None:
    tables = (RouteTable(id="rtb-1", vpc="vpc-1", routes=routes, main=True), RouteTable(id="rtb-2", vpc="vpc-1"))
    found = filters(subnets((FOUR,), (FOUR,), table="rtb-2"), tables=tables)
    usual = {"id": "eni-1", "vpc": "vpc-1", "subnets": ("subnet-1",), "addresses": ("10.0.1.5",),
             "public": ("203.0.113.9",)}  # fmt: skip
    own = Interface.model_validate({**usual, **interface})
    for egress, gets in ((False, comes_in), (True, gets_out)):
        assert outside(found, own, Way(egress, "udp"), ASKED) == [((0, 65535), gets)]


def test_what_a_table_holds_besides_may_lead_anywhere_but_into_the_vpc() -> None:
    table = RouteTable(id="rtb-1", vpc="vpc-1", routes=(VPN,), main=True, unsure=True)
    own = Interface(id="eni-1", vpc="vpc-1", subnets=("subnet-1",), addresses=("10.0.1.5",))
    wanted = {**MAY_INTERNET, **MAY_FAR, "172.16.0.1": "surely"}
    for tables, gets in (((table,), wanted), ((), {**MAY_INTERNET, **MAY_FAR})):
        found = filters(subnets((FOUR,), (FOUR,)), tables=tables)
        assert outside(found, own, Way(False, "udp"), ASKED) == [((0, 65535), gets)]


def test_what_a_balancer_may_hand_on_comes_in_and_does_not_get_out() -> None:
    table = RouteTable(id="rtb-1", vpc="vpc-1", routes=(OUT,), main=True)
    balancer = Interface(id="lb-1", vpc="vpc-1", forwards=True)
    own = Interface(id="eni-1", vpc="vpc-1", subnets=("subnet-1",), addresses=("10.0.1.5",))
    found = filters(subnets((FOUR,), (FOUR,)), tables=(table,), interfaces=(balancer, own))
    assert outside(found, own, Way(False, "udp"), ASKED) == [((0, 65535), MAY_INTERNET)]
    assert outside(found, own, Way(True, "udp"), ASKED) == [((0, 65535), {})]


@pytest.mark.parametrize(
    ("route", "interface", "comes_in", "gets_out"),
    [
        (OUT_6, {}, {"2600::1": "surely"}, {"2600::1": "surely"}),
        # A public address of IPv4 is none of IPv6.
        (OUT_6, {"addresses": ("10.0.1.5",), "public": ("203.0.113.9",)}, {}, {}),
        (OUT_6, {"addresses": (), "unsure": frozenset({"addresses"})}, {"2600::1": "maybe"}, {"2600::1": "maybe"}),
        (leads("fd00::/8", RouteTarget.BEYOND), {}, {"fd00::1": "surely"}, {"fd00::1": "surely"}),
        (leads("fd00::/8", RouteTarget.BEYOND), {"addresses": ("10.0.1.5",)}, {}, {}),
        (leads("::/0", RouteTarget.NAT), {}, {}, {"2600::1": "surely"}),
        (leads("::/0", RouteTarget.NAT), {"addresses": ("10.0.1.5",)}, {}, {}),
        (OUT, {}, {}, {}),
    ],
)
def test_by_ipv6_only_what_has_an_address_of_it_is_reached(
    route: Route, interface: dict[str, Any], comes_in: Gets, gets_out: Gets
) -> None:
    table = RouteTable(id="rtb-1", vpc="vpc-1", routes=(route,), main=True)
    found = filters(subnets((FOUR, SIX), (FOUR,)), OPEN_4 + OPEN_6, tables=(table,))
    usual = {"id": "eni-1", "vpc": "vpc-1", "subnets": ("subnet-1",), "addresses": ("2001:db8::5",)}
    own = Interface.model_validate({**usual, **interface})
    for egress, gets in ((False, comes_in), (True, gets_out)):
        assert outside(found, own, Way(egress, "udp"), ASKED_6) == [((0, 65535), gets)]


ONE: Gets = {"8.8.8.8": "surely"}
OTHER: Gets = {"1.1.1.1": "surely"}


def of_one(**fields: Any) -> AclEntry:
    return allows(network="8.8.8.0/24", **fields)


@pytest.mark.parametrize(
    ("entries", "protocol", "told"),
    [
        ((), "udp", [((0, 65535), {})]),
        ((of_one(),), "udp", [((0, 65535), ONE)]),
        ((of_one(protocol="udp"),), "udp", [((0, 65535), ONE)]),
        ((of_one(protocol="tcp"),), "udp", [((0, 65535), {})]),
        ((of_one(egress=True),), "udp", [((0, 65535), {})]),
        ((of_one(protocol="udp", from_port=53, to_port=54),), "udp",
         [((0, 52), {}), ((53, 54), ONE), ((55, 65535), {})]),
        # The lowest number that fits decides, wherever it stands.
        ((allows(), of_one(number=99, allow=False)), "udp", [((0, 65535), OTHER)]),
        ((allows(), of_one(number=101, allow=False)), "udp", [((0, 65535), INTERNET)]),
        ((allows(allow=False), of_one(number=99)), "udp", [((0, 65535), ONE)]),
        ((allows(), of_one(number=1, allow=False, protocol="udp", from_port=53, to_port=53),
          of_one(number=2, protocol="udp", from_port=53, to_port=60)), "udp",
         [((0, 52), INTERNET), ((53, 53), OTHER), ((54, 60), INTERNET), ((61, 65535), INTERNET)]),
        # Where an entry is of nobody knows which network, nothing is sure on its ports.
        ((allows(network="", protocol="udp", from_port=53, to_port=53),), "udp",
         [((0, 52), {}), ((53, 53), MAY_INTERNET), ((54, 65535), {})]),
        # TCP needs its answers let out, to one of the ports that callers choose.
        ((allows(),), "tcp", [((0, 65535), {})]),
        ((allows(), of_one(egress=True)), "tcp", [((0, 65535), ONE)]),
        ((allows(), of_one(egress=True, protocol="tcp", from_port=1000, to_port=1024)), "tcp", [((0, 65535), ONE)]),
        ((allows(), of_one(egress=True, protocol="tcp", from_port=1000, to_port=1023)), "tcp", [((0, 65535), {})]),
        ((allows(), of_one(egress=True, protocol="udp")), "tcp", [((0, 65535), {})]),
        ((allows(), allows(egress=True, network="")), "tcp", [((0, 65535), MAY_INTERNET)]),
    ],
)  # fmt: skip
def test_an_acl_lets_in_by_the_first_entry_that_fits(
    entries: tuple[AclEntry, ...], protocol: str, told: list[tuple[tuple[int, int], Gets]]
) -> None:
    table = RouteTable(id="rtb-1", vpc="vpc-1", routes=(OUT,), main=True)
    own = Interface(id="eni-1", vpc="vpc-1", subnets=("subnet-1",), public=("203.0.113.9",))
    found = filters(subnets((FOUR,), (FOUR,)), entries, tables=(table,))
    assert outside(found, own, Way(False, protocol), ASKED) == told


def test_of_an_acl_that_is_not_known_as_a_whole_nothing_is_sure() -> None:
    table = RouteTable(id="rtb-1", vpc="vpc-1", routes=(OUT,), main=True)
    own = Interface(id="eni-1", vpc="vpc-1", subnets=("subnet-1",), public=("203.0.113.9",))
    network = filters(subnets((FOUR,), (FOUR,)), tables=(table,)).network
    unsure = network.acls[0].model_copy(update={"unsure": True})
    for acls in ((unsure,), ()):
        found = Filters(network.model_copy(update={"acls": acls}))
        assert outside(found, own, Way(False, "tcp"), ASKED) == [((0, 65535), MAY_INTERNET)]


def spans(*networks: str) -> tuple[tuple[int, int], ...]:
    return tuple(network_interval(network)[1] for network in networks)


def test_behind_a_vpn_lie_the_private_networks_that_it_leads_to_and_the_vpc_s_own() -> None:
    both = (leads("172.16.0.0/12", RouteTarget.BEYOND), leads("8.8.8.0/24", RouteTarget.BEYOND))
    table = RouteTable(id="rtb-1", vpc="vpc-1", routes=both, main=True)
    found = filters(subnets((FOUR,), (FOUR,), table="rtb-2"), tables=(table, RouteTable(id="rtb-2", vpc="vpc-1")))
    assert found.beyond("subnet-1", 4) == spans("10.0.0.0/16", "172.16.0.0/12")
    assert (found.beyond("subnet-2", 4), found.beyond("subnet-1", 6)) == ((), ())
    assert (found.local("subnet-1", 4), found.local("subnet-1", 6)) == (spans("10.0.0.0/16"), ())


@pytest.mark.parametrize(
    ("of_other", "interface", "same"),
    [
        ({"acl": "acl-1"}, {}, True),
        # Another ACL, table or VPC lets through otherwise, and so does whatever is not known.
        ({}, {}, False),
        ({"acl": "acl-1", "table": "rtb-2"}, {}, False),
        ({"acl": "acl-1", "vpc": "vpc-2", "table": "rtb-1"}, {}, False),
        ({"acl": "acl-1", "table": "rtb-9"}, {}, False),
        ({"acl": "acl-1", "networks": ("10.0.2.0/24", "2001:db8::/64")}, {}, False),
        ({"acl": "acl-1"}, {"public": ("203.0.113.9",)}, False),
        ({"acl": "acl-1"}, {"addresses": ("2001:db8::9",)}, False),
        ({"acl": "acl-1"}, {"addresses": ("10.0.2.9",), "groups": ("sg-9",), "unsure": frozenset({"groups"})}, True),
        ({"acl": "acl-1"}, {"unsure": frozenset({"public"})}, False),
    ],
)
def test_two_places_are_the_same_where_the_same_gets_through(
    of_other: dict[str, Any], interface: dict[str, Any], same: bool
) -> None:
    tables = (RouteTable(id="rtb-1", vpc="vpc-1", main=True), RouteTable(id="rtb-2", vpc="vpc-1"))
    found = filters(subnets((FOUR,), (FOUR,), **of_other), tables=tables)
    one = Interface(id="eni-1", vpc="vpc-1", subnets=("subnet-1",))
    other = Interface.model_validate({"id": "eni-2", "vpc": "vpc-1", "subnets": ("subnet-2",), **interface})
    assert (found.place(one) == found.place(other)) is same
