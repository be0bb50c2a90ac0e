"""Rules that are the world only together: halves, quarters, everything but the private networks.

Rules of one group add up. A rule counts as part of the world where it lies, with others of its group and direction that
open the same port, in a union that holds all public addresses.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.rules import Direction, Rule

from ..intervals import PUBLIC, Interval, Intervals, contains, size, subtract, union
from .networks import Network, is_public, networks_of
from .ports import Opening

__all__ = ["Slice", "world_together"]

# A list of which nothing is known may hold many networks, but a part of the world narrower than this needs so many
# others that no group has room for them.
_UNKNOWN_LIST: Final = 8


class Slice(NamedTuple):
    """Ports of one rule that are open to the world with the help of others; not `certain` if values are unknown."""

    opening: Opening
    certain: bool


class _Member(NamedTuple):
    position: int
    rule: Rule
    networks: tuple[Network, ...] | None
    sure: bool


def world_together(rules: Sequence[Rule]) -> dict[int, list[Slice]]:
    """By index into `rules`, the openings through which a rule is part of the world."""
    found: dict[int, list[Slice]] = {}
    for direction in Direction:
        for members in _groups(rules, direction):
            for version in (4, 6):
                for member in _candidates(members, version):
                    slices = list(_slices(member, members, version))
                    if slices:
                        found.setdefault(member.position, []).extend(slices)
    return found


def _groups(rules: Sequence[Rule], direction: Direction) -> Iterator[list[_Member]]:
    groups: dict[str, list[_Member]] = defaultdict(list)
    floating: list[_Member] = []
    for index, rule in enumerate(rules):
        if rule.direction is not direction and rule.direction is not UNKNOWN:
            continue
        networks = networks_of(rule)
        if networks == ():
            continue
        fixed = isinstance(rule.group, str) and not rule.group.endswith("[*]")
        opening_known = UNKNOWN not in (rule.protocol, rule.from_port, rule.to_port)
        sure = fixed and rule.direction is direction and opening_known
        member = _Member(index, rule, None if isinstance(networks, Unknown) else networks, sure)
        if fixed:
            groups[str(rule.group)].append(member)
        else:
            floating.append(member)
    for members in groups.values():
        yield [*members, *floating]
    if floating and not groups:
        yield floating


def _candidates(members: list[_Member], version: int) -> Iterator[_Member]:
    held = [m for m in members if m.networks is not None]
    blank = len(held) < len(members)
    # One that is the whole world by itself needs no help, and gives none.
    spans = union(n[1] for m in held for n in m.networks or () if n[0] == version and n[2] > 0)
    complete = len(held) > 1 and size(spans) >= size(PUBLIC[version]) and contains(spans, PUBLIC[version])
    if not blank and not complete:
        return
    for member in held:
        narrowest = 128 if complete else _UNKNOWN_LIST
        networks = [n for n in member.networks or () if n[0] == version and 0 < n[2] <= narrowest]
        if any(map(is_public, networks)):
            yield member


def _slices(member: _Member, members: list[_Member], version: int) -> Iterator[Slice]:
    own = _spans(member, version)
    # Where another rule may let all of it in already, this one is no part that matters.
    others = [
        other
        for other in members
        if other.position != member.position
        and _may_meet(member.rule, other.rule)
        and (other.sure or not _swallows(_spans(other, version), own))
    ]
    if not member.sure:
        if _possible(own, others, version):
            yield Slice(Opening(member.rule.protocol, member.rule.from_port, member.rule.to_port), certain=False)
        return
    for opening in _openings(member.rule, others):
        there = [other for other in others if not other.sure or _covers(other.rule, opening)]
        spans = [_spans(other, version) for other in there if other.sure]
        if any(_swallows(span, own) for span in spans):
            continue
        sure = union(interval for span in spans for interval in span)
        if contains(union((*own, *sure)), PUBLIC[version]):
            yield Slice(opening, certain=True)
        elif _possible(own, there, version):
            yield Slice(opening, certain=False)


def _swallows(span: Intervals, own: Intervals) -> bool:
    return span != own and contains(span, own)


def _possible(own: Intervals, others: list[_Member], version: int) -> bool:
    known = union([*own, *(span for other in others for span in _spans(other, version))])
    missing = subtract(PUBLIC[version], known)
    if not missing:
        return True
    free = sum(_UNKNOWN_LIST for other in others if other.networks is None)
    return free > 0 and bool(own) and _blocks_needed(own, missing, version) <= free


def _blocks_needed(own: Intervals, missing: Intervals, version: int) -> int:
    # The rest of the world beside one network is one block at each prefix length above its own.
    bits = 32 if version == 4 else 128
    low, high = max(own, key=lambda span: span[1] - span[0])
    width = (high - low + 1).bit_length() - 1
    if width < bits - _UNKNOWN_LIST:
        return sys.maxsize  # too narrow to be a part of the world that counts
    needed = 0
    for shift in range(width, bits):
        start = ((low >> shift) ^ 1) << shift
        end = start + (1 << shift) - 1
        needed += any(first <= end and last >= start for first, last in missing)
    return needed


def _openings(rule: Rule, others: list[_Member]) -> Iterator[Opening]:
    """The rule's own ports, cut wherever another rule begins or ends; each protocol apart where it opens all."""
    protocols = {str(other.rule.protocol) for other in others if other.sure} if rule.protocol == "all" else set()
    for protocol in sorted({str(rule.protocol), *protocols}):
        whole = _ports(rule, protocol)
        cuts = {whole[0], whole[1] + 1}
        for other in others:
            if other.sure and other.rule.protocol in {protocol, "all"}:
                low, high = _ports(other.rule, protocol)
                cuts |= {cut for cut in (low, high + 1) if whole[0] <= cut <= whole[1] + 1}
        marks = sorted(cuts)
        for low, after in pairwise(marks):
            yield Opening(protocol, low, after - 1) if protocol in {"tcp", "udp"} else _portless(rule, protocol)


def _portless(rule: Rule, protocol: str) -> Opening:
    return (
        Opening(protocol, rule.from_port, rule.to_port) if rule.protocol == protocol else Opening(protocol, None, None)
    )


def _ports(rule: Rule, protocol: str) -> Interval:
    if protocol in {"tcp", "udp"} and isinstance(rule.from_port, int) and isinstance(rule.to_port, int):
        return rule.from_port, max(rule.from_port, rule.to_port)
    return 0, 65535


def _covers(rule: Rule, opening: Opening) -> bool:
    if rule.protocol == "all":
        return True
    if rule.protocol != opening.protocol:
        return False
    if not isinstance(opening.low, int) or not isinstance(opening.high, int) or opening.protocol not in {"tcp", "udp"}:
        return True
    low, high = _ports(rule, str(rule.protocol))
    return low <= opening.low and opening.high <= high


def _may_meet(one: Rule, other: Rule) -> bool:
    if UNKNOWN in (one.protocol, other.protocol) or "all" in (one.protocol, other.protocol):
        return True
    return one.protocol == other.protocol


def _spans(member: _Member, version: int) -> Intervals:
    return union(span for found, span, _ in member.networks or () if found == version)
