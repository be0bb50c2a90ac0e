"""What is told when a run stopped, also when nothing of it could tell that itself."""

from __future__ import annotations

from datetime import UTC, datetime

from ..errors import SlackError
from ..models.base import Outcome, Step
from ..models.results import ErrorInfo, StepResult
from ..models.run import Run
from ..settings import Settings
from .runs import latest_run_id, open_run
from .telling import Teller, failed_result

__all__ = ["tell_stopped"]


def tell_stopped(settings: Settings, run_id: str, stack: str) -> str:
    """Tell the failure of a run, once; the sentence says what was told. SlackError if it could not be.

    In a pipeline, where this is asked only after something failed, a run without a failed step has lost one.
    """
    environment = settings.environment
    store, run = open_run(settings, run_id or environment.pipeline_id or latest_run_id(settings, stack), stack)
    results, teller = store.results(), Teller(settings, store, run)
    result = failed_result(results)
    if result is None and not environment.pipeline_id:
        delivery, said = teller.deliver(), f"Run {run.run_id} did not stop at any step."
    else:
        result = result or _lost(run, {result.step for result in results})
        delivery, said = teller.tell_failure(result), f"Run {run.run_id} stopped at {result.step}: {result.summary}"
    if delivery.error:
        raise SlackError(delivery.error.message, delivery.error.remedy)
    return said


def _lost(run: Run, done: set[Step]) -> StepResult:
    # A job can die without a result: its runner was lost, or it ran out of time before its notebook began.
    step = next((step for step in Step if step not in done), Step.SERVICE_TESTS)
    message = f"The job of step {step} ended without a result, or never began."
    if step is Step.SERVICE_TESTS:
        # They run, and tell what they found, in a pipeline of their own; its results don't come back into this one.
        message = "The service tests did not pass: their own pipeline says why."
    error = ErrorInfo(type="EngineError", message=message, remedy="Read the job's log, then retry the job.")
    return StepResult(
        run_id=run.run_id,
        step=step,
        stack=run.stack,
        outcome=Outcome.ERRORED,
        summary=message,
        # One loss, one message: a time that a second call would see as well.
        started_at=run.created_at,
        finished_at=datetime.now(UTC),
        error=error,
    )
