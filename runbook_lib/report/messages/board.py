"""The thread's parent: where the run stands, renewed as steps end."""

from __future__ import annotations

from collections.abc import Iterable

from ...models.base import Outcome, Step
from ...models.messages import Message
from ...models.results import StepResult
from ...models.run import Run
from .blocks import actions, compose, context, header, link_button, section
from .text import code, duration, line, moment
from .words import SIGNS, TITLES

__all__ = ["run_line", "status_board"]


def status_board(run: Run, results: Iterable[StepResult]) -> Message:
    """The run in one look: a line a step with its outcome, summary and duration."""
    by_step = {result.step: result for result in results}
    sign, state = _state(by_step)
    title = f"{sign} {line(run.stack, 50)}: {state}"
    lines = [_step_line(step, by_step) for step in Step]
    tail = [*actions(link_button("Open the pipeline", run.pipeline_url)), context(*run_line(run))]
    return compose(f"{run.stack}: {state} (run {run.run_id})", [header(title), section("\n".join(lines))], tail)


def run_line(run: Run) -> list[str]:
    """Whose run this is, and on what; for the small print."""
    who = f"asked by *{line(run.requester, 60)}*" if run.requester else ""
    commit = f"commit {code(run.commit[:8], 8)}" + (" with local changes" if run.dirty else "") if run.commit else ""
    ref = f"on {code(run.ref, 60)}" if run.ref else ""
    return [f"Run {code(run.run_id, 100)}", who, f"{commit} {ref}".strip(), f"started {moment(run.created_at)}"]


def _stopped_at(by_step: dict[Step, StepResult]) -> StepResult | None:
    return next((by_step[step] for step in Step if step in by_step and by_step[step].outcome.stops), None)


def _state(by_step: dict[Step, StepResult]) -> tuple[str, str]:
    stopped = _stopped_at(by_step)
    if stopped:
        return SIGNS[stopped.outcome], f"{stopped.outcome.value} at {TITLES[stopped.step].lower()}"
    if len(by_step) == len(Step):
        warned = any(result.outcome is Outcome.WARNED for result in by_step.values())
        return SIGNS[Outcome.WARNED if warned else Outcome.PASSED], "done, with warnings" if warned else "done"
    if _waits_for_decision(by_step):
        return ":lock:", "waiting for approval"
    return ":hourglass_flowing_sand:", "in progress"


def _waits_for_decision(by_step: dict[Step, StepResult]) -> bool:
    return Step.APPROVAL in by_step and Step.APPLY not in by_step


def _step_line(step: Step, by_step: dict[Step, StepResult]) -> str:
    title = f"*{TITLES[step]}*"
    result = by_step.get(step)
    if result:
        took = duration(result.finished_at - result.started_at)
        return f"{SIGNS[result.outcome]} {title} {result.outcome.value}: {line(result.summary, 320)} ({took})"
    if _stopped_at(by_step):
        return f":white_circle: {title} not run"
    if step is Step.APPLY and _waits_for_decision(by_step):
        return f":lock: {title} waits for the decision"
    return f":white_circle: {title}"
