"""The groups that a state holds: which of them the stack owns, where they are, and what in them it declares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.rules import Rule

from .addresses import parse_address
from .readers import GROUP_TYPES

__all__ = ["Group", "Written", "declared_rules", "groups_of_state"]

# Whether the group at this path of modules and `type.name` writes rules of this direction, or may.
Written = Callable[[tuple[str, ...], str, str], bool]


@dataclass(frozen=True)
class Group:
    """A security group that a state knows. `owned` says that the stack manages it, not only finds it.

    `region` and `account` are empty where nothing tells them.
    """

    id: str
    name: str = ""
    region: str = ""
    owned: bool = False
    account: str = ""


def groups_of_state(document: Mapping[str, Any]) -> tuple[Group, ...]:
    """Every group that the state knows, by its id: those it manages, those it looked up, and those its rules are in."""
    found: dict[str, Group] = {}
    resources = document.get("resources")
    for resource in resources if isinstance(resources, list) else ():
        for values in _instances(resource):
            group = _group(resource, values)
            known = found.get(group.id) if group else None
            if group and group.id:
                # Owned before looked up, and what tells the region before what doesn't.
                found[group.id] = Group(
                    id=group.id,
                    name=group.name or (known.name if known else ""),
                    region=group.region or (known.region if known else ""),
                    owned=group.owned or bool(known and known.owned),
                    account=group.account or (known.account if known else ""),
                )
    return tuple(found[identity] for identity in sorted(found))


def declared_rules(rules: Iterable[Rule], written: Written) -> tuple[Rule, ...]:
    """The rules without those that a group is only seen to have: its files write none of that direction.

    The provider fills in the attributes of such a group with the rules that it finds in AWS, whosever they are.
    """
    return tuple(rule for rule in rules if _declares(rule, written))


def _declares(rule: Rule, written: Written) -> bool:
    address = parse_address(rule.address.partition(" (deposed ")[0])
    if not rule.address or address.base.partition(".")[0] not in GROUP_TYPES or rule.direction is UNKNOWN:
        return True
    return written(address.path, address.base, str(rule.direction))


def _instances(resource: Any) -> Iterable[Mapping[str, Any]]:
    instances = resource.get("instances") if isinstance(resource, Mapping) else None
    for instance in instances if isinstance(instances, list) else ():
        values = instance.get("attributes") if isinstance(instance, Mapping) else None
        if isinstance(values, Mapping):
            yield values


def _group(resource: Mapping[str, Any], values: Mapping[str, Any]) -> Group | None:
    kind = str(resource.get("type"))
    # arn:partition:ec2:region:account:security-group/sg-1; a rule's has the same beginning.
    arn = [*_text(values, "arn").split(":"), "", "", "", "", ""]
    region, account = _text(values, "region") or arn[3], _text(values, "owner_id") or arn[4]
    if kind in GROUP_TYPES:
        owned = resource.get("mode") != "data"
        return Group(_text(values, "id"), _text(values, "name"), region, owned, account)
    if "security_group_id" in values and resource.get("mode") == "managed":
        # Its own account is that of whoever made the rule; a shared network's group may be another's.
        return Group(_text(values, "security_group_id"), "", region, account=account)
    return None


def _text(values: Mapping[str, Any], key: str) -> str:
    found = values.get(key)
    return found if isinstance(found, str) else ""
