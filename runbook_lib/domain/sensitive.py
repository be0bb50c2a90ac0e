"""What Terraform itself or a name calls sensitive: masked in a plan's JSON, and collected from plans and states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .named_values import mask_named_learning, named_secrets_in
from .redaction import mask_sensitive, sensitive_values, strings_in

__all__ = ["mask_plan", "masked_plan", "plan_secrets", "state_secrets"]

# Gets a value and what marks parts of it as sensitive, and gives what is to stand in its place.
_Visit = Callable[[Any, Any], Any]


def masked_plan(document: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """A copy of Terraform's plan JSON with all that is marked or called sensitive masked, at any depth; and the texts.

    They are what a Redactor has to learn so that nothing prints them. Once through a large plan gives both.
    """
    found: set[str] = set()

    def mask(value: Any, marks: Any) -> Any:
        found.update(sensitive_values(value, marks))
        return mask_sensitive(value, marks)

    masked, named = mask_named_learning(_plan(document, mask))
    return masked, frozenset(found) | named


def mask_plan(document: dict[str, Any]) -> dict[str, Any]:
    """The masked copy alone."""
    return masked_plan(document)[0]


def plan_secrets(document: dict[str, Any]) -> frozenset[str]:
    """The texts alone."""
    return masked_plan(document)[1]


def state_secrets(state: Mapping[str, Any]) -> frozenset[str]:
    """The same of a state (version 4): sensitive outputs, and the attributes that its resources name so."""
    found = set(named_secrets_in(state))
    for output in _entries(state.get("outputs")):
        if output.get("sensitive"):
            found |= strings_in(output.get("value"))
    for resource in _entries(state.get("resources")):
        for instance in _entries(resource.get("instances")):
            for path in instance.get("sensitive_attributes") or ():
                found |= strings_in(_at(instance.get("attributes"), path))
    return frozenset(found)


def _plan(document: dict[str, Any], visit: _Visit) -> dict[str, Any]:
    seen = dict(document)
    for name in ("resource_changes", "resource_drift"):
        seen[name] = [_resource(item, visit) for item in document.get(name) or []]
    seen["deferred_changes"] = [
        {**item, "resource_change": _resource(item.get("resource_change") or {}, visit)}
        for item in document.get("deferred_changes") or []
    ]
    seen["action_invocations"] = [_invocation(item, visit) for item in document.get("action_invocations") or []]
    seen["deferred_action_invocations"] = [
        {**item, "action_invocation": _invocation(item.get("action_invocation") or {}, visit)}
        for item in document.get("deferred_action_invocations") or []
    ]
    changes = document.get("output_changes") or {}
    seen["output_changes"] = {name: _change(change, visit) for name, change in changes.items()}
    seen["variables"] = _variables(document, visit)
    seen["planned_values"] = _values(document.get("planned_values") or {}, visit)
    state = document.get("prior_state")
    if state:
        seen["prior_state"] = {**state, "values": _values(state.get("values") or {}, visit)}
    return {name: value for name, value in seen.items() if value or name in document}


def _resource(item: dict[str, Any], visit: _Visit) -> dict[str, Any]:
    return {**item, "change": _change(item.get("change") or {}, visit)}


def _change(change: dict[str, Any], visit: _Visit) -> dict[str, Any]:
    sides = [side for side in ("before", "after") if side in change]
    return change | {side: visit(change[side], change.get(f"{side}_sensitive") or False) for side in sides}


def _invocation(item: dict[str, Any], visit: _Visit) -> dict[str, Any]:
    if "config_values" not in item:
        return item
    return {**item, "config_values": visit(item["config_values"], item.get("config_sensitive") or False)}


def _variables(document: dict[str, Any], visit: _Visit) -> dict[str, Any]:
    declared = ((document.get("configuration") or {}).get("root_module") or {}).get("variables") or {}
    return {
        name: {**item, "value": visit(item.get("value"), bool((declared.get(name) or {}).get("sensitive")))}
        for name, item in (document.get("variables") or {}).items()
    }


def _values(values: dict[str, Any], visit: _Visit) -> dict[str, Any]:
    seen = dict(values)
    if "outputs" in values:
        seen["outputs"] = {
            name: {**item, "value": visit(item.get("value"), bool(item.get("sensitive")))}
            for name, item in values["outputs"].items()
        }
    if "root_module" in values:
        seen["root_module"] = _module(values["root_module"], visit)
    return seen


def _module(module: dict[str, Any], visit: _Visit) -> dict[str, Any]:
    seen = dict(module)
    if "resources" in module:
        seen["resources"] = [
            {**item, "values": visit(item.get("values"), item.get("sensitive_values") or False)}
            for item in module["resources"]
        ]
    if "child_modules" in module:
        seen["child_modules"] = [_module(child, visit) for child in module["child_modules"]]
    return seen


def _entries(node: Any) -> list[Mapping[str, Any]]:
    items = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    return [item for item in items if isinstance(item, Mapping)]


def _at(node: Any, path: Any) -> Any:
    """What lies at a path of a state's sensitive_attributes: steps as {type: get_attr | index, value: …}."""
    for step in path if isinstance(path, list) else ():
        key = step.get("value") if isinstance(step, Mapping) else step
        key = key.get("value") if isinstance(key, Mapping) else key
        try:
            node = node[key]
        except (KeyError, IndexError, TypeError):
            return None
    return node
