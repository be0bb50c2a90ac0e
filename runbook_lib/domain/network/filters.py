"""What routes, network ACLs and public addresses let through, whatever security groups say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from runbook_lib.models.network import AclEntry, Interface, Network, NetworkAcl, Route, RouteTable, RouteTarget, Subnet

from ..intervals import PUBLIC, ROUTED, WHOLE, Interval, Intervals, intersect, network_interval, subtract, union
from ..reach import ALL_PORTS, port_interval, protocol_name

__all__ = ["Allowed", "Filters", "Spread", "Way", "span_of"]

# What a caller may have chosen for the answer to come to.
_EPHEMERAL: Final[Interval] = (1024, 65535)
_VERSIONS: Final = (4, 6)
_NONE: Final[dict[int, Intervals]] = {4: (), 6: ()}
_ALL: Final[dict[int, Intervals]] = {version: (WHOLE[version],) for version in _VERSIONS}


class Allowed(NamedTuple):
    """Addresses of one IP version: those that surely get through, and those that may; the second holds the first."""

    sure: Intervals
    maybe: Intervals


_NOTHING: Final = Allowed((), ())
_EVERYTHING: Final = {version: Allowed((WHOLE[version],), (WHOLE[version],)) for version in _VERSIONS}


class Way(NamedTuple):
    """Which way a packet goes, seen from the interface, and by which protocol."""

    egress: bool
    protocol: str


class Spread(NamedTuple):
    """A stretch of ports for which the same addresses get through."""

    ports: Interval
    allowed: dict[int, Allowed]


@dataclass(frozen=True)
class _Routing:
    """Which addresses each kind of route leads to."""

    to: dict[tuple[RouteTarget, int], Intervals] = field(default_factory=dict)

    def of(self, target: RouteTarget, version: int) -> Intervals:
        return self.to.get((target, version), ())


class Filters:
    """Asks one network at one time; what was answered is kept."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.subnets = {subnet.id: subnet for subnet in network.subnets}
        self._vpcs = {vpc.id: vpc for vpc in network.vpcs}
        self._tables = {table.id: table for table in network.tables}
        self._acls = {acl.id: acl for acl in network.acls}
        mains = [table for table in network.tables if table.main]
        times = Counter(table.vpc for table in mains)
        # A VPC has one main table: where two are called so, nobody knows which it is.
        self._main = {table.vpc: table for table in mains if times[table.vpc] == 1}
        self._forwarding = {each.vpc for each in network.interfaces if each.forwards}
        self._own_acl = {acl.vpc: acl for acl in network.acls if acl.default}
        self._routings: dict[str, _Routing] = {}
        self._stretches: dict[tuple[str, Way], tuple[Spread, ...]] = {}
        self._arounds: dict[str, tuple[object, ...]] = {}
        self._open: dict[tuple[str, str, str], bool] = {}
        self._outside: dict[tuple[object, Way], tuple[Spread, ...]] = {}

    def table_of(self, subnet: Subnet) -> RouteTable | None:
        """The route table that is the subnet's; None where nobody knows which."""
        if subnet.table:
            return self._tables.get(subnet.table)
        return None if "table" in subnet.unsure else self._main.get(subnet.vpc)

    def acl_of(self, subnet: Subnet) -> NetworkAcl | None:
        """The network ACL that is the subnet's; None where nobody knows which."""
        if subnet.acl:
            return self._acls.get(subnet.acl)
        return None if "acl" in subnet.unsure else self._own_acl.get(subnet.vpc)

    def routing(self, subnet_id: str) -> _Routing:
        """Where the subnet's routes lead."""
        if subnet_id not in self._routings:
            self._routings[subnet_id] = self._route(subnet_id)
        return self._routings[subnet_id]

    def place(self, interface: Interface) -> tuple[object, ...]:
        """What decides about packets from and to outside; equal places let through the same."""
        around = frozenset(self._around(each) for each in interface.subnets)
        handed = self.handed_on(interface)
        return around, bool(interface.public), _has_ipv6(interface), handed, interface.unsure - {"groups"}

    def handed_on(self, interface: Interface) -> bool:
        """Whether something of its VPC may hand it the internet's connections, whatever addresses it has itself."""
        # What is in no VPC that is known may be in each.
        return bool(self._forwarding & {interface.vpc, ""}) or (bool(self._forwarding) and not interface.vpc)

    def _around(self, subnet_id: str) -> tuple[object, ...]:
        """What decides in a subnet: its routes, its ACL and its VPC; itself alone where something is not known."""
        if subnet_id not in self._arounds:
            subnet = self.subnets.get(subnet_id)
            table, acl = (self.table_of(subnet), self.acl_of(subnet)) if subnet else (None, None)
            known = subnet is not None and table is not None and acl is not None
            six = bool(subnet and any(":" in net for net in subnet.networks))
            self._arounds[subnet_id] = (subnet.vpc, table.id, acl.id, six) if known else (subnet_id,)  # type: ignore[union-attr]
        return self._arounds[subnet_id]

    def outside(self, interface: Interface, way: Way) -> tuple[Spread, ...]:
        """The addresses beyond the VPC that packets come from, or get to, by stretches of ports."""
        asked = (self.place(interface), way)
        if asked not in self._outside:
            subnets = interface.subnets or ("",)
            unsure = not interface.subnets or "subnets" in interface.unsure
            spreads = [self._outside_of(interface, subnet, way) for subnet in subnets]
            found = spreads[0]
            for other in spreads[1:]:
                found = _either(found, other)
            self._outside[asked] = tuple(_hazy(found) if unsure else found)
        return self._outside[asked]

    def through(self, source: tuple[Subnet | None, int, Interval], target: tuple[Subnet | None, int, Interval],
                protocol: str) -> tuple[Intervals, Intervals]:  # fmt: skip
        """The ports on which packets get from an address in one subnet to one in another: surely, and maybe."""
        (here, version, own), (there, _, other) = source, target
        if here is None or there is None or (here.id != there.id and not (here.vpc and there.vpc)):
            return (), (ALL_PORTS,)
        if here.vpc != there.vpc:
            # A peering or a gateway between them may be: whoever has no route to the other surely has no way.
            ways = (self._beyond(here.id, version, other), self._beyond(there.id, version, own))
            return ((), (ALL_PORTS,)) if all(ways) else ((), ())
        if here.id == there.id or self.open_between(here.id, there.id, protocol):
            return (ALL_PORTS,), (ALL_PORTS,)
        return self._between(source, target, protocol)

    def open_between(self, here: str, there: str, protocol: str) -> bool:
        """Whether the network ACLs surely let everything from any address in the one subnet to any in the other."""
        asked = (here, there, protocol)
        if asked not in self._open:
            ends = self.subnets.get(here), self.subnets.get(there)
            known = ends[0] is not None and ends[1] is not None and ends[0].vpc == ends[1].vpc
            self._open[asked] = known and all(
                spread.allowed[version].sure == (WHOLE[version],)
                for subnet, egress in ((ends[0], True), (ends[1], False))
                if subnet is not None
                for spread in self._with_answers(self.acl_of(subnet), subnet, Way(egress, protocol))
                for version in _VERSIONS
                if version == 4 or any(":" in net for net in subnet.networks)  # an IP version
            )  # fmt: skip
        return self._open[asked]

    def lacks(self, interface: Interface, way: Way, version: int, addresses: Intervals, ports: Interval) -> list[str]:
        """Why none of these addresses beyond the VPC gets through on these ports, in words."""
        told: dict[str, None] = {}
        for subnet_id in interface.subnets:
            subnet = self.subnets.get(subnet_id)
            routing = self.routing(subnet_id)
            there = subtract(addresses, routing.of(RouteTarget.LOCAL, version))
            if not there:
                continue  # the VPC's own addresses
            internet = intersect(there, PUBLIC[version])
            gateway = intersect(internet, routing.of(RouteTarget.INTERNET, version))
            # Another way than the gateway, for which no public address of its own is needed.
            other = intersect(there, routing.of(RouteTarget.BEYOND, version))
            if way.egress:
                other = union((*other, *intersect(internet, routing.of(RouteTarget.NAT, version))))
            if not gateway and not other:
                told["no route to an internet gateway" if internet else "no route"] = None
            public = _has_public(interface, version)
            if internet and not other and not public:
                told["no public address" if version == 4 else "no IPv6 address"] = None
            led = union((*gateway, *other)) if public else other or gateway
            if subnet and not self._acl_lets(subnet, way, version, led, ports):
                told["the network ACL denies it"] = None
        return list(told)

    def beyond(self, subnet_id: str, version: int) -> Intervals:
        """The networks to which a VPN, a peering or the like leads, with the VPC's own where it lies among them."""
        routing = self.routing(subnet_id)
        there = intersect(routing.of(RouteTarget.BEYOND, version), ROUTED[version])
        return intersect(union((*there, *routing.of(RouteTarget.LOCAL, version))), ROUTED[version]) if there else ()

    def local(self, subnet_id: str, version: int) -> Intervals:
        """The VPC's own networks."""
        return self.routing(subnet_id).of(RouteTarget.LOCAL, version)

    def _acl_lets(self, subnet: Subnet, way: Way, version: int, addresses: Intervals, ports: Interval) -> bool:
        """Whether any of these addresses may get through on any of these ports; no addresses are kept from nothing."""
        spreads = self._with_answers(self.acl_of(subnet), subnet, way)
        on = [spread for spread in spreads if intersect((spread.ports,), (ports,))]
        return not addresses or any(intersect(addresses, spread.allowed[version].maybe) for spread in on)

    def _outside_of(self, interface: Interface, subnet_id: str, way: Way) -> tuple[Spread, ...]:
        subnet, routing = self.subnets.get(subnet_id), self.routing(subnet_id)
        bases = {version: self._base(interface, routing, version, way.egress) for version in _VERSIONS}
        spreads = self._with_answers(self.acl_of(subnet) if subnet else None, subnet, way)
        return tuple(
            Spread(spread.ports, {v: _both(bases[v], spread.allowed[v]) for v in _VERSIONS}) for spread in spreads
        )

    def _base(self, interface: Interface, routing: _Routing, version: int, egress: bool) -> Allowed:
        internet = intersect(routing.of(RouteTarget.INTERNET, version), PUBLIC[version])
        unknown = routing.of(RouteTarget.UNKNOWN, version)
        there = routing.of(RouteTarget.BEYOND, version) if _on(interface, version) else ()
        # Whether the internet comes by a VPN or a transit gateway, nobody here can tell.
        beyond = intersect(there, ROUTED[version])
        public = _has_public(interface, version)
        perhaps = _may_have_public(interface, version) or (not egress and self.handed_on(interface))
        sure = union((*(internet if public else ()), *beyond))
        if egress and _on(interface, version):
            sure = union((*sure, *intersect(routing.of(RouteTarget.NAT, version), PUBLIC[version])))
        open_ended = (*(internet if perhaps else ()), *unknown, *there)
        return Allowed(sure, union((*sure, *open_ended)))

    def _beyond(self, subnet_id: str, version: int, addresses: Interval) -> bool:
        routing = self.routing(subnet_id)
        return any(
            intersect((addresses,), routing.of(target, version)) for target in (RouteTarget.BEYOND, RouteTarget.UNKNOWN)
        )

    def _between(
        self, source: tuple[Subnet | None, int, Interval], target: tuple[Subnet | None, int, Interval], protocol: str
    ) -> tuple[Intervals, Intervals]:
        (here, version, own), (there, _, other) = source, target
        assert here is not None  # noqa: S101  # `through` has looked
        assert there is not None  # noqa: S101
        found: list[tuple[Intervals, Intervals]] = []
        for subnet, egress, peer in ((here, True, other), (there, False, own)):
            spreads = self._with_answers(self.acl_of(subnet), subnet, Way(egress, protocol))
            sure = union(s.ports for s in spreads if not subtract((peer,), s.allowed[version].sure))
            maybe = union(s.ports for s in spreads if intersect((peer,), s.allowed[version].maybe))
            found.append((sure, maybe))
        return intersect(found[0][0], found[1][0]), intersect(found[0][1], found[1][1])

    def _with_answers(self, acl: NetworkAcl | None, subnet: Subnet | None, way: Way) -> tuple[Spread, ...]:
        """What the ACL lets through, and for TCP lets the answers to through as well."""
        if subnet is None or acl is None:
            unknown = {version: Allowed((), (WHOLE[version],)) for version in _VERSIONS}
            return (Spread(ALL_PORTS, unknown),)
        there = self._acl(acl, way)
        if way.protocol != "tcp":
            return there
        answers = [
            spread.allowed
            for spread in self._acl(acl, Way(not way.egress, "tcp"))
            if intersect((spread.ports,), (_EPHEMERAL,))
        ]
        back = {v: Allowed(union(s for one in answers for s in one[v].sure),
                           union(s for one in answers for s in one[v].maybe)) for v in _VERSIONS}  # fmt: skip
        return tuple(Spread(s.ports, {v: _both(s.allowed[v], back[v]) for v in _VERSIONS}) for s in there)

    def _acl(self, acl: NetworkAcl, way: Way) -> tuple[Spread, ...]:
        asked = (acl.id, way)
        if asked not in self._stretches:
            self._stretches[asked] = tuple(_judged(acl, way))
        return self._stretches[asked]

    def _route(self, subnet_id: str) -> _Routing:
        subnet = self.subnets.get(subnet_id)
        table = self.table_of(subnet) if subnet else None
        to: dict[tuple[RouteTarget, int], Intervals] = {}
        for version in _VERSIONS:
            _paint(to, version, RouteTarget.UNKNOWN if table is None or table.unsure else RouteTarget.NOWHERE, _ALL)
        for version, span, route in _by_width(table.routes if table else ()):
            _paint(to, version, route.target, {version: (span,)})
        vpc = self._vpcs.get(subnet.vpc) if subnet else None
        for version, span in filter(None, map(span_of, vpc.networks if vpc else ())):
            _paint(to, version, RouteTarget.LOCAL, {version: (span,)})
        return _Routing(to)


def span_of(network: str) -> tuple[int, Interval] | None:
    """The IP version and the addresses of a network; None for what is none."""
    try:
        return network_interval(network)
    except ValueError:
        return None


def _by_width(routes: Iterable[Route]) -> Iterator[tuple[int, Interval, Route]]:
    found = []
    for route in routes:
        known = span_of(route.network)
        if known is not None:
            found.append((*known, route))
        else:
            # A prefix list, or not known yet: it may lead anywhere from anywhere.
            unknown = route.model_copy(update={"target": RouteTarget.UNKNOWN})
            found += [(version, WHOLE[version], unknown) for version in _VERSIONS]
    # The longest prefix wins; of the rest, what is not known comes first, and so loses.
    yield from sorted(found, key=lambda each: (each[1][0] - each[1][1], each[2].target != RouteTarget.UNKNOWN))


def _paint(
    to: dict[tuple[RouteTarget, int], Intervals], version: int, target: RouteTarget, spans: dict[int, Intervals]
) -> None:
    for other in RouteTarget:
        if (other, version) in to:
            to[other, version] = subtract(to[other, version], spans[version])
    to[target, version] = union((*to.get((target, version), ()), *spans[version]))


def _judged(acl: NetworkAcl, way: Way) -> Iterator[Spread]:
    entries = sorted((e for e in acl.entries if e.egress == way.egress), key=lambda entry: entry.number)
    held = [(entry, _ports(entry, way.protocol), span_of(entry.network)) for entry in entries]
    held = [each for each in held if each[1] is not None]
    cuts = sorted({0, 65536, *(edge for _, ports, _ in held if ports for edge in (ports[0], ports[1] + 1))})
    for low, after in pairwise(cuts):
        yield Spread((low, after - 1), {v: _first_match(acl, held, low, v) for v in _VERSIONS})


def _first_match(
    acl: NetworkAcl,
    held: list[tuple[AclEntry, Interval | None, tuple[int, Interval] | None]],
    port: int,
    version: int,
) -> Allowed:
    rest, allowed, hazy = (WHOLE[version],), (), False  # type: tuple[Interval, ...], Intervals, bool
    for entry, ports, known in held:
        if ports is None or not ports[0] <= port <= ports[1]:
            continue
        hazy = hazy or known is None
        if known is not None and known[0] == version:
            if entry.allow:
                allowed = union((*allowed, *intersect(rest, (known[1],))))
            rest = subtract(rest, (known[1],))
    if acl.unsure or hazy:
        return Allowed((), (WHOLE[version],))
    return Allowed(allowed, allowed)


def _ports(entry: AclEntry, protocol: str) -> Interval | None:
    named = protocol_name(entry.protocol)
    if named == "all":
        return ALL_PORTS
    return port_interval(named, entry.from_port, entry.to_port) if named == protocol else None


def _both(one: Allowed, other: Allowed) -> Allowed:
    if other == _EVERYTHING[4] or other == _EVERYTHING[6]:
        return one
    return Allowed(intersect(one.sure, other.sure), intersect(one.maybe, other.maybe))


def _either(one: Iterable[Spread], other: Iterable[Spread]) -> tuple[Spread, ...]:
    """What gets through by the one or by the other: a load balancer has an interface in each of its subnets."""
    left, right = list(one), list(other)
    cuts = sorted({edge for spread in (*left, *right) for edge in (spread.ports[0], spread.ports[1] + 1)})
    found = []
    for low, after in pairwise(cuts):
        at = [s.allowed for s in (*left, *right) if s.ports[0] <= low <= s.ports[1]]
        joined = {v: Allowed(union(i for a in at for i in a[v].sure), union(i for a in at for i in a[v].maybe))
                  for v in _VERSIONS}  # fmt: skip
        found.append(Spread((low, after - 1), joined))
    return tuple(found)


def _hazy(spreads: Iterable[Spread]) -> Iterator[Spread]:
    for spread in spreads:
        yield Spread(spread.ports, {version: Allowed((), allowed.maybe) for version, allowed in spread.allowed.items()})


def _has_ipv6(interface: Interface) -> bool:
    return any(":" in address for address in interface.addresses)


def _has_public(interface: Interface, version: int) -> bool:
    return bool(interface.public) if version == 4 else _has_ipv6(interface)


def _may_have_public(interface: Interface, version: int) -> bool:
    return _has_public(interface, version) or ("public" if version == 4 else "addresses") in interface.unsure


def _on(interface: Interface, version: int) -> bool:
    return version == 4 or _has_ipv6(interface)
