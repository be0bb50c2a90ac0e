"""What surrounds the steps of a run: the thread opened, each result told, each step sealed in every case."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from ..adapters.store import RunStore
from ..models.results import StepResult
from ..models.run import Run
from ..models.steps import Step
from ..settings import Settings
from ..workspace.slack_thread import Teller, failed_result
from .sealing import Sealer
from .sequence import apply_began
from .signer import Signer

__all__ = ["Lifecycle"]


class Lifecycle:
    """Called by the sequence as steps start and end.

    Slack is told from another thread, one thing after the other, while the next step works already; a `quiet` run is
    told by whoever asked for it.
    """

    def __init__(
        self, settings: Settings, store: RunStore, run: Run, signer: Signer | None = None, *, quiet: bool = False
    ) -> None:
        self._settings = settings
        self._store = store
        self._run = run
        self._sealer = Sealer(settings, store, signer or Signer.of(settings))
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="telling")
        self._told: list[Future[object]] = []
        self._opened = self._quiet = quiet
        self.applied = False

    def run_started(self, steps: Sequence[Step]) -> None:
        """Hold the folder to the seals of the steps before these: EvidenceError before anything is done."""
        if steps:
            self._sealer.open(steps[0].name)

    def step_started(self, step: Step) -> None:
        """Hold the folder to its seals once more, and open the thread with the first step.

        A step that speaks to Slack itself begins when all before it is said.
        """
        self._sealer.begin(step.name)
        if not self._opened:
            self._opened = True
            self._told.append(self._pool.submit(lambda: self._teller().start()))
        if step.speaks:
            self._wait()

    def step_ended(self, result: StepResult) -> None:
        """Tell the result, and digest what the step left."""
        self.applied = self.applied or apply_began(result)
        self._sealer.ended(result)
        if not self._quiet:
            self._told.append(self._pool.submit(lambda: self._teller().tell_step(result)))

    def step_resumed(self, step: Step) -> None:
        """Let a step that still stands be sealed after one that was made anew before it."""
        self._sealer.resumed(step.name)

    def page_made(self, step: Step) -> None:
        """Seal the step."""
        self._sealer.page_made(step.name)

    def run_ended(self, results: Sequence[StepResult]) -> None:
        """Tell a failure to the channel, then seal the run's page: in every case, also when telling fails."""
        try:
            self._wait()
            failed = failed_result(results)
            if failed and not self._quiet:
                self._teller().tell_failure(failed)
        finally:
            self._pool.shutdown()
            self._sealer.close()

    def _wait(self) -> None:
        while self._told:
            self._told.pop(0).result()

    def _teller(self) -> Teller:
        return Teller(self._settings, self._store, self._run)
