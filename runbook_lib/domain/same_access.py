"""Whether two sets of rules let the same through, however they are split, merged or written."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.rules import Rule, SourceKind

from .intervals import Interval, network_interval, union
from .matching import identity

__all__ = ["same_access"]

_PORTS = (0, 65535)
# By protocol, then by port interval, what may come: networks by IP version, and everything else as it is named.
_Access = dict[Hashable, list[tuple[Interval, tuple[Hashable, Interval | None]]]]


def same_access(one: Iterable[Rule], other: Iterable[Rule]) -> bool:
    """Whether both let the same through; canonical rules of one group and direction. With an unknown nothing is."""
    left, right = list(one), list(other)
    if any(UNKNOWN in identity(rule) for rule in (*left, *right)):  # type: ignore[operator]
        return False
    first, second = _access(left), _access(right)
    return first.keys() == second.keys() and all(_equal(first[key], second[key]) for key in first)


def _access(rules: Iterable[Rule]) -> _Access:
    found: _Access = {}
    for rule in rules:
        ports, key = (rule.from_port, rule.to_port), (rule.protocol,)
        if rule.protocol in {"icmp", "icmpv6"}:
            # Type and code are no interval.
            key, ports = (rule.protocol, *ports), (None, None)  # type: ignore[assignment]
        low, high = (0 if ports[0] is None else ports[0]), (_PORTS[1] if ports[1] is None else ports[1])
        found.setdefault(key, []).append(((int(str(low)), int(str(high))), _source(rule)))
    return found


def _source(rule: Rule) -> tuple[Hashable, Interval | None]:
    if rule.source_kind is SourceKind.NETWORK:
        try:
            version, interval = network_interval(str(rule.source))
        except ValueError:
            return str(rule.source), None
        return version, interval
    return (rule.source_kind, rule.source), None


def _equal(
    one: list[tuple[Interval, tuple[Hashable, Interval | None]]],
    other: list[tuple[Interval, tuple[Hashable, Interval | None]]],
) -> bool:
    # Between two neighbouring borders every port is let in from the same sources.
    borders = sorted({border for (low, high), _ in (*one, *other) for border in (low, high + 1)})
    return all(_sources_at(port, one) == _sources_at(port, other) for port in borders)


def _sources_at(
    port: int, rules: Iterable[tuple[Interval, tuple[Hashable, Interval | None]]]
) -> dict[Hashable, object]:
    networks: dict[Hashable, list[Interval]] = {}
    for (low, high), (source, interval) in rules:
        if low <= port <= high:
            networks.setdefault(source, []).extend([interval] if interval else [])
    return {source: union(intervals) for source, intervals in networks.items()}
