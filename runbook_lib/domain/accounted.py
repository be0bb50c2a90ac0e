"""Whether what a refresh newly found in a resource is the doing of other resources of the same plan.

Many resources show what others do to them: a prefix list its entries, a route table its routes, a role its policies.
After each good apply such an attribute has changed outside of the resource itself, and nobody did anything by hand.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from runbook_lib.models.plan import Plan, ResourceChange

__all__ = ["Accounts"]

# What a service counts or dates itself says nothing of a change by hand.
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")
# Attributes that hold rules of one direction, as a network ACL's do.
_DIRECTIONS: Final = frozenset({"ingress", "egress"})
_IDENTITIES: Final = ("id", "arn")


class Accounts:
    """The resources that a plan leaves in place, asked who else mentions one of them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._found: dict[str, _Resource] | None = None

    def explain(self, change: ResourceChange, name: str, before: Any, after: Any) -> bool:
        """Whether the value of this name, which the files do not write, may be as it is now without anybody's hand.

        Each thing that was added has to be one resource's doing: one that mentions this one has all its texts and
        numbers, if need be together with those that both mention. A text alone has to be of any resource around. What
        is gone explains itself: whatever else of the stack it was, Terraform wants to make that one again.
        """
        if isinstance(after, bool) or isinstance(before, bool):
            return False
        if isinstance(after, int | float) or (isinstance(after, str) and _TIME.fullmatch(after)):
            return True
        ids, added = _identities(change), _added(before, after)
        # Numbers and switches alone tell nobody's name.
        if not ids or not all(any(map(_is_text, _leaves(each))) for each in added):
            return not added
        others = [own for address, own in self._index().items() if address != change.address]
        near = [own for own in others if own.leaves & ids]
        makers: dict[Any, list[_Resource]] = defaultdict(list)
        for own in near:
            if name not in _DIRECTIONS or own.direction == name:
                for leaf in own.leaves:
                    makers[leaf].append(own)
        by_id = {identity: own for own in others for identity in own.ids}
        alone = frozenset(leaf for each in added if not isinstance(each, Mapping) for _, leaf in _leaves(each))
        return alone <= _around(ids, near, others) and all(
            any(_hold(own, by_id, ids, each) for own in _likely(each, makers))
            for each in added
            if isinstance(each, Mapping)
        )

    def _index(self) -> dict[str, _Resource]:
        if self._found is None:
            resources = _resources(self._plan.planned_values.get("root_module"))
            self._found = {address: _Resource.of(values) for address, values in resources}
        return self._found


@dataclass(frozen=True)
class _Resource:
    """What a resource holds: its texts and numbers at any depth, and the attributes that are one value each."""

    leaves: frozenset[Any]
    ids: frozenset[str]
    attributes: Mapping[str, Any]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> _Resource:
        leaves = frozenset(leaf for _, leaf in _leaves(values) if leaf and not isinstance(leaf, bool))
        ids = frozenset(str(values[name]) for name in _IDENTITIES if values.get(name))
        single = {key: leaf for key, value in values.items() if not isinstance(value, list | dict)
                  for _, leaf in _leaves(value)}  # fmt: skip
        return cls(leaves, ids, {key: leaf for key, leaf in single.items() if key not in _IDENTITIES})

    @property
    def direction(self) -> str:
        """Of one rule, if it is one."""
        egress = self.attributes.get("egress")
        return ("egress" if egress else "ingress") if isinstance(egress, bool) else str(self.attributes.get("type"))


def _around(ids: frozenset[str], near: list[_Resource], others: list[_Resource]) -> frozenset[Any]:
    """The texts and numbers of those that mention one of these ids, and of those which those mention."""
    mentioned = ids.union(*(own.leaves for own in near))
    return mentioned.union(*(own.leaves for own in others if own.ids & mentioned))


def _likely(value: Mapping[str, Any], makers: Mapping[Any, list[_Resource]]) -> Iterator[_Resource]:
    """Those that hold something of a value, first whoever holds what few do."""
    for held in sorted((makers.get(leaf, []) for _, leaf in _leaves(value)), key=len):
        yield from held


def _hold(maker: _Resource, by_id: Mapping[str, _Resource], ids: frozenset[str], value: Mapping[str, Any]) -> bool:
    """Whether it holds all of a value, or with those that both mention; what it names alike has to be the same."""
    leaves = list(_leaves(value))
    both = (leaf for _, leaf in leaves if isinstance(leaf, str) and leaf in by_id and leaf in maker.leaves)
    resources = (maker, *(by_id[leaf] for leaf in both))
    for key, leaf in leaves:
        named = [own.attributes[key] for own in resources if key in own.attributes]
        if named and leaf not in named:
            return False
        tells = bool(leaf) and not isinstance(leaf, bool)
        if not named and tells and leaf not in ids and not any(leaf in own.leaves for own in resources):
            return False
    return True


def _is_text(leaf: tuple[str, Any]) -> bool:
    return isinstance(leaf[1], str) and leaf[1] != ""


def _added(before: Any, after: Any) -> list[Any]:
    if isinstance(after, list) and (before is None or isinstance(before, list)):
        return [each for each in after if each not in (before or ())]
    if isinstance(after, dict) and (before is None or (isinstance(before, dict) and before.keys() <= after.keys())):
        # A map's keys are somebody's texts too.
        items = (item for item in after.items() if item not in (before or {}).items())
        return [{"key": key, "value": value} for key, value in items]
    return [after]


def _identities(change: ResourceChange) -> frozenset[str]:
    values = change.after or {}
    return frozenset(str(values[name]) for name in ("id", "arn", "name", "bucket") if values.get(name))


def _resources(module: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not isinstance(module, Mapping):
        return
    for resource in module.get("resources") or ():
        if isinstance(resource, Mapping) and isinstance(resource.get("values"), Mapping):
            yield str(resource.get("address")), resource["values"]
    for child in module.get("child_modules") or ():
        yield from _resources(child)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every text, number and switch within a value, with the name that it has; a document in JSON is one text."""
    waiting = [(name, value)]
    while waiting:
        key, found = waiting.pop()
        if isinstance(found, Mapping):
            waiting += found.items()
        elif isinstance(found, list):
            waiting += ((key, each) for each in found)
        elif found is not None:
            yield key, _spaced(found) if isinstance(found, str) else found


def _spaced(text: str) -> str:
    # However it is spaced.
    if text[:1] not in "{[":
        return text
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text
