"""Whether what is opened is reached by an interface, and if not, what lacks or is not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from runbook_lib.models.exposure import ExposedInterface, ExposureSource, Reachable
from runbook_lib.models.network import Interface, Network
from runbook_lib.models.rules import Direction

from .gains import OTHER, Opening, Party, kind_of
from .intervals import (
    PUBLIC,
    Interval,
    Intervals,
    intersect,
    network_interval,
    networks,
    size,
    subtract,
    union,
)
from .network.filters import Way
from .network.moment import Moment, PortSets
from .reach import NAMED_PROTOCOLS, known_entries

__all__ = ["ALREADY", "EVERY", "MOST", "TOO_MANY", "Judge", "Judged", "Said", "direction_of"]

EVERY: Final = (*NAMED_PROTOCOLS, OTHER)
_SPLIT: Final = frozenset({"tcp", "udp"})
# How many interfaces an entry names: more nobody reads, and ten thousand entries must not each hold a thousand.
MOST: Final = 10
# How many pairs of interfaces are asked one by one, before it is said that it is not known: of what rules newly open,
# and of what stood before.
_MOST_PAIRS: Final = 2_000
_MOST_STANDING: Final = 20_000
_DOUBTS: Final = {
    "groups": "its groups are not known", "subnets": "its subnet is not known",
    "public": "whether it has a public address is not known", "addresses": "its address is not known",
}  # fmt: skip
ALREADY: Final = "another of its groups lets it through already"
TOO_MANY: Final = "there are too many interfaces to ask each about each"


class Said(NamedTuple):
    """What is so of one stretch of ports of an opening, and why."""

    ports: Interval
    reachable: Reachable
    why: str = ""


class Judged(NamedTuple):
    """An opening with its verdict; `interfaces` are the first of `members`."""

    opening: Opening
    reachable: Reachable = Reachable.UNKNOWN
    why: str = ""
    interfaces: tuple[ExposedInterface, ...] = ()
    members: int = 0


class Judge:
    """Judges what is opened between two moments."""

    def __init__(self, before: Network, after: Network, label: Callable[[str], str]) -> None:
        self.was, self.now, self.label = Moment(before), Moment(after), label
        self.lists = known_entries((*before.rules, *after.rules))
        self._pairs: Counter[int] = Counter()
        self.same = _same_but_ingress(before, after)
        self._peers: dict[Party, list[Interface]] = {}
        self._shown: dict[tuple[str, Reachable, str], ExposedInterface] = {}

    def outside(self, interface: Interface, way: Way, opening: Opening, groups: Iterable[str]) -> list[Said]:
        """What is so of packets from and to beyond the VPC; `groups` may have let them through before."""
        addresses = self.addresses(opening.party)
        said: list[Said] = []
        for protocol in EVERY if opening.protocol == "all" else (opening.protocol,):
            if addresses is None:
                return [Said(opening.ports, Reachable.UNKNOWN, f"what is in {opening.party.source} is not known")]
            said += self._outside(interface, Way(way.egress, protocol), (opening, addresses), groups)
        return _best(opening, said)

    def addresses(self, party: Party) -> dict[int, Intervals] | None:
        """The addresses that a party is; none for a group, None if they are not known."""
        if party.kind in {ExposureSource.GROUP, ExposureSource.INTERFACE}:
            return {}
        held = self.lists.get(party.source) if "/" not in party.source else (party.source,)
        if held is None:
            return None
        found: dict[int, list[Interval]] = {}
        for version, span in map(network_interval, held):
            if not party.version or version == party.version:
                found.setdefault(version, []).append(span)
        return {version: union(spans) for version, spans in found.items()}

    def inside(self, interface: Interface, way: Way, opening: Opening) -> list[Said]:
        """What is so of packets from and to other interfaces that are known."""
        said: list[Said] = []
        for protocol in EVERY if opening.protocol == "all" else (opening.protocol,):
            said += self._inside(interface, Way(way.egress, protocol), opening)
        return _best(opening, said)

    def standing(self, interface: Interface, way: Way, opening: Opening) -> list[Said]:
        """What rules that stood before let through now, surely or maybe, and did not before, surely or even maybe."""
        said: list[Said] = []
        for protocol in EVERY if opening.protocol == "all" else (opening.protocol,):
            sure: Intervals = ()
            maybe: Intervals = ()
            for met in self._met(interface, Way(way.egress, protocol), opening, _MOST_STANDING):
                if met is None:
                    return [Said(opening.ports, Reachable.UNKNOWN, TOO_MANY)]
                (source, target), after, before = met
                sure = union((*sure, *subtract(after.sure, before.sure)))
                # Whom addresses of another VPC get to, what is beyond the own one tells.
                if source.vpc == target.vpc or opening.party.kind is ExposureSource.GROUP:
                    maybe = union((*maybe, *subtract(after.maybe, before.maybe)))
                if sure == (opening.ports,):
                    break
            said += _newly(sure, maybe)
        return _best(opening, said)

    def peers(self, party: Party) -> list[Interface]:
        """The interfaces that a party is, or holds."""
        if party not in self._peers:
            self._peers[party] = list({each.id: each for each in self._peers_of(party)}.values())
        return self._peers[party]

    def _peers_of(self, party: Party) -> Iterator[Interface]:
        if party.kind is ExposureSource.GROUP:
            yield from self.now.members.get(party.source, ())
            yield from self.now.hazy_members
            return
        for version, spans in (self.addresses(party) or {}).items():
            yield from self.now.inside(version, spans)
        yield from self.now.unplaced()

    def shown(self, interface: Interface, reachable: Reachable, why: str) -> ExposedInterface:
        """The interface as an entry shows it."""
        asked = (interface.id, reachable, why)
        if asked not in self._shown:
            self._shown[asked] = ExposedInterface(
                id=interface.id, name=interface.name or interface.id, kind=interface.kind, addresses=interface.public,
                reachable=reachable, why=why,
            )  # fmt: skip
        return self._shown[asked]

    def _outside(
        self, interface: Interface, way: Way, asked: tuple[Opening, dict[int, Intervals]], groups: Iterable[str]
    ) -> Iterator[Said]:
        opening, addresses = asked
        internet = opening.party.kind is ExposureSource.INTERNET
        wanted = {v: intersect(spans, PUBLIC[v]) if internet else spans for v, spans in addresses.items()}
        for spread in self.now.filters.outside(interface, way):
            low, high = max(spread.ports[0], opening.ports[0]), min(spread.ports[1], opening.ports[1])
            if low > high:
                continue
            sure = {v: intersect(spans, spread.allowed[v].sure) for v, spans in wanted.items()}
            maybe = {v: intersect(spans, spread.allowed[v].maybe) for v, spans in wanted.items()}
            if not any(maybe.values()):
                yield Said(
                    (low, high), Reachable.OPEN_BUT_NOT_REACHABLE, self._lacks(interface, way, wanted, (low, high))
                )
                continue
            again = set(groups)
            if internet and any(2 * size(sure[v]) <= size(PUBLIC[v]) for v in sure):
                again |= set(interface.groups)  # the internet may have had these few addresses before
            for ports, before in self._before(interface, way, (low, high), again):
                yield Said(ports, *self._judge(interface, way, (sure, maybe), before))

    def _judge(
        self, interface: Interface, way: Way, gets: tuple[dict[int, Intervals], dict[int, Intervals]],
        before: dict[int, Intervals],
    ) -> tuple[Reachable, str]:  # fmt: skip
        sure, maybe = gets
        if any(subtract(spans, before[v]) for v, spans in sure.items()):
            return Reachable.REACHABLE, ""
        if any(subtract(spans, before[v]) for v, spans in maybe.items()):
            return Reachable.UNKNOWN, self.doubts(interface)
        return Reachable.ALREADY_OPEN, ALREADY

    def _before(
        self, interface: Interface, way: Way, ports: Interval, groups: Iterable[str]
    ) -> Iterator[tuple[Interval, dict[int, Intervals]]]:
        """Whom packets surely came from, or got to, before the change, by stretches of ports."""
        earlier, direction = self.was.interfaces.get(interface.id), direction_of(way)
        common = [group for group in groups if earlier is not None and group in earlier.groups]
        nothing: dict[int, Intervals] = {4: (), 6: ()}
        if earlier is None or not common:
            yield ports, nothing
            return
        held = [each for group in common for each in self.was.stretches(direction, group, way.protocol, ports)]
        spreads = self.was.filters.outside(earlier, way)
        cuts = sorted({*ports[:1], ports[1] + 1, *(edge for (low, high), _ in held for edge in (low, high + 1)),
                       *(edge for s in spreads for edge in (s.ports[0], s.ports[1] + 1)
                         if ports[0] < edge <= ports[1])})  # fmt: skip
        for low, after in pairwise(cuts):
            allowed = next((s.allowed for s in spreads if s.ports[0] <= low <= s.ports[1]), None)
            there = {
                v: union(span for (first, last), h in held if first <= low <= last for span in h.addresses[v])
                for v in nothing
            }
            yield (low, after - 1), {v: intersect(there[v], allowed[v].sure) if allowed else () for v in there}

    def _lacks(self, interface: Interface, way: Way, addresses: dict[int, Intervals], ports: Interval) -> str:
        told: dict[str, None] = {}
        for version, spans in addresses.items():
            told |= dict.fromkeys(self.now.filters.lacks(interface, way, version, spans, ports))
        return ", ".join(told)

    def doubts(self, interface: Interface) -> str:
        """What is not known of an interface that decides about packets from outside."""
        told = [_DOUBTS[name] for name in ("subnets", "public", "groups") if name in interface.unsure]
        if not interface.public and self.now.filters.handed_on(interface):
            told.append("a network load balancer or an accelerator may lead to it")
        for subnet in (self.now.filters.subnets.get(each) for each in interface.subnets):
            table = self.now.filters.table_of(subnet) if subnet else None
            acl = self.now.filters.acl_of(subnet) if subnet else None
            if table is None or table.unsure:
                told.append("its routes are not known")
            if acl is None or acl.unsure:
                told.append("its network ACL is not known")
        return ", ".join(dict.fromkeys(told)) or "where its routes lead is not known"

    def private_parts(self, interface: Interface, opening: Opening) -> Iterator[Opening]:
        """What of all addresses is not the internet, and can come to this interface: its VPC, and what is beyond."""
        known = self.now.filters
        for version, spans in (self.addresses(opening.party) or {}).items():
            rest = subtract(spans, PUBLIC[version])
            vpc = next((vpc for vpc in self.now.network.vpcs if vpc.id == interface.vpc), None)
            inside = [network_interval(net) for net in (vpc.networks if vpc else ())]
            parts = [span for v, span in inside if v == version]
            for subnet in interface.subnets:
                parts += intersect(rest, known.beyond(subnet, version))
            for text in networks(version, intersect(spans, union(parts))):
                span = network_interval(text)[1]
                party = Party(1, version, span[0], text, kind_of(version, (span,)))
                yield Opening(party, opening.protocol, opening.ports)

    def _inside(self, interface: Interface, way: Way, opening: Opening) -> Iterator[Said]:
        version = opening.party.version
        sure: Intervals = ()
        maybe: Intervals = ()
        through: Intervals = ()
        half = any_met = False
        for met in self._met(interface, way, opening, _MOST_PAIRS):
            if met is None:
                yield Said(opening.ports, Reachable.UNKNOWN, TOO_MANY)
                return
            any_met = True
            pair, after, before = met
            sure = union((*sure, *subtract(after.sure, before.sure)))
            maybe = union((*maybe, *subtract(after.maybe, before.sure)))
            through = union((*through, *after.maybe))
            kept_out = subtract((opening.ports,), after.maybe)
            by = (version,) if version else (4, 6)
            let = any(self._both_let(*pair, way.protocol, span, v) for span in kept_out for v in by)
            half = half or (bool(kept_out) and not let)
            if sure == (opening.ports,):
                break
        yield from _newly(sure, maybe)
        rest = subtract(subtract((opening.ports,), sure), maybe)
        for already, spans in ((True, intersect(rest, through)), (False, subtract(rest, through))):
            told = self._else(opening, (any_met, already, half), way, interface.vpc)
            yield from (Said(span, *told) for span in spans)

    def _met(
        self, interface: Interface, way: Way, opening: Opening, most: int
    ) -> Iterator[tuple[tuple[Interface, Interface], PortSets, PortSets] | None]:
        """Each pair with whom the opening names, and its ports after and before; None where there are too many."""
        for peer in self.peers(opening.party):
            if peer.id == interface.id:
                continue
            self._pairs[most] += 1
            if self._pairs[most] > most:
                yield None
                return
            pair = (interface, peer) if way.egress else (peer, interface)
            yield pair, *self.pair(*pair, way.protocol, (opening.ports, opening.party.version))

    def pair(
        self, source: Interface, target: Interface, protocol: str, on: tuple[Interval, int]
    ) -> tuple[PortSets, PortSets]:
        """The ports on which the one gets to the other: after, and before."""
        after = self.now.between(source, target, protocol, *on)
        ends = self.was.interfaces.get(source.id), self.was.interfaces.get(target.id)
        if ends[0] is None or ends[1] is None or not after.maybe:
            return after, PortSets((), ())
        return after, self.was.between(ends[0], ends[1], protocol, *on)

    def _both_let(self, source: Interface, target: Interface, protocol: str, ports: Interval, version: int) -> bool:
        """Whether the groups of both ends let the same through, so that something else keeps the packets out."""
        out = self.now.lets(source, (target, version), Way(True, protocol), ports)
        into = self.now.lets(target, (source, version), Way(False, protocol), ports)
        return bool(intersect(out, into))

    def _else(self, opening: Opening, saw: tuple[bool, bool, bool], way: Way, vpc: str) -> tuple[Reachable, str]:
        """What is so of the ports on which no pair newly gets through."""
        met, already, half = saw
        absent = self._absent(opening.party, vpc, met)
        if absent is not None:
            return absent
        if already:
            return Reachable.ALREADY_OPEN, "another rule lets it through already"
        if half:
            verb = "lets it in" if way.egress else "lets out to it"
            return Reachable.HALF_PATH, f"nothing at the other end {verb}"
        return Reachable.OPEN_BUT_NOT_REACHABLE, "no route, or a network ACL that denies it"

    def _absent(self, party: Party, vpc: str, met: bool) -> tuple[Reachable, str] | None:
        """What is so where nobody is known at the other end, or not everybody."""
        name = self.label(party.source)
        if party.kind is ExposureSource.GROUP:
            if not self.now.people_known(party.source):
                return Reachable.UNKNOWN, f"who is in {name} is not known"
            besides = " besides" if self.now.members.get(party.source) else ""
            return None if met else (Reachable.NO_MEMBER, f"{name} has no member{besides}")
        if not self.now.all_inside_known(vpc):
            return Reachable.UNKNOWN, f"who has an address in {name} is not known"
        return None if met else (Reachable.OPEN_BUT_NOT_REACHABLE, f"nothing here has an address in {name}")


def _same_but_ingress(before: Network, after: Network) -> bool:
    """Whether nothing but rules of who gets in differs, so that who got through before gets through still."""
    out = [{rule for rule in each.rules if rule.direction is not Direction.INGRESS} for each in (before, after)]
    lists = ("vpcs", "subnets", "tables", "acls", "interfaces")
    return out[0] == out[1] and all(getattr(before, name) == getattr(after, name) for name in lists)


def direction_of(way: Way) -> str:
    """The rules' word for it."""
    return (Direction.EGRESS if way.egress else Direction.INGRESS).value


def _best(opening: Opening, said: list[Said]) -> list[Said]:
    """One verdict for an opening that can't be told apart by ports: the first that is so of any of them."""
    if opening.protocol in _SPLIT or not said:
        return said
    best = min(said, key=lambda each: each.reachable.rank)
    return [best._replace(ports=opening.ports)]


def _newly(sure: Intervals, maybe: Intervals) -> Iterator[Said]:
    for span in sure:
        yield Said(span, Reachable.REACHABLE)
    for span in subtract(maybe, sure):
        yield Said(span, Reachable.UNKNOWN, "what lies between is not known")
