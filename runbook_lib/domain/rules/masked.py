"""Plans of which somebody has masked values: those are as unknown as what only apply will tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.plan import Plan, ResourceChange

from ..secret_names import MASK

__all__ = ["blind_changes", "unmasked", "without_masks"]

_STAYS: Final = frozenset({("no-op",), ("read",)})


def without_masks(plan: Plan) -> Plan:
    """The plan with UNKNOWN for whatever is masked in what its changes find and leave; itself where nothing is."""
    if not any(_is_masked(change.before) or _is_masked(change.after) for change in plan.changes):
        return plan
    return plan.model_copy(update={"changes": tuple(map(_seen, plan.changes))})


def blind_changes(plan: Plan) -> frozenset[str]:
    """The addresses of resources that change and of which a value before is unknown: nobody can tell what alters."""
    return frozenset(c.address for c in plan.changes if c.actions not in _STAYS and _holds_unknown(c.before))


def unmasked(value: Any) -> Any:
    """The value with UNKNOWN in the place of each text that is the mask and nothing else."""
    if value == MASK:
        return UNKNOWN
    if isinstance(value, Mapping):
        return {key: unmasked(part) for key, part in value.items()}
    return [unmasked(part) for part in value] if isinstance(value, list) else value


def _seen(change: ResourceChange) -> ResourceChange:
    before, after = change.before, change.after
    if not (_is_masked(before) or _is_masked(after)):
        return change
    hidden = {name: True for name, value in (after or {}).items() if value == MASK}
    unknown = change.after_unknown | hidden
    return change.model_copy(update={"before": unmasked(before), "after": unmasked(after), "after_unknown": unknown})


def _is_masked(value: Any) -> bool:
    return _holds(value, MASK)


def _holds_unknown(value: Any) -> bool:
    return _holds(value, UNKNOWN)


def _holds(value: Any, wanted: Any) -> bool:
    # Asked of all that a large plan holds: nearly every value lies at the top.
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return wanted in parts or any(_holds(part, wanted) for part in parts if part and isinstance(part, dict | list))
