"""Protocols and ports as a person writes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.exposure import ExposureEntry

from .intervals import Interval, subtract, union
from .reach import ALL_PORTS, NAMED_PROTOCOLS

__all__ = ["join", "ports_text", "together"]

Port = int | Unknown | None
_MOST: Final = 4
_WORDS: Final = {"all": "all ports and protocols", "other": "all other protocols"}


def ports_text(protocol: str | Unknown, from_port: Port, to_port: Port) -> str:
    """`tcp 80`, `tcp 80-90`, `all udp`, `icmp type 8 code 0`, `protocol 47`, `all ports and protocols`."""
    if protocol is UNKNOWN:
        return "an unknown protocol"
    if protocol in _WORDS:
        return _WORDS[str(protocol)]
    if protocol not in NAMED_PROTOCOLS:
        return f"protocol {protocol}"
    return _named(str(protocol), from_port, to_port)


def together(entries: Iterable[ExposureEntry]) -> str:
    """What several entries about one pair of parties open or close, in one phrase: `tcp 80, 443 and all udp`."""
    held: dict[str, list[ExposureEntry]] = {}
    for entry in entries:
        held.setdefault(str(entry.protocol), []).append(entry)
    if "all" in held:  # IPv6 may have gained less than IPv4: the table tells them apart
        return _WORDS["all"]
    if "other" in held:
        return _all_but(held)
    return join([text for protocol in held for text in _of_one_protocol(protocol, held[protocol])])


def join(texts: Sequence[str]) -> str:
    """`a, b and c`, or `a, b, c and 5 more`."""
    if len(texts) > _MOST:
        texts = [*texts[: _MOST - 1], f"{len(texts) - _MOST + 1} more"]
    return texts[0] if len(texts) == 1 else ", ".join(texts[:-1]) + " and " + texts[-1]


def _named(protocol: str, from_port: Port, to_port: Port) -> str:
    if from_port is None or from_port == -1:
        return f"all {protocol}"
    if protocol in {"icmp", "icmpv6"}:
        return f"{protocol} type {from_port}" + ("" if to_port in {None, -1} else f" code {to_port}")
    if UNKNOWN in {from_port, to_port}:
        return f"an unknown {protocol} port"
    return f"{protocol} {from_port}" if from_port == to_port else f"{protocol} {from_port}-{to_port}"


def _of_one_protocol(protocol: str, entries: Sequence[ExposureEntry]) -> list[str]:
    ordered = sorted(dict.fromkeys(entries), key=lambda entry: [_order(entry.from_port), _order(entry.to_port)])
    texts = list(dict.fromkeys(ports_text(entry.protocol, entry.from_port, entry.to_port) for entry in ordered))
    if protocol in {"icmp", "icmpv6"} and len(texts) > _MOST:
        return [f"{len(texts)} types of {protocol}"]
    # `tcp 80` and `tcp 443` read best as `tcp 80 and 443`.
    return [texts[0], *(text.removeprefix(f"{protocol} ") for text in texts[1:])]


def _all_but(held: dict[str, list[ExposureEntry]]) -> str:
    rest = []
    for protocol in ("tcp", "udp"):
        open_ports = union(_interval(entry) for entry in held.get(protocol, []))
        rest += [ports_text(protocol, *_bounds(gap)) for gap in subtract((ALL_PORTS,), open_ports)]
    for protocol in ("icmp", "icmpv6"):
        if not any(entry.from_port in {None, -1} for entry in held.get(protocol, [])):
            rest.append(f"some {protocol}" if protocol in held else f"all {protocol}")
    return f"everything but {join(rest)}" if rest else "all ports and protocols that no other rule names"


def _interval(entry: ExposureEntry) -> Interval:
    whole = not isinstance(entry.from_port, int) or not isinstance(entry.to_port, int)
    return ALL_PORTS if whole else (int(str(entry.from_port)), int(str(entry.to_port)))


def _bounds(gap: Interval) -> tuple[int | None, int | None]:
    return (None, None) if gap == ALL_PORTS else gap


def _order(port: Port) -> int:
    return port if isinstance(port, int) else -2
