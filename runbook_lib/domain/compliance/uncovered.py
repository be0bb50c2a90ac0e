"""The rules that a rule which goes had covered: nobody looked at them while it let in the same and more."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.rules import Rule

from ..intervals import Interval, contains
from ..rules import RuleChanges
from .networks import Network, networks_of

__all__ = ["uncovered"]

_PORTS = (0, 65535)


def uncovered(changes: RuleChanges) -> frozenset[int]:
    """Indexes of the `after` rules, changed or not, that lie within a rule which the change takes away or narrows."""
    standing = Counter(_key(rule) for rule in changes.after)
    gone: dict[Hashable, list[tuple[Rule, tuple[Network, ...]]]] = defaultdict(list)
    for rule in changes.before:
        if standing[_key(rule)] > 0:
            standing[_key(rule)] -= 1
            continue
        networks = networks_of(rule)
        if not isinstance(networks, Unknown) and networks and UNKNOWN not in (rule.group, rule.direction):
            gone[rule.group, rule.direction].append((rule, networks))
    if not gone:
        return frozenset()
    return frozenset(
        index
        for index, rule in enumerate(changes.after)
        if any(_within(rule, other, networks) for other, networks in gone.get((rule.group, rule.direction), ()))
    )


def _within(rule: Rule, other: Rule, networks: tuple[Network, ...]) -> bool:
    own = networks_of(rule)
    # One of two that are the same covers nothing by which it goes: the other stands as it stood.
    if isinstance(own, Unknown) or not own or _key(rule) == _key(other):
        return False
    if other.protocol not in {"all", rule.protocol} or not _holds(_ports(other), _ports(rule)):
        return False
    return all(any(v == version and contains((span,), (interval,)) for v, span, _ in networks)
               for version, interval, _ in own)  # fmt: skip


def _key(rule: Rule) -> Hashable:
    return rule.group, rule.direction, rule.protocol, rule.from_port, rule.to_port, rule.source, rule.entries


def _ports(rule: Rule) -> Interval:
    if isinstance(rule.from_port, int) and isinstance(rule.to_port, int) and rule.protocol in {"tcp", "udp"}:
        return rule.from_port, rule.to_port
    return _PORTS


def _holds(one: Interval, other: Interval) -> bool:
    return one[0] <= other[0] and other[1] <= one[1]
