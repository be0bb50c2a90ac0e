"""Rules that are the world only together: quarters of it, many narrow networks, everything but the private ones.

Rules of one group add up. On each port the sources of a group's rules have a union; where that holds more of the public
addresses than `WORLD` allows, each rule with a part in it that counts is part of the world. A rule that is the world by
itself is judged by itself: it needs no help, and hides nothing that others do.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.rules import Direction, Rule

from ..intervals import Interval, Intervals, size, union
from .covered import Covered
from .networks import WORLD, Network, networks_of, public_parts
from .ports import Opening

__all__ = ["Slice", "world_together"]

# What is narrower than this part of a world makes none with the others, unless there are many of them.
_NARROW: Final = 64
# Beside a list of which nothing is known a network counts that is at least this part of what makes a world. A narrower
# one is not what would make the list one.
_SHARE: Final = 16
_PORTS: Final = (0, 65535)
_WITH_PORTS: Final = frozenset({"tcp", "udp"})
_ANY: Final = "any"


class Slice(NamedTuple):
    """Ports of one rule that are open to the world with the help of others; not `certain` if values are unknown."""

    opening: Opening
    certain: bool


class _Member(NamedTuple):
    """A rule with networks that are a part of the world and not all of it; not `sure` of group, way or ports."""

    position: int
    rule: Rule
    spans: Intervals
    addresses: int
    group: str
    sure: bool


class _Blank(NamedTuple):
    """A rule of whose networks nothing is known."""

    rule: Rule
    group: str


def world_together(rules: Sequence[Rule]) -> dict[int, list[Slice]]:
    """By index into `rules`, the openings through which a rule is part of the world."""
    found: dict[int, list[Slice]] = {}
    for (_, version), (members, blanks) in _gathered(rules).items():
        for position, part in _Together(members, blanks, WORLD[version]).slices():
            found.setdefault(position, []).append(part)
    return found


def _gathered(rules: Sequence[Rule]) -> dict[tuple[Direction, int], tuple[list[_Member], list[_Blank]]]:
    """The rules that matter, of each way and family."""
    found: dict[tuple[Direction, int], tuple[list[_Member], list[_Blank]]]
    found = {(direction, version): ([], []) for direction in Direction for version in (4, 6)}
    for index, rule in enumerate(rules):
        networks = networks_of(rule)
        if networks == ():
            continue
        ways = (rule.direction,) if isinstance(rule.direction, Direction) else tuple(Direction)
        # Which of several groups it is, or which at all, is not known: it may be any.
        fixed = isinstance(rule.group, str) and not rule.group.endswith("[*]")
        group = str(rule.group) if fixed else ""
        if isinstance(networks, Unknown):
            for key, (_, blanks) in found.items():
                if key[0] in ways:
                    blanks.append(_Blank(rule, group))
            continue
        for version, spans, addresses in _parts(networks):
            known = UNKNOWN not in (rule.protocol, rule.from_port, rule.to_port)
            sure = fixed and len(ways) == 1 and known
            for direction in ways:
                found[direction, version][0].append(_Member(index, rule, spans, addresses, group, sure))
    return found


@lru_cache(maxsize=65536)
def _parts(networks: tuple[Network, ...]) -> tuple[tuple[int, Intervals, int], ...]:
    """What of the networks is a part of a world and not all of it, by family, and how many addresses that are."""
    found = [(version, public_parts(networks, version)) for version in sorted({network[0] for network in networks})]
    sized = [(version, spans, size(spans)) for version, spans in found]
    return tuple(part for part in sized if 0 < part[2] <= WORLD[part[0]])


class _Together:
    """All rules of one way and one family of addresses."""

    def __init__(self, members: Iterable[_Member], blanks: Iterable[_Blank], limit: int) -> None:
        self._limit = limit
        self._sure: dict[str, list[_Member]] = defaultdict(list)
        self._unsure: dict[str, list[_Member]] = defaultdict(list)
        for member in members:
            (self._sure if member.sure else self._unsure)[member.group].append(member)
        self._blanks: dict[str, list[_Blank]] = defaultdict(list)
        for blank in blanks:
            self._blanks[blank.group].append(blank)
        self._floating = _totals(self._unsure.get("", ()))
        self._floating_blanks = _open_ports(self._blanks.get("", ()))
        # The most that the sure rules of any one group hold of a protocol: a floating rule may be in that group.
        self._most = _most(_totals(own) for own in self._sure.values())

    def slices(self) -> Iterator[tuple[int, Slice]]:
        """Index of a rule, and an opening of it."""
        for group, members in self._sure.items():
            yield from self._of_group(group, members)
        for group, members in self._unsure.items():
            around = _totals(self._sure.get(group, ())) if group else self._most
            unsure = _added(_totals(self._unsure[group]), self._floating if group else {})
            blanks = self._blanks if not group else {"": self._blanks.get("", []), group: self._blanks.get(group, [])}
            ports = _open_ports(blank for each in blanks.values() for blank in each)
            for member in members:
                protocol = member.rule.protocol
                possible = _of(around, protocol) + _of(unsure, protocol) > self._limit
                listed = member.addresses * _SHARE > self._limit and _meets(ports, protocol)
                if possible or listed:
                    yield member.position, Slice(_opening(member.rule), certain=False)

    def _of_group(self, group: str, members: list[_Member]) -> Iterator[tuple[int, Slice]]:
        unsure = _added(_totals(self._unsure.get(group, ())), self._floating)
        everywhere = [member for member in members if member.rule.protocol == "all"]
        by_protocol: dict[str, list[_Member]] = defaultdict(list)
        for member in members:
            by_protocol[str(member.rule.protocol)].append(member)
        told: dict[int, bool] = {}
        # Every protocol at once first: what is the world in all of them need not be named in each.
        for protocol in sorted(by_protocol, key=lambda name: (name != "all", name)):
            there = self._that_count(everywhere if protocol == "all" else [*by_protocol[protocol], *everywhere])
            extra = _of(unsure, protocol)
            if sum(member.addresses for member in there) + extra <= self._limit:
                continue
            hot, warm = self._hot(there, protocol, extra)
            for member in there:
                if not told.get(member.position):
                    own = _ports(member.rule, protocol)
                    for ports, certain in (*((p, True) for p in _meeting(hot, own)),
                                           *((p, False) for p in _meeting(warm, own))):  # fmt: skip
                        told[member.position] = protocol == "all" and certain
                        yield member.position, Slice(_part(member.rule, protocol, ports), certain=certain)
        yield from self._beside_blanks(group, members)

    def _that_count(self, members: Sequence[_Member]) -> Sequence[_Member]:
        # One office beside a network that is nearly the world is not what makes it one; a thousand offices may be.
        narrow = [member for member in members if member.addresses * _NARROW < self._limit]
        if sum(member.addresses for member in narrow) * _NARROW >= self._limit:
            return members
        return [member for member in members if member.addresses * _NARROW >= self._limit]

    def _hot(self, members: Sequence[_Member], protocol: str, extra: int) -> tuple[Intervals, Intervals]:
        """The ports on which these members are the world, and those on which they may be one with what is unsure."""
        covered = Covered(span for member in members for span in member.spans)
        events: dict[int, list[tuple[int, _Member]]] = defaultdict(list)
        for member in members:
            low, high = _ports(member.rule, protocol)
            events[low].append((1, member))
            events[high + 1].append((-1, member))
        hot, warm = [], []
        marks = sorted(events)
        for mark, following in zip(marks, [*marks[1:], _PORTS[1] + 1], strict=True):
            for change, member in events[mark]:
                for span in member.spans:
                    covered.change(span, change)
            if following > mark:
                if covered.length > self._limit:
                    hot.append((mark, following - 1))
                elif extra and covered.length and covered.length + extra > self._limit:
                    warm.append((mark, following - 1))
        return union(hot), union(warm)

    def _beside_blanks(self, group: str, members: Iterable[_Member]) -> Iterator[tuple[int, Slice]]:
        ports = _joined(self._floating_blanks, _open_ports(self._blanks.get(group, ())))
        for member in members if ports else ():
            protocol = str(member.rule.protocol)
            if member.addresses * _SHARE <= self._limit:
                continue
            names = [name for name in ports if protocol == "all" or name in {protocol, _ANY, "all"}]
            for name in names:
                shown = name if protocol == "all" and name not in {_ANY, "all"} else protocol
                for found in _meeting(ports[name], _ports(member.rule, shown)):
                    yield member.position, Slice(_part(member.rule, shown, found), certain=False)


_Totals = dict[str, int]


def _totals(members: Iterable[_Member]) -> _Totals:
    """How many addresses the members hold together, by protocol; twice what two of them hold."""
    found: _Totals = defaultdict(int)
    for member in members:
        protocol = member.rule.protocol
        found[_ANY if isinstance(protocol, Unknown) else protocol] += member.addresses
    return dict(found)


def _of(totals: _Totals, protocol: str | Unknown) -> int:
    if isinstance(protocol, Unknown) or protocol == "all":
        return sum(totals.values())
    return totals.get(protocol, 0) + totals.get("all", 0) + totals.get(_ANY, 0)


def _added(one: _Totals, other: _Totals) -> _Totals:
    return {name: one.get(name, 0) + other.get(name, 0) for name in one.keys() | other.keys()}


def _most(every: Iterable[_Totals]) -> _Totals:
    found: _Totals = {}
    for totals in every:
        for name, addresses in totals.items():
            found[name] = max(found.get(name, 0), addresses)
    return found


def _open_ports(blanks: Iterable[_Blank]) -> dict[str, Intervals]:
    """The ports that rules of unknown networks open, by protocol."""
    found: dict[str, list[Interval]] = defaultdict(list)
    for blank in blanks:
        protocol = blank.rule.protocol
        name = _ANY if isinstance(protocol, Unknown) else protocol
        found[name].append(_ports(blank.rule, str(protocol)))
    return {name: union(ports) for name, ports in found.items()}


def _joined(one: dict[str, Intervals], other: dict[str, Intervals]) -> dict[str, Intervals]:
    return {name: union((*one.get(name, ()), *other.get(name, ()))) for name in one.keys() | other.keys()}


def _meets(ports: dict[str, Intervals], protocol: str | Unknown) -> bool:
    if isinstance(protocol, Unknown) or protocol == "all":
        return bool(ports)
    return bool(ports.keys() & {protocol, "all", _ANY})


def _meeting(intervals: Intervals, own: Interval) -> Iterator[Interval]:
    """What of sorted intervals lies in this one."""
    position = max(bisect_left(intervals, (own[0], own[0])) - 1, 0)
    for low, high in intervals[position:]:
        if low > own[1]:
            return
        if high >= own[0]:
            yield max(low, own[0]), min(high, own[1])


def _ports(rule: Rule, protocol: str) -> Interval:
    if protocol in _WITH_PORTS and isinstance(rule.from_port, int) and isinstance(rule.to_port, int):
        return rule.from_port, max(rule.from_port, rule.to_port)
    return _PORTS


def _part(rule: Rule, protocol: str, ports: Interval) -> Opening:
    if protocol in _WITH_PORTS:
        return Opening(protocol, *ports)
    # ICMP's type and code are no ports: the rule has them all, or none.
    return _opening(rule) if rule.protocol == protocol else Opening(protocol, None, None)


def _opening(rule: Rule) -> Opening:
    return Opening(rule.protocol, rule.from_port, rule.to_port)
