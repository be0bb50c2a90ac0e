"""A digest of what a plan would do: the same for two plans that do the same, whenever and wherever they were made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..errors import InputError
from .plan import parse_plan
from .rules.addresses import parse_address

__all__ = ["fingerprint"]

_SCHEMA: Final = "runbook/fingerprint/v1"
# What is said of a change besides what it does: why, and what of it is not to be shown.
_ASIDE: Final = {"before_sensitive", "after_sensitive", "replace_paths", "generated_config"}
_NAMES: Final = ("address", "deposed", "mode", "name", "previous_address", "provider_name", "type")


def fingerprint(plan: Mapping[str, Any], files: Mapping[str, str] | None = None) -> str:
    """The sha256, as hex, of all that a plan as `terraform show -json` gives it would do; InputError if it is none.

    That is every change of a resource, an action or an output with before, after and what is not known yet, in the
    order of addresses; what is left for later; the provisioners of what comes or goes; and how the providers are
    configured and through which alias each change is made, which says in which account. What stays as it is, why it
    changes, who planned with which version, and when, is no part of it. Take the plan as Terraform gave it: of one
    whose secrets are masked, two that write different secrets look the same.

    Where what it does follows from expressions whose words a plan doesn't hold, because a value that is configured is
    known only after apply or a provider goes by more than root variables, all that they can be made of is part of it:
    `files`, which are digests by name, the variables, and what stands.
    """
    parse_plan(plan)
    try:
        return hashlib.sha256(_canonical(_told(plan, files or {})).encode()).hexdigest()
    except ValueError as error:
        raise InputError(f"the plan can't be digested: {error}", "Write it with `terraform show -json`.") from error


def _told(plan: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    made_from = {
        "files": files,
        "variables": plan.get("variables"),
        "state": _map(plan.get("prior_state")).get("values"),
    }
    changes = [change for change in _maps(plan.get("resource_changes")) if _does_something(change)]
    return {
        "schema": _SCHEMA,
        "complete": plan.get("complete") is not False,
        "changes": _sorted(_change(change) for change in changes),
        "deferred": _sorted(_deferred(entry) for entry in _maps(plan.get("deferred_changes"))),
        "actions": _sorted(_maps(plan.get("action_invocations"))),
        "deferred_actions": _sorted(_maps(plan.get("deferred_action_invocations"))),
        "outputs": dict(_outputs(_map(plan.get("output_changes")))),
        "provisioners": _sorted(_provisioners(_map(plan.get("configuration")), changes)),
        "providers": _providers(plan),
        # Left out where there are none, so that all other plans keep the digest that they had.
        **({"through": through} if (through := _sorted(_through(plan, changes))) else {}),
        **({"made_from": made_from} if _untold(plan, changes) else {}),
    }


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _sorted(entries: Any) -> list[Any]:
    # Terraform does not promise the order, and one address can stand there with several deposed objects.
    return sorted(entries, key=lambda entry: (str(entry.get("address", "")), _canonical(entry)))


def _does_something(entry: Mapping[str, Any]) -> bool:
    change = _map(entry.get("change"))
    moved = entry.get("previous_address") not in {None, "", entry.get("address")}
    return change.get("actions") != ["no-op"] or bool(change.get("importing")) or moved


def _change(entry: Mapping[str, Any]) -> dict[str, Any]:
    change = {name: value for name, value in _map(entry.get("change")).items() if name not in _ASIDE}
    return {"change": change, **{name: entry[name] for name in _NAMES if entry.get(name) is not None}}


def _deferred(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"reason": entry.get("reason"), **_change(_map(entry.get("resource_change")))}


def _outputs(changes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, change in changes.items():
        if _map(change).get("actions") != ["no-op"]:
            yield name, {key: value for key, value in _map(change).items() if key not in _ASIDE}


def _provisioners(configuration: Mapping[str, Any], changes: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """They run as what they belong to comes or goes, and no change of a resource tells of them."""
    moving = [
        parse_address(str(change["address"]))
        for change in changes
        if {"create", "delete"} & set(change["change"]["actions"])
    ]
    places = {(address.path, address.base) for address in moving}
    for path, module in _modules(_map(configuration.get("root_module"))):
        for resource in _maps(module.get("resources")):
            base = f"{resource.get('type')}.{resource.get('name')}"
            if resource.get("provisioners") and (path, base) in places:
                yield {"address": [*path, base], "provisioners": resource["provisioners"]}


def _through(plan: Mapping[str, Any], changes: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """By which of several configurations of a provider things change, which says in which account or region."""
    later = [_map(entry.get("resource_change")) for entry in _maps(plan.get("deferred_changes"))]
    addresses = (parse_address(str(one.get("address"))) for one in (*changes, *later))
    places = {(address.path, address.base) for address in addresses}
    for path, module in _modules(_map(_map(plan.get("configuration")).get("root_module"))):
        for resource in _maps(module.get("resources")):
            base = _base(resource)
            key = str(resource.get("provider_config_key") or "")
            # An alias, or a module's own: the name alone is the one that there always is.
            if {".", ":"} & set(key) and (path, base) in places:
                yield {"address": [*path, base], "provider": key}


def _untold(plan: Mapping[str, Any], changes: list[Mapping[str, Any]]) -> bool:
    """Whether something that is done is written in words that the plan doesn't hold: it names what they refer to."""
    configuration = _map(plan.get("configuration"))
    for config in _map(configuration.get("provider_config")).values():
        named = set(_references(config))
        if named and (_map(config).get("module_address") or not all(name.startswith("var.") for name in named)):
            return True
    invoked = (*_maps(plan.get("action_invocations")), *_maps(plan.get("deferred_action_invocations")))
    if any(_holds(_map(one.get("action_invocation", one)).get("config_unknown")) for one in invoked):
        return True
    unknown: dict[tuple[tuple[str, ...], str], set[str]] = {}
    for one in changes:
        address = parse_address(str(one.get("address")))
        left = {name for name, value in _map(one["change"].get("after_unknown")).items() if _holds(value)}
        unknown.setdefault((address.path, address.base), set()).update(left)
    return any(
        unknown.get((path, _base(resource)), set()) & set(_map(resource.get("expressions")))
        for path, module in _modules(_map(configuration.get("root_module")))
        for resource in _maps(module.get("resources"))
    )


def _base(resource: Mapping[str, Any]) -> str:
    looked_up = "data." if resource.get("mode") == "data" else ""
    return f"{looked_up}{resource.get('type')}.{resource.get('name')}"


def _holds(node: Any) -> bool:
    """Whether anything in it is so, at any depth."""
    if isinstance(node, Mapping):
        return any(map(_holds, node.values()))
    return any(map(_holds, node)) if isinstance(node, list) else node is True


def _modules(module: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, module
    for name, call in _map(module.get("module_calls")).items():
        yield from _modules(_map(_map(call).get("module")), (*path, str(name)))


def _providers(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The providers' configuration without their versions, and the variables that it names."""
    configured = _map(_map(plan.get("configuration")).get("provider_config"))
    told = {
        key: {name: value for name, value in _map(config).items() if name != "version_constraint"}
        for key, config in configured.items()
    }
    given = _map(plan.get("variables"))
    named = {name.removeprefix("var.").partition(".")[0] for name in _references(told) if name.startswith("var.")}
    return {"configured": told, "variables": {name: given[name] for name in sorted(named) if name in given}}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        found = node.get("references")
        yield from (str(name) for name in (found if isinstance(found, list) else ()))
        for part in node.values():
            yield from _references(part)
    elif isinstance(node, list):
        for part in node:
            yield from _references(part)


def _map(node: Any) -> Mapping[str, Any]:
    return node if isinstance(node, Mapping) else {}


def _maps(node: Any) -> list[Mapping[str, Any]]:
    return [part for part in node if isinstance(part, Mapping)] if isinstance(node, list) else []
