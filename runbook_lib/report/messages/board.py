"""The thread's parent: where the run stands, renewed as steps end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...models.base import Outcome
from ...models.messages import Message
from ...models.results import StepResult
from ...models.run import Run
from ...models.steps import RunStep
from .blocks import actions, compose, context, header, link_button, section
from .text import code, duration, line, moment
from .words import SIGNS

__all__ = ["Told", "run_line", "status_board"]


@dataclass(frozen=True)
class Told:
    """What is known of a run beside its steps' results: who rejected its plan, and what stopped it outside of them."""

    rejected_by: tuple[str, ...] = ()
    stopped: StepResult | None = None


def status_board(run: Run, results: Iterable[StepResult], told: Told | None = None) -> Message:
    """The run in one look: a line a step with its outcome, summary and duration."""
    board = _Board(run, {result.step: result for result in results}, told or Told())
    sign, state = board.state()
    title = f"{sign} {line(run.stack, 50)}: {state}"
    lines = [board.line(step) for step in run.steps]
    tail = [*actions(link_button("Open the pipeline", run.pipeline_url)), context(*run_line(run))]
    return compose(f"{run.stack}: {state} (run {run.run_id})", [header(title), section("\n".join(lines))], tail)


def run_line(run: Run) -> list[str]:
    """Whose run this is, and on what; for the small print."""
    who = f"asked by *{line(run.requester, 60)}*" if run.requester else ""
    commit = f"commit {code(run.commit[:8], 8)}" + (" with local changes" if run.dirty else "") if run.commit else ""
    ref = f"on {code(run.ref, 60)}" if run.ref else ""
    return [f"Run {code(run.run_id, 100)}", who, f"{commit} {ref}".strip(), f"started {moment(run.created_at)}"]


class _Board:
    """Where a run stands, by what its steps left."""

    def __init__(self, run: Run, results: Mapping[str, StepResult], told: Told) -> None:
        self._run = run
        self._results = results
        self._ended = [results[step.name] for step in run.steps if step.name in results]
        self._stopped = next((result for result in self._ended if result.outcome.stops), told.stopped)
        self._rejected_by = told.rejected_by
        self._idle = bool(self._ended) and self._ended[-1].ends
        # After the last step comes nothing more, also where it was the only one that was run.
        self._over = self._idle or all(step.name in results for step in run.steps[-1:])

    def state(self) -> tuple[str, str]:
        """A sign, and the words beside it."""
        if self._rejected_by and (self._stopped is None or self._stopped.outcome is Outcome.BLOCKED):
            return SIGNS[Outcome.BLOCKED], f"rejected by {line(', '.join(self._rejected_by), 60)}"
        if self._stopped:
            step = self._run.title(self._stopped.step).lower()
            return SIGNS[self._stopped.outcome], f"{self._stopped.outcome.value} at {line(step, 60)}"
        if self._over:
            warned = any(result.outcome is Outcome.WARNED for result in self._ended)
            return SIGNS[Outcome.WARNED if warned else Outcome.PASSED], "done, with warnings" if warned else "done"
        if self._waits():
            return ":lock:", "waiting for approval"
        return ":hourglass_flowing_sand:", "in progress"

    def line(self, step: RunStep) -> str:
        """One step's line."""
        title = f"*{line(step.title, 60)}*"
        result = self._results.get(step.name)
        if result:
            took = duration(result.finished_at - result.started_at)
            return f"{SIGNS[result.outcome]} {title} {result.outcome.value}: {line(result.summary, 320)} ({took})"
        if self._stopped or self._over or self._rejected_by:
            return f":white_circle: {title} {'not needed' if self._idle else 'not run'}"
        if self._waits() and step == self._next():
            return f":lock: {title} waits for the decision"
        return f":white_circle: {title}"

    def _next(self) -> RunStep | None:
        return next((step for step in self._run.steps if step.name not in self._results), None)

    def _waits(self) -> bool:
        # A step that asks for approval says in its metrics whether it was given, and so does the one that relies on it.
        said = [result.metrics["approved"] for result in self._ended if "approved" in result.metrics]
        return bool(said) and said[-1] is False
