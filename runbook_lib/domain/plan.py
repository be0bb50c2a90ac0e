"""Terraform's plan JSON, parsed once and trusted afterwards."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from runbook_lib.errors import InputError
from runbook_lib.models.plan import Aside, CheckStatus, Plan, PlanSummary, ResourceChange

from .expired import said_of_ends
from .rules import exclusives
from .rules.addresses import parse_address
from .strict_json import read_json

__all__ = ["parse_plan", "refuse_incomplete", "summarise", "why_incomplete"]

_ACTIONS: Final = {
    ("no-op",), ("create",), ("read",), ("update",), ("delete",), ("forget",), ("delete", "create"),
    ("create", "delete"), ("forget", "create"), ("create", "forget"), ("open",), ("renew",), ("close",), (),
}  # fmt: skip
# Terraform escapes these in keys; in an address they could forge a line of the report.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_MODES: Final = {"managed", "data", "ephemeral"}
# Before it is applied much of a plan can't be checked yet.
_NO_FAILURE: Final = frozenset({"pass", "unknown"})
_NAMED: Final = 5
_REMEDY: Final = "Write it with `terraform show -json PLANFILE`."


def parse_plan(document: Mapping[str, Any] | str | bytes) -> Plan:
    """Read a plan as `terraform show -json` gives it; InputError on anything that is none, or not a whole one."""
    data = read_json(document, "the plan") if isinstance(document, str | bytes) else document
    if not isinstance(data, Mapping):
        raise InputError(f"the plan is no JSON object but {_kind(data)}", _REMEDY)
    _check_version(data)
    if data.get("errored") is True:
        raise InputError("Terraform ended this plan with an error, so it is not whole", "Make the plan succeed first.")
    deferred = tuple(_deferred(entry, index) for index, entry in enumerate(_list(data, "deferred_changes")))
    waiting = _list(data, "deferred_action_invocations")
    plan = Plan.model_construct(
        terraform_version=_text(data, "terraform_version"),
        # Terraform before 1.8 does not say it.
        complete=data.get("complete") is not False and not deferred and not waiting,
        changes=(*_changes(_list(data, "resource_changes"), "resource_changes"), *deferred),
        prior_state=_object(data, "prior_state"),
        planned_values=_object(data, "planned_values"),
        configuration=_object(data, "configuration"),
        variables=_object(data, "variables"),
        outputs=_changed_outputs(_object(data, "output_changes")),
        lessened=tuple(name for name, change in _object(data, "output_changes").items() if _is_lessened(change)),
        drift=_changes(_list(data, "resource_drift"), "resource_drift"),
        checks=tuple(_check(entry) for entry in _list(data, "checks")),
    )
    runs = [_invocation(entry, index) for index, entry in enumerate(_list(data, "action_invocations"))]
    return plan.model_copy(update={"asides": (*runs, *_asides(plan))})


def refuse_incomplete(plan: Plan) -> Plan:
    """The plan; InputError where it is not of the whole stack, so that nothing can be concluded from it."""
    if plan.complete:
        return plan
    raise InputError(f"the plan is not of the whole stack: {why_incomplete(plan)}", "Plan the whole stack.")


def why_incomplete(plan: Plan) -> str:
    """What an incomplete plan leaves out, as far as it says."""
    waiting = [f"{change.address} ({change.deferred.replace('_', ' ')})" for change in plan.changes if change.deferred]
    more = f" and {len(waiting) - _NAMED} more" if len(waiting) > _NAMED else ""
    if waiting:
        return f"it leaves for later {', '.join(waiting[:_NAMED])}{more}"
    return "it leaves resources or actions out, as -target does"


def summarise(plan: Plan) -> PlanSummary:
    """Count what the plan does, and name the addresses by action."""
    addresses: dict[str, list[str]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    for change in plan.changes:
        if change.mode != "managed":
            continue
        for action in _counted(change):
            addresses[action].append(change.address)
    for aside in plan.asides:
        if aside.action != "check":
            rule = f": {aside.name}" if aside.action == "remove" else ""
            addresses[aside.action].append(f"{aside.address}{rule}")
    for action, named in addresses.items():
        counts[{"import": "import_"}.get(action, action)] = len(named)
    # A replacement destroys and creates, and GitLab's widget has no word of its own for it.
    counts["create"] += counts["replace"]
    counts["delete"] += counts["replace"]
    return PlanSummary(
        **counts,
        outputs=len(plan.outputs),
        addresses={action: tuple(named) for action, named in addresses.items()},
        checks=tuple(f"{aside.address}: {aside.note}" for aside in plan.asides if aside.action == "check"),
        temporary=said_of_ends(plan),
        terraform_version=plan.terraform_version,
    )


def _counted(change: ResourceChange) -> list[str]:
    if change.deferred:
        return ["defer"]
    actions = set(change.actions)
    found: list[str] = [action for action in ("create", "update", "delete", "forget") if action in actions]
    if {"create", "delete"} <= actions:
        found = ["replace"]
    if change.importing:
        found.append("import")
    if change.previous_address and change.previous_address != change.address:
        found.append("move")
    return found


def _check_version(data: Mapping[str, Any]) -> None:
    version = data.get("format_version")
    if not isinstance(version, str):
        raise InputError("the plan has no format_version, so it is not Terraform's plan JSON", _REMEDY)
    if version.partition(".")[0] != "1":
        hint = "Use Terraform 1.1 or later." if version.startswith("0") else "Use a newer version of this program."
        raise InputError(f"the plan's format_version is {version[:20]!r}; only 1.x is understood", hint)
    if not {"resource_changes", "planned_values"} & data.keys():
        what = "a state, not a plan" if "values" in data else "no plan: resource_changes is missing"
        raise InputError(f"this is {what}", _REMEDY)
    root = _object(_object(data, "planned_values"), "root_module")
    if data.get("resource_changes") is None and (root.get("resources") or root.get("child_modules")):
        # Terraform leaves the changes out only where it plans nothing at all.
        raise InputError("the plan plans resources and holds no resource_changes, so it is not whole", _REMEDY)


def _changes(entries: list[Any], name: str) -> tuple[ResourceChange, ...]:
    return tuple(_change(entry, f"{name}[{index}]") for index, entry in enumerate(entries))


def _check(entry: Any) -> CheckStatus:
    known = entry if isinstance(entry, Mapping) else {}
    address, status = known.get("address"), known.get("status")
    name = address.get("to_display") if isinstance(address, Mapping) else None
    instances = known.get("instances")
    problems = [
        str(problem.get("message", ""))
        for instance in (instances if isinstance(instances, list) else ())
        if isinstance(instance, Mapping)
        for problem in instance.get("problems") or ()
        if isinstance(problem, Mapping)
    ]
    # What can't be read is not known to hold.
    return CheckStatus(
        address=str(name or "a check"), status=str(status or "unknown"), problems=tuple(filter(None, problems))
    )


def _changed_outputs(changes: Mapping[str, Any]) -> tuple[str, ...]:
    # What can't be read as no change is one: it is applied only after somebody has looked.
    return tuple(name for name, change in changes.items() if not _is_no_op(change))


def _is_no_op(change: Any) -> bool:
    return isinstance(change, Mapping) and change.get("actions") == ["no-op"]


def _is_lessened(change: Any) -> bool:
    """Whether what comes after is known, and is what was there without some of its entries."""
    if not isinstance(change, Mapping) or change.get("actions") != ["update"] or change.get("after_unknown"):
        return False
    before, after = change.get("before"), change.get("after")
    if isinstance(before, dict) and isinstance(after, dict):
        return all(key in before and before[key] == value for key, value in after.items())
    if isinstance(before, list) and isinstance(after, list):
        left = iter(before)
        return all(any(item == one for one in left) for item in after)
    return False


def _change(entry: Any, where: str) -> ResourceChange:
    if not isinstance(entry, dict):
        raise InputError(f"the plan's {where} is no object but {_kind(entry)}", _REMEDY)
    address = _checked_address(entry, where)
    change = entry.get("change")
    if not isinstance(change, dict):
        raise InputError(f"the plan's {where} ({address}) has no change", _REMEDY)
    return ResourceChange.trusted(
        address=address,
        type=_text(entry, "type", f"{where} ({address})") or _base(address)[-2],
        name=_text(entry, "name"),
        mode=_mode(entry, address, where),
        actions=_actions(change, f"{where} ({address})"),
        before=_values(change, "before", where),
        after=_values(change, "after", where),
        after_unknown=_unknown(change.get("after_unknown"), where),
        deposed=_text(entry, "deposed"),
        previous_address=_text(entry, "previous_address"),
        importing=bool(change.get("importing")),
        deferred="",
    )


def _checked_address(entry: Mapping[str, Any], where: str) -> str:
    address = entry.get("address")
    if not isinstance(address, str) or not address:
        raise InputError(f"the plan's {where} has no address", _REMEDY)
    if _CONTROL.search(address):
        raise InputError(f"the plan's {where} has control characters in its address: {address!r:.80}", _REMEDY)
    return address


def _actions(change: Mapping[str, Any], where: str) -> tuple[str, ...]:
    found = change.get("actions")
    if not isinstance(found, list) or not all(isinstance(action, str) for action in found):
        raise InputError(f"the plan's {where} has no list of actions", _REMEDY)
    if tuple(found) not in _ACTIONS:
        raise InputError(f"the plan's {where} has the unknown actions {found}", "Use a newer version of this program.")
    return tuple(found)


def _values(change: Mapping[str, Any], key: str, where: str) -> dict[str, Any] | None:
    found = change.get(key)
    if found is not None and not isinstance(found, dict):
        raise InputError(f"the plan's {where}: {key} is no object but {_kind(found)}", _REMEDY)
    return found


def _unknown(found: Any, where: str) -> dict[str, Any]:
    if found is None or found is False:
        return {}
    if not isinstance(found, dict):
        raise InputError(f"the plan's {where}: after_unknown is no object but {_kind(found)}", _REMEDY)
    return found


def _deferred(entry: Any, index: int) -> ResourceChange:
    where = f"deferred_changes[{index}]"
    change = _change(entry.get("resource_change") if isinstance(entry, dict) else entry, where)
    return change.model_copy(update={"deferred": _text(entry, "reason", where) or "unknown"})


def _invocation(entry: Any, index: int) -> Aside:
    where = f"action_invocations[{index}]"
    if not isinstance(entry, dict):
        raise InputError(f"the plan's {where} is no object but {_kind(entry)}", _REMEDY)
    address = _checked_address(entry, where)
    trigger = entry.get("lifecycle_action_trigger")
    known = trigger if isinstance(trigger, dict) else {}
    event, resource = known.get("action_trigger_event"), known.get("triggering_resource_address")
    return Aside(
        action="invoke",
        address=address,
        type=_text(entry, "type", where),
        name=_text(entry, "name", where),
        note=f"{event} of {resource}" if resource else "",
    )


def _asides(plan: Plan) -> Iterator[Aside]:
    from .resource_drift import changed_outside  # with all that compares: a gate that only judges needs none of it

    for found in exclusives(plan.changes):
        for rule in found.gone:
            yield Aside(
                action="remove",
                address=found.address,
                name=rule,
                note=f"{rule} in {found.group}, which it doesn't list",
            )
    for address, how in changed_outside(plan):
        yield Aside(action="drift", address=address, note=how)
    for check in plan.checks:
        if check.status not in _NO_FAILURE:
            problems = "; ".join(check.problems)
            yield Aside(action="check", address=check.address, note=": ".join(filter(None, (check.status, problems))))


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    found = data.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise InputError(f"the plan's {key} is no list but {_kind(found)}", _REMEDY)
    return found


def _object(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = data.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InputError(f"the plan's {key} is no object but {_kind(found)}", _REMEDY)
    return found


def _text(data: Mapping[str, Any], key: str, where: str = "") -> str:
    found = data.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise InputError(f"the plan's {f'{where} ' if where else ''}{key} is no text but {_kind(found)}", _REMEDY)
    return found


def _mode(entry: Mapping[str, Any], address: str, where: str) -> str:
    mode = _text(entry, "mode") or ("data" if _base(address)[0] == "data" else "managed")
    if mode not in _MODES:
        raise InputError(f"the plan's {where} ({address}) has the unknown mode {mode!r:.60}", _REMEDY)
    return mode


def _base(address: str) -> tuple[str, ...]:
    # Filled up in front: what has neither module nor type is no reason to fall.
    return ("", *parse_address(address).base.split("."))[-3:]


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
