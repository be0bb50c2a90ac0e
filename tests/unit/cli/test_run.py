"""`runbook run`: the steps that were meant, and what is said at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook_lib.cli import main as cli
from runbook_lib.cli.run import chosen_steps
from runbook_lib.errors import UsageError
from runbook_lib.models.base import Outcome, Step
from runbook_lib.models.results import ErrorInfo, StepResult
from runbook_lib.runner import run as engine
from runbook_lib.runner.sequence import SequenceSummary

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def test_without_a_name_all_steps_run_in_their_order() -> None:
    assert chosen_steps([], "") == tuple(Step)


def test_steps_run_in_the_runbook_s_order_however_they_are_named() -> None:
    assert chosen_steps(["apply", "plan", "apply"], "") == (Step.PLAN, Step.APPLY)


@pytest.mark.parametrize("name", ["service_tests", "service-tests", "SERVICE_TESTS"])
def test_a_name_may_be_spelt_as_people_spell(name: str) -> None:
    assert chosen_steps([name], "") == (Step.SERVICE_TESTS,)


def test_from_a_step_on_means_that_step_and_all_later_ones() -> None:
    assert chosen_steps([], "apply") == (Step.APPLY, Step.VERIFICATION, Step.SERVICE_TESTS)


@pytest.mark.parametrize(
    ("name", "meant"), [("pln", "plan"), ("verify", "verification"), ("services", "service_tests"), ("aply", "apply")]
)
def test_an_unknown_step_is_met_with_the_nearest(name: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"unknown step '{name}'") as caught:
        chosen_steps([name], "")
    assert caught.value.remedy.startswith(f"Did you mean '{meant}'?")


def test_a_name_that_is_near_to_none_is_met_with_the_list() -> None:
    with pytest.raises(UsageError) as caught:
        chosen_steps([], "zzz")
    assert caught.value.remedy == f"The steps are {', '.join(Step)}."


def test_names_and_from_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        chosen_steps(["plan"], "apply")


def result(outcome: Outcome, error: ErrorInfo | None = None) -> StepResult:
    return StepResult(
        run_id="7", step=Step.PLAN, stack="access", outcome=outcome, summary="AWS said no.",
        started_at=NOW, finished_at=NOW + timedelta(seconds=5), error=error,
    )  # fmt: skip


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Let a run end with this result and this status; exit status, stdout, stderr."""

    def end(found: StepResult, status: int) -> tuple[int, str, str]:
        summary = SequenceSummary((found,), found.outcome, status, NOW, NOW + timedelta(seconds=6))
        monkeypatch.setattr(engine, "execute", lambda request, settings: summary)
        monkeypatch.setattr(sys, "argv", ["runbook", "run", "plan"])
        monkeypatch.setenv("RUNBOOK_ROOT", str(ROOT))
        monkeypatch.setenv("RUNBOOK_OUTPUTS", "/runs")
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return end


def test_a_run_that_passed_is_summed_up_on_stdout_and_nothing_is_an_error(
    ends: Callable[..., tuple[int, str, str]],
) -> None:
    status, out, err = ends(result(Outcome.PASSED), 0)
    assert (status, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["plan", "PASSED", "5.0", "s", "AWS", "said", "no."],
        ["run", "7", "PASSED", "after", "6.0", "s"],
    ]


def test_a_step_that_failed_is_an_error_with_its_remedy(ends: Callable[..., tuple[int, str, str]]) -> None:
    error = ErrorInfo(type="AwsError", message="AWS said no.", remedy="Ask nicely.")
    status, _, err = ends(result(Outcome.ERRORED, error), 3)
    assert (status, err) == (3, "error: step plan errored: AWS said no.\nhint: Ask nicely.\n")


def test_a_step_that_was_blocked_points_to_its_notebook(ends: Callable[..., tuple[int, str, str]]) -> None:
    status, _, err = ends(result(Outcome.BLOCKED), 1)
    assert status == 1
    assert err.splitlines() == [
        "error: step plan blocked: AWS said no.",
        "hint: Read /runs/7/02_plan/notebook.html.",
    ]
