"""What is opened of things rather than by rules: a group attached, a public address, a route, a network ACL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from runbook_lib.models.exposure import ExposedInterface, ExposureSource, Reachable
from runbook_lib.models.network import Interface, Subnet
from runbook_lib.models.rules import Direction, SourceKind

from .gains import OTHER, Opening, Party, openings
from .intervals import PUBLIC, ROUTED, WHOLE, Intervals, intersect, size, subtract, union
from .network.filters import Way
from .network.moment import Moment
from .reach import ALL_PORTS, NAMED_PROTOCOLS, Reach
from .verdicts import TOO_MANY, Judge, Said

__all__ = ["Gained", "Things"]

_EVERY: Final = (*NAMED_PROTOCOLS, OTHER)
_WAYS: Final = (False, True)
_Asks = Callable[[Interface, Way, Opening], list[Said]]
_Raw = Mapping[tuple[str, str], list[Opening]]
# Beyond so many pairs the interfaces that changed are not asked about each other one by one.
_MOST_PAIRS: Final = 20_000


@dataclass(frozen=True)
class Gained:
    """One opening of some interfaces, which are its source if `egress`; `party_name` is the other end's, if told."""

    opening: Opening
    egress: bool
    reachable: Reachable
    why: str = ""
    interfaces: tuple[ExposedInterface, ...] = ()
    party_name: str | None = None


class Things:
    """The interfaces that carry other groups after the change than before, or stand otherwise in the network.

    `by_rules` is what rules open by group, and is told there.
    """

    def __init__(self, judge: Judge, by_rules: _Raw) -> None:
        self.judge, self.by_rules = judge, by_rules
        self.was, self.now = judge.was, judge.now

    def all(self) -> Iterator[Gained]:
        """Everything, each class of interfaces that gain the same together."""
        changed = [each for each in self.now.network.interfaces if self._changed(each)]
        found: dict[tuple[object, ...], list[Interface]] = {}
        for each in changed:
            found.setdefault(self._class(each), []).append(each)
        for alike in found.values():
            for egress in _WAYS:
                yield from self._outside(alike, egress)
                yield from self._inside(alike, egress)
                yield from self._unread(alike, egress)
        yield from self._as_peers(changed)

    def _changed(self, each: Interface) -> bool:
        earlier = self.was.interfaces.get(each.id)
        if earlier is None:
            return True
        return earlier.groups != each.groups or self._moved(earlier, each)

    def _moved(self, earlier: Interface, each: Interface) -> bool:
        """Whether something other than a group decides differently about its packets."""
        if self.was.filters.place(earlier) != self.now.filters.place(each):
            return True
        return any(self._around(self.was, subnet) != self._around(self.now, subnet) for subnet in each.subnets)

    def _around(self, moment: Moment, subnet_id: str) -> object:
        subnet: Subnet | None = moment.filters.subnets.get(subnet_id)
        if subnet is None:
            return None
        return subnet, moment.filters.table_of(subnet), moment.filters.acl_of(subnet)

    def _class(self, each: Interface) -> tuple[object, ...]:
        earlier = self.was.interfaces.get(each.id)
        return (
            each.groups,
            self.now.filters.place(each),
            earlier and (earlier.groups, self.was.filters.place(earlier)),
        )

    def _told(self, each: Interface, direction: str) -> list[Reach]:
        """What rules newly open of its groups, as something that needs no telling of the interface again."""
        return [
            reach
            for group in each.groups
            for opening in self.by_rules.get((direction, group), ())
            for reach in self._as_reach(opening)
        ]

    def _as_reach(self, opening: Opening) -> Iterator[Reach]:
        party = opening.party
        if party.kind is ExposureSource.GROUP:
            yield Reach(opening.protocol, opening.ports, SourceKind.GROUP, token=party.source)
            return
        addresses = self.judge.addresses(party)
        if addresses is None:
            yield Reach(opening.protocol, opening.ports, SourceKind.PREFIX_LIST, token=party.source)
        for version, spans in (addresses or {}).items():
            yield Reach(opening.protocol, opening.ports, SourceKind.NETWORK, version, spans)

    def _outside(self, alike: list[Interface], egress: bool) -> Iterator[Gained]:
        one = alike[0]
        direction = (Direction.EGRESS if egress else Direction.INGRESS).value
        earlier = self.was.interfaces.get(one.id)
        held = _of_addresses(self.now, one, direction)
        had = _of_addresses(self.was, earlier, direction) if earlier else []
        told = self._told(one, direction)
        for public in (True, False):
            passed = list(_restricted(self.was, earlier, had, (egress, True, public), exact=True)) if earlier else []
            passed = [self._with_the_rest(one, reach) for reach in passed] if public else passed
            sure = list(_restricted(self.now, one, held, (egress, True, public)))
            exact = list(_restricted(self.now, one, held, (egress, True, public), exact=True))
            for opening in openings(sure, [*passed, *told]):
                if opening.party.kind is ExposureSource.INTERNET or self._holds(exact, opening):
                    yield self._gained(alike, opening, egress, Said(opening.ports, Reachable.REACHABLE))
            maybe = list(_restricted(self.now, one, held, (egress, False, public)))
            for opening in openings(maybe, [*passed, *told, *sure]):
                said = Said(opening.ports, Reachable.UNKNOWN, self.judge.doubts(one))
                yield self._gained(alike, opening, egress, said)
            if public and not egress:
                yield from self._idle(alike, openings(held, [*passed, *told, *maybe, *had]))

    def _holds(self, exact: Iterable[Reach], opening: Opening) -> bool:
        """Whether some of it comes through indeed: of a few networks that the internet's name covers, none may."""
        wanted = self.judge.addresses(opening.party) or {}
        low, high = opening.ports
        return any(
            opening.protocol in {reach.protocol, "all"}
            for reach in exact
            if reach.ports[0] <= high and low <= reach.ports[1] and intersect(
                wanted.get(reach.version, ()), reach.addresses)
        )  # fmt: skip

    def _with_the_rest(self, one: Interface, reach: Reach) -> Reach:
        """The same of what passed before, exactly; with what is not outside, of which the question is not."""
        version = reach.version
        local = [span for subnet in one.subnets for span in self.now.filters.local(subnet, version)]
        rest = subtract((WHOLE[version],), PUBLIC[version])
        return replace(reach, addresses=union((*reach.addresses, *rest, *local)))

    def _idle(self, alike: list[Interface], found: Iterable[Opening]) -> Iterator[Gained]:
        """What groups newly let in from the internet, and something else keeps out."""
        for opening in found:
            if opening.party.kind is ExposureSource.INTERNET:
                said = self.judge.outside(alike[0], Way(False, opening.protocol), opening, ())
                why = next((each.why for each in said if each.why), "")
                verdict = Said(opening.ports, Reachable.OPEN_BUT_NOT_REACHABLE, why)
                yield self._gained(alike, opening, False, verdict)

    def _inside(self, alike: list[Interface], egress: bool) -> Iterator[Gained]:
        """What comes from, or gets to, other interfaces: each of those that the groups let through is asked."""
        direction = (Direction.EGRESS if egress else Direction.INGRESS).value
        one = alike[0]
        held = [reach for group in one.groups for reach in self.now.held.get((direction, group), ()) if _read(reach)]
        earlier = self.was.interfaces.get(one.id)
        had = [r for group in (earlier.groups if earlier else ()) for r in self.was.held.get((direction, group), ())]
        told = self._told(one, direction)
        gained = list(openings(held, [*had, *told]))
        for opening in gained:
            yield from self._parts(alike, opening, egress, self.judge.inside)
        # What its groups let through before may get through only now: the others let it, or a network ACL does.
        new = [reach for opening in gained for reach in self._as_reach(opening)]
        for opening in openings(held, [*told, *new]) if earlier is not None else ():
            yield from self._parts(alike, opening, egress, self.judge.standing)

    def _unread(self, alike: list[Interface], egress: bool) -> Iterator[Gained]:
        """What is let through of prefix lists of which nobody has read what is in them."""
        one, direction = alike[0], (Direction.EGRESS if egress else Direction.INGRESS).value
        earlier = self.was.interfaces.get(one.id)
        # Where an interface stands otherwise, more may come of the same list than before.
        stayed = earlier is not None and not any(self._moved(earlier, each) for each in alike)
        had = _of_unread_lists(self.was, earlier, direction) if earlier and stayed else []
        held = _of_unread_lists(self.now, one, direction)
        for opening in openings(held, [*had, *self._told(one, direction)]):
            why = f"what is in {opening.party.source} is not known"
            yield self._gained(alike, opening, egress, Said(opening.ports, Reachable.UNKNOWN, why))

    def _parts(self, alike: list[Interface], opening: Opening, egress: bool, ask: _Asks) -> Iterator[Gained]:
        internet = opening.party.kind is ExposureSource.INTERNET
        for part in self.judge.private_parts(alike[0], opening) if internet else (opening,):
            said: dict[Said, list[Interface]] = {}
            for one in alike:
                for each in ask(one, Way(egress, part.protocol), part):
                    if each.reachable.lets_through:
                        said.setdefault(each, []).append(one)
            for each, those in said.items():
                yield self._gained(those, part._replace(ports=each.ports), egress, each)

    def _as_peers(self, changed: list[Interface]) -> Iterator[Gained]:
        """What the changed ones newly reach of those that are as they were, as far as these let them in."""
        ids = {each.id for each in changed}
        still = [each for each in self.now.network.interfaces if each.id not in ids]
        if len(changed) * len(still) > _MOST_PAIRS:
            others = Opening(Party(1, 0, 0, "", ExposureSource.INTERFACE), "all", ALL_PORTS)
            shown = tuple(self.judge.shown(each, Reachable.UNKNOWN, TOO_MANY) for each in changed)
            yield Gained(others, True, Reachable.UNKNOWN, TOO_MANY, shown, f"{len(still)} other interfaces")
            return
        for source in changed:
            for target in still:
                yield from self._pair(source, target)

    def _pair(self, source: Interface, target: Interface) -> Iterator[Gained]:
        """What of all ports surely gets through that surely did not, and what may that could not."""
        sure: tuple[list[Reach], list[Reach]] = [], []
        maybe: tuple[list[Reach], list[Reach]] = [], []
        for protocol in _EVERY:
            after, before = self.judge.pair(source, target, protocol, (ALL_PORTS, 0))
            for (now, then), held, had in ((sure, after.sure, before.sure), (maybe, after.maybe, before.maybe)):
                now += [Reach(protocol, span, SourceKind.GROUP, token=source.id) for span in held]
                then += [Reach(protocol, span, SourceKind.GROUP, token=source.id) for span in had]
        party, name = Party(1, 0, 0, source.id, ExposureSource.INTERFACE), source.name or source.id
        for now, then, verdict, why in (
            (*sure, Reachable.REACHABLE, ""),
            (maybe[0], [*maybe[1], *sure[0]], Reachable.UNKNOWN, "what lies between is not known"),
        ):
            shown = (self.judge.shown(target, verdict, why),)
            for opening in openings(now, then) if now else ():
                yield Gained(opening._replace(party=party), False, verdict, why, shown, name)

    def _gained(self, alike: list[Interface], opening: Opening, egress: bool, said: Said) -> Gained:
        party = opening.party
        name = self.judge.label(party.source) if party.kind is ExposureSource.GROUP else None
        shown = tuple(self.judge.shown(one, said.reachable, said.why) for one in alike)
        return Gained(opening, egress, said.reachable, said.why, shown, name)


def _of_addresses(moment: Moment, interface: Interface, direction: str) -> list[Reach]:
    """What the interface's groups let through by address."""
    return [r for group in interface.groups for r in moment.held.get((direction, group), ()) if r.version]


def _read(reach: Reach) -> bool:
    """Whether it is known whom it lets through."""
    return bool(reach.version) or reach.kind is not SourceKind.PREFIX_LIST


def _of_unread_lists(moment: Moment, interface: Interface, direction: str) -> list[Reach]:
    """What the interface's groups let through by prefix lists of which nobody knows what is in them."""
    return [r for group in interface.groups for r in moment.held.get((direction, group), ()) if not _read(r)]


def _restricted(
    moment: Moment, interface: Interface, held: Iterable[Reach], asked: tuple[bool, bool, bool], exact: bool = False
) -> Iterator[Reach]:
    """What of all this comes from beyond the VPC, or gets there: out or in, surely or maybe, public or private."""
    egress, sure, public = asked
    for reach in held:
        for protocol in _EVERY if reach.protocol == "all" else (reach.protocol,):
            for spread in moment.filters.outside(interface, Way(egress, protocol)):
                low, high = max(reach.ports[0], spread.ports[0]), min(reach.ports[1], spread.ports[1])
                through = spread.allowed[reach.version].sure if sure else spread.allowed[reach.version].maybe
                part = _public(reach, through, exact) if public else _private(moment, interface, reach, through)
                if low <= high and part:
                    yield replace(reach, protocol=protocol, ports=(low, high), addresses=part)


def _public(reach: Reach, through: Intervals, exact: bool) -> Intervals:
    version = reach.version
    part = intersect(intersect(reach.addresses, through), PUBLIC[version])
    # The internet without a few networks that nothing leads to is still the internet.
    whole = not exact and reach.addresses == (WHOLE[version],) and 2 * size(part) > size(PUBLIC[version])
    return reach.addresses if whole else part


def _private(moment: Moment, interface: Interface, reach: Reach, through: Intervals) -> Intervals:
    part = intersect(intersect(reach.addresses, through), ROUTED[reach.version])
    if not part:
        return ()
    # With the VPC's own, of which each interface is asked by itself: else one network beyond would read as many.
    every = [span for subnet in interface.subnets for span in moment.filters.beyond(subnet, reach.version)]
    around = union(span for span in every if intersect((span,), part))
    return union((*part, *intersect(reach.addresses, subtract(around, through))))
