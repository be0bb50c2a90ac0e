"""How rules and parties are written in tables and pictures."""

from __future__ import annotations

from ..models.base import UNKNOWN, Unknown
from ..models.rules import Rule

__all__ = ["party", "ports", "rule_end", "said_by"]

_SOURCES = {
    "gitlab_job": "GitLab's manual job",
    "gitlab_deployment": "GitLab's deployment approval",
    "gitlab_merge_request": "GitLab's merge request approval",
    "terminal": "terminal",
}


def ports(protocol: str | Unknown, from_port: int | Unknown | None, to_port: int | Unknown | None) -> str:
    """`tcp 80`, `tcp 80-90`, `tcp, all`, `icmp type 8 code 0`, `everything`."""
    if protocol in {"all", "other"}:
        return "everything" if protocol == "all" else "every other protocol"
    if from_port in {None, -1}:
        return f"all {protocol}" if protocol in {"tcp", "udp", "icmp", "icmpv6"} else f"protocol {protocol}"
    if protocol in {"icmp", "icmpv6"}:
        return f"{protocol} type {from_port}" + (f" code {to_port}" if to_port not in {None, -1} else "")
    return f"{protocol} {from_port}" if from_port == to_port else f"{protocol} {from_port}-{to_port}"


def party(name: str | Unknown, kind: object) -> str:
    """`the internet (0.0.0.0/0)`, `10.0.0.0/8 (private)`, `web (group)`."""
    word = str(kind)
    if word == "internet":
        return f"the internet ({name})"
    return str(name) if word in {"network", "unknown"} or name is UNKNOWN else f"{name} ({word.replace('_', ' ')})"


def rule_end(rule: Rule) -> str:
    """The other end of a rule, with its kind where it is no network."""
    named = rule.source_kind in {"prefix_list", "group"}
    return f"{rule.source_kind.replace('_', ' ')} {rule.source}" if named else str(rule.source)


def said_by(source: str) -> str:
    """The system that vouches for a decision, as a person calls it."""
    return _SOURCES.get(source, source)
