"""What a refreshed plan says of everything but rules: what was changed outside, and what Terraform wants to change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from runbook_lib.models.plan import Plan, ResourceChange
from runbook_lib.models.verification import Difference, DifferenceKind

from .accounted import Accounts
from .drift import import_block
from .holders import LIST_TYPE
from .rules import GROUP_TYPES, RULE_TYPES
from .rules.references import Configuration

__all__ = ["changed_outside", "drifted", "failed_checks"]

# What a group's own resource repeats of rules: those are compared one by one.
_RULES: Final = frozenset({"ingress", "egress"})
_REPOSITORY, _STATE, _CLOUD = "repository", "state", "aws"
_ENTRIES: Final = frozenset({"entry", "version"})
_TAGS: Final = frozenset({"tags", "tags_all"})
_PASSED: Final = frozenset({"pass"})


def drifted(plan: Plan, told: Collection[str] = (), there: Mapping[str, str] | None = None) -> Iterator[Difference]:
    """A difference for every resource and output that Terraform wants to change, or that was changed outside.

    `plan` was made with a refresh, its sensitive values masked. `told` are the addresses, and the groups'
    ids, of which a rule is told to differ already: nothing more is said of their rules. `there` are, by the addresses
    of rules that the cloud has with the very same content, its ids of them.
    """
    there = there or {}
    wanted: set[str] = set()
    # The id of what is gone stands with what was seen outside alone.
    gone = {change.address: str((change.before or {}).get("id")) for change in plan.drift if change.after is None}
    for change in plan.changes:
        if change.mode == "managed" and _does(change):
            wanted.add(change.address)
            fields = _fields(change, (_CLOUD, _REPOSITORY))
            if _said_already(change, fields, told) or (change.type in RULE_TYPES and gone.get(change.address) in told):
                continue
            difference = _difference(change, "+".join(_does(change)), _worth(change, fields), wanted=True)
            if change.address in there and _does(change) == ("create",) and change.type not in GROUP_TYPES:
                difference = _made_anew(difference, there[change.address])
            yield difference
    for change, fields in _outside(plan, lambda change, name: _told_elsewhere(change, name, told)):
        if change.address not in wanted:
            yield _difference(change, _how(change), fields, wanted=False)
    for name in plan.outputs:
        yield Difference(
            kind=DifferenceKind.DRIFTED, group="", rule=None, address=f"output.{name}", action="update", wanted=True
        )


def changed_outside(plan: Plan) -> Iterator[tuple[str, str]]:
    """The address of every resource that was changed outside, and how; a group's rules alone are no change of it."""
    for change, fields in _outside(plan, _is_rule):
        names = ", ".join(filter(None, fields))
        yield change.address, f"{_how(change)}: {names}" if names else _how(change)


def failed_checks(plan: Plan) -> Iterator[str]:
    """A sentence for every check, precondition and postcondition of the plan that is not known to hold."""
    for check in plan.checks:
        if check.status not in _PASSED:
            problems = "; ".join(check.problems)
            yield f"{check.address}: {check.status}{': ' + problems if problems else ''}"


def _outside(
    plan: Plan, hidden: Callable[[ResourceChange, str], bool]
) -> Iterator[tuple[ResourceChange, dict[str, dict[str, Any]]]]:
    """What was changed by nobody's files and no other resource of the stack, but the attributes that are `hidden`."""
    written = Configuration(plan.configuration, ()).written
    accounts = Accounts(plan)
    for change in plan.drift:
        fields = {name: each for name, each in _fields(change, (_STATE, _CLOUD)).items() if not hidden(change, name)}
        fields = {
            name: each
            for name, each in fields.items()
            if not name
            or written(change.address, name)
            or not accounts.explain(change, name, each[_STATE], each[_CLOUD])
        }
        if fields:
            yield change, fields


def _told_elsewhere(change: ResourceChange, name: str, told: Collection[str]) -> bool:
    if change.type in GROUP_TYPES:
        return name in _RULES
    if change.type in RULE_TYPES:
        # A rule that was changed outside is found by asking the cloud; its tags are not.
        return name not in _TAGS
    return change.type == LIST_TYPE and name in _ENTRIES and str((change.after or {}).get("id")) in told


def _how(change: ResourceChange) -> str:
    return "deleted outside" if change.after is None else "changed outside"


def _does(change: ResourceChange) -> tuple[str, ...]:
    return tuple(action for action in change.actions if action not in {"no-op", "read"})


def _difference(change: ResourceChange, action: str, fields: dict[str, dict[str, Any]], *, wanted: bool) -> Difference:
    known = {"address": change.address, "action": action, "fields": fields, "wanted": wanted, "blocks": wanted}
    return Difference(kind=DifferenceKind.DRIFTED, group="", rule=None, **known)


def _made_anew(difference: Difference, identity: str) -> Difference:
    address = difference.address
    hint = (
        f"AWS has a rule of the same content as {identity or 'another one'}, which apply can't make twice. "
        f"Take that one away and apply, or forget the old one (terraform state rm '{address}') and import it"
    )
    hint += f": {import_block(address, identity)}." if identity else "."
    return difference.model_copy(update={"same_access": True, "blocks": False, "hint": hint})


def _said_already(change: ResourceChange, fields: Mapping[str, Any], told: Collection[str]) -> bool:
    identity = str((change.before or change.after or {}).get("id"))
    if change.type not in RULE_TYPES or not {change.address, identity} & set(told):
        return False
    return change.type not in GROUP_TYPES or not set(fields) - _RULES


def _worth(change: ResourceChange, fields: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Without a group's rules, as long as something else is left to show."""
    rest = {name: each for name, each in fields.items() if not _is_rule(change, name)}
    return rest or fields


def _is_rule(change: ResourceChange, name: str) -> bool:
    return change.type in GROUP_TYPES and name in _RULES


def _said(value: Any) -> Any:
    return None if value in ("", [], {}) else value


def _fields(change: ResourceChange, places: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """The attributes that differ, by place; those of a resource that comes or goes are not listed."""
    sides = dict(zip(places, (change.before, change.after), strict=True))
    if None in sides.values():
        return {"": {place: "none" if side is None else "there" for place, side in sides.items()}}
    before, after = dict(change.before or {}), dict(change.after or {})
    after |= {name: "known after apply" for name, unknown in change.after_unknown.items() if unknown is True}
    # A provider that looks again writes an empty set where it had written nothing.
    names = [name for name in dict.fromkeys((*before, *after)) if _said(before.get(name)) != _said(after.get(name))]
    return {name: {places[0]: before.get(name), places[1]: after.get(name)} for name in names}
