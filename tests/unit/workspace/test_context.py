"""A step at work: what it remembers, how it ends, and that no error leaves it unwritten."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from step_fakes import NOW, FakeSlack, built_in

from runbook_lib.adapters.run_lock import carries_out
from runbook_lib.adapters.store import RunStore, sha256_file
from runbook_lib.errors import ApprovalError, InputError, RunbookError, TerraformError, UsageError
from runbook_lib.models.base import Outcome
from runbook_lib.models.findings import Finding, Severity, Verdict
from runbook_lib.models.results import ErrorInfo, InputFile, StepResult
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


def test_by_hand_a_run_is_begun_for_the_stack_and_with_the_runbook_that_has_the_step(
    load: Callable[..., Settings],
) -> None:
    load()
    run = open_step("compliance", stack="network").run
    assert (run.stack, run.runbook) == ("network", "change")
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}", run.run_id)


def test_a_step_that_may_begin_a_run_begins_one_wherever_it_stands(load: Callable[..., Settings]) -> None:
    load()
    assert open_step("service_tests", stack="network").run.stack == "network"


def test_a_later_step_goes_on_with_the_newest_run_of_its_stack(
    load: Callable[..., Settings], store: RunStore, run: Run, settings: Settings
) -> None:
    load()
    other = run.model_copy(update={"run_id": "8", "stack": "network", "created_at": NOW - timedelta(hours=1)})
    RunStore(settings.outputs, "8").write_json("run.json", other)
    assert open_step("plan", stack="network").run.run_id == "8"
    assert open_step("plan", stack="access").run.run_id == "7"


def test_the_first_step_of_a_runbook_of_one_s_own_begins_a_run_of_it(load: Callable[..., Settings], root: Path) -> None:
    path = root / "runbook.yml"
    entries = "".join(f"      - {{name: {name}, notebook: notebooks/{name}.ipynb}}\n" for name in ("cost", "rest"))
    path.write_text(f"{path.read_text()}\nrunbooks:\n  costs:\n    steps:\n{entries}")
    load()
    run = open_step("cost").run
    assert (run.runbook, [step.name for step in run.steps]) == ("costs", ["cost", "rest"])
    assert open_step("rest").run.run_id == run.run_id


def test_a_step_knows_its_stack_and_its_files(context: StepContext) -> None:
    assert context.stack.state == "access"
    assert context.stack_dir == context.settings.root / "terraform/access"
    assert context.file("plan.txt") == "02_plan/plan.txt"


def test_what_a_step_writes_is_read_by_who_carries_out_the_run_and_told_by_it(
    context: StepContext, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Path, str]] = []

    def carried(outputs: Path, run_id: str) -> bool:
        asked.append((outputs, run_id))
        return True

    monkeypatch.setattr("runbook_lib.workspace.context.is_carried_out", carried)
    view = context.finish(Outcome.PASSED, "Done.")
    assert context.store.read_result("plan") == view.result
    assert (asked, slack.posts) == ([(context.settings.outputs, "7")], [])
    assert (view.result.run_id, view.result.step, view.result.stack) == ("7", "plan", "access")


def test_terraform_s_own_folder_is_no_input_of_a_step(context: StepContext) -> None:
    hidden = context.stack_dir / ".terraform/modules"
    hidden.mkdir(parents=True)
    for name in (".terraform/modules/modules.json", "more.tf.json", "notes.md", "modules/own/main.tf"):
        path = context.stack_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    context.uses_repository()
    names = {file.path.removeprefix("repo:") for file in context.finish(Outcome.PASSED, "Done.").result.inputs}
    assert {"terraform/access/more.tf.json", "terraform/access/modules/own/main.tf"} <= names
    assert not any(".terraform" in name or name.endswith(".md") for name in names)


def test_a_step_that_applies_works_with_the_role_that_may(
    load: Callable[..., Settings], store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered: list[tuple[str, bool]] = []

    def enter(settings: Settings, stack: str, *, applies: bool) -> None:
        entered.append((stack, applies))

    monkeypatch.setattr("runbook_lib.workspace.context.enter_stack", enter)
    load()
    open_step("plan", "7")
    open_step("apply", "7")
    assert entered == [("access", False), ("access", True)]
    assert store.path("04_apply").is_dir()


def test_in_a_pipeline_a_step_of_another_stack_than_the_run_s_is_refused(
    load: Callable[..., Settings], store: RunStore
) -> None:
    load(CI_PIPELINE_ID="7")
    with pytest.raises(UsageError, match="run 7 is of stack 'access', not 'network'"):
        open_step("plan", stack="network")


def test_what_a_step_needs_later_is_imported_and_what_is_missing_is_left_out(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported: list[str] = []
    monkeypatch.setattr("importlib.import_module", imported.append)
    context.import_later()
    assert imported == list(context.step.later)
    monkeypatch.undo()
    context.step = context.step.model_copy(update={"later": ("no_such_module",)})
    context.import_later()


def test_a_step_s_end_is_given_and_written_as_a_whole(context: StepContext) -> None:
    finding = Finding(
        policy="no-ssh", verdict=Verdict.FAILED, severity=Severity.HIGH, address="aws_x.y", message="It opens ssh."
    )
    context.metrics["opened"] = 2
    made = {
        "run_id": "7", "step": "plan", "stack": "access", "started_at": NOW,
        "finished_at": NOW + timedelta(seconds=9), "metrics": {"opened": 2},
    }  # fmt: skip
    ended = context.finish(Outcome.WARNED, "It opens ssh.", [finding], ends=True).result
    assert ended == StepResult(**made, outcome=Outcome.WARNED, summary="It opens ssh.", findings=(finding,), ends=True)
    assert context.store.read_result("plan") == ended
    # Whoever does not say so leaves something for the steps after this one.
    assert context.finish(Outcome.PASSED, "Done.").result == StepResult(**made, outcome=Outcome.PASSED, summary="Done.")
    error = ErrorInfo(type="TerraformError", message="AWS said no.", remedy="Ask.")
    context.fail(Outcome.ERRORED, error)
    assert context.store.read_result("plan") == StepResult(
        **made, outcome=Outcome.ERRORED, summary="AWS said no.", error=error
    )


def test_an_input_is_told_by_where_it_is_in_the_run_or_in_the_repository_and_not_if_it_is_gone(
    context: StepContext,
) -> None:
    root, store = context.settings.root, context.store
    for name, text in (("a/b.tf", "x"), ("gone.tf", "x")):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    store.write_text("02_plan/plan.txt", "y")
    # The run's folder lies in the repository, and is told as the run's.
    assert store.dir.is_relative_to(root)
    context.uses(root / "a/../a/b.tf", root / "gone.tf", store.dir / "02_plan/plan.txt", root / "a", root / "none.tf")
    context.uses(root / "a/b.tf")
    (root / "gone.tf").unlink()
    # SHA-256 of the letters x and y.
    x = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    y = "a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa"
    assert context.finish(Outcome.PASSED, "Done.").result.inputs == (
        InputFile(path="repo:a/b.tf", sha256=x),
        InputFile(path="02_plan/plan.txt", sha256=y),
    )


def test_the_repository_s_files_are_those_that_terraform_and_the_policies_are_written_in(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, settings = context.settings.root, context.settings
    access = settings.config.stacks["access"].model_copy(update={"path": "stack"})
    compliance = settings.config.compliance.model_copy(update={"policies": Path("rules")})
    settings.config = settings.config.model_copy(
        update={"stacks": {**settings.config.stacks, "access": access}, "compliance": compliance}
    )
    for name in (
        *("b.tf", "a.tofu", "c.tfvars", "d.json", "e.tf.json", "deep/f.tf", "g.md", "tf", ".terraform/h.tf"),
        ".terraform.lock.hcl",
    ):
        path = root / "stack" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (root / "rules/more").mkdir(parents=True)
    for name in ("z.yml", "y.yml", "x.yaml", "more/w.yml"):
        (root / "rules" / name).write_text("")
    context.uses_repository()
    inputs = context.finish(Outcome.PASSED, "Done.").result.inputs
    stack = ("a.tofu", "b.tf", "c.tfvars", "d.json", "deep/f.tf", "e.tf.json")
    assert [one.path for one in inputs] == [
        *(f"repo:stack/{name}" for name in stack), "repo:rules/y.yml", "repo:rules/z.yml", "repo:runbook.yml",
    ]  # fmt: skip


def test_a_step_begins_when_it_is_opened_and_ends_by_the_clock(load: Callable[..., Settings], store: RunStore) -> None:
    load()
    before = datetime.now(UTC)
    opened = open_step("plan", "7")
    ended = opened.finish(Outcome.PASSED, "Done.").result
    assert before <= ended.started_at <= ended.finished_at <= datetime.now(UTC)
    assert ended.finished_at.tzinfo is UTC
    assert (opened.step.name, opened.run.run_id, opened.store.dir) == ("plan", "7", store.dir)
    assert (opened.metrics, opened.known, ended.inputs) == ({}, {}, ())


def test_a_step_that_applies_is_not_begun_again_and_every_other_one_is(
    load: Callable[..., Settings], store: RunStore
) -> None:
    load()
    store.write_json("04_apply/began.json", {"at": "2026-11-23"})
    ended = store.write_text("04_apply/result.json", "what came of it")
    with pytest.raises(ApprovalError) as caught:
        open_step("apply", "7")
    assert caught.value.message == "run 7 was applied, or its apply began: an approval is used once"
    assert ended.read_text() == "what came of it"
    assert open_step("verification", "7").step.name == "verification"


@pytest.mark.parametrize("stack", ["", "access"])
def test_a_run_that_is_named_is_the_one_that_is_opened_if_it_is_of_the_stack(
    load: Callable[..., Settings], store: RunStore, run: Run, stack: str
) -> None:
    settings = load()
    newer = run.model_copy(update={"run_id": "8", "created_at": NOW + timedelta(hours=1)})
    RunStore(settings.outputs, "8").write_json("run.json", newer)
    assert open_step("compliance", "7", stack).run == run
    with pytest.raises(UsageError, match="run 7 is of stack 'access', not 'network'"):
        open_step("compliance", "7", "network")


def test_a_step_that_no_runbook_has_begins_no_run(load: Callable[..., Settings]) -> None:
    settings = load()
    with pytest.raises(UsageError, match="unknown step 'pln'"):
        open_step("pln")
    assert not settings.outputs.exists()


def test_what_is_recorded_is_called_as_it_was_with_all_that_it_was_given(context: StepContext) -> None:
    @recorded
    def judge(given: StepContext, one: int, /, *, other: str) -> tuple[StepContext, int, str]:
        """What it says of itself."""
        return given, one, other

    assert judge(context, 1, other="two") == (context, 1, "two")
    assert (judge.__name__, judge.__doc__) == ("judge", "What it says of itself.")


def test_an_error_that_knows_no_remedy_is_written_with_none(context: StepContext) -> None:
    with pytest.raises(InputError):
        end_with(context, InputError("No plan."))
    result = context.store.read_result("plan")
    assert result is not None
    assert result.error == ErrorInfo(type="InputError", message="No plan.", remedy="")
