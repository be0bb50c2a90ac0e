"""result.json as the engine sees it: read, judged, and written where a notebook could not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ..adapters.store import RunStore
from ..errors import InputError
from ..models.base import Outcome, Step
from ..models.results import ErrorInfo, StepResult
from .endings import Ending, EndingKind

__all__ = ["exit_status", "read_own_result", "result_of_ending"]

USAGE = {"UsageError", "ConfigError", "InputError"}
REMEDIES = {
    EndingKind.COMPLETED: "The last cell of a step's notebook shows its decision: put it back.",
    EndingKind.EXCEPTION: "Read the traceback in the notebook.",
    EndingKind.COMMAND_FAILED: "Read the command's output in the notebook; write `|| true` where failing is no error.",
    EndingKind.SYSTEM_EXIT: "A step says how it went in its result, not by leaving.",
    EndingKind.CELL_TIMEOUT: "Look in the notebook for what it waited for, or raise the limit.",
    EndingKind.NOTEBOOK_TIMEOUT: "Look in the notebook for what it waited for, or raise the limit.",
    EndingKind.KERNEL_DIED: "Look at the machine's memory; then run the step again.",
    EndingKind.DISK_FULL: "Make room on the disk; then run the step again.",
    EndingKind.NOT_STARTED: "`runbook doctor` checks the kernel.",
    EndingKind.USAGE: "`runbook params NOTEBOOK` lists what it takes.",
    EndingKind.SIGNAL: "Continue with `runbook run --resume`.",
}


def read_own_result(store: RunStore, step: Step) -> StepResult | None:
    """The result that the notebook wrote; None if there is none that can be read, or one of another run or step."""
    try:
        result = store.read_result(step)
    except InputError:
        return None
    return result if result and result.step is step and result.run_id == store.run_id else None


def result_of_ending(store: RunStore, step: Step, stack: str, started_at: datetime, ending: Ending) -> StepResult:
    """What the engine says when the notebook could not."""
    interrupted = ending.kind is EndingKind.SIGNAL
    message = ending.message if not ending.good else "the notebook ended without a result"
    return StepResult(
        run_id=store.run_id,
        step=step,
        stack=stack,
        outcome=Outcome.INTERRUPTED if interrupted else Outcome.ERRORED,
        summary=" ".join(message.split())[:300],
        started_at=started_at,
        finished_at=datetime.now(UTC),
        artifacts=store.artifacts(step),
        error=ErrorInfo(type=ending.error_type or "EngineError", message=message, remedy=REMEDIES[ending.kind]),
    )


def exit_status(results: Sequence[StepResult], signal_number: int) -> int:
    """The run's exit status: 128+N after a signal, else what the first result that stops says."""
    if signal_number:
        return 128 + signal_number
    stopping = next((result for result in results if result.outcome.stops), None)
    if stopping is None:
        return 0
    if stopping.outcome is Outcome.BLOCKED:
        return 1
    if stopping.outcome is Outcome.INTERRUPTED:
        return 130
    return 2 if stopping.error and stopping.error.type in USAGE else 3
