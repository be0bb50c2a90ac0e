"""How far an apply came: what of the plan was done, failed, was in hand when it ended, or was never begun."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ..models.plan import ResourceChange
from .rules.values import any_unknown

__all__ = ["PROGRESS", "changes_named", "events_of_log", "how_far", "in_full", "in_words", "progress_of", "seen_of"]

# What says of a resource that it was begun, and how it ended.
PROGRESS: Final = frozenset({"apply_start", "apply_complete", "apply_errored"})
DONE, HALF, FAILED, IN_HAND, NOT_BEGUN = "done", "half done", "failed", "in hand", "not begun"
NOT_KNOWN = "not known"
_ORDER: Final = (FAILED, IN_HAND, HALF, NOT_KNOWN, DONE, NOT_BEGUN)
_MOVING: Final = {"create", "update", "delete"}
_NEXT: Final = {
    FAILED: "Read its error in apply.txt and correct the cause. The next plan tries it again.",
    IN_HAND: "Look whether it is there: nobody heard of its end. If it is, and the next plan creates it, import it.",
    HALF: "One half of the replacement was done. The next plan does the other.",
    NOT_KNOWN: "Look whether it is there: nothing says how far it came.",
    DONE: "Nothing: it is in the state.",
    NOT_BEGUN: "Nothing: the next plan has it again.",
}
_NOT_IN_STATE: Final = "Push errored.tfstate before the next plan: the state does not have it yet."
_NONE: Final = "Nothing: what was known only after apply turned out to be what it was."
_NAMED: Final = 3
# How Terraform says it to a person, in its own log and in that of a job.
_SAID: Final = re.compile(
    r": (?:(?P<start>Creating|Modifying|Destroying)\.\.\."
    r"|(?:Creation|Modifications|Destruction) (?P<end>complete|errored) after )"
)
_LONGEST_LINE: Final = 4_000


def how_far(
    changes: Iterable[ResourceChange],
    events: Iterable[Mapping[str, Any]],
    *,
    state_left: bool = False,
    ended_well: bool = False,
) -> tuple[dict[str, str], ...]:
    """Each resource that the plan changes: address, action, status and what to do next; what needs a look comes first.

    What was in hand may be done or not: nobody heard of its end. A replacement of which one half was done is half done.
    With `state_left` the new state could not be uploaded. With `ended_well` Terraform said that all is applied: an
    update of which it said nothing, and whose values were known only then, turned out to be none.
    """
    changes = tuple(changes)
    shared = Counter(change.address for change in changes if _moves(change))
    needed = Counter[str]()
    begun, ended, failed = Counter[str](), Counter[str](), set[str]()
    for event in events:
        address, kind = _address(event), event.get("type")
        begun[address] += kind == "apply_start"
        ended[address] += kind == "apply_complete"
        failed |= {address} if kind == "apply_errored" else set()
    for change in changes:
        needed[change.address] += len(_moves(change))
    found = []
    for change in changes:
        if moves := _moves(change):
            address = change.address
            status = _status(address in failed, begun[address], ended[address], needed[address])
            if shared[address] > 1 and status in {IN_HAND, HALF}:
                status = NOT_KNOWN  # events name the address, and not which of its objects was meant
            none = ended_well and status == NOT_BEGUN and moves == {"update"} and any_unknown(change.after_unknown)
            action = "replace" if len(moves) > 1 else next(iter(moves))
            row = _row(address, action, DONE if none else status, state_left=state_left)
            found.append({**row, "next": _NONE} if none else row)
    return _sorted(found)


def seen_of(changes: Iterable[ResourceChange], events: Iterable[Mapping[str, Any]]) -> tuple[dict[str, str], ...]:
    """The same of an apply that nobody saw to its end: of what no event names nothing is known."""
    found = how_far(changes, events)
    return _sorted(
        _row(one["address"], one["action"], NOT_KNOWN) if one["status"] == NOT_BEGUN else one for one in found
    )


def events_of_log(log: str) -> Iterator[dict[str, Any]]:
    """Terraform's events as the lines of a log tell them, each behind the name of its step or not."""
    for line in log.splitlines():
        said = _SAID.search(line[:_LONGEST_LINE])
        if said:
            address = line[: said.start()].rpartition("│ ")[2].strip()
            kind = "apply_start" if said["start"] else f"apply_{said['end']}"
            yield {"type": kind, "hook": {"resource": {"addr": address}}}


def progress_of(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """Of an event no more than which resource was begun or ended, without any value; None for any other event."""
    if event.get("type") not in PROGRESS or not _address(event):
        return None
    return {"type": event["type"], "hook": {"resource": {"addr": _address(event)}}}


def changes_named(addresses: Mapping[str, Iterable[str]]) -> tuple[ResourceChange, ...]:
    """The changes that a plan's summary names, by their addresses by action, as far as an apply carries them out."""
    moves = {**{move: (move,) for move in sorted(_MOVING)}, "replace": ("delete", "create")}
    return tuple(
        ResourceChange(address=address, type="", name="", actions=moves[action])
        for action in moves
        for address in addresses.get(action, ())
    )


def in_words(resources: Iterable[Mapping[str, str]]) -> str:
    """`1 failed, 2 done, 3 not begun`."""
    counts = Counter(one["status"] for one in resources)
    return ", ".join(f"{counts[status]} {status}" for status in _ORDER if counts[status])


def in_full(resources: Iterable[Mapping[str, str]]) -> str:
    """The same with the first of those named that need a look: `1 failed (aws_x.a), 3 not begun`."""
    given = tuple(resources)
    counts, parts = Counter(one["status"] for one in given), []
    for status in (one for one in _ORDER if counts[one]):
        named = [one.get("address", "") for one in given if one["status"] == status]
        names = ", ".join(address[:200] for address in named[:_NAMED] if address)
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        look = names and status in {FAILED, IN_HAND, HALF}
        parts.append(f"{counts[status]} {status}" + (f" ({names}{more})" if look else ""))
    return ", ".join(parts)


def _moves(change: ResourceChange) -> set[str]:
    """What apply does to the object; nothing to one that is only read, or left for a later plan."""
    return _MOVING & set(change.actions) if change.mode == "managed" and not change.deferred else set()


def _row(address: str, action: str, status: str, *, state_left: bool = False) -> dict[str, str]:
    told = _NOT_IN_STATE if state_left and status in {DONE, HALF} else _NEXT[status]
    return {"address": address, "action": action, "status": status, "next": told}


def _sorted(rows: Iterable[dict[str, str]]) -> tuple[dict[str, str], ...]:
    return tuple(sorted(rows, key=lambda one: (_ORDER.index(one["status"]), one["address"])))


def _status(failed: bool, begun: int, ended: int, needed: int) -> str:
    if failed:
        return FAILED
    if ended >= needed:
        return DONE
    if begun > ended:
        return IN_HAND
    return HALF if ended else NOT_BEGUN


def _address(event: Mapping[str, Any]) -> str:
    hook = event.get("hook")
    resource = hook.get("resource") if isinstance(hook, Mapping) else None
    return str(resource.get("addr", "")) if isinstance(resource, Mapping) else ""
