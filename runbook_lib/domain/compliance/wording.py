"""How a finding says what it found."""

from __future__ import annotations

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.policies import Policy
from runbook_lib.models.rules import Direction, Rule, SourceKind

__all__ = ["describe_rule", "message_for"]

_NAMES = {SourceKind.PREFIX_LIST: "the prefix list ", SourceKind.GROUP: "the group "}


def message_for(policy: Policy, rule: Rule | None, *, certain: bool, together: bool = False) -> str:
    """The policy's title and the rule that breaks it, or what must be known to tell."""
    title = policy.title if certain else f"It can't be told whether this holds: {policy.title}"
    if rule is None:
        return title
    ending = ", which is the world together with other rules of the group" if together else ""
    unknown = "" if certain else _unknown_fields(rule)
    return f"{title}: {describe_rule(rule)}{ending}{unknown}"


def describe_rule(rule: Rule) -> str:
    """`ingress tcp 22 from 0.0.0.0/0`."""
    way = {Direction.INGRESS: "from", Direction.EGRESS: "to"}.get(rule.direction, "from or to")  # type: ignore[arg-type]
    return f"{rule.direction} {_opening(rule)} {way} {_source(rule)}"


def _opening(rule: Rule) -> str:
    if rule.protocol == "all":
        return "of all protocols"
    protocol = "of an unknown protocol" if isinstance(rule.protocol, Unknown) else rule.protocol
    if rule.protocol in {"icmp", "icmpv6"}:
        return f"{protocol} {'of every type' if rule.from_port == -1 else f'type {rule.from_port}'}"
    if rule.from_port is None:
        return f"protocol {protocol}" if not isinstance(rule.protocol, Unknown) else str(protocol)
    if rule.from_port == rule.to_port:
        return f"{protocol} {'port unknown' if rule.from_port is UNKNOWN else rule.from_port}"
    return f"{protocol} {rule.from_port}-{rule.to_port}"


def _source(rule: Rule) -> str:
    if rule.source_kind is SourceKind.SELF:
        return "members of the group itself"
    if isinstance(rule.source, Unknown):
        kind = {SourceKind.GROUP: "a group", SourceKind.PREFIX_LIST: "a prefix list"}.get(rule.source_kind, "a source")
        return f"{kind} that is not known yet"
    held = (
        f" ({', '.join(rule.entries[:4])}{', …' if len(rule.entries) > 4 else ''})"
        if isinstance(rule.entries, tuple)
        else ""
    )
    return f"{_NAMES.get(rule.source_kind, '')}{rule.source}{held}"


def _unknown_fields(rule: Rule) -> str:
    names = ("direction", "protocol", "from_port", "to_port", "source", "entries", "description", "group")
    missing = [name for name in names if getattr(rule, name) is UNKNOWN]
    return f" (not known before apply: {', '.join(missing)})" if missing else ""
