"""Going on with a run: what its apply left that began, and whether its plan is of the state that is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from step_fakes import answering

from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ApprovalError, GitLabError
from runbook_lib.models.base import Outcome
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace import going_on as module
from runbook_lib.workspace.going_on import apply_left, state_moved

Results = Callable[..., StepResult]
Moved = Callable[..., str | None]
RESOURCES = [
    {"address": "aws_x.a", "status": "failed"},
    {"address": "aws_x.b", "status": "not begun"},
    {"address": "aws_x.c", "status": "not begun"},
]


@pytest.fixture
def began(store: RunStore) -> RunStore:
    """The run's folder after its apply began."""
    store.write_json("04_apply/began.json", {})
    return store


@pytest.fixture
def left_by(settings: Settings, store: RunStore, run: Run) -> Callable[[], str]:
    """How the run's apply ended that began."""
    return lambda: apply_left(settings, store, run)


@pytest.fixture
def moved(settings: Settings, store: RunStore, run: Run, monkeypatch: pytest.MonkeyPatch) -> Moved:
    """How the state differs from the plan's, where this is kept as the state."""

    def ask(keeper: Keeper | None, *without: str) -> str | None:
        monkeypatch.setattr(module, "keeper", answering(keeper))
        kept = tuple(step for step in run.steps if step.name not in without)
        return state_moved(settings, store, run.model_copy(update={"steps": kept}))

    return ask


def test_an_apply_that_never_began_left_nothing(settings: Settings, store: RunStore, run: Run) -> None:
    assert apply_left(settings, store, run) == ""


def test_an_apply_that_ended_well_left_nothing(settings: Settings, began: RunStore, run: Run, result: Results) -> None:
    began.write_result(result("apply", Outcome.PASSED))
    assert apply_left(settings, began, run) == ""


def test_a_run_that_applies_nothing_left_nothing(settings: Settings, began: RunStore, run: Run) -> None:
    look = run.model_copy(update={"steps": tuple(step for step in run.steps if step.name != "apply")})
    assert apply_left(settings, began, look) == ""


@pytest.mark.parametrize("outcome", [None, Outcome.ERRORED, Outcome.INTERRUPTED])
@pytest.mark.parametrize(
    "left",
    [
        (RESOURCES, "1 failed (aws_x.a), 2 not begun"),
        ([], "nothing was to be changed"),
        (None, "until then: 1 not known"),
        ({"no": "list"}, "until then: 1 not known"),
    ],
)
def test_how_far_one_came_that_did_not_end_well_is_told(
    left_by: Callable[[], str], began: RunStore, result: Results, left: tuple[Any, str], outcome: Outcome | None
) -> None:
    # What became of each resource is written at the end: before that the plan says what there was to do.
    rows, far = left
    began.write_json("02_plan/summary.json", PlanSummary(addresses={"create": ("aws_x.a",)}))
    if rows is not None:
        began.write_json("04_apply/resources.json", rows)
    if outcome:
        began.write_result(result("apply", outcome))
    assert left_by() == f"its apply began and did not end well ({far})"


def test_of_one_of_which_nothing_is_left_nobody_knows_how_far_it_came(
    settings: Settings, began: RunStore, run: Run
) -> None:
    assert apply_left(settings, began, run) == ("its apply began and did not end well (nobody knows how far it came)")


def test_in_a_pipeline_no_other_run_follows_it(load: Callable[..., Settings], began: RunStore, run: Run) -> None:
    began.write_json("04_apply/resources.json", RESOURCES)
    with pytest.raises(ApprovalError) as caught:
        apply_left(load(CI_PIPELINE_ID="1001"), began, run)
    assert (caught.value.message, caught.value.remedy) == (
        "run 7 is not gone on with: its apply began and did not end well (1 failed (aws_x.a), 2 not begun)",
        "Start a new pipeline: its plan shows what is left to do.",
    )


class Keeper:
    """Keeps this as the state."""

    def __init__(self, kept: Any) -> None:
        self.kept = kept

    def state(self, name: str) -> bytes | None:
        assert name == "access"
        if isinstance(self.kept, GitLabError):
            raise self.kept
        return self.kept if self.kept is None or isinstance(self.kept, bytes) else json.dumps(self.kept).encode()


NOW_4 = "the state has serial 4 now, and the plan was made on serial 3"
NOW_3 = "the state has serial 3 now, and the plan was made on serial 3"
NONE = "the state has serial 0 now, and the plan was made on serial 3"


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ({"lineage": "l", "serial": 3}, ""),
        ({"lineage": "l", "serial": "3"}, ""),
        ({"serial": 3}, ""),
        ({"lineage": "l", "serial": 4}, NOW_4),
        ({"lineage": "other", "serial": 3}, NOW_3),
        ({"lineage": "l"}, NONE),
        (None, NONE),
        (b"", NONE),
        (b"<html>", None),
        ([3], None),
        ({"lineage": "l", "serial": "three"}, None),
        (GitLabError("HTTP 502"), None),
    ],
)
def test_a_plan_is_held_to_the_state_that_is_there(
    moved: Moved, store: RunStore, result: Results, kept: Any, said: str | None
) -> None:
    store.write_json("02_plan/summary.json", PlanSummary(state_lineage="l", state_serial=3))
    store.write_result(result("plan", Outcome.WARNED))
    assert moved(Keeper(kept)) == said


def test_where_no_gitlab_keeps_the_state_or_no_summary_is_left_nobody_here_can_tell(
    moved: Moved, store: RunStore, result: Results
) -> None:
    store.write_result(result("plan"))
    assert moved(Keeper({"lineage": "l", "serial": 3})) is None
    store.write_json("02_plan/summary.json", PlanSummary(state_lineage="l", state_serial=3))
    assert moved(None) is None


@pytest.mark.parametrize("outcome", [None, Outcome.BLOCKED, Outcome.ERRORED])
def test_without_a_plan_that_may_be_applied_no_state_is_asked_for(
    moved: Moved, store: RunStore, result: Results, outcome: Outcome | None
) -> None:
    if outcome:
        store.write_result(result("plan", outcome))
    assert moved(None) == ""
    store.write_result(result("plan"))
    assert moved(None, "plan") == ""
