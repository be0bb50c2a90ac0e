"""A plan's JSON without the values that Terraform itself calls sensitive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .redaction import mask_sensitive

__all__ = ["mask_plan"]


def mask_plan(document: dict[str, Any]) -> dict[str, Any]:
    """A copy of Terraform's plan JSON in which every value marked sensitive is masked, at any depth."""
    masked = dict(document)
    for name in ("resource_changes", "resource_drift"):
        masked[name] = [_change(item) for item in document.get(name) or []]
    masked["output_changes"] = {
        name: _before_after(change) for name, change in (document.get("output_changes") or {}).items()
    }
    masked["variables"] = _variables(document)
    masked["planned_values"] = _values(document.get("planned_values") or {})
    state = document.get("prior_state")
    if state:
        masked["prior_state"] = {**state, "values": _values(state.get("values") or {})}
    return {name: value for name, value in masked.items() if value or name in document}


def _change(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "change": _before_after(item.get("change") or {})}


def _before_after(change: dict[str, Any]) -> dict[str, Any]:
    masked = dict(change)
    for side in ("before", "after"):
        if side in change:
            masked[side] = mask_sensitive(change[side], change.get(f"{side}_sensitive") or False)
    return masked


def _variables(document: dict[str, Any]) -> dict[str, Any]:
    declared = ((document.get("configuration") or {}).get("root_module") or {}).get("variables") or {}
    return {
        name: {**item, "value": mask_sensitive(item.get("value"), bool((declared.get(name) or {}).get("sensitive")))}
        for name, item in (document.get("variables") or {}).items()
    }


def _values(values: dict[str, Any]) -> dict[str, Any]:
    masked = dict(values)
    if "outputs" in values:
        masked["outputs"] = {
            name: {**item, "value": mask_sensitive(item.get("value"), bool(item.get("sensitive")))}
            for name, item in values["outputs"].items()
        }
    if "root_module" in values:
        masked["root_module"] = _module(values["root_module"])
    return masked


def _module(module: dict[str, Any]) -> dict[str, Any]:
    masked = dict(module)
    if "resources" in module:
        masked["resources"] = list(_resources(module))
    if "child_modules" in module:
        masked["child_modules"] = [_module(child) for child in module["child_modules"]]
    return masked


def _resources(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in module["resources"]:
        yield {**item, "values": mask_sensitive(item.get("values"), item.get("sensitive_values") or False)}
