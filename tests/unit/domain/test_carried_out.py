"""How far an apply came, by Terraform's own events."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.carried_out import (
    changes_named,
    events_of_log,
    how_far,
    in_full,
    in_words,
    progress_of,
    seen_of,
)
from runbook_lib.models.plan import ResourceChange


def change(name: str, *actions: str, **given: Any) -> ResourceChange:
    return ResourceChange(address=f"aws_x.{name}", type="aws_x", name=name, actions=actions, **given)


def event(kind: str, name: str) -> dict[str, Any]:
    return {"type": kind, "hook": {"resource": {"addr": f"aws_x.{name}"}}}


CHANGES = (
    change("done", "create"), change("bad", "update"), change("later", "delete"), change("hand", "create"),
    change("half", "delete", "create"), change("whole", "create", "delete"), change("still", "no-op"),
    change("read", "read", mode="data"), change("forgotten", "forget"), change("deferred", "create", deferred="x"),
)  # fmt: skip
EVENTS = [
    event("apply_start", "done"), event("apply_complete", "done"), event("apply_start", "bad"),
    event("apply_errored", "bad"), event("apply_start", "hand"), event("apply_start", "half"),
    event("apply_complete", "half"), event("apply_start", "whole"), event("apply_complete", "whole"),
    event("apply_start", "whole"), event("apply_complete", "whole"), {"type": "diagnostic"},
    {"type": "apply_start", "hook": None}, {"type": "apply_start", "hook": {"resource": []}},
]  # fmt: skip


def test_each_resource_is_told_with_what_needs_a_look_first() -> None:
    found = how_far(CHANGES, EVENTS)
    assert [(one["address"].removeprefix("aws_x."), one["action"], one["status"]) for one in found] == [
        ("bad", "update", "failed"),
        ("hand", "create", "in hand"),
        ("half", "replace", "half done"),
        ("done", "create", "done"),
        ("whole", "replace", "done"),
        ("later", "delete", "not begun"),
    ]
    assert in_words(found) == "1 failed, 1 in hand, 1 half done, 2 done, 1 not begun"


def test_without_any_event_nothing_was_begun() -> None:
    assert in_words(how_far(CHANGES, [])) == "6 not begun"
    assert in_words(how_far([change("still", "no-op")], EVENTS)) == ""


def test_each_is_told_with_what_to_do_about_it() -> None:
    told = {one["status"]: one["next"] for one in how_far(CHANGES, EVENTS)}
    assert len(set(told.values())) == len(told) == 5
    assert "Read its error" in told["failed"]
    assert "Look whether it is there" in told["in hand"]
    assert told["done"].startswith("Nothing: it is in the state")
    left = {one["status"]: one["next"] for one in how_far(CHANGES, EVENTS, state_left=True)}
    assert {status for status, next_ in left.items() if "errored.tfstate" in next_} == {"done", "half done"}


def test_what_needs_a_look_is_named() -> None:
    many = [change(f"n{number}", "create") for number in range(5)]
    begun = [event("apply_start", f"n{number}") for number in range(5)]
    assert in_full(how_far([*many, change("later", "delete")], begun)) == (
        "5 in hand (aws_x.n0, aws_x.n1, aws_x.n2 and 2 more), 1 not begun"
    )
    # What another version wrote has no addresses.
    assert in_full([{"status": "failed"}]) == "1 failed"


LOG = """\
\x1b[0Ksection_start:1:step_apply\r\x1b[0K
2026-11-27T09:00:00.1Z 01O apply │ aws_x.done: Creating...
01O runbook │ apply │ aws_x.done: Creation complete after 1s [id=sgr-1]
aws_x.bad: Modifying... [id=sgr-2]
apply │ aws_x.bad: Modifications errored after 2s
apply │ aws_x.half: Destroying... [id=sgr-3]
apply │ aws_x.half: Destruction complete after 0s
apply │ aws_x.hand: Creating...
apply │ aws_x.hand: Still creating... [10s elapsed]
apply │ aws_x.somebody_elses: Creating...
apply │ aws_x.later: Dest"""


def test_a_log_that_breaks_off_tells_what_was_in_hand_and_says_nothing_of_the_rest() -> None:
    found = seen_of(CHANGES, events_of_log(LOG))
    assert [(one["address"].removeprefix("aws_x."), one["status"]) for one in found] == [
        ("bad", "failed"),
        ("hand", "in hand"),
        ("half", "half done"),
        ("later", "not known"),
        ("whole", "not known"),
        ("done", "done"),
    ]


def test_no_value_is_in_what_is_noted_of_an_event() -> None:
    given = {"type": "apply_complete", "hook": {"resource": {"addr": "aws_x.a", "resource": "a"}, "id_value": "hush"}}
    assert progress_of(given) == {"type": "apply_complete", "hook": {"resource": {"addr": "aws_x.a"}}}
    assert progress_of({"type": "outputs", "outputs": {"key": "hush"}}) is None
    assert progress_of({"type": "apply_start"}) is None


def test_a_summary_names_the_same_changes_as_the_plan() -> None:
    named = changes_named({"create": ["aws_x.a"], "replace": ["aws_x.b"], "delete": ("aws_x.c",), "move": ("aws_x.d",)})
    found = how_far(named, [event("apply_start", "b"), event("apply_complete", "b")])
    assert [(one["address"], one["action"], one["status"]) for one in found] == [
        ("aws_x.b", "replace", "half done"),
        ("aws_x.a", "create", "not begun"),
        ("aws_x.c", "delete", "not begun"),
    ]


UPDATE = change("a", "update", after_unknown={"tags": {}, "input": [{"value": True}]})


@pytest.mark.parametrize(
    ("changed", "ended_well", "status"),
    [
        (UPDATE, True, "done"),
        (UPDATE, False, "not begun"),
        # All was known at plan time, so it can't turn out to be nothing.
        (change("a", "update", after_unknown={"tags": {}, "input": [False]}), True, "not begun"),
        (change("a", "create", after_unknown={"id": True}), True, "not begun"),
        (change("a", "delete", "create", after_unknown={"id": True}), True, "not begun"),
    ],
)
def test_an_update_of_which_nothing_was_known_may_turn_out_to_be_none(
    changed: ResourceChange, ended_well: bool, status: str
) -> None:
    (row,) = how_far([changed], [], ended_well=ended_well)
    assert row["status"] == status
    if status == "done":
        assert row["next"] == "Nothing: what was known only after apply turned out to be what it was."


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], "not begun"),
        ([("apply_start", "a")], "not known"),
        ([("apply_start", "a"), ("apply_complete", "a")], "not known"),
        ([("apply_start", "a"), ("apply_complete", "a")] * 2, "done"),
        ([("apply_start", "a"), ("apply_errored", "a")], "failed"),
    ],
)
def test_of_an_object_and_what_is_left_of_another_at_its_address_one_event_does_not_say_which(
    events: list[tuple[str, str]], status: str
) -> None:
    both = [change("a", "update"), change("a", "delete", deposed="0a1b2c3d")]
    assert [row["status"] for row in how_far(both, [event(*one) for one in events])] == [status, status]
