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
    """Tell the failure of a run, once; the sentence says what was told. SlackError if it could not be."""
    environment = settings.environment
    store, run = open_run(settings, run_id or environment.pipeline_id or latest_run_id(settings, stack), stack)
    results = store.results()
    result = failed_result(results) or _lost(run, {result.step for result in results})
    delivery = Teller(settings, store, run).tell_failure(result)
    if delivery.error:
        raise SlackError(delivery.error.message, delivery.error.remedy)
    return f"Run {run.run_id} stopped at {result.step}: {result.summary}"


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
