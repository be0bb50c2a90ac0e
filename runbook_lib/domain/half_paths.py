"""Rules that let traffic out to a group which lets nobody in: half a path, on which nobody reaches anything."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.rules import Direction, Rule, SourceKind

from .reach import Reach

__all__ = ["whole_paths"]

_Key = tuple[str, str]  # direction and group


def whole_paths(
    known: Mapping[_Key, list[Reach]], unknown: Iterable[Rule], groups: Collection[str]
) -> dict[_Key, list[Reach]]:
    """What is let out of a group to one of `groups`, of which all rules are known, cut to what that one lets in.

    Networks and prefix lists may hold the group's members, so a rule that lets some of those in lets in the group.
    """
    open_ended = {rule.group for rule in unknown if rule.direction is not Direction.EGRESS}
    certain = set() if UNKNOWN in open_ended else {group for group in groups if group not in open_ended}
    return {key: list(_cut(key, reaches, known, certain)) for key, reaches in known.items()}


def _cut(
    key: _Key, reaches: Iterable[Reach], known: Mapping[_Key, list[Reach]], certain: Collection[str]
) -> Iterator[Reach]:
    direction, group = key
    for reach in reaches:
        if direction != Direction.EGRESS or reach.kind is not SourceKind.GROUP or reach.token not in certain:
            yield reach
            continue
        for entrance in known.get((Direction.INGRESS.value, reach.token), ()):
            if entrance.kind is not SourceKind.GROUP or entrance.token == group:
                yield from _both(reach, entrance)


def _both(way: Reach, entrance: Reach) -> Iterator[Reach]:
    if "all" not in {way.protocol, entrance.protocol} and way.protocol != entrance.protocol:
        return
    low, high = max(way.ports[0], entrance.ports[0]), min(way.ports[1], entrance.ports[1])
    if low <= high:
        protocol = entrance.protocol if way.protocol == "all" else way.protocol
        yield replace(way, protocol=protocol, ports=(low, high))
