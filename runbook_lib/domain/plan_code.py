"""The code that a plan runs besides its providers' own: provisioners, programs asked for data, providers not locked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from ..models.plan import Plan
from .rules.addresses import parse_address

__all__ = ["LOCK_FILE", "code_of_plan"]

LOCK_FILE: Final = ".terraform.lock.hcl"
# Types that are there to run a program, each with the attributes that say which.
_RUNNING: Final = {
    ("data", "external"): ("program",),
    ("data", "local_command"): ("command", "arguments"),
    ("data", "shell_script"): ("lifecycle_commands",),
    ("managed", "shell_script"): ("lifecycle_commands",),
    ("managed", "ansible_playbook"): ("playbook",),
    ("managed", "ssh_resource"): ("commands",),
}
# What a provisioner does, and the attributes that say it.
_PROVISIONERS: Final = {
    "local-exec": ("runs", ("interpreter", "command")),
    "remote-exec": ("runs", ("inline", "script", "scripts")),
    "file": ("copies", ("source", "content", "destination")),
}
_LONGEST: Final = 120
_BUILT_IN: Final = "terraform.io/builtin/"
_Path = tuple[str, ...]
_Mask = Callable[[str], str]


def code_of_plan(
    plan: Plan, locked: Collection[str] | None, mask: _Mask = str, removed: Iterable[tuple[str, str]] = ()
) -> tuple[str, ...]:
    """A sentence for everything by which the plan, or its making, runs code that is not a locked provider's.

    `locked` are the providers in the lock file, None where there is none; `removed` the provisioners of removed blocks,
    which the plan's JSON does not hold, as place and text. Commands go through `mask` before they are
    cut: of a secret that is cut a mask would not know the rest.
    """
    gone = [f"removed block in {place} runs: {_cut(text, mask)}" for place, text in removed]
    return tuple(dict.fromkeys([*_programs(plan, mask), *gone, *_for_providers(plan, mask), *_unlocked(plan, locked)]))


def _programs(plan: Plan, mask: _Mask) -> Iterator[str]:
    changing = {
        (address.path, address.base)
        for change in plan.changes
        if {"create", "delete"} & set(change.actions)
        for address in [parse_address(change.address)]
    }
    for path, module in _modules(_map(plan.configuration.get("root_module"))):
        inside = "".join(f"module.{name}." for name in path)
        for resource in _maps(module.get("resources")):
            mode, kind = str(resource.get("mode") or "managed"), str(resource.get("type"))
            base = f"{'data.' if mode == 'data' else ''}{kind}.{resource.get('name')}"
            where = _named(inside + base)
            # Terraform does not say which of them wait for the end: all that belong to what comes or goes may run.
            if (path, base) in changing:
                for provisioner in _maps(resource.get("provisioners")):
                    yield _provisioner(provisioner, where, mask)
            if (mode, kind) in _RUNNING:
                yield from _running(plan, resource, (path, base), where, mask)
        for action in _maps(module.get("actions")):
            yield f"{inside}{action.get('address')} is an action, which resources may invoke"


def _named(address: str) -> str:
    # As long as one likes, it would push what runs out of what is shown.
    return address if len(address) <= _LONGEST else f"{address[:50]}…{address[-50:]}"


def _provisioner(provisioner: Mapping[str, Any], where: str, mask: _Mask) -> str:
    kind = str(provisioner.get("type"))
    verb, names = _PROVISIONERS.get(kind, ("runs", ()))
    given = _map(provisioner.get("expressions"))
    return f"{kind} provisioner of {where} {verb}: {_shown([given[name] for name in names if name in given], mask)}"


def _running(
    plan: Plan, resource: Mapping[str, Any], place: tuple[_Path, str], where: str, mask: _Mask
) -> Iterator[str]:
    names = _RUNNING[str(resource.get("mode") or "managed"), str(resource.get("type"))]
    when = ", already while planning" if resource.get("mode") == "data" else ""
    # The state that was read, and what is planned, tell the values where the configuration names references alone.
    found = [
        [{"constant_value": values[name]} for name in names if values.get(name)] for values in _values(plan, place)
    ]
    given = _map(resource.get("expressions"))
    for parts in [part for part in found if part] or [[given[name] for name in names if name in given]]:
        yield f"{where} runs {_shown(parts, mask)}{when}"


def _values(plan: Plan, place: tuple[_Path, str]) -> Iterator[Mapping[str, Any]]:
    for change in plan.changes:
        if (address := parse_address(change.address)) and (address.path, address.base) == place:
            yield _map(change.after) or _map(change.before)
    for values in (_map(plan.prior_state.get("values")), plan.planned_values):
        for resource in _held(_map(values.get("root_module"))):
            address = parse_address(str(resource.get("address")))
            if (address.path, address.base) == place:
                yield _map(resource.get("values"))


def _held(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from _maps(module.get("resources"))
    for child in _maps(module.get("child_modules")):
        yield from _held(child)


def _shown(parts: list[Any], mask: _Mask) -> str:
    texts = [text for part in parts if (text := _expression(part))]
    return _cut(" ".join(texts), mask) or "a command known at apply"


def _cut(text: str, mask: _Mask) -> str:
    whole = mask(" ".join(text.split()))
    more = len(whole) - _LONGEST
    return whole if more <= 0 else f"{whole[:_LONGEST]}… ({more} characters more)"


def _expression(node: Any) -> str:
    if isinstance(node, Mapping):
        if "constant_value" in node:
            return _constant(node["constant_value"])
        if references := [str(name) for name in node.get("references") or ()]:
            # Terraform names each reference's own beginnings after it.
            told = [name for name in references if not any(other.startswith(f"{name}.") for other in references)]
            return f"(made from {', '.join(dict.fromkeys(told))})"
        return " ".join(text for part in node.values() if (text := _expression(part)))
    return " ".join(text for part in node if (text := _expression(part))) if isinstance(node, list) else ""


def _constant(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_constant(part)}" for name, part in value.items() if part)
    return " ".join(_constant(part) for part in value) if isinstance(value, list) else str(value)


def _for_providers(plan: Plan, mask: _Mask) -> Iterator[str]:
    """The programs that providers ask for credentials, as those of Kubernetes and Helm do."""
    for key, config in _map(plan.configuration.get("provider_config")).items():
        for given in _asked(_map(config).get("expressions")):
            shown = _shown([given[name] for name in ("command", "args") if name in given], mask)
            yield f"provider {key} runs {shown}, already while planning"


def _asked(node: Any) -> Iterator[Mapping[str, Any]]:
    for name, part in _map(node).items():
        for inner in part if isinstance(part, list) else [part]:
            if name == "exec" and "command" in _map(inner):
                yield inner
            yield from _asked(inner)


def _unlocked(plan: Plan, locked: Collection[str] | None) -> Iterator[str]:
    held = [_map(plan.prior_state.get("values")), plan.planned_values]
    resources = (resource for values in held for resource in _held(_map(values.get("root_module"))))
    configured = _map(plan.configuration.get("provider_config")).values()
    used = {str(_map(config).get("full_name") or "") for config in configured}
    used |= {str(resource.get("provider_name") or "") for resource in resources}
    for name in sorted(used - {""}):
        if name.startswith(_BUILT_IN) or name in (locked or ()):
            continue
        missing = f"is not in {LOCK_FILE}" if locked is not None else f"is locked by nothing: no {LOCK_FILE} is there"
        yield f"provider {name} {missing}"


def _modules(module: Mapping[str, Any], path: _Path = ()) -> Iterator[tuple[_Path, Mapping[str, Any]]]:
    yield path, module
    for name, call in _map(module.get("module_calls")).items():
        yield from _modules(_map(_map(call).get("module")), (*path, str(name)))


def _map(node: Any) -> Mapping[str, Any]:
    return node if isinstance(node, Mapping) else {}


def _maps(node: Any) -> list[Mapping[str, Any]]:
    return [part for part in node if isinstance(part, Mapping)] if isinstance(node, list) else []
