"""What people call a security group: its Name tag, else its name, by AWS id and by Terraform address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..models.plan import Plan

__all__ = ["group_names"]

GROUP_TYPES = {"aws_security_group", "aws_default_security_group"}


def group_names(plan: Plan) -> dict[str, str]:
    """Names of the groups that the plan's states know, managed or only looked up."""
    names: dict[str, str] = {}
    for values in (plan.prior_state.get("values") or {}, plan.planned_values):
        for resource in _resources(values.get("root_module") or {}):
            if resource.get("type") in GROUP_TYPES:
                names |= _names(resource)
    return names


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
