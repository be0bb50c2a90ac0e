"""What one normalised rule lets through, as intervals of ports and addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.rules import Rule, SourceKind

from .intervals import Interval, Intervals, network_interval, union

__all__ = ["ALL_PORTS", "NAMED_PROTOCOLS", "Reach", "known_entries", "port_interval", "protocol_name", "reaches"]

ALL_PORTS: Final[Interval] = (0, 65535)
NAMED_PROTOCOLS: Final = ("tcp", "udp", "icmp", "icmpv6")
_NUMBERS: Final = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "-1": "all", "icmp6": "icmpv6"}


@dataclass(frozen=True, slots=True)
class Reach:
    """One protocol, one interval of ports, and who: addresses of one IP version, or a `token` that has none.

    The token is the id of a group, or of a prefix list whether its addresses are known or not. For ICMP the
    interval counts types by 256 and codes by one, so that `type 8, any code` is an interval too.
    """

    protocol: str
    ports: Interval
    kind: SourceKind
    version: int = 0
    addresses: Intervals = ()
    token: str = ""


def protocol_name(protocol: str) -> str:
    """The protocol's one name: tcp for 6 and TCP, all for -1."""
    return _NUMBERS.get(protocol.lower(), protocol.lower())


def port_interval(protocol: str, from_port: int | None, to_port: int | None) -> Interval:
    """The interval that a rule's two numbers stand for; everything where the protocol knows no ports."""
    if protocol not in NAMED_PROTOCOLS or from_port is None or from_port < 0:
        return ALL_PORTS
    if protocol in {"icmp", "icmpv6"}:
        code = -1 if to_port is None else to_port
        return (from_port * 256, from_port * 256 + 255) if code < 0 else (from_port * 256 + code,) * 2
    last = from_port if to_port is None else to_port
    return min(from_port, last), max(from_port, last)


def known_entries(rules: Iterable[Rule]) -> dict[str, tuple[str, ...]]:
    """The networks of each prefix list that some rule knows."""
    return {
        str(rule.source): rule.entries
        for rule in rules
        if rule.source_kind is SourceKind.PREFIX_LIST and isinstance(rule.entries, tuple)
    }


def reaches(rule: Rule, entries: Mapping[str, tuple[str, ...]]) -> list[Reach] | None:
    """What the rule lets through, or None where a field that decides it is unknown.

    `entries` serves a prefix list for which the rule itself brings none.
    """
    decisive = (rule.direction, rule.protocol, rule.from_port, rule.to_port, rule.source, rule.group, rule.entries)
    if UNKNOWN in decisive or rule.source_kind is SourceKind.UNKNOWN:
        return None
    try:
        return _reaches(rule, entries)
    except ValueError:  # a source that is no network can't be reasoned about: that is unknown, not nothing
        return None


def _reaches(rule: Rule, entries: Mapping[str, tuple[str, ...]]) -> list[Reach]:
    protocol = protocol_name(str(rule.protocol))
    ports = port_interval(protocol, _number(rule.from_port), _number(rule.to_port))
    source = str(rule.source)
    if rule.source_kind is SourceKind.NETWORK:
        version, addresses = network_interval(source)
        return [Reach(protocol, ports, rule.source_kind, version, (addresses,))]
    if rule.source_kind is SourceKind.PREFIX_LIST:
        held = rule.entries if isinstance(rule.entries, tuple) else entries.get(source)
        if held is not None:
            return _prefix_list(protocol, ports, source, held)
        return [Reach(protocol, ports, rule.source_kind, token=source)]
    token = str(rule.group) if rule.source_kind is SourceKind.SELF else source
    return [Reach(protocol, ports, SourceKind.GROUP, token=token)]


def _prefix_list(protocol: str, ports: Interval, token: str, held: Iterable[str]) -> list[Reach]:
    spans: dict[int, list[Interval]] = {}
    for text in held:
        version, addresses = network_interval(text)
        spans.setdefault(version, []).append(addresses)
    return [
        Reach(protocol, ports, SourceKind.PREFIX_LIST, version, union(spans[version]), token)
        for version in sorted(spans)
    ]


def _number(port: object) -> int | None:
    return port if isinstance(port, int) else None
