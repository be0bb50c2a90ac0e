"""What a plan does to the rules that somebody asks about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..models.base import UNKNOWN
from ..models.blame import BlameKind
from ..models.rules import IDENTITY_FIELDS, Rule
from .rules import RuleChanges, is_id

__all__ = ["Asked", "events", "identity", "is_live", "may_be_of", "told_apart"]

_NEW = " (new)"
_WITHOUT_PORTS = ("icmp", "icmpv6")


@dataclass(frozen=True)
class Asked:
    """The rules that are meant: of a group (id, name or Terraform's address), that let a port in, or at an address.

    `groups` are more names of the same group.
    """

    group: str = ""
    port: int | None = None
    protocol: str = ""
    address: str = ""
    groups: frozenset[str] = frozenset()

    def means(self, rule: Rule, names: Mapping[str, str]) -> bool:
        """Whether a rule is meant; what is not known of it may be."""
        return (
            (not self.address or rule.address == self.address)
            and self._group(rule, names)
            and (not self.protocol or rule.protocol in {self.protocol, "all", UNKNOWN})
            and self._port(rule)
        )

    def _group(self, rule: Rule, names: Mapping[str, str]) -> bool:
        if not self.group:
            return True
        wanted = {self.group, *self.groups}
        wanted |= {_plain(names[name]) for name in wanted if name in names}
        called = _plain(names.get(str(rule.group), ""))
        if str(rule.group) in wanted or called in wanted - {""}:
            return True
        # Several groups of the name that is asked for are all meant; one whose id nobody knows may be.
        return _shared(called) == self.group or called in {_shared(name) for name in wanted} - {""}

    def _port(self, rule: Rule) -> bool:
        if self.port is None:
            return True
        if rule.protocol in _WITHOUT_PORTS:
            return False
        low, high = rule.from_port, rule.to_port
        above = not isinstance(low, int) or low <= self.port
        return above and (not isinstance(high, int) or high < 0 or self.port <= high)


def _plain(name: str) -> str:
    return name.removesuffix(_NEW)


def _shared(name: str) -> str:
    """The name that a group has in common with others."""
    return name.rpartition(" (sg-")[0] or name


def told_apart(names: Mapping[str, str], ids: Mapping[str, str]) -> dict[str, str]:
    """Names by id and by Terraform's address; of several groups of one name each has its id behind, where it is known.

    `ids` are the ids of addresses.
    """
    count = Counter(name for key, name in names.items() if is_id(key))

    def called(key: str, name: str) -> str:
        own = ids.get(key, key)
        return f"{name} ({own})" if count[name] > 1 and is_id(own) else name

    return {key: called(key, name) for key, name in names.items()}


def may_be_of(live: str, group: str, names: Mapping[str, str]) -> bool:
    """Whether a group that AWS has, by its id, may be the one that a plan speaks of."""
    one, other = _plain(names.get(live, "")), _plain(names.get(group, group))
    return not one or group == live or other in {one, _shared(one)}


def identity(rule: Rule, names: Mapping[str, str]) -> tuple[object, ...]:
    """What makes it the same rule from one run to the next: a group by its name, which stays when its id is known."""
    fields = tuple(getattr(rule, name) for name in IDENTITY_FIELDS if name not in {"group", "source"})
    group, source = str(rule.group), str(rule.source)
    return (*fields, _plain(names.get(group, group)), _plain(names.get(source, source)))


def events(changes: RuleChanges, names: Mapping[str, str], asked: Asked) -> Iterator[tuple[BlameKind, Rule]]:
    """Each rule that is meant and that the plan opens, alters or closes."""
    before = {identity(rule, names) for rule in changes.before}
    after = {identity(rule, names) for rule in changes.after}
    for index in sorted(changes.touched):
        rule = changes.after[index]
        if asked.means(rule, names):
            yield (BlameKind.ALTERED if identity(rule, names) in before else BlameKind.OPENED), rule
    for rule in changes.before:
        if identity(rule, names) not in after and asked.means(rule, names):
            yield BlameKind.CLOSED, rule


def is_live(rule: Rule, live: Iterable[Rule], names: Mapping[str, str]) -> bool:
    """Whether one of a group's rules, as the cloud has them, is this one."""
    wanted = _without_group(rule, names)
    return any(_without_group(one, names) == wanted for one in live)


def _without_group(rule: Rule, names: Mapping[str, str]) -> tuple[object, ...]:
    source = str(rule.source)
    fields = (name for name in IDENTITY_FIELDS if name not in {"group", "source"})
    return (*(getattr(rule, name) for name in fields), _plain(names.get(source, source)))
