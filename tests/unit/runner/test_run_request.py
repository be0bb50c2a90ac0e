"""What runbook.yml and the environment make of a run."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runbook_lib.errors import ConfigError, UsageError
from runbook_lib.models.base import Outcome, Step
from runbook_lib.runner import run
from runbook_lib.runner.run import RunRequest, execute
from runbook_lib.runner.sequence import TIMEOUTS, SequenceJob, SequenceSummary
from runbook_lib.settings import Environment, Settings

ROOT = Path(__file__).parents[3]
CONFIG = "version: 1\nstacks: {access: {path: terraform/access, state: access}}\n"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Environment.model_fields.values():
        for name in getattr(field.validation_alias, "choices", ()):
            monkeypatch.delenv(name, raising=False)


def job_of(folder: Path, monkeypatch: pytest.MonkeyPatch, config: str) -> SequenceJob:
    """The job of a run of two steps, which is not carried out."""
    (folder / "runbook.yml").write_text(CONFIG + config)
    (folder / "notebooks").symlink_to(ROOT / "notebooks")
    jobs: list[SequenceJob] = []

    def remember(job: SequenceJob, hooks: object) -> SequenceSummary:
        jobs.append(job)
        now = datetime.now(UTC)
        return SequenceSummary((), Outcome.SKIPPED, 0, now, now)

    monkeypatch.setattr(run, "run_sequence", remember)
    execute(RunRequest((Step.VERIFICATION, Step.SERVICE_TESTS), run_id="r1"), Settings.load(folder))
    return jobs[0]


def test_a_step_takes_as_long_and_is_repeated_as_often_as_runbook_yml_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = "steps: {plan: {timeout: 3h, retries: 2}, verification: {retries: 1}}\n"
    job = job_of(tmp_path, monkeypatch, config)
    assert job.timeouts == {**TIMEOUTS, Step.PLAN: 3 * 3600}
    assert job.retries == {Step.PLAN: 2, Step.VERIFICATION: 1}


def test_apply_is_never_cut_short_by_a_limit_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("NOTEBOOK_TIMEOUT", "1"), ("CELL_TIMEOUT", "1"), ("GRACE", "7"), ("SAVE_EVERY", "2")):
        monkeypatch.setenv(f"RUNBOOK_{name}", value)
    job = job_of(tmp_path, monkeypatch, "")
    assert (job.options.notebook_timeout, job.options.cell_timeout) == (None, None)
    assert (job.options.grace, job.options.save_every) == (7, 2)
    assert Step.APPLY not in job.timeouts


def test_a_measure_that_is_no_number_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOOK_GRACE", "long")
    with pytest.raises(UsageError, match="RUNBOOK_GRACE: 'long' is no number"):
        job_of(tmp_path, monkeypatch, "")


@pytest.mark.parametrize("step", ["apply", "approval"])
def test_what_waits_for_people_or_changes_things_has_neither_timeout_nor_retries(tmp_path: Path, step: str) -> None:
    (tmp_path / "runbook.yml").write_text(f"{CONFIG}steps: {{{step}: {{timeout: 1h}}}}\n")
    with pytest.raises(ConfigError, match=f"{step} can't be given a timeout or retries"):
        Settings.load(tmp_path)


@pytest.mark.parametrize(("system", "forks"), [("linux", True), ("darwin", False)])
def test_kernels_are_forked_but_not_on_macos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, forks: bool
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert (job_of(tmp_path, monkeypatch, "").fork_server is not None) == forks
