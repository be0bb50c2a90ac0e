"""Arithmetic on closed integer intervals, and on IP networks as such intervals."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

__all__ = [
    "PRIVATE",
    "PUBLIC",
    "ROUTED",
    "WHOLE",
    "Interval",
    "Intervals",
    "contains",
    "intersect",
    "network_interval",
    "networks",
    "size",
    "subtract",
    "union",
]

Interval = tuple[int, int]
Intervals = tuple[Interval, ...]

WHOLE: Final[dict[int, Interval]] = {4: (0, 2**32 - 1), 6: (0, 2**128 - 1)}


def union(intervals: Iterable[Interval]) -> Intervals:
    """The same points as sorted intervals that neither overlap nor touch."""
    merged: list[Interval] = []
    for low, high in sorted(intervals):
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def subtract(points: Intervals, without: Intervals) -> Intervals:
    """The points that are not in `without`; both as `union` returns them."""
    rest: list[Interval] = []
    index = 0
    for low, high in points:
        while index < len(without) and without[index][1] < low:
            index += 1
        position, cursor = low, index
        while cursor < len(without) and without[cursor][0] <= high:
            if without[cursor][0] > position:
                rest.append((position, without[cursor][0] - 1))
            position = max(position, without[cursor][1] + 1)
            cursor += 1
        if position <= high:
            rest.append((position, high))
    return tuple(rest)


def intersect(points: Intervals, others: Intervals) -> Intervals:
    """The points that are in both; both as `union` returns them."""
    found: list[Interval] = []
    one = other = 0
    while one < len(points) and other < len(others):
        low, high = max(points[one][0], others[other][0]), min(points[one][1], others[other][1])
        if low <= high:
            found.append((low, high))
        if points[one][1] < others[other][1]:
            one += 1
        else:
            other += 1
    return tuple(found)


def contains(points: Intervals, others: Intervals) -> bool:
    """Whether every point of `others` is in `points`."""
    return not subtract(others, points)


def size(points: Intervals) -> int:
    """How many points there are."""
    return sum(high - low + 1 for low, high in points)


@lru_cache(maxsize=65536)
def network_interval(text: str) -> tuple[int, Interval]:
    """The IP version of a network or address and its first and last address as numbers.

    Raises ValueError for what is neither.
    """
    network = ipaddress.ip_network(text.strip(), strict=False)
    return network.version, (int(network.network_address), int(network.broadcast_address))


def networks(version: int, points: Intervals) -> list[str]:
    """The fewest networks that hold exactly these addresses."""
    kind = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    return [str(net) for low, high in points for net in ipaddress.summarize_address_range(kind(low), kind(high))]


def _spans(*texts: str) -> Intervals:
    return union(network_interval(text)[1] for text in texts)


# RFC 1918 and RFC 4193, with the loopback, link-local and carrier-internal ranges: none is reached from the internet.
PRIVATE: Final[dict[int, Intervals]] = {
    4: _spans("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
    6: _spans("fc00::/7", "fe80::/10", "::1/128"),
}
# What the internet can send from: global unicast, without private, multicast and reserved ranges.
PUBLIC: Final[dict[int, Intervals]] = {
    4: subtract((network_interval("1.0.0.0/8")[1][:1] + network_interval("223.0.0.0/8")[1][1:],), PRIVATE[4]),
    6: _spans("2000::/3"),
}
# The private ranges that a VPN, a peering or a transit gateway can lead to: the rest is each machine's own.
ROUTED: Final[dict[int, Intervals]] = {
    4: _spans("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
    6: _spans("fc00::/7"),
}
