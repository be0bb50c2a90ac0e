"""What a rule opens: predicates on protocol and ports, of which any may be unknown."""

from __future__ import annotations

from typing import NamedTuple

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.policies import PortMatch
from runbook_lib.models.rules import Rule

from ..intervals import contains, union
from .logic import Truth, any_of

__all__ = [
    "Opening",
    "opening_of",
    "opens_all_ports",
    "opens_all_protocols",
    "opens_any",
    "opens_beyond",
    "opens_more_than",
]

_WITH_PORTS = {"tcp", "udp"}
_ICMP = {"icmp", "icmpv6"}


class Opening(NamedTuple):
    """A protocol and its ports, as in a Rule."""

    protocol: str | Unknown
    low: int | Unknown | None
    high: int | Unknown | None


def opening_of(rule: Rule) -> Opening:
    """What the rule opens."""
    return Opening(rule.protocol, rule.from_port, rule.to_port)


def opens_any(opening: Opening, wanted: tuple[PortMatch, ...]) -> Truth:
    """Whether it opens at least one of the wanted ports."""
    if opening.protocol == "all":
        return True
    if opening.protocol is UNKNOWN:
        return None
    if opening.protocol not in _WITH_PORTS:
        return False
    return any_of(
        _overlaps(opening, low, high)
        for match in wanted
        if match.protocol in {"any", opening.protocol}
        for low, high in match.intervals
    )


def opens_beyond(opening: Opening, allowed: tuple[PortMatch, ...]) -> Truth:
    """Whether it opens anything but the allowed ports. ICMP has none; a protocol that AWS can't filter has all."""
    if opening.protocol is UNKNOWN:
        return None
    if opening.protocol not in _WITH_PORTS:
        return opening.protocol not in _ICMP
    permitted = union(i for match in allowed if match.protocol in {"any", opening.protocol} for i in match.intervals)
    low, high = opening.low, opening.high
    if isinstance(low, int) and isinstance(high, int):
        return low <= high and not contains(permitted, ((low, high),))
    # Whatever the other end is, a known one is open.
    known = [end for end in (low, high) if isinstance(end, int)]
    return any(not contains(permitted, ((end, end),)) for end in known) or None


def opens_more_than(opening: Opening, allowed: tuple[PortMatch, ...]) -> Truth:
    """Whether it opens anything but the allowed ports; whatever has no ports is something else."""
    if opening.protocol is UNKNOWN:
        # Of a protocol without ports it is something else: so it is for certain where it is of each that has some.
        beyond = (opens_beyond(opening._replace(protocol=one), allowed) is True for one in sorted(_WITH_PORTS))
        return all(beyond) or None
    return opening.protocol not in _WITH_PORTS or opens_beyond(opening, allowed)


def opens_all_ports(opening: Opening) -> Truth:
    """Whether it opens every port of its protocol; port 0 is no port that anybody uses."""
    if opening.protocol == "all":
        return True
    if opening.protocol is UNKNOWN:
        return None
    if opening.protocol not in _WITH_PORTS:
        return False
    low = None if not isinstance(opening.low, int) else opening.low <= 1
    high = None if not isinstance(opening.high, int) else opening.high >= 65535
    if False in (low, high):
        return False
    return None if None in (low, high) else True


def opens_all_protocols(opening: Opening) -> Truth:
    """Whether it opens every protocol."""
    return None if opening.protocol is UNKNOWN else opening.protocol == "all"


def _overlaps(opening: Opening, low: int, high: int) -> Truth:
    # A known end decides by itself where it lies inside, or on the wrong side. AWS refuses a first port above the last.
    first, last = opening.low, opening.high
    if (isinstance(first, int) and first > high) or (isinstance(last, int) and last < low):
        return False
    if isinstance(first, int) and isinstance(last, int):
        return first <= last
    inside = any(isinstance(end, int) and low <= end <= high for end in (first, last))
    return True if inside else None
