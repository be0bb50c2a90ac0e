"""Resources that own all rules of a group: whatever rule they don't list, they take away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.plan import ResourceChange
from runbook_lib.models.rules import Direction, Rule

from .readers import GROUP_TYPES

__all__ = ["EXCLUSIVE_TYPE", "Exclusive", "exclusives", "without_unlisted"]

EXCLUSIVE_TYPE: Final = "aws_vpc_security_group_rules_exclusive"


@dataclass(frozen=True)
class Exclusive:
    """One such resource as it will stand; `listed` are the ids by direction, None where they aren't all known.

    `gone` are the ids of which it is certain that they go: those that the resource has seen in its group.
    """

    address: str
    group: str
    listed: Mapping[str, frozenset[str] | None]
    gone: tuple[str, ...] = ()


def exclusives(changes: Iterable[ResourceChange]) -> Iterator[Exclusive]:
    """Those that the changes make or alter, in groups that are known: one that stays as it was revokes nothing."""
    for change in changes:
        group = (change.after or {}).get("security_group_id")
        if change.type == EXCLUSIVE_TYPE and isinstance(group, str) and change.actions != ("no-op",):
            listed = {way.value: _listed(change, way) for way in Direction}
            seen = [
                rule for way in Direction for rule in _ids(change.before, way) if rule not in _ids(change.after, way)
            ]
            yield Exclusive(change.address, group, listed, tuple(seen))


def without_unlisted(
    rules: tuple[Rule, ...], before: Iterable[Rule], ids: Mapping[str, str], found: Iterable[Exclusive]
) -> tuple[Rule, ...]:
    """The rules without those of which it is certain that they go; `ids` are AWS's by the address of the resource.

    Only a rule that stood `before` just so can be certain to go: what a plan adds or alters may be made afterwards.

    A rule of which no resource tells, seen in the group alone, goes where every id in the list is a resource's.
    """
    by_group = {exclusive.group: exclusive for exclusive in found}
    if not by_group:
        return rules
    standing = set(before)
    return tuple(rule for rule in rules if not (rule in standing and _goes(rule, ids, by_group)))


def _goes(rule: Rule, ids: Mapping[str, str], by_group: Mapping[str, Exclusive]) -> bool:
    exclusive = by_group.get(str(rule.group))
    listed = exclusive.listed.get(str(rule.direction)) if exclusive else None
    if listed is None:
        return False
    if rule.address in ids:
        return ids[rule.address] not in listed
    base = rule.address.rpartition("module.")[2]
    seen = any(f"{kind}." in base for kind in GROUP_TYPES)
    return seen and listed <= set(ids.values())


def _listed(change: ResourceChange, way: Direction) -> frozenset[str] | None:
    name = f"{way.value}_rule_ids"
    unknown, known = change.after_unknown.get(name), (change.after or {}).get(name)
    if unknown is True or (isinstance(unknown, list) and any(unknown)) or UNKNOWN in (known or ()):
        return None
    return frozenset(_ids(change.after, way))


def _ids(values: Mapping[str, Any] | None, way: Direction) -> tuple[str, ...]:
    found = (values or {}).get(f"{way.value}_rule_ids")
    return tuple(str(rule) for rule in found) if isinstance(found, list) else ()
