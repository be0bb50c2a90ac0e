"""One run of a sequence, from the first kernel to the last page."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..adapters.store import RunStore
from ..errors import StoreError
from ..models.base import Outcome, Step
from ..models.results import StepResult
from .display import Display, choose_display
from .kernel_queue import KernelQueue
from .kernels import KernelRequest
from .loop import LoopThread
from .notebook_files import load_notebook, read_notebook
from .pages import Pages
from .parameter_checks import check_parameters
from .resume import fingerprint, unchanged_result
from .sequence import Hooks, SequenceJob, SequenceSummary
from .signals import StopRequest, trap_signals
from .step_execution import StepExecution
from .step_results import exit_status, read_own_result, result_of_ending

__all__ = ["SequenceRun"]


@dataclass(frozen=True)
class Work:
    """One step's notebook and what it is given."""

    step: Step
    parameters: Mapping[str, Any]
    fingerprint: str
    request: KernelRequest


class SequenceRun:
    """Carries one job out."""

    def __init__(self, job: SequenceJob, hooks: Hooks) -> None:
        self._job = job
        self._hooks = hooks
        self._display: Display = job.display or choose_display()
        self._store = RunStore(job.run_dir.parent, job.run_id, job.redactor.mask)
        self._results: list[StepResult] = []
        self._resumed: set[Step] = set()
        self._started_at = datetime.now(UTC)

    def run(self) -> SequenceSummary:
        """All steps up to the first that stops; then the pages, the hooks and the summary."""
        todo = [self._work(step) for step in self._job.steps]
        with LoopThread() as loop:
            stop = StopRequest(loop.loop)
            with trap_signals(stop), Pages(self._job.redactor) as pages:
                try:
                    self._steps(todo, loop, stop, pages)
                finally:
                    self._display.close()
                    pages.finish()
                self._hooks.run_ended(tuple(self._results))
        return self._summary(stop.number)

    def _work(self, step: Step) -> Work:
        nb = read_notebook(self._job.notebooks / step.notebook)
        given = {**self._job.parameters.get(step, {}), "run_id": self._job.run_id, "stack": self._job.stack}
        parameters = check_parameters(nb, given, f"step {step}")
        name = nb["metadata"].get("kernelspec", {}).get("name") or "python3"
        preload = self._job.preload.get(step, ())
        request = KernelRequest(name, self._job.cwd, self._job.environment, preload, self._job.options.start_timeout)
        return Work(step, parameters, fingerprint(nb, parameters), request)

    def _steps(self, todo: list[Work], loop: LoopThread, stop: StopRequest, pages: Pages) -> None:
        kernels: KernelQueue | None = None
        try:
            for position, work in enumerate(todo):
                if stop.count or (self._results and self._results[-1].outcome.stops):
                    return
                if self._resume(work):
                    continue
                kernels = kernels or KernelQueue(
                    loop, [later.request for later in todo[position:]], self._job.fork_server
                )
                self._step(work, StepExecution(self._job, loop, stop, kernels, self._display))
                pages.add(self._store.step_dir(work.step))
        finally:
            if kernels is not None:
                kernels.close()

    def _resume(self, work: Work) -> bool:
        # What apply did to the world is not seen in files: once it has been carried out, what follows is too.
        applied = any(result.step is Step.APPLY and result.step not in self._resumed for result in self._results)
        if not self._job.resume or applied:
            return False
        result = unchanged_result(self._store, self._job.cwd, work.step, work.fingerprint)
        if result is None:
            return False
        self._results.append(result)
        self._resumed.add(work.step)
        self._display.resumed(result)
        return True

    def _step(self, work: Work, execution: StepExecution) -> None:
        self._hooks.step_started(work.step)
        self._display.started(work.step.value, work.step.folder)
        result = execution.repeat(work.step, lambda: self._execute(work, execution))
        self._results.append(result)
        self._display.ended(f"{result.outcome.upper()}: {result.summary}")
        self._hooks.step_ended(result)

    def _execute(self, work: Work, execution: StepExecution) -> StepResult:
        started_at = datetime.now(UTC)
        folder = self._store.step_dir(work.step)
        # An old result must not speak for a step that is killed before it can write its own.
        (folder / "result.json").unlink(missing_ok=True)
        nb = load_notebook(self._job.notebooks / work.step.notebook)
        nb.metadata["runbook"] = {"step": work.step.value, "fingerprint": work.fingerprint}
        ending = execution.execute(nb, work.step, work.request, work.parameters, folder)
        result = read_own_result(self._store, work.step)
        if result is None or (not ending.good and not result.outcome.stops):
            result = result_of_ending(self._store, work.step, self._job.stack, started_at, ending)
            with contextlib.suppress(StoreError):
                # On a full disk the result still counts, for the exit status and for who is told.
                self._store.write_result(result)
        return result

    def _summary(self, signal_number: int) -> SequenceSummary:
        order = (Outcome.INTERRUPTED, Outcome.ERRORED, Outcome.BLOCKED, Outcome.WARNED, Outcome.PASSED)
        outcomes = {result.outcome for result in self._results} or {Outcome.SKIPPED}
        outcome = next((worst for worst in order if worst in outcomes), Outcome.SKIPPED)
        return SequenceSummary(
            results=tuple(self._results),
            outcome=Outcome.INTERRUPTED if signal_number else outcome,
            exit_status=exit_status(self._results, signal_number),
            started_at=self._started_at,
            finished_at=datetime.now(UTC),
            resumed=frozenset(self._resumed),
            signal_number=signal_number,
        )
