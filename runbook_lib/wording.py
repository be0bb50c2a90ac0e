"""Protocols, ports, parties and rules as a person reads them: the same words in messages, tables and findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from .models.base import UNKNOWN, Unknown
from .models.exposure import ExposureEntry
from .models.findings import Action
from .models.plan import PlanSummary
from .models.risk import Risk
from .models.rules import Direction, Rule, SourceKind

__all__ = [
    "INTERNET",
    "NOTHING_TO_DO",
    "NO_CHANGE",
    "describe_rule",
    "effect",
    "join",
    "opening",
    "openings",
    "other_end",
    "party",
    "party_in_full",
    "rare_counts",
    "risk_in_words",
    "said_by",
]

INTERNET: Final = "the internet"
NOTHING_TO_DO: Final = "Nobody is asked, and nothing is applied."
NO_CHANGE: Final = "Nobody gains or loses access."

Port = int | Unknown | None
_MOST: Final = 4
_ALL: Final = "all ports and protocols"
# A model that comes from JSON may hold the word `unknown` where it held the unknown value.
_UNKNOWN: Final = str(UNKNOWN)
_PROTOCOLS: Final = {"all": _ALL, "other": "all other protocols", _UNKNOWN: "an unknown protocol"}
_NAMES: Final = {
    "2": "IGMP", "4": "IP in IP", "41": "IPv6", "47": "GRE", "50": "ESP", "51": "AH", "89": "OSPF", "103": "PIM",
    "112": "VRRP", "115": "L2TP", "132": "SCTP",
}  # fmt: skip
_ICMP: Final = ("icmp", "icmpv6")
_WITH_PORTS: Final = ("tcp", "udp")
_ALL_PORTS: Final = (0, 65535)
_UNKNOWN_PARTIES: Final = {"group": "an unknown group", "prefix_list": "an unknown prefix list"}
_EFFECTS: Final = {Action.BLOCK: "blocks", Action.APPROVE: "needs the approver's eye", Action.WARN: "warns"}
_DECIDED_IN: Final = {
    "gitlab_job": "GitLab's manual job",
    "gitlab_reject_job": "GitLab's manual job reject",
    "gitlab_comment": "a comment in GitLab",
    "gitlab_deployment": "GitLab's deployment approval",
    "gitlab_merge_request": "GitLab's merge request approval",
    "terminal": "terminal",
}


def opening(of: Rule | ExposureEntry) -> str:
    """`tcp 80`, `tcp 80-90`, `all udp`, `icmp type 8 code 0`, `protocol 47 (GRE)`, `all ports and protocols`."""
    return _opening(str(of.protocol), of.from_port, of.to_port)


def openings(entries: Iterable[ExposureEntry]) -> str:
    """What several entries about one pair of parties open or close, in one phrase: `tcp 80, 443 and all udp`."""
    held: dict[str, list[ExposureEntry]] = {}
    for entry in entries:
        held.setdefault(str(entry.protocol), []).append(entry)
    if "all" in held:  # IPv6 may have gained less than IPv4: the table tells them apart
        return _ALL
    if "other" in held:
        return _all_but(held)
    return join([text for protocol in held for text in _of_one_protocol(protocol, held[protocol])])


def party(name: str | Unknown, kind: str | Unknown) -> str:
    """`the internet`, `10.0.0.0/8`, `web`, `prefix list pl-1`, `an unknown group`, `somebody unknown`."""
    if kind == "internet":
        return INTERNET
    if str(name) == _UNKNOWN:
        return _UNKNOWN_PARTIES.get(str(kind), "somebody unknown")
    return f"prefix list {name}" if kind == "prefix_list" else str(name)


def party_in_full(name: str | Unknown, kind: str | Unknown) -> str:
    """The same with what the internet is written as, which tells IPv4 from IPv6: `the internet (0.0.0.0/0)`."""
    text = party(name, kind)
    return f"{text} ({name})" if text == INTERNET and str(name) != _UNKNOWN else text


def other_end(rule: Rule) -> str:
    """Whom a rule lets in or out to, as it is written: `0.0.0.0/0`, `prefix list pl-1 (10.0.0.0/8)`."""
    if rule.source_kind is SourceKind.SELF:
        return "the group itself"
    held = f" ({join(rule.entries)})" if isinstance(rule.entries, tuple) and rule.entries else ""
    return party(rule.source, rule.source_kind) + held


def rare_counts(summary: PlanSummary) -> dict[str, int]:
    """What seldom occurs in a plan, in the words that follow its count; zeros too."""
    return {
        "to forget": summary.forget,
        "to import": summary.import_,
        "to move": summary.move,
        "left for later": summary.defer,
        "actions to run" if summary.invoke != 1 else "action to run": summary.invoke,
        "unlisted rules to remove" if summary.remove != 1 else "unlisted rule to remove": summary.remove,
        "changed outside": summary.drift,
    }


def risk_in_words(risk: Risk) -> str:
    """`high: opens tcp 22 (SSH) of web to the internet; destroys aws_s3_bucket.logs`."""
    reasons = "; ".join(reason.text for reason in risk.reasons)
    return f"{risk.level}: {reasons}" if reasons else str(risk.level)


def describe_rule(rule: Rule) -> str:
    """`ingress tcp 22 from 0.0.0.0/0`."""
    if rule.direction is Direction.INGRESS:
        return f"ingress {opening(rule)} from {other_end(rule)}"
    if rule.direction is Direction.EGRESS:
        return f"egress {opening(rule)} to {other_end(rule)}"
    return f"ingress or egress {opening(rule)} from or to {other_end(rule)}"


def join(texts: Sequence[str]) -> str:
    """`a, b and c`, or `a, b, c and 5 more`."""
    if len(texts) > _MOST:
        texts = [*texts[: _MOST - 1], f"{len(texts) - _MOST + 1} more"]
    return texts[0] if len(texts) == 1 else ", ".join(texts[:-1]) + " and " + texts[-1]


def effect(action: Action) -> str:
    """What a finding does to the run."""
    return _EFFECTS[action]


def said_by(source: str) -> str:
    """The system that vouches for a decision, as a person calls it."""
    return _DECIDED_IN.get(source, source)


@lru_cache(maxsize=4096)
def _opening(protocol: str, low: Port, high: Port) -> str:
    if protocol in _PROTOCOLS:
        return _PROTOCOLS[protocol]
    if protocol in _ICMP:
        return _icmp(protocol, low, high)
    if protocol in _WITH_PORTS:
        return _ports(protocol, low, high)
    return f"protocol {protocol} ({_NAMES[protocol]})" if protocol in _NAMES else f"protocol {protocol}"


def _icmp(protocol: str, number: Port, code: Port) -> str:
    if number in {None, -1}:
        return f"all {protocol}"
    if number is UNKNOWN:
        return f"an unknown {protocol} type"
    return f"{protocol} type {number}" + ("" if code in {None, -1} else f" code {code}")


def _ports(protocol: str, low: Port, high: Port) -> str:
    if low in {None, -1} or (low, high) == _ALL_PORTS:
        return f"all {protocol}"
    if low is UNKNOWN:
        known = high is not UNKNOWN and high is not None
        return f"{protocol} from an unknown port to {high}" if known else f"an unknown {protocol} port"
    if high is UNKNOWN:
        return f"{protocol} {low} to an unknown port"
    return f"{protocol} {low}" if high in {low, None} else f"{protocol} {low}-{high}"


def _of_one_protocol(protocol: str, entries: Sequence[ExposureEntry]) -> list[str]:
    ordered = sorted(entries, key=lambda entry: (_order(entry.from_port), _order(entry.to_port)))
    texts = list(dict.fromkeys(map(opening, ordered)))
    if f"all {protocol}" in texts:
        return [f"all {protocol}"]
    if protocol in _ICMP and len(texts) > _MOST:
        types = list(dict.fromkeys(entry.from_port for entry in ordered))
        several = f"{len(types)} types of {protocol}"
        return [several if len(types) > 1 else f"{len(texts)} codes of {protocol} type {types[0]}"]
    # `tcp 80` and `tcp 443` read best as `tcp 80 and 443`.
    return [texts[0], *(text.removeprefix(f"{protocol} ") for text in texts[1:])]


def _order(port: Port) -> int:
    if port is UNKNOWN:
        return _ALL_PORTS[1] + 1
    return port if isinstance(port, int) else -1


def _all_but(held: Mapping[str, Sequence[ExposureEntry]]) -> str:
    rest = [_ports(protocol, *gap) for protocol in _WITH_PORTS for gap in _gaps(held.get(protocol, ()))]
    partly = [name for name in _ICMP if not any(entry.from_port in {None, -1} for entry in held.get(name, ()))]
    rest += [f"some {name}" if name in held else f"all {name}" for name in partly]
    return f"everything but {join(rest)}" if rest else "all ports and protocols that no other rule names"


def _gaps(entries: Iterable[ExposureEntry]) -> Iterator[tuple[int, int]]:
    """The ports that none of the entries holds."""
    first, last = _ALL_PORTS
    for low, high in sorted(map(_interval, entries)):
        if low > first:
            yield first, low - 1
        first = max(first, high + 1)
    if first <= last:
        yield first, last


def _interval(entry: ExposureEntry) -> tuple[int, int]:
    low, high = entry.from_port, entry.to_port
    return (low, high) if isinstance(low, int) and isinstance(high, int) else _ALL_PORTS
