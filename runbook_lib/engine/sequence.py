"""The sequence runner: notebooks in order, each executed by papermill through this engine, until one stops it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..domain.redaction import Redactor
from ..models.base import Outcome, Step
from ..models.results import StepResult
from .display import Display
from .options import EngineOptions

if TYPE_CHECKING:
    from .forking import ForkServer

__all__ = ["TIMEOUTS", "Hooks", "SequenceJob", "SequenceSummary", "run_sequence"]

TIMEOUTS: Mapping[Step, float] = {
    Step.COMPLIANCE: 900,
    Step.PLAN: 3600,
    Step.VERIFICATION: 1800,
    Step.SERVICE_TESTS: 3600,
}


class Hooks(Protocol):
    """Told as things happen, in the main thread. What a hook raises ends the run."""

    def step_started(self, step: Step) -> None:
        """The step's notebook is about to be executed."""

    def step_ended(self, result: StepResult) -> None:
        """The step has ended and its files are written, but for the HTML page."""

    def run_ended(self, results: tuple[StepResult, ...]) -> None:
        """Nothing more is executed, and all pages are written."""


@dataclass(frozen=True)
class SequenceJob:
    """What to run, where; `run_dir` is the run folder, named by the run's id.

    `timeouts` are seconds a step; approval has none, it waits for people, nor has apply, which must not be cut short.

    `retries` says how often a step that failed at an outside system is repeated; apply never is, nor approval.
    `preload` are the modules that a step's kernel imports while it waits; with a `fork_server` kernels come from there.
    """

    notebooks: Path
    run_dir: Path
    steps: tuple[Step, ...]
    stack: str
    cwd: Path
    parameters: Mapping[Step, Mapping[str, Any]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    resume: bool = False
    redactor: Redactor = field(default_factory=Redactor)
    timeouts: Mapping[Step, float] = field(default_factory=lambda: TIMEOUTS)
    retries: Mapping[Step, int] = field(default_factory=dict)
    preload: Mapping[Step, tuple[str, ...]] = field(default_factory=dict)
    options: EngineOptions = field(default_factory=EngineOptions)
    display: Display | None = None
    fork_server: ForkServer | None = None

    @property
    def run_id(self) -> str:
        """The run folder's name."""
        return self.run_dir.name


@dataclass(frozen=True)
class SequenceSummary:
    """All results in order, those of steps that were not repeated included (`resumed`)."""

    results: tuple[StepResult, ...]
    outcome: Outcome
    exit_status: int
    started_at: datetime
    finished_at: datetime
    resumed: frozenset[Step] = frozenset()
    signal_number: int = 0


def run_sequence(job: SequenceJob, hooks: Hooks) -> SequenceSummary:
    """Run the steps; UsageError, before any kernel starts, for parameters that the notebooks do not take."""
    from .sequence_run import SequenceRun

    return SequenceRun(job, hooks).run()
