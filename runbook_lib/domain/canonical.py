"""One spelling for rules that mean the same, whoever wrote them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.rules import Direction, Rule, SourceKind

from .intervals import network_interval, networks
from .reach import protocol_name

__all__ = ["canonical", "is_default_egress"]

_ANY: Final = {"0.0.0.0/0", "::/0"}


def canonical(rule: Rule) -> Rule:
    """The same rule with protocol names, whole port ranges as None, plain networks and `self` for its own group.

    A prefix list is compared by its id: what it holds is another resource's matter.
    """
    protocol = rule.protocol if rule.protocol is UNKNOWN else protocol_name(str(rule.protocol))
    from_port, to_port = _ports(protocol, rule)
    kind, source = _source(rule)
    spelt = {
        "protocol": protocol,
        "from_port": from_port,
        "to_port": to_port,
        "source": source,
        "source_kind": kind,
        "entries": None,
        "description": rule.description or None,
    }
    # Copies cost: most rules are spelt so already.
    return rule if spelt == {field: getattr(rule, field) for field in spelt} else rule.model_copy(update=spelt)


def is_default_egress(rule: Rule) -> bool:
    """Whether a canonical rule is the one that AWS gives every new group: everything to everywhere."""
    everything = rule.direction is Direction.EGRESS and rule.protocol == "all" and rule.source in _ANY
    return everything and not rule.description


def _ports(protocol: str | Unknown, rule: Rule) -> tuple[int | Unknown | None, int | Unknown | None]:
    low, high = rule.from_port, rule.to_port
    if protocol is UNKNOWN:
        return low, high
    if protocol in {"icmp", "icmpv6"}:
        low = -1 if low is None else low
        return (-1, -1) if low == -1 else (low, -1 if high is None else high)
    if protocol not in {"tcp", "udp"} or (low, high) == (0, 65535):
        return None, None
    return low, high


def _source(rule: Rule) -> tuple[SourceKind, str | Unknown]:
    if rule.source is UNKNOWN:
        return rule.source_kind, UNKNOWN
    source = str(rule.source)
    if rule.source_kind is SourceKind.NETWORK:
        return rule.source_kind, _network(source)
    if rule.source_kind is SourceKind.GROUP:
        # A group of another account is written 123456789012/sg-1 by Terraform and sg-1 by AWS.
        source = source.rpartition("/")[2]
        return (SourceKind.SELF, "self") if source == rule.group else (rule.source_kind, source)
    return (rule.source_kind, "self") if rule.source_kind is SourceKind.SELF else (rule.source_kind, source)


@lru_cache(maxsize=1 << 16)  # each of three places has it, and it is asked for more than once
def _network(text: str) -> str:
    try:
        version, interval = network_interval(text)
    except ValueError:
        return text
    return networks(version, (interval,))[0]
