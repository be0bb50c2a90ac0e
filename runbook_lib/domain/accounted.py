"""Whether what a refresh newly found in a resource is the doing of other resources of the same plan.

Many resources show what others do to them: a prefix list its entries, a route table its routes, a role its policies.
After each good apply such an attribute has changed outside of the resource itself, and nobody did anything by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from runbook_lib.models.plan import Plan, ResourceChange

__all__ = ["Accounts"]

# What a service counts or dates itself says nothing of a change by hand.
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")


class Accounts:
    """The resources that a plan leaves in place, asked who else mentions one of them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._texts: dict[str, frozenset[str]] | None = None
        self._ids: dict[str, frozenset[str]] = {}

    def explain(self, change: ResourceChange, before: Any, after: Any) -> bool:
        """Whether a value that the files do not write may be as it is now without anybody's hand.

        What was added has to consist of texts that resources have which mention this one, or which those mention. What
        is gone explains itself: whatever else of the stack it was, Terraform wants to make that one again.
        """
        if isinstance(after, bool) or isinstance(before, bool):
            return False
        if isinstance(after, int | float) or (isinstance(after, str) and _TIME.fullmatch(after)):
            return True
        added = [each for each in after if each not in (before or ())] if _both_lists(before, after) else [after]
        if not added:
            return True
        around = self._around(change)
        return all(self._is_known(each, around) for each in added)

    @staticmethod
    def _is_known(value: Any, around: frozenset[str]) -> bool:
        found = frozenset(_leaves(value))
        # Numbers and switches alone tell nobody's name.
        return bool(found) and found <= around

    def _around(self, change: ResourceChange) -> frozenset[str]:
        ids = _identities(change)
        if not ids:
            return frozenset()
        texts = {address: own for address, own in self._index().items() if address != change.address}
        near = {address for address, own in texts.items() if own & ids}
        mentioned = ids.union(*(texts[address] for address in near))
        far = {address for address in texts if self._ids[address] & mentioned}
        return mentioned.union(*(texts[address] for address in far))

    def _index(self) -> dict[str, frozenset[str]]:
        if self._texts is None:
            self._texts = {}
            for address, values in _resources(self._plan.planned_values.get("root_module")):
                self._texts[address] = frozenset(_leaves(values))
                self._ids[address] = frozenset(str(values[name]) for name in ("id", "arn") if values.get(name))
        return self._texts


def _both_lists(before: Any, after: Any) -> bool:
    return isinstance(after, list) and (before is None or isinstance(before, list))


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


def _leaves(value: Any) -> Iterator[str]:
    """Every text within a value that is not empty; a document in JSON is one, however it is spaced."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str) and found:
            yield _spaced(found)
        elif isinstance(found, Mapping):
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found


def _spaced(text: str) -> str:
    if text[:1] not in "{[":
        return text
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text
