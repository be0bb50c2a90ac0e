"""One step's notebook through papermill, with the sequence's loop, kernels and display; repeated where that is safe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..adapters.logs import configure_logs
from ..models.base import Outcome, Step
from ..models.results import StepResult
from .display import Display
from .endings import Ending, EndingKind
from .kernel_queue import KernelQueue
from .kernels import KernelRequest
from .loop import LoopThread
from .notebook_files import light_imports
from .papermill_engine import RunbookEngine
from .sequence import SequenceJob
from .session import Session
from .signals import StopRequest

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["StepExecution"]

SAFE_TO_REPEAT = frozenset({Step.COMPLIANCE, Step.PLAN, Step.VERIFICATION, Step.SERVICE_TESTS})
TRANSIENT = {"TerraformError", "AwsError", "GitLabError", "ServiceError", "DeadKernelError"}


class _TransientError(Exception):
    """An outside system failed; the step may be tried again. Never leaves this module."""


def _transient(result: StepResult) -> bool:
    return result.outcome is Outcome.ERRORED and result.error is not None and result.error.type in TRANSIENT


@dataclass(frozen=True)
class StepExecution:
    """What the executions of a run share."""

    job: SequenceJob
    loop: LoopThread
    stop: StopRequest
    kernels: KernelQueue
    display: Display

    def repeat(self, step: Step, once: Callable[[], StepResult]) -> StepResult:
        """Carry the step out, again if an outside system failed and the job allows it; the last result stands."""
        allowed = 1 + (self.job.retries.get(step, 0) if step in SAFE_TO_REPEAT else 0)
        if allowed == 1:
            return once()

        import stamina

        configure_logs()
        for attempt in stamina.retry_context(on=_TransientError, attempts=allowed, timeout=None):
            with attempt:
                result = once()
                if attempt.num < allowed and not self.stop.count and _transient(result):
                    raise _TransientError(result.summary)
        return result

    def execute(
        self, nb: NotebookNode, step: Step, request: KernelRequest, parameters: Mapping[str, Any], folder: Path
    ) -> Ending:
        """Execute and save the notebook; gives the ending, raises nothing that happened in it."""
        with light_imports():
            from papermill.engines import papermill_engines
            from papermill.exceptions import PapermillException
            from papermill.execute import execute_notebook

        # The entry point does it too, where the package is installed.
        papermill_engines.register("runbook", RunbookEngine)

        session = self._session(step, request, folder)
        try:
            execute_notebook(
                nb,
                None,
                parameters=dict(parameters),
                engine_name="runbook",
                progress_bar=False,
                session=session,
            )
        except PapermillException as error:
            # papermill found an exception in the outputs; the session knows it already.
            if session.ending is None:
                return Ending(EndingKind.NOT_STARTED, type(error).__name__, str(error))
        return session.ending or Ending(EndingKind.NOT_STARTED, "EngineError", "the notebook was not executed")

    def _session(self, step: Step, request: KernelRequest, folder: Path) -> Session:
        from .saving import FolderSide, LocalFile

        options = self.job.options
        if options.notebook_timeout is None:
            options = replace(options, notebook_timeout=self.job.timeouts.get(step))
        return Session(
            self.loop,
            self.stop,
            self.job.redactor,
            lambda: self.kernels.take(request),
            options,
            self.display,
            destination=LocalFile(folder / "notebook.ipynb"),
            side=FolderSide(folder),
            kernel_left=self.kernels.left,
        )
