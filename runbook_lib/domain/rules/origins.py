"""Where the id of a group can come from that a plan doesn't know yet, and which group is which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.plan import Plan, ResourceChange

from .addresses import parse_address
from .aws_resources import GROUP_TYPES
from .readers import RULE_TYPES
from .references import Configuration, Known

__all__ = ["DEFAULT_GROUP", "VPC_TYPES", "Identities", "configuration_of", "state_resources"]

VPC_TYPES: Final = frozenset({"aws_vpc", "aws_default_vpc"})
DEFAULT_GROUP: Final = "default_security_group_id"
# What such attributes hold is whatever somebody made them return.
_ANYTHING: Final = frozenset({"outputs", "result", "body", "response_body"})
_IDS: Final = {**dict.fromkeys(GROUP_TYPES, ("id",)), **dict.fromkeys(VPC_TYPES, (DEFAULT_GROUP,))}
_Origins = dict[tuple[tuple[str, str], ...], tuple[str | Unknown, ...]]


@dataclass
class Identities:
    """Which addresses there are at all, and the ids of groups that have one already."""

    addresses: set[str] = field(default_factory=set)
    ids: dict[str, str] = field(default_factory=dict)
    _instances: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan) -> Identities:
        """Of all that the plan keeps, makes or looks up."""
        found = cls()
        for resource in state_resources(plan.prior_state):
            found._add(str(resource.get("address")), str(resource.get("type")), resource.get("values"))
        for change in (each for each in plan.changes if not each.deposed):
            for name in _IDS.get(change.type, ()):
                # Made anew, it has another id than in the state that the plan started from.
                found.ids.pop(_at(change.address, name), None)
            found._add(change.address, change.type, change.before if change.after is None else change.after)
        return found

    def _add(self, address: str, kind: str, values: Any) -> None:
        self.addresses.add(address)
        for name in _IDS.get(kind, ()):
            identity = values.get(name) if isinstance(values, Mapping) else None
            if isinstance(identity, str):
                self.ids[_at(address, name)] = identity

    def named(self, candidates: tuple[str | Unknown, ...]) -> tuple[str | Unknown, ...]:
        """The candidates, each once and by its id where it has one, without groups of which a count of 0 makes none."""
        if len(candidates) == 1 and isinstance(candidates[0], str) and "[*]" not in candidates[0]:
            return (self.ids.get(candidates[0], candidates[0]),)
        held = tuple(self._instance(c) if isinstance(c, str) and "[*]" in c else c for c in candidates)
        if any(map(self._is_there, held)):
            held = tuple(c for c in held if self._is_there(c) or not _is_group(c))
        return tuple(dict.fromkeys(self.ids.get(c, c) if isinstance(c, str) else c for c in held))

    def _is_there(self, candidate: str | Unknown) -> bool:
        if isinstance(candidate, Unknown) or not (_is_group(candidate) or candidate.endswith(DEFAULT_GROUP)):
            return False
        return candidate.removesuffix(f".{DEFAULT_GROUP}") in self.addresses

    def _instance(self, candidate: str) -> str:
        """The one that a name with a `[*]` can stand for; else the name, marked at its end as one of several."""
        if candidate.index("[*]") + 3 == len(candidate):
            return candidate  # one of several instances of a resource that are known to be there
        if candidate not in self._instances:
            before, _, after = candidate.partition("[*]")
            found = [a for a in self.addresses if a.startswith(f"{before}[") and a.endswith(after)]
            one = found[0] if len(found) == 1 else f"{candidate.removesuffix('[*]')}[*]"
            self._instances[candidate] = one
        return self._instances[candidate]


def configuration_of(plan: Plan, managed: Iterable[ResourceChange]) -> Configuration:
    """The plan's configuration, with all that the plan says of where an id can come from."""
    configuration = Configuration(plan.configuration, (change.address for change in managed))
    known = Known(plan.variables, plan.local_values, _origins(plan, configuration))
    return configuration.knowing(known)


def state_resources(state: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every resource of a state in Terraform's own JSON, of all modules."""
    values = state.get("values")
    stack = [values.get("root_module") if isinstance(values, Mapping) else None]
    while stack:
        current = stack.pop()
        if isinstance(current, Mapping):
            resources, children = current.get("resources"), current.get("child_modules")
            yield from (
                entry for entry in (resources if isinstance(resources, list) else ()) if isinstance(entry, Mapping)
            )
            stack.extend(children if isinstance(children, list) else ())


def _origins(plan: Plan, configuration: Configuration) -> _Origins:
    found: dict[tuple[tuple[str, str], ...], dict[str | Unknown, None]] = defaultdict(dict)
    for change in plan.changes:
        for origin in _of_change(change, configuration):
            found[parse_address(change.address).modules][origin] = None
    for resource in state_resources(plan.prior_state):
        # A group that is looked up could be anybody's.
        if resource.get("mode") == "data" and resource.get("type") in {*GROUP_TYPES, "aws_security_groups"}:
            found[parse_address(str(resource.get("address"))).modules][UNKNOWN] = None
    return {steps: tuple(origins) for steps, origins in found.items()}


def _of_change(change: ResourceChange, configuration: Configuration) -> Iterator[str | Unknown]:
    if change.mode == "data":
        if "read" in change.actions:
            yield UNKNOWN
    elif change.type in VPC_TYPES:
        yield f"{change.address}.{DEFAULT_GROUP}"
    elif change.type in GROUP_TYPES:
        # The default group is one whether its id is known already or not.
        if change.after_unknown.get("id") or change.type == "aws_default_security_group":
            yield change.address
    elif change.type not in RULE_TYPES:
        for name, unknown in change.after_unknown.items():
            computed = "security_group" in name or name in _ANYTHING
            if unknown and computed and not configuration.written(change.address, name):
                yield UNKNOWN


def _is_group(candidate: str | Unknown) -> bool:
    """Whether it is the address of one group that the stack makes."""
    if isinstance(candidate, Unknown) or candidate.endswith("[*]"):
        return False
    return parse_address(candidate).base.partition(".")[0] in GROUP_TYPES


def _at(address: str, name: str) -> str:
    return address if name == "id" else f"{address}.{name}"
