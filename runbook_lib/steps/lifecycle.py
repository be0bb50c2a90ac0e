"""What surrounds the steps of a run: the thread opened, each result told, the evidence sealed in every case."""

from __future__ import annotations

from collections.abc import Sequence

from ..adapters.store import RunStore
from ..models.base import Step
from ..models.results import StepResult
from ..models.run import Run
from ..settings import Settings
from .sealing import seal
from .telling import Teller, failed_result

__all__ = ["Lifecycle"]


class Lifecycle:
    """Called by the sequence as steps start and end. What the step's own notebook told is not told twice."""

    def __init__(self, settings: Settings, store: RunStore, run: Run) -> None:
        self._settings = settings
        self._store = store
        self._run = run

    def step_started(self, step: Step) -> None:
        """Nothing to tell yet: the board shows a step when it has a result."""

    def step_ended(self, result: StepResult) -> None:
        """Tell a result that its notebook could not tell itself, as when its kernel died."""
        self._teller().tell_step(result)

    def run_ended(self, results: Sequence[StepResult]) -> None:
        """Tell a failure to the channel, then seal the evidence: in every case, also when telling fails."""
        try:
            failed = failed_result(results)
            if failed:
                self._teller().tell_failure(failed)
        finally:
            seal(self._settings, self._store)

    def _teller(self) -> Teller:
        return Teller(self._settings, self._store, self._run)
