"""One network at one time, asked who gets through to whom."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import reduce
from itertools import product
from typing import Final, NamedTuple

from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.network import Interface, Network
from runbook_lib.models.rules import Direction, Rule, SourceKind

from ..intervals import WHOLE, Interval, Intervals, intersect, network_interval, union
from ..reach import ALL_PORTS, Reach, known_entries, reaches
from .filters import Filters, Way

__all__ = ["Holding", "Moment", "PortSets"]

_VERSIONS: Final = (4, 6)


class PortSets(NamedTuple):
    """Ports on which packets surely get through, and on which they may; the second holds the first."""

    sure: Intervals
    maybe: Intervals


_NO_PORTS: Final = PortSets((), ())


class Holding(NamedTuple):
    """Whom a group's rules let through for one stretch of ports."""

    addresses: dict[int, Intervals]
    tokens: frozenset[str]
    lists: bool


class _Stretches:
    """The rules of one group, direction and protocol, by stretches of ports, worked out when one is asked for."""

    def __init__(self, held: list[Reach]) -> None:
        self._held = held
        self.cuts = sorted({edge for reach in held for edge in (reach.ports[0], reach.ports[1] + 1)})
        self._found: dict[int, Holding] = {}

    def over(self, ports: Interval) -> Iterator[tuple[Interval, Holding]]:
        first = max(0, bisect_right(self.cuts, ports[0]) - 1)
        for index in range(first, max(first, bisect_left(self.cuts, ports[1] + 1))):
            if index + 1 < len(self.cuts):
                low, high = max(self.cuts[index], ports[0]), min(self.cuts[index + 1] - 1, ports[1])
                if low <= high:
                    yield (low, high), self._at(index)

    def _at(self, index: int) -> Holding:
        if index not in self._found:
            port = self.cuts[index]
            active = [reach for reach in self._held if reach.ports[0] <= port <= reach.ports[1]]
            self._found[index] = Holding(
                {v: union(span for r in active if r.version == v for span in r.addresses) for v in _VERSIONS},
                frozenset(r.token for r in active if not r.version and r.kind is SourceKind.GROUP),
                any(not r.version and r.kind is SourceKind.PREFIX_LIST for r in active),
            )
        return self._found[index]


class Moment:
    """The network, its groups' members and rules."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.filters = Filters(network)
        self.interfaces = {each.id: each for each in network.interfaces}
        self.members: dict[str, list[Interface]] = {}
        self.hazy_members = [each for each in network.interfaces if "groups" in each.unsure]
        for each in network.interfaces:
            for group in each.groups:
                self.members.setdefault(group, []).append(each)
        self._by_address = self._index()
        entries = known_entries(network.rules)
        self.held: dict[tuple[str, str], list[Reach]] = {}
        self._unknown: set[tuple[str, str]] = set()
        self._anywhere = False
        for rule in network.rules:
            self._take(rule, reaches(rule, entries))
        self._stretches: dict[tuple[str, str, str], _Stretches] = {}
        self._wide: dict[tuple[str, str, str], bool] = {}
        self._spans: dict[tuple[str, int], list[Interval]] = {}

    def rules_known(self, direction: str, group: str) -> bool:
        """Whether every rule of the group is known, and of each whom it lets through."""
        return group in self.network.ruled and not self._anywhere and (direction, group) not in self._unknown

    def people_known(self, group: str) -> bool:
        """Whether everything that carries the group is known."""
        return group in self.network.peopled and not self.hazy_members

    def all_inside_known(self, vpc: str) -> bool:
        """Whether every interface of the VPC is known."""
        return self.network.complete and any(each.id == vpc for each in self.network.vpcs)

    def stretches(
        self, direction: str, group: str, protocol: str, ports: Interval
    ) -> Iterator[tuple[Interval, Holding]]:
        """Whom the group's rules let through, by stretches of ports on which they let anybody through."""
        asked = (direction, group, protocol)
        if asked not in self._stretches:
            held = [r for r in self.held.get((direction, group), ()) if r.protocol in {protocol, "all"}]
            self._stretches[asked] = _Stretches(held)
        return self._stretches[asked].over(ports)

    def wide(self, direction: str, group: str, protocol: str) -> bool:
        """Whether the group lets everybody through on all ports."""
        asked = (direction, group, protocol)
        if asked not in self._wide:
            every = [r for r in self.held.get((direction, group), ()) if r.protocol in {protocol, "all"}]
            self._wide[asked] = any(
                r.ports == ALL_PORTS and r.addresses == (WHOLE[4],) and r.version == 4 for r in every
            )
        return self._wide[asked]

    def inside(self, version: int, addresses: Intervals) -> Iterator[Interface]:
        """The interfaces with a private address among these, or an IPv6 one."""
        known = self._by_address[version]
        for low, high in addresses:
            for index in range(bisect_left(known, (low, "")), len(known)):
                if known[index][0] > high:
                    break
                yield self.interfaces[known[index][1]]

    def unplaced(self) -> Iterator[Interface]:
        """The interfaces of which the addresses are not known yet."""
        return (each for each in self.network.interfaces if "addresses" in each.unsure)

    def between(
        self, source: Interface, target: Interface, protocol: str, ports: Interval, version: int = 0
    ) -> PortSets:
        """The ports on which packets of the one get to the other, by this IP version or by any."""
        if not version:
            four, six = (self.between(source, target, protocol, ports, each) for each in _VERSIONS)
            return PortSets(union((*four.sure, *six.sure)), union((*four.maybe, *six.maybe)))
        ends = self.spans(source, version), self.spans(target, version)
        if not all(ends):
            return _NO_PORTS
        out = self._lets(source, (target, version), Way(True, protocol), ports)
        into = self._lets(target, (source, version), Way(False, protocol), ports) if out.maybe else _NO_PORTS
        if not into.maybe:
            return _NO_PORTS
        sure, maybe = self._through((source, ends[0]), (target, ends[1]), version, protocol)
        return PortSets(
            intersect(intersect(out.sure, into.sure), sure), intersect(intersect(out.maybe, into.maybe), maybe)
        )

    def lets(self, own: Interface, peer: tuple[Interface, int], way: Way, ports: Interval) -> Intervals:
        """The ports on which the groups of the one may let it send to, or be sent from, the other by an IP version."""
        return self._lets(own, peer, way, ports).maybe

    def _lets(self, own: Interface, peer: tuple[Interface, int], way: Way, ports: Interval) -> PortSets:
        direction = (Direction.EGRESS if way.egress else Direction.INGRESS).value
        sure: list[Interval] = []
        maybe: list[Interval] = []
        for group in own.groups:
            if peer[1] == 4 and self.wide(direction, group, way.protocol):  # an IP version
                return PortSets((ports,), (ports,))
            if not self.rules_known(direction, group):
                maybe.append(ports)
            for stretch, held in self.stretches(direction, group, way.protocol, ports):
                certain, possible = self._holds(held, *peer)
                sure += [stretch] if certain else []
                maybe += [stretch] if possible else []
        if "groups" in own.unsure:
            maybe.append(ports)
        return PortSets(union(sure), union((*sure, *maybe)))

    def _holds(self, held: Holding, peer: Interface, version: int) -> tuple[bool, bool]:
        if not held.tokens.isdisjoint(peer.groups):
            return True, True
        spans = self.spans(peer, version) if held.addresses[version] else []
        possible = held.lists or (bool(held.tokens) and "groups" in peer.unsure)
        possible = possible or any(intersect(held.addresses[version], (span,)) for span in spans)
        sure = [_within(span, held.addresses[version]) for span in spans]
        # Of several known addresses any will do; of a subnet in which one will be, all must be held.
        certain = bool(sure) and (all(sure) if "addresses" in peer.unsure else any(sure))
        return certain, possible or certain

    def spans(self, interface: Interface, version: int) -> list[Interval]:
        """Its addresses inside; where they are not known, those of its subnets, any of which it may have."""
        asked = (interface.id, version)
        if asked not in self._spans:
            self._spans[asked] = self._spans_of(interface, version)
        return self._spans[asked]

    def _spans_of(self, interface: Interface, version: int) -> list[Interval]:
        known = [network_interval(address) for address in interface.addresses]
        if "addresses" in interface.unsure and not any(each == version for each, _ in known):
            subnets = [self.filters.subnets.get(each) for each in interface.subnets]
            known = [network_interval(net) for subnet in subnets if subnet for net in subnet.networks]
        return [span for each, span in known if each == version]

    def _through(
        self, source: tuple[Interface, list[Interval]], target: tuple[Interface, list[Interval]], version: int,
        protocol: str,
    ) -> tuple[Intervals, Intervals]:  # fmt: skip
        sure: list[Intervals] = []
        maybe: list[Interval] = []
        subnets = self.filters.subnets
        for own, here, other, there in product(source[1], source[0].subnets, target[1], target[0].subnets):
            ends = (subnets.get(here), version, own), (subnets.get(there), version, other)
            found = self.filters.through(*ends, protocol)
            sure.append(found[0])
            maybe += found[1]
        if not sure:
            return (), (ALL_PORTS,)
        if {"subnets", "addresses"} & (source[0].unsure | target[0].unsure):
            return reduce(intersect, sure), union(maybe)
        return union(span for each in sure for span in each), union(maybe)

    def _take(self, rule: Rule, found: list[Reach] | None) -> None:
        direction, group = str(rule.direction), str(rule.group)
        if group.endswith("[*]"):
            self._anywhere = True  # one of several groups: any of them may let through more than is known of it
        if found is not None:
            self.held.setdefault((direction, group), []).extend(found)
        elif rule.group is UNKNOWN:
            self._anywhere = True
        else:
            self._unknown |= {(each.value, group) for each in Direction if rule.direction in {each, UNKNOWN}}

    def _index(self) -> dict[int, list[tuple[int, str]]]:
        found: dict[int, list[tuple[int, str]]] = {version: [] for version in _VERSIONS}
        for each in self.network.interfaces:
            for address in each.addresses:
                version, (first, _) = network_interval(address)
                found[version].append((first, each.id))
        return {version: sorted(places) for version, places in found.items()}


def _within(span: Interval, addresses: Intervals) -> bool:
    return any(low <= span[0] and span[1] <= high for low, high in addresses)
