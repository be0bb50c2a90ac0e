"""What surrounds the steps of a run: the thread opened, each result told, the evidence sealed in every case."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from ..adapters.store import RunStore
from ..models.results import StepResult
from ..models.run import Run
from ..models.steps import Step
from ..settings import Settings
from ..workspace.slack_thread import Teller, failed_result
from .evidence import seal

__all__ = ["Lifecycle"]


class Lifecycle:
    """Called by the sequence as steps start and end.

    Slack is told from another thread, one thing after the other, while the next step works already.
    """

    def __init__(self, settings: Settings, store: RunStore, run: Run) -> None:
        self._settings = settings
        self._store = store
        self._run = run
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="telling")
        self._told: list[Future[object]] = []
        self._opened = False

    def step_started(self, step: Step) -> None:
        """Open the thread with the first step; let one that speaks to Slack itself begin when all before it is said."""
        if not self._opened:
            self._opened = True
            self._told.append(self._pool.submit(lambda: self._teller().start()))
        if step.speaks:
            self._wait()

    def step_ended(self, result: StepResult) -> None:
        """Tell the result."""
        self._told.append(self._pool.submit(lambda: self._teller().tell_step(result)))

    def run_ended(self, results: Sequence[StepResult]) -> None:
        """Tell a failure to the channel, then seal the evidence: in every case, also when telling fails."""
        try:
            self._wait()
            failed = failed_result(results)
            if failed:
                self._teller().tell_failure(failed)
        finally:
            self._pool.shutdown()
            seal(self._settings, self._store)

    def _wait(self) -> None:
        while self._told:
            self._told.pop(0).result()

    def _teller(self) -> Teller:
        return Teller(self._settings, self._store, self._run)
