"""What people call a security group: its Name tag, else its name, by AWS id and by Terraform address.

One that the plan makes has no id yet: it is called by the same, or its address, with `(new)` behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..models.plan import Plan
from .rules import GROUP_TYPES, VPC_TYPES

__all__ = ["group_ids", "group_names"]


def group_names(plan: Plan) -> dict[str, str]:
    """Names of the groups that the plan's states know, managed or only looked up."""
    names: dict[str, str] = {}
    for values in (plan.prior_state.get("values") or {}, plan.planned_values):
        for resource in _resources(values.get("root_module") or {}):
            if resource.get("type") in GROUP_TYPES:
                names |= _names(resource)
    for change in plan.changes:
        if change.type in VPC_TYPES and "create" in change.actions:
            names[f"{change.address}.default_security_group_id"] = f"the default group of {change.address} (new)"
        if change.type in GROUP_TYPES and change.after:
            names |= _names({"address": change.address, "values": change.after})
        if change.type in GROUP_TYPES and "create" in change.actions:
            names[change.address] = f"{names.get(change.address) or change.address} (new)"
    return names


def group_ids(plan: Plan) -> dict[str, str]:
    """AWS's ids of the groups that the plan's states know, by Terraform's address."""
    found: dict[str, str] = {}
    for values in (plan.prior_state.get("values") or {}, plan.planned_values):
        for resource in _resources(values.get("root_module") or {}):
            if resource.get("type") in GROUP_TYPES and (identity := (resource.get("values") or {}).get("id")):
                found[str(resource.get("address"))] = str(identity)
    return found


def _names(resource: Mapping[str, Any]) -> dict[str, str]:
    values = resource.get("values") or {}
    tags = values.get("tags_all") or values.get("tags") or {}
    name = tags.get("Name") or values.get("name") or ""
    keys = (values.get("id"), resource.get("address"))
    return {str(key): str(name) for key in keys if key and name}


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources") or []
    for child in module.get("child_modules") or []:
        yield from _resources(child)
