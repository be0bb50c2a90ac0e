"""Protocols, ports, parties and rules as a person reads them: the same words in messages, tables and findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from .models.approval import ApprovalRequest
from .models.base import UNKNOWN, Unknown
from .models.expiry import ends_at
from .models.exposure import ExposureEntry, Reachable
from .models.findings import Action
from .models.plan import PlanSummary
from .models.risk import Risk
from .models.rules import Direction, Rule, SourceKind

__all__ = [
    "DRIFT",
    "FINAL",
    "INTERNET",
    "NOTHING_TO_DO",
    "NO_CHANGE",
    "begun",
    "changed",
    "describe_rule",
    "effect",
    "join",
    "keeps_out",
    "needed",
    "opening",
    "openings",
    "other_end",
    "party",
    "party_in_full",
    "printable",
    "rare_counts",
    "reaches",
    "risk_in_words",
    "said_by",
    "says_whom",
    "things",
    "until",
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
_SOMEBODY: Final = "somebody unknown"
_EFFECTS: Final = {Action.BLOCK: "blocks", Action.APPROVE: "needs the approver's eye", Action.WARN: "warns"}
_DECIDED_IN: Final = {
    "gitlab_job": "GitLab's manual job",
    "gitlab_reject_job": "GitLab's manual job reject",
    "gitlab_comment": "a comment in GitLab",
    "gitlab_deployment": "GitLab's deployment approval",
    "gitlab_merge_request": "GitLab's merge request approval",
    "slack": "Slack's button",
    "terminal": "terminal",
}


# In a plan's summary: what changed outside of Terraform, and what can't be taken back.
DRIFT: Final = "drift"
FINAL: Final = ("delete", "replace", "forget", "remove")
# What is said of an opening that nothing newly comes through.
_IDLE: Final = {
    Reachable.NO_MEMBER: "which has no member",
    Reachable.OPEN_BUT_NOT_REACHABLE: "which is not reached",
    Reachable.HALF_PATH: "which is half a path",
    Reachable.ALREADY_OPEN: "which was open already",
}


def reaches(entry: ExposureEntry) -> str:
    """What is reached by it, else why nothing is or nobody knows; empty where nobody asked."""
    return things(entry) or keeps_out(entry) or entry.why


def printable(text: str) -> str:
    """The text in one line that a terminal takes as text: whoever named a file, a group or a rule moves no cursor."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def changed(summary: PlanSummary) -> Iterator[tuple[str, str]]:
    """Each action of a plan with the address it is about, what can't be taken back first; not what changed outside."""
    later = [action for action in summary.addresses if action not in (*FINAL, DRIFT)]
    for action in (*FINAL, *later):
        yield from ((action, address) for address in summary.addresses.get(action, ()))


def says_whom(entry: ExposureEntry) -> bool:
    """Whether nothing but the target's name is missing: who gains access, and on what, is known all the same."""
    known = (entry.source, entry.source_kind, entry.protocol, entry.from_port, entry.to_port)
    return str(entry.target) == _UNKNOWN and _UNKNOWN not in map(str, known)


def keeps_out(entry: ExposureEntry) -> str:
    """`which is not reached: no public address`; empty for what is reached, or may be."""
    said = _IDLE.get(entry.reachable, "")
    if not said or entry.reachable is Reachable.NO_MEMBER:
        return entry.why if said and not entry.why.endswith(" has no member") else said
    return f"{said}: {entry.why}" if entry.why else said


def things(entry: ExposureEntry) -> str:
    """The interfaces that are reached, by name and public address: `web-1 and -2 (198.51.100.10, .11)`."""
    reached = [each for each in entry.interfaces if each.reachable is Reachable.REACHABLE]
    if not reached:
        return ""
    names = list(dict.fromkeys(each.name for each in reached))
    addresses = list(dict.fromkeys(a for each in reached for a in each.addresses))
    shown = _shortened(names, "-")
    if len(names) == 1 and len(reached) > 1 and not addresses:
        shown = [f"{names[0]} ({len(reached)} of them)"]
    shown += [f"{entry.more_interfaces} more"] * bool(entry.more_interfaces)
    said = join(shown)
    return f"{said} ({', '.join(_shortened(addresses, '.')[:_MOST])})" if addresses else said


def _shortened(texts: Sequence[str], sign: str) -> list[str]:
    """The first whole, and of those that differ from it in their last part alone, that part."""
    stem, _, _ = texts[0].rpartition(sign) if texts else ("", "", "")
    alike = bool(stem) and all(text.rpartition(sign)[0] == stem for text in texts)
    alike = alike and all(text.rpartition(sign)[2].isdigit() for text in texts)
    return [texts[0], *(text[len(stem) :] if alike else text for text in texts[1:])] if texts else []


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
        return _UNKNOWN_PARTIES.get(str(kind), _SOMEBODY)
    return f"prefix list {name}" if kind == "prefix_list" else str(name)


def begun(text: str) -> str:
    """The text as a sentence begins: our own words for a party with a capital, while its name keeps its spelling."""
    ours = (INTERNET, "prefix list ", *_UNKNOWN_PARTIES.values(), _SOMEBODY)
    return f"{text[:1].upper()}{text[1:]}" if text.startswith(ours) else text


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


def needed(request: ApprovalRequest, shown: Callable[[str], str] = str, most: int | None = None) -> str:
    """`1 of alex, sam`, `2 of alex, sam, and 1 of security (kim), as it opens internet`, `nobody, as only closes`."""
    said = []
    for need in request.needed:
        people = ", ".join(map(shown, need.approvers[:most])) or "nobody is named"
        of = f"{need.group} ({people})" if need.group else people
        said.append((f"{need.needs} of {of}" if need.needs else "nobody") + (f", as {need.why}" if need.why else ""))
    return "; and ".join(said)


def until(expires: str | Unknown | None) -> str:
    """`until 2026-12-31`, `until 2026-12-31 18:00 UTC`; empty for what has no end."""
    if expires is None:
        return ""
    if isinstance(expires, Unknown):
        return "until a time that is not known yet"
    end = ends_at(expires)
    if end is None:
        return f"until nobody knows when ({expires[:40]!r} is no date)"
    return f"until {expires if 'T' not in expires else f'{end:%Y-%m-%d %H:%M} UTC'}"


def describe_rule(rule: Rule) -> str:
    """`ingress tcp 22 from 0.0.0.0/0`, `ingress tcp 22 from 10.0.0.0/8 until 2026-12-31`."""
    return f"{_described(rule)} {until(rule.expires)}".rstrip()


def _described(rule: Rule) -> str:
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
