"""Which run, which steps, and what runbook.yml makes of them, before anything is executed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from step_fakes import NOW

from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ApprovalError, ConfigError, GitLabError, UsageError
from runbook_lib.models.base import Outcome
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.models.steps import BUILT_IN
from runbook_lib.runner import run
from runbook_lib.runner.run import RunRequest, chosen_steps, execute
from runbook_lib.runner.sequence import Job, Summary
from runbook_lib.settings import Settings
from runbook_lib.workspace import going_on

ROOT = Path(__file__).parents[3]
CONFIG = """version: 1
stacks:
  access: {path: terraform/access, state: access}
  network: {path: terraform/network, state: network}
default_stack: access
"""
COST = """runbooks:
  change:
    steps: [compliance, plan, {name: cost, timeout: 5m, retries: 1}, approval, apply, verification, service_tests]
  drift:
    steps: [verification]
"""
Ask = Callable[..., Job]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """The job that a request comes to, which is not carried out."""
    (tmp_path / "notebooks").mkdir()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        (tmp_path / "notebooks" / path.name).symlink_to(path)
    (tmp_path / "notebooks/cost.ipynb").write_bytes((ROOT / "notebooks/examples/cost.ipynb").read_bytes())
    jobs: list[Job] = []

    def remember(job: Job, hooks: object) -> Summary:
        jobs.append(job)
        now = datetime.now(UTC)
        return Summary((), Outcome.SKIPPED, 0, now, now)

    monkeypatch.setattr(run, "run_sequence", remember)

    def _ask(config: str = "", **request: object) -> Job:
        (tmp_path / "runbook.yml").write_text(CONFIG + config)
        execute(RunRequest(**request), Settings.load(tmp_path))  # type: ignore[arg-type]
        return jobs.pop() if jobs else Job(tmp_path, (), {}, "", tmp_path)

    return _ask


def folders(job: Job) -> list[str]:
    return [step.folder for step in job.steps]


def begun(folder: Path, **changes: object) -> None:
    made = Run(run_id="r1", stack="access", created_at=NOW).model_copy(update=changes)
    RunStore(folder / "outputs", made.run_id).write_json("run.json", made)


def test_without_a_word_the_six_run_in_their_order(ask: Ask) -> None:
    assert folders(ask()) == [step.folder for step in BUILT_IN]


def test_an_own_step_has_its_place_and_measures_and_shifts_those_after_it(ask: Ask) -> None:
    job = ask(COST, run_id="r1")
    assert folders(job)[1:5] == ["02_plan", "03_cost", "04_approval", "05_apply"]
    cost = job.steps[2]
    assert (cost.timeout, cost.retries, cost.title, cost.decides) == (300, 1, "Cost", False)
    assert job.notebooks["cost"].name == "cost.ipynb"


def test_a_run_keeps_the_numbers_with_which_it_began(ask: Ask, tmp_path: Path) -> None:
    begun(tmp_path)
    assert folders(ask(COST, run_id="r1", names=("apply",))) == ["04_apply"]


def test_after_a_plan_without_a_change_nobody_is_asked_and_nothing_applied_and_the_rest_may_run(
    ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(tmp_path)
    ended = StepResult(
        run_id="r1", step="plan", stack="access", outcome=Outcome.PASSED, summary="Plan: nothing to change.",
        started_at=NOW, finished_at=NOW, ends=True,
    )  # fmt: skip
    RunStore(tmp_path / "outputs", "r1").write_result(ended)
    assert folders(ask(run_id="r1", names=("approval",))) == []
    assert folders(ask(run_id="r1", names=("apply",))) == []
    assert capsys.readouterr().err == "approval: Plan: nothing to change.\napply: Plan: nothing to change.\n"
    assert folders(ask(run_id="r1", start="approval")) == ["05_verification", "06_service_tests"]
    # A plan that is made again may find something.
    assert folders(ask(run_id="r1", start="plan"))[:3] == ["02_plan", "03_approval", "04_apply"]


def test_a_step_that_was_added_since_a_run_began_is_no_step_of_it(ask: Ask, tmp_path: Path) -> None:
    begun(tmp_path)
    with pytest.raises(UsageError, match="unknown step 'cost'") as caught:
        ask(COST, run_id="r1", names=("cost",))
    assert "The steps of run r1 are compliance, plan" in caught.value.remedy


def test_another_runbook_has_its_own_steps_and_begins_a_run_of_its_own(ask: Ask, tmp_path: Path) -> None:
    job = ask(COST, runbook="drift")
    assert folders(job) == ["01_verification"]
    made = Run.model_validate_json((job.run_dir / "run.json").read_text())
    assert (made.runbook, [step.name for step in made.steps]) == ("drift", ["verification"])


def test_a_run_is_not_gone_on_with_in_another_runbook(ask: Ask, tmp_path: Path) -> None:
    begun(tmp_path)
    with pytest.raises(UsageError, match="run r1 is of runbook 'change', not 'drift'"):
        ask(COST, runbook="drift", run_id="r1")


def test_an_unknown_runbook_is_met_with_the_nearest(ask: Ask) -> None:
    with pytest.raises(UsageError, match="unknown runbook 'drif'") as caught:
        ask(COST, runbook="drif")
    assert caught.value.remedy == "Did you mean 'drift'? runbook.yml has: change, drift, expired."


def test_by_hand_a_later_step_goes_on_with_the_default_stack_s_newest_run_and_no_other(
    ask: Ask, tmp_path: Path
) -> None:
    begun(tmp_path)
    begun(tmp_path, run_id="r2", stack="network", created_at=NOW.replace(year=2027))
    assert ask(names=("plan",)).run_id == "r1"
    assert ask(names=("plan",), stack="network").run_id == "r2"


def test_where_no_stack_is_the_usual_one_it_must_be_named(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "runbook.yml").write_text(CONFIG.replace("default_stack: access\n", ""))
    with pytest.raises(UsageError, match="no stack is named") as caught:
        execute(RunRequest(), Settings.load(tmp_path))
    assert "access, network" in caught.value.remedy


LEAVING_OUT = """version: 1
stacks: {access: {path: terraform/access, state: access, without: [service_tests]}}
"""


def test_a_stack_leaves_steps_out_and_their_job_has_nothing_to_do(
    ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask()
    (tmp_path / "runbook.yml").write_text(LEAVING_OUT)
    settings = Settings.load(tmp_path)
    summary = execute(RunRequest(names=("service_tests",)), settings)
    assert (summary.outcome, summary.exit_status, summary.results) == (Outcome.SKIPPED, 0, ())
    assert "service_tests: stack access leaves this step out" in capsys.readouterr().err
    assert [step.name for step in settings.runbook("", "access")][-1] == "verification"


def test_a_step_takes_as_long_and_is_repeated_as_often_as_runbook_yml_says(ask: Ask) -> None:
    job = ask("steps: {plan: {timeout: 3h, retries: 2}, verification: {retries: 1}}\n", run_id="r1")
    assert {step.name: step.timeout for step in job.steps} == {
        "compliance": 900, "plan": 3 * 3600, "approval": None, "apply": None, "verification": 1800,
        "service_tests": 3600,
    }  # fmt: skip
    assert {step.name: step.retries for step in job.steps if step.retries} == {"plan": 2, "verification": 1}


def test_apply_is_never_cut_short_by_a_limit_of_the_environment(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("NOTEBOOK_TIMEOUT", "1"), ("CELL_TIMEOUT", "1"), ("GRACE", "7"), ("SAVE_EVERY", "2")):
        monkeypatch.setenv(f"RUNBOOK_{name}", value)
    job = ask(run_id="r1")
    assert (job.options.notebook_timeout, job.options.cell_timeout) == (None, None)
    assert (job.options.grace, job.options.save_every) == (7, 2)


def test_a_measure_that_is_no_number_is_told_before_anything_runs(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOK_GRACE", "long")
    with pytest.raises(UsageError, match="RUNBOOK_GRACE: 'long' is no number"):
        ask(run_id="r1")


@pytest.mark.parametrize("step", ["apply", "approval"])
def test_what_waits_for_people_or_changes_things_has_neither_timeout_nor_retries(ask: Ask, step: str) -> None:
    with pytest.raises(ConfigError, match=f"{step} can't be given a timeout or retries"):
        ask(f"steps: {{{step}: {{timeout: 1h}}}}\n")


def names(*chosen: str, start: str = "") -> list[str]:
    return [step.name for step in chosen_steps(BUILT_IN, chosen, start, "runbook change")]


def test_steps_run_in_the_runbook_s_order_however_they_are_named() -> None:
    assert names("apply", "plan", "apply") == ["plan", "apply"]


@pytest.mark.parametrize("name", ["service_tests", "service-tests", "SERVICE_TESTS"])
def test_a_name_may_be_spelt_as_people_spell(name: str) -> None:
    assert names(name) == ["service_tests"]


def test_from_a_step_on_means_that_step_and_all_later_ones() -> None:
    assert names(start="apply") == ["apply", "verification", "service_tests"]


@pytest.mark.parametrize(
    ("name", "meant"), [("pln", "plan"), ("verify", "verification"), ("services", "service_tests"), ("aply", "apply")]
)
def test_an_unknown_step_is_met_with_the_nearest(name: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"unknown step '{name}'") as caught:
        names(name)
    assert caught.value.remedy.startswith(f"Did you mean '{meant}'?")


def test_a_name_that_is_near_to_none_is_met_with_the_list() -> None:
    with pytest.raises(UsageError) as caught:
        names(start="zzz")
    assert caught.value.remedy == (
        "The steps of runbook change are compliance, plan, approval, apply, verification, service_tests."
    )


def test_names_and_from_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        names("plan", start="apply")


@pytest.mark.parametrize(("system", "forks"), [("linux", True), ("darwin", False)])
def test_kernels_are_forked_but_not_on_macos(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, system: str, forks: bool
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert (ask(run_id="r1").fork_server is not None) == forks


def applied(folder: Path, outcome: Outcome | None, **written: object) -> None:
    """A run whose apply began, and ended so; None: it was killed."""
    begun(folder, run_id="r1", steps=tuple(step.recorded for step in BUILT_IN))
    store = RunStore(folder / "outputs", "r1")
    for name, content in {"began": {}, **written}.items():
        store.write_json(f"04_apply/{name}.json", content)
    if outcome:
        store.write_result(result_of("apply", outcome))


def result_of(step: str, outcome: Outcome) -> StepResult:
    return StepResult(
        run_id="r1", step=step, stack="access", outcome=outcome, summary="s", started_at=NOW, finished_at=NOW
    )


@pytest.mark.parametrize("outcome", [None, Outcome.ERRORED, Outcome.INTERRUPTED])
@pytest.mark.parametrize("request_", [{"run_id": "r1"}, {}, {"run_id": "r1", "start": "plan"}])
def test_resuming_after_an_apply_that_did_not_end_well_plans_anew_in_a_run_of_its_own(
    ask: Ask, tmp_path: Path, outcome: Outcome | None, request_: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    applied(tmp_path, outcome, resources=[{"address": "a.b", "status": "failed"}])
    before = {path: path.read_bytes() for path in (tmp_path / "outputs/r1").rglob("*") if path.is_file()}
    job = ask(resume=True, **request_)
    assert job.run_dir.name != "r1"
    assert not job.resume
    assert {"plan", "approval", "apply"} < {step.name for step in job.steps}
    said = capsys.readouterr().err
    assert (
        f"r1: its apply began and did not end well (1 failed (a.b)). Run {job.run_dir.name} plans what is left" in said
    )
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("request_", [{"start": "apply"}, {"start": "approval"}, {"names": ("apply",)}])
def test_resuming_such_a_run_behind_its_plan_is_refused(ask: Ask, tmp_path: Path, request_: dict[str, object]) -> None:
    applied(tmp_path, None)
    with pytest.raises(ApprovalError, match="an approval is used once") as caught:
        ask(resume=True, run_id="r1", **request_)
    assert "`runbook run --stack access`" in caught.value.remedy


def test_in_a_pipeline_such_a_run_is_followed_by_another_pipeline_s(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied(tmp_path, None)
    monkeypatch.setenv("CI_PIPELINE_ID", "r1")
    with pytest.raises(ApprovalError) as caught:
        ask(resume=True)
    assert caught.value.remedy.startswith("Start a new pipeline")


def test_a_run_that_was_applied_to_its_end_is_gone_on_with(ask: Ask, tmp_path: Path) -> None:
    applied(tmp_path, Outcome.PASSED)
    job = ask(resume=True, run_id="r1")
    assert (job.run_dir.name, job.resume, job.stale) == ("r1", True, frozenset())


def test_what_follows_an_apply_that_did_not_end_well_is_looked_at_in_its_own_run(ask: Ask, tmp_path: Path) -> None:
    applied(tmp_path, Outcome.ERRORED)
    assert ask(resume=True, run_id="r1", names=("verification",)).run_dir.name == "r1"


def test_resuming_without_a_name_goes_on_with_the_stack_s_newest_run(ask: Ask, tmp_path: Path) -> None:
    assert ask(resume=True).run_dir.name  # there is none yet: it begins one
    begun(tmp_path, run_id="r1", steps=tuple(step.recorded for step in BUILT_IN), created_at=datetime.now(UTC))
    assert ask(resume=True).run_dir.name == "r1"


@pytest.mark.parametrize(
    ("state", "stale"),
    [
        ({"lineage": "l", "serial": 3}, False),
        ({"lineage": "l", "serial": 4}, True),
        ({"lineage": "other", "serial": 3}, True),
        (GitLabError("could not read the state"), True),
        (None, True),
    ],
)
def test_a_plan_of_another_state_than_is_there_is_not_resumed(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: Any, stale: bool
) -> None:
    class Keeper:
        def state(self, name: str) -> bytes:
            assert name == "access"
            if isinstance(state, GitLabError):
                raise state
            return json.dumps(state).encode()

    monkeypatch.setattr(going_on, "keeper", lambda settings, stack: Keeper() if state else None)
    begun(tmp_path, run_id="r1", steps=tuple(step.recorded for step in BUILT_IN))
    store = RunStore(tmp_path / "outputs", "r1")
    store.write_result(result_of("plan", Outcome.PASSED))
    store.write_json("02_plan/summary.json", PlanSummary(state_lineage="l", state_serial=3))
    assert (ask(resume=True, run_id="r1").stale == {"plan"}) is stale
    # Where it is known to be another one, nobody is asked to approve it either.
    if isinstance(state, dict) and stale:
        with pytest.raises(ApprovalError, match="the plan of run r1 is stale: the state has serial"):
            ask(resume=True, run_id="r1", start="approval")
    else:
        ask(resume=True, run_id="r1", start="approval")
