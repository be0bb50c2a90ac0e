"""What a plan's resources are at one time, and which of them an attribute means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.plan import Plan, ResourceChange

from ..rules.addresses import parse_address
from ..rules.masked import unmasked, without_masks
from ..rules.origins import configuration_of, state_resources
from ..rules.references import Configuration
from ..rules.values import join_unknown

__all__ = ["Resource", "Stage", "stages_of"]

_GONE: Final = ({"delete"}, {"forget"})


@dataclass(frozen=True)
class Resource:
    """One resource: `made` says that the plan makes it, so that nothing of another stack can refer to it yet.

    `id` is AWS's where it has one, else Terraform's address. `managed` is false for what is only looked up.
    """

    address: str
    type: str
    id: str
    values: Mapping[str, Any]
    made: bool = False
    managed: bool = True

    def text(self, name: str) -> str:
        """A text; empty for what is none, or not known."""
        found = self.values.get(name)
        return found if isinstance(found, str) else ""

    @property
    def name(self) -> str:
        """The Name tag, else nothing."""
        for key in ("tags_all", "tags"):
            tags = self.values.get(key)
            if isinstance(tags, Mapping) and isinstance(tags.get("Name"), str):
                return str(tags["Name"])
        return ""


@dataclass
class Stage:
    """All resources at one time."""

    configuration: Configuration
    resources: list[Resource] = field(default_factory=list)
    _ids: dict[str, str] = field(default_factory=dict)

    def add(self, resource: Resource) -> None:
        """Take one."""
        self.resources.append(resource)
        self._ids[resource.address] = resource.id

    def of(self, *types: str) -> Iterator[Resource]:
        """All of these types."""
        return (resource for resource in self.resources if resource.type in types)

    def meant(self, resource: Resource, attribute: str, value: Any, types: Iterable[str]) -> tuple[list[str], bool]:
        """The ids that a value stands for, and whether it may stand for others besides; `attribute` is its outermost.

        An id that is not known yet is that of the resource of these types to which the configuration refers.
        """
        values = value if isinstance(value, list | tuple) else [value]
        known = [each for each in values if isinstance(each, str) and each]
        waiting = sum(1 for each in values if each is UNKNOWN)
        if not waiting:
            return known, False
        named = self.configuration.refers_to(resource.address, attribute)
        ids = [self._ids.get(each, each) for each in named if isinstance(each, str) and _type(each) in types]
        fresh = [each for each in dict.fromkeys(ids) if each not in known]
        # Of one of several, and of what comes from elsewhere, nobody knows which it is.
        certain = all(each in self._ids.values() for each in fresh) and UNKNOWN not in named
        many = not isinstance(value, list | tuple) and len(fresh) > 1
        if not certain or many or not fresh:
            return known + ([] if many else [each for each in fresh if each in self._ids.values()]), True
        return known + fresh, False

    def one(self, resource: Resource, attribute: str, types: Iterable[str], value: Any = None) -> tuple[str, bool]:
        """The one id, empty if there is none or it is not known, and whether it may be another one."""
        found, unsure = self.meant(
            resource, attribute, resource.values.get(attribute) if value is None else value, types
        )
        return (found[0] if len(found) == 1 and not unsure else "", unsure)


def stages_of(plan: Plan, without: Iterable[str] = ()) -> tuple[Stage, Stage]:
    """What stands before the plan, and after it, but of these types; also what is only looked up."""
    unwanted, plan = frozenset(without), without_masks(plan)
    managed = [change for change in plan.changes if change.mode == "managed"]
    configuration = configuration_of(plan, managed)
    before, after = Stage(configuration), Stage(configuration)
    seen = {change.address for change in plan.changes} | {change.previous_address for change in plan.changes}
    for resource in state_resources(plan.prior_state):
        values, address, kind = (
            unmasked(resource.get("values")),
            str(resource.get("address")),
            str(resource.get("type")),
        )
        if kind not in unwanted and address not in seen and isinstance(values, Mapping):
            found = Resource(address, kind, _id(values, address), values, managed=resource.get("mode") != "data")
            before.add(found)
            after.add(found)
    for change in managed:
        if change.type not in unwanted:
            _add(change, before, after)
    return before, after


def _add(change: ResourceChange, before: Stage, after: Stage) -> None:
    address = f"{change.address} (deposed {change.deposed})" if change.deposed else change.address
    if change.before is not None:
        old = Resource(address, change.type, _id(change.before, address), change.before)
        before.add(old)
        if "forget" in change.actions:
            after.add(old)
    if set(change.actions) in _GONE or (change.after is None and not change.after_unknown):
        return
    values = join_unknown(change.after or {}, change.after_unknown)
    if isinstance(values, Mapping):
        made = "create" in change.actions
        after.add(Resource(change.address, change.type, _id(values, change.address), values, made=made))


def _id(values: Mapping[str, Any], address: str) -> str:
    found = values.get("id")
    return found if isinstance(found, str) and found else address


def _type(address: str) -> str:
    return parse_address(address).base.removeprefix("data.").partition(".")[0]
