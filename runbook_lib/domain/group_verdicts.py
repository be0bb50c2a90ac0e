"""Whether what a group's rules open is reached: by which of its members, all that are alike judged at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from runbook_lib.models.exposure import ExposureSource, Reachable
from runbook_lib.models.network import Interface, Network
from runbook_lib.models.rules import Direction

from .gains import Opening, Party
from .intervals import Intervals, contains, intersect, union
from .network.filters import Way
from .verdicts import ALREADY, EVERY, MOST, Judge, Judged, Said, direction_of

__all__ = ["GroupJudge"]


class GroupJudge(Judge):
    """Judges what rules of groups open between two moments."""

    def __init__(self, before: Network, after: Network, label: Callable[[str], str]) -> None:
        super().__init__(before, after, label)
        self._sorted: dict[str, dict[tuple[object, ...], list[Interface]]] = {}
        self._together: dict[str, tuple[str, ...]] = {}
        self._held_by: dict[Party, dict[int, Intervals]] = {}
        self._sources: dict[tuple[Party, Way, str], int] = {}

    def of_group(self, key: tuple[str, str], opening: Opening) -> Iterator[Judged]:
        """An opening that a group's rules make, apart by verdict where ports differ; and whom it opens to besides."""
        direction, group = key
        members = self.now.members.get(group, [])
        if group.endswith("[*]"):
            yield Judged(opening, why="which of these groups it is, is known only after apply")
            return
        if not members:
            known = self.now.people_known(group)
            why = f"{self.label(group)} has no member" if known else f"who is in {self.label(group)} is not known"
            yield Judged(opening, Reachable.NO_MEMBER if known else Reachable.UNKNOWN, why)
            return
        way = Way(direction == Direction.EGRESS, opening.protocol)
        found: list[tuple[list[Interface], list[Said]]] = []
        others: dict[Opening, list[tuple[list[Interface], list[Said]]]] = {}
        for alike, overlapping in self._classes(key, opening):
            said = self.outside(alike[0], way, opening, overlapping)
            found += self._inside_too((alike, bool(overlapping)), way, opening, said, others)
        yield from self._together_said(opening, found, group)
        for other, told in others.items():
            yield from self._together_said(other, told, "")

    def _inside_too(
        self, members: tuple[list[Interface], bool], way: Way, opening: Opening, said: list[Said],
        others: dict[Opening, list[tuple[list[Interface], list[Said]]]],
    ) -> Iterator[tuple[list[Interface], list[Said]]]:  # fmt: skip
        """The verdict with what is inside the VPC added: of the internet as a party of its own."""
        alike = members[0]
        if all(each.reachable is Reachable.REACHABLE for each in said):
            yield alike, said
        elif opening.party.kind is not ExposureSource.INTERNET:
            for some, told in self._of_alike(members, way, opening):
                # Nothing of a group is beyond the VPC: what is said of there is no reason.
                yield some, told if opening.party.kind is ExposureSource.GROUP else _merged(said, told)
        else:
            yield alike, said
            for other in self.private_parts(alike[0], opening):
                outside = self.outside(alike[0], way, other, alike[0].groups)
                # Unlike the internet as a whole, this part of it may have been let in before by the same group.
                had = members[1] or any(self._overlaps(direction_of(way), group, other) for group in alike[0].groups)
                for some, inside in self._of_alike((alike, had), way, other):
                    told = _merged(outside, inside)
                    if any(each.reachable.rank <= Reachable.UNKNOWN.rank for each in told):
                        others.setdefault(other, []).append((some, told))

    def _of_alike(
        self, members: tuple[list[Interface], bool], way: Way, opening: Opening
    ) -> Iterator[tuple[list[Interface], list[Said]]]:
        """What is so of packets from and to inside: of all of them at once wherever that can be told."""
        alike, had_others = members
        if not self.peers(opening.party):
            yield alike, [Said(opening.ports, *self._else(opening, (False, False, False), way, alike[0].vpc))]
        elif not had_others and opening.protocol != "all" and self._surely(alike[0], way, opening):
            yield alike, [Said(opening.ports, Reachable.REACHABLE)]
        elif had_others and self.same and self._covered(alike, way, opening):
            yield alike, [Said(opening.ports, Reachable.ALREADY_OPEN, ALREADY)]
        else:
            for one in alike:
                yield [one], self.inside(one, way, opening)

    def _covered(self, alike: list[Interface], way: Way, opening: Opening) -> bool:
        """Whether groups that all of them had before let through all of it on all of the ports."""
        wanted = self.addresses(opening.party)
        if not wanted or opening.protocol == "all":
            return False
        had = [self.was.interfaces[one.id].groups for one in alike if one.id in self.was.interfaces]
        common = set(had[0]).intersection(*had[1:]) if len(had) == len(alike) else set()
        held = [each for group in sorted(common)
                for each in self.was.stretches(direction_of(way), group, way.protocol, opening.ports)]  # fmt: skip
        cuts = sorted(
            {opening.ports[0], opening.ports[1] + 1, *(edge for (low, high), _ in held for edge in (low, high + 1))}
        )
        return all(
            contains(union(s for (low, high), h in held if low <= first <= high for s in h.addresses[v]), spans)
            for first, _ in pairwise(cuts)
            for v, spans in wanted.items()
        )

    def _surely(self, interface: Interface, way: Way, opening: Opening) -> bool:
        """Whether there are two at the other end of whom one, whichever it is not itself, newly gets through.

        The opening itself lets in; nothing kept out but the rule, where none of the other groups let through before.
        """
        if len(interface.subnets) != 1 or opening.party.version == 6:  # an IP version
            return False
        asked = (opening.party, Way(way.egress, opening.protocol), interface.subnets[0])
        if asked not in self._sources:
            direction = (Direction.INGRESS if way.egress else Direction.EGRESS).value
            between = self.now.filters.open_between
            self._sources[asked] = sum(
                1
                for peer in self.peers(opening.party)
                if len(peer.subnets) == 1 and not peer.unsure
                and any(self.now.wide(direction, group, opening.protocol) for group in peer.groups)
                and between(*_ordered(interface.subnets[0], peer.subnets[0], way), opening.protocol)
            )  # fmt: skip
        return self._sources[asked] > 1

    def _classes(self, key: tuple[str, str], opening: Opening) -> Iterator[tuple[list[Interface], frozenset[str]]]:
        """The group's members, those together that one verdict is true of; with the groups that matter besides."""
        direction, group = key
        overlapping = frozenset(other for other in self._co_carried(group) if self._overlaps(direction, other, opening))
        if not overlapping:
            for alike in self._by_place(group).values():
                yield alike, overlapping
            return
        found: dict[tuple[object, frozenset[str]], list[Interface]] = {}
        for member in self.now.members[group]:
            earlier = self.was.interfaces.get(member.id)
            own = overlapping.intersection(earlier.groups if earlier else ())
            where = (self.now.filters.place(member), self.was.filters.place(earlier) if own and earlier else None)
            found.setdefault((where, own), []).append(member)
        for (_, own), alike in found.items():
            yield alike, own

    def _by_place(self, group: str) -> dict[tuple[object, ...], list[Interface]]:
        if group not in self._sorted:
            found: dict[tuple[object, ...], list[Interface]] = {}
            for member in self.now.members[group]:
                found.setdefault(self.now.filters.place(member), []).append(member)
            self._sorted[group] = found
        return self._sorted[group]

    def _co_carried(self, group: str) -> tuple[str, ...]:
        """The other groups that the group's members had before."""
        if group not in self._together:
            had = {
                other
                for member in self.now.members[group]
                for other in (self.was.interfaces[member.id].groups if member.id in self.was.interfaces else ())
            }
            self._together[group] = tuple(sorted(had - {group}))
        return self._together[group]

    def _overlaps(self, direction: str, group: str, opening: Opening) -> bool:
        """Whether the group let some of them through before, on some of the ports."""
        if (direction, group) not in self.was.held:
            return False
        party, wanted = opening.party, self.addresses(opening.party) or {}
        if party.kind is ExposureSource.GROUP:
            wanted = self._addresses_of(party)
        for protocol in EVERY if opening.protocol == "all" else (opening.protocol,):
            for _, held in self.was.stretches(direction, group, protocol, opening.ports):
                if held.tokens if party.kind is not ExposureSource.GROUP else party.source in held.tokens:
                    return True
                if any(intersect(spans, held.addresses[v]) for v, spans in wanted.items()):
                    return True
        return False

    def _addresses_of(self, party: Party) -> dict[int, Intervals]:
        if party not in self._held_by:
            self._held_by[party] = {
                v: union(span for peer in self.peers(party) for span in self.now.spans(peer, v)) for v in (4, 6)
            }
        return self._held_by[party]

    def _together_said(
        self, opening: Opening, found: list[tuple[list[Interface], list[Said]]], group: str
    ) -> Iterator[Judged]:
        """Entries for the fewest stretches of ports within each of which all interfaces have one verdict each."""
        cuts = sorted({edge for _, said in found for each in said for edge in (each.ports[0], each.ports[1] + 1)})
        last: list[tuple[list[Interface], Said]] = []
        start = cuts[0]
        for low, _after in pairwise(cuts):
            now = [(alike, _at(said, low)) for alike, said in found]
            if last and [s[1:] for _, s in now] != [s[1:] for _, s in last]:
                yield self._judged(opening._replace(ports=(start, low - 1)), last, group)
                start = low
            last = now
        yield self._judged(opening._replace(ports=(start, cuts[-1] - 1)), last, group)

    def _judged(self, opening: Opening, found: list[tuple[list[Interface], Said]], group: str) -> Judged:
        ordered = sorted(found, key=lambda each: each[1].reachable.rank)
        reachable, why = ordered[0][1].reachable, ordered[0][1].why
        if group and reachable is not Reachable.REACHABLE and not self.now.people_known(group):
            reachable, why = Reachable.UNKNOWN, f"who else is in {self.label(group)} is not known"
        shown = [self.shown(one, said.reachable, said.why) for alike, said in ordered for one in alike[:MOST]][:MOST]
        return Judged(opening, reachable, why, tuple(shown), sum(len(alike) for alike, _ in found))


def _ordered(own: str, peer: str, way: Way) -> tuple[str, str]:
    return (own, peer) if way.egress else (peer, own)


def _at(said: list[Said], port: int) -> Said:
    # Of addresses that are all inside, nothing outside is the reason.
    there = (each for each in said if each.ports[0] <= port <= each.ports[1])
    return min(there, key=lambda each: (each.reachable.rank, not each.why))


def _merged(one: list[Said], other: list[Said]) -> list[Said]:
    """By stretches of ports whichever verdict comes first."""
    cuts = sorted({edge for each in (*one, *other) for edge in (each.ports[0], each.ports[1] + 1)})
    return [_at([*one, *other], low)._replace(ports=(low, after - 1)) for low, after in pairwise(cuts)]
