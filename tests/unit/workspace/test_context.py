"""A step at work: what it remembers, how it ends, and that no error leaves it unwritten."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from step_fakes import NOW, FakeSlack, built_in

from runbook_lib.adapters.run_lock import carries_out
from runbook_lib.adapters.store import RunStore, sha256_file
from runbook_lib.errors import ApprovalError, InputError, RunbookError, TerraformError
from runbook_lib.models.base import Outcome
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace.context import StepContext, describe, open_step, recorded
from runbook_lib.workspace.preflight import Check, preflight, run_checks


@pytest.fixture
def context(settings: Settings, store: RunStore, run: Run) -> StepContext:
    return StepContext(built_in("plan"), settings, store, run, NOW, clock=lambda: NOW + timedelta(seconds=9))


@recorded
def end_with(context: StepContext, error: BaseException | None) -> str:
    if error:
        raise error
    return "done"


def test_what_goes_well_is_not_written_down_by_itself(context: StepContext) -> None:
    assert end_with(context, None) == "done"
    assert context.store.read_result("plan") is None


DEFECT = "This is a defect. Report the notebook, which holds the traceback, with the command and `runbook --version`."


@pytest.mark.parametrize(
    ("error", "outcome", "info"),
    [
        (TerraformError("AWS said no.", "Ask."), Outcome.ERRORED, ("AWS said no.", "Ask.")),
        (ApprovalError("Nobody said yes.", "Ask."), Outcome.BLOCKED, ("Nobody said yes.", "Ask.")),
        (ValueError("a defect"), Outcome.ERRORED, ("a defect", DEFECT)),
        (ZeroDivisionError(), Outcome.ERRORED, ("ZeroDivisionError", DEFECT)),
        (KeyboardInterrupt(), Outcome.INTERRUPTED, ("the step was interrupted", "Run the step again.")),
    ],
)
def test_an_error_is_written_and_told_before_it_is_raised(
    context: StepContext, slack: FakeSlack, error: BaseException, outcome: Outcome, info: tuple[str, str]
) -> None:
    with pytest.raises(type(error)):
        end_with(context, error)
    result = context.store.read_result("plan")
    assert result is not None
    assert (result.outcome, result.summary) == (outcome, info[0])
    assert result.error is not None
    assert (result.error.type, result.error.message, result.error.remedy) == (type(error).__name__, *info)
    assert (result.started_at, result.finished_at) == (NOW, NOW + timedelta(seconds=9))
    assert f"plan {outcome}: {info[0]}" in slack.posts[-1][0]


def test_a_defect_in_a_run_names_the_notebook_that_holds_its_traceback(context: StepContext) -> None:
    store = context.store
    with carries_out(store.outputs, store.run_id), pytest.raises(ValueError, match="a defect"):
        end_with(context, ValueError("a defect"))
    result = store.read_result("plan")
    assert result is not None
    assert result.error is not None
    assert "Report 7/02_plan/notebook.ipynb," in result.error.remedy
    assert "again" not in result.error.remedy


def test_a_step_s_end_holds_its_inputs_artifacts_and_metrics(context: StepContext, slack: FakeSlack) -> None:
    context.uses(context.settings.root / "runbook.yml", context.store.path("run.json"))
    context.store.write_text(context.file("plan.txt"), "Nothing to do.\n")
    context.metrics["create"] = 1
    context.finish(Outcome.PASSED, "Plan: 1 to add.")
    result = context.store.read_result("plan")
    assert result is not None
    assert {file.path: file.sha256 for file in result.inputs} == {
        "repo:runbook.yml": sha256_file(context.settings.root / "runbook.yml"),
        "run.json": sha256_file(context.store.path("run.json")),
    }
    assert [artifact.path for artifact in result.artifacts] == ["02_plan/plan.txt"]
    assert result.metrics == {"create": 1}
    assert len(slack.posts) == 2


def test_a_file_that_is_outside_of_run_and_repository_is_no_input(context: StepContext, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("x")
    context.uses(outside)
    context.finish(Outcome.PASSED, "Done.")
    result = context.store.read_result("plan")
    assert result is not None
    assert result.inputs == ()


def test_the_repository_s_files_are_stack_policies_and_configuration(context: StepContext) -> None:
    context.uses_repository()
    context.finish(Outcome.PASSED, "Done.")
    result = context.store.read_result("plan")
    assert result is not None
    names = {file.path.removeprefix("repo:") for file in result.inputs}
    assert {"runbook.yml", "terraform/access/main.tf", "terraform/access/rules.auto.tfvars"} <= names
    assert any(name.startswith("policies/") for name in names)
    assert not any(name.startswith("terraform/network/") for name in names)


def test_an_old_result_is_gone_as_soon_as_its_step_begins_again(
    load: Callable[..., Settings], store: RunStore, context: StepContext
) -> None:
    context.finish(Outcome.PASSED, "Done.")
    load()
    open_step("plan", "7")
    assert store.read_result("plan") is None


def test_by_hand_a_later_step_goes_on_with_the_newest_run_and_the_first_begins_one(
    load: Callable[..., Settings], store: RunStore
) -> None:
    load()
    assert open_step("plan").run.run_id == "7"
    assert open_step("compliance").run.run_id != "7"


def test_a_later_step_without_any_run_says_how_to_begin(load: Callable[..., Settings]) -> None:
    load()
    with pytest.raises(InputError, match="there is no run of stack access yet"):
        open_step("apply")


def failing(error: RunbookError) -> Check:
    def ask() -> str:
        raise error

    return Check("broken", ask)


def test_every_check_is_asked_also_after_one_failed() -> None:
    results = run_checks([failing(InputError("No plan.", "Plan.")), Check("tool", lambda: "1.11.4")])
    assert [(result.name, result.passed, result.found) for result in results] == [
        ("broken", False, "No plan."),
        ("tool", True, "1.11.4"),
    ]


def test_the_first_check_that_failed_ends_the_step(context: StepContext, slack: FakeSlack) -> None:
    with pytest.raises(InputError, match=r"No plan\."):
        preflight(context, failing(InputError("No plan.")), failing(InputError("No state.")))
    result = context.store.read_result("plan")
    assert result is not None
    assert result.summary == "No plan."


@pytest.mark.parametrize(
    ("counts", "words"),
    [({"to add": 2, "to change": 0, "to destroy": 1}, "2 to add, 1 to destroy"), ({"to add": 0}, ""), ({}, "")],
)
def test_counts_are_told_without_the_zeros(counts: dict[str, int], words: str) -> None:
    assert describe(counts) == words
