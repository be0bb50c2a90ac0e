"""`runbook run`: the steps that were meant, and what is said at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook_lib.cli import main as cli
from runbook_lib.models.base import Outcome
from runbook_lib.models.results import ErrorInfo, StepResult
from runbook_lib.runner import run as engine
from runbook_lib.runner.sequence import Summary

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def result(outcome: Outcome, error: ErrorInfo | None = None) -> StepResult:
    return StepResult(
        run_id="7", step="plan", stack="access", outcome=outcome, summary="AWS said no.",
        started_at=NOW, finished_at=NOW + timedelta(seconds=5), error=error,
    )  # fmt: skip


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Let a run end with this result and this status; exit status, stdout, stderr."""

    def end(found: StepResult, status: int) -> tuple[int, str, str]:
        summary = Summary((found,), found.outcome, status, NOW, NOW + timedelta(seconds=6))
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
