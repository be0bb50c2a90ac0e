"""The runbook on its engine: a run opened, its notebooks executed in order, what happened told and sealed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from ..adapters.run_lock import carries_out
from ..adapters.store import RunStore
from ..adapters.yaml_file import load_yaml
from ..engine.forking import ForkServer
from ..engine.kernels import kernel_environment
from ..engine.options import EngineOptions
from ..engine.parameters import Given, ParameterSet, collect_parameters
from ..errors import ApprovalError, InputError, RunbookError, StoreError, UsageError
from ..models.base import Outcome
from ..models.run import Run
from ..models.steps import CHANGE, RunStep, Step, find_step
from ..settings import Settings
from ..workspace.going_on import apply_left, state_moved
from ..workspace.records import began_file
from ..workspace.runs import (
    RUN_FILE,
    Asked,
    latest_run_id,
    load_run,
    new_run_id,
    no_step,
    open_run,
    refuse_second,
    run_store,
    step_of,
)
from .lifecycle import Lifecycle
from .own_steps import refuse_replaced, refuse_spoilt
from .sequence import Job, Summary, run_sequence
from .signer import Signer

__all__ = ["RunRequest", "chosen_steps", "execute"]

StepT = TypeVar("StepT", bound=RunStep)


@dataclass(frozen=True)
class RunRequest:
    """What was asked on the command line: steps by name, all of them if none is named, or those from `start` on.

    `assignments` are texts STEP.NAME=VALUE. A `quiet` run tells no chat of its steps.
    """

    names: tuple[str, ...] = ()
    start: str = ""
    runbook: str = ""
    stack: str = ""
    run_id: str = ""
    resume: bool = False
    assignments: tuple[str, ...] = ()
    parameter_file: Path | None = None
    quiet: bool = False


def execute(request: RunRequest, settings: Settings) -> Summary:
    """Carry out the steps. Wrong parameters are errors before a run is made or a kernel starts."""
    request = _going_on(request, settings)
    asked, steps = _choose(request, settings)
    notebooks = {step.name: settings.notebook(step) for step in (*settings.config.all_steps, *steps)}
    chosen = collect_parameters(notebooks, [step.name for step in steps], _given(request))
    if not steps:
        now = datetime.now(UTC)
        return Summary((), Outcome.SKIPPED, 0, now, now)
    with _fork_server(steps, settings) as server:
        signer = Signer.of(settings)
        store, run = open_run(settings, replace(asked, parameters=_named(chosen)))
        refuse_spoilt(store)
        steps = _with_something_to_do(settings, store, run, steps)
        if not steps:
            now = datetime.now(UTC)
            return Summary((), Outcome.SKIPPED, 0, now, now)
        if not request.resume and any(step.applies for step in steps):
            refuse_second(store)
        refuse_replaced(settings, run, steps)
        job = Job(
            run_dir=store.dir,
            steps=tuple(step_of(settings, run, step.name) for step in steps),
            notebooks=notebooks,
            stack=run.stack,
            cwd=settings.root,
            import_from=tuple(str(settings.root / name) for name in settings.config.kernels.import_from),
            parameters=chosen.values,
            environment={"RUNBOOK_ROOT": str(settings.root), "RUNBOOK_OUTPUTS": str(settings.outputs)},
            resume=request.resume,
            stale=_stale(settings, store, run, steps) if request.resume else frozenset(),
            redactor=settings.redactor,
            options=_options(),
            fork_server=server,
        )
        with carries_out(settings.outputs, run.run_id):
            lifecycle = Lifecycle(settings, store, run, signer, quiet=request.quiet)
            lifecycle.run_started(job.steps)
            try:
                return run_sequence(job, lifecycle)
            except RunbookError as error:
                if not lifecycle.applied or error.exit_status != RunbookError.exit_status:
                    raise
                # Its status would say that nothing was done.
                raise StoreError(f"apply was carried out, and then: {error.message}", error.remedy) from error


def _going_on(request: RunRequest, settings: Settings) -> RunRequest:
    """Which run `resume` means: the stack's newest where none is named, and a new one where its apply did not end well.

    An approval is used once, and its plan is of a state that has moved: what is left is planned and approved anew.
    """
    if not request.resume:
        return request
    with contextlib.suppress(InputError):
        # Without any run yet there is none to go on with.
        named = request.run_id or latest_run_id(settings, request.stack)
        request = replace(request, run_id=named)
    run = _existing(settings, request.run_id)
    if run is None:
        return request
    names = {step.name for step in chosen_steps(run.steps, request.names, request.start, f"run {run.run_id}")}
    left = apply_left(settings, run_store(settings, run.run_id), run) if names & {"plan", "apply"} else ""
    if not left:
        return request
    if "plan" not in names:
        raise ApprovalError(
            f"run {run.run_id} is not gone on with: {left}, and an approval is used once",
            f"Plan what is left to do: `runbook run --stack {run.stack}`.",
        )
    new = new_run_id(settings)
    print(f"{run.run_id}: {left}. Run {new} plans what is left to do.", file=sys.stderr)  # noqa: T201 - progress
    return replace(request, run_id=new, stack=run.stack, runbook=run.runbook, resume=False)


def _stale(settings: Settings, store: RunStore, run: Run, steps: Sequence[Step]) -> frozenset[str]:
    """The plan step where what it planned on is not there any more: its files alone do not say so."""
    moved = "" if _applied(store) else state_moved(settings, store, run)
    names = {step.name for step in steps}
    if moved and "plan" not in names and names & {"approval", "apply"}:
        raise ApprovalError(
            f"the plan of run {run.run_id} is stale: {moved}",
            f"Plan and ask again: `runbook run --from plan --run-id {run.run_id}`.",
        )
    if moved and "plan" in names:
        print(f"plan: made again: {moved}", file=sys.stderr)  # noqa: T201 - progress
    # Where nobody can tell, it is made again as well.
    return frozenset() if moved == "" else frozenset({"plan"})


def _applied(store: RunStore) -> bool:
    return bool(find_step(store.steps, "apply")) and store.exists(began_file(store))


def chosen_steps(steps: Sequence[StepT], names: Sequence[str], start: str, where: str) -> tuple[StepT, ...]:
    """The steps to run, in the runbook's order; UsageError with a suggestion for an unknown name."""
    if names and start:
        raise UsageError("steps and --from exclude each other", "Name the steps, or the first of them with --from.")
    if start:
        first = _found(steps, start, where)
        return tuple(step for step in steps if step.number >= first.number)
    wanted = {_found(steps, name, where).name for name in names}
    return tuple(step for step in steps if step.name in wanted or not names)


def _choose(request: RunRequest, settings: Settings) -> tuple[Asked, tuple[Step, ...]]:
    """Which run is meant, and which of its steps. Steps after the first go on with a run that is there."""
    asked = Asked(request.run_id, request.stack, request.runbook)
    run = _existing(settings, request.run_id)
    if run is None:
        stack = settings.stack_name(request.stack)
        steps = settings.runbook(request.runbook, stack)
        names = _taking_part(request, settings, stack)
        chosen = chosen_steps(steps, names, request.start, f"runbook {request.runbook or CHANGE}")
        if request.names and not names:
            return asked, ()
        if request.run_id or chosen[0].starts_run or chosen[0].number == steps[0].number:
            return replace(asked, stack=stack), chosen
        run = load_run(run_store(settings, latest_run_id(settings, stack)))
        asked = replace(asked, run_id=run.run_id)
    names = _taking_part(request, settings, run.stack)
    if request.names and not names:
        return asked, ()
    found = chosen_steps(run.steps, names, request.start, f"run {run.run_id}")
    return asked, tuple(step_of(settings, run, step.name) for step in found)


def _taking_part(request: RunRequest, settings: Settings, stack: str) -> tuple[str, ...]:
    # A pipeline has a job for each step, also where a stack does without one: its job has nothing to do.
    without = set(settings.config.stacks[stack].without) if stack in settings.config.stacks else set()
    left_out = [name for name in request.names if _normal(name) in without]
    for name in left_out:
        print(f"{name}: stack {stack} leaves this step out (runbook.yml)", file=sys.stderr)  # noqa: T201 - progress
    return tuple(name for name in request.names if name not in left_out)


def _with_something_to_do(settings: Settings, store: RunStore, run: Run, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps but for those up to apply, where one before them that is not repeated left nothing for them to do."""
    ended = next((result for result in store.results() if result.ends), None)
    if ended is None or any(step.name == ended.step for step in steps):
        return steps
    all_steps = [step_of(settings, run, step.name) for step in run.steps]
    first = next(position for position, step in enumerate(all_steps) if step.name == ended.step) + 1
    last = next((position for position, step in enumerate(all_steps) if step.applies), -1) + 1
    idle = {step.name for step in all_steps[first:last]}
    for step in steps:
        if step.name in idle:
            print(f"{step.name}: {ended.summary}", file=sys.stderr)  # noqa: T201 - progress
    return tuple(step for step in steps if step.name not in idle)


def _existing(settings: Settings, run_id: str) -> Run | None:
    store = run_store(settings, run_id) if run_id else None
    return load_run(store) if store and store.exists(RUN_FILE) else None


def _found(steps: Sequence[StepT], name: str, where: str) -> StepT:
    step = find_step(steps, _normal(name))
    if step is None:
        raise no_step(name, steps, where)
    return step


def _normal(name: str) -> str:
    return name.replace("-", "_").lower()


@contextlib.contextmanager
def _fork_server(steps: Sequence[Step], settings: Settings) -> Iterator[ForkServer | None]:
    # It imports what the first kernel needs while the run is opened. One kernel alone is as quick without it.
    # And not on macOS, whose own libraries may end a process that was forked after they have been used.
    if len(steps) < 2 or sys.platform == "darwin":
        yield None
        return
    with ForkServer((*steps[0].preload, *steps[0].later), settings.root, kernel_environment({})) as server:
        yield server


def _options() -> EngineOptions:
    # A step's time is runbook.yml's: a limit from the environment would cut short an apply as well.
    given, usual = EngineOptions.from_environment(), EngineOptions()
    return EngineOptions(grace=given.get("grace", usual.grace), save_every=given.get("save_every", usual.save_every))


def _given(request: RunRequest) -> Given:
    path = request.parameter_file
    return Given(request.assignments, load_yaml(path).data if path else None, path.name if path else "")


def _named(chosen: ParameterSet) -> Mapping[str, Mapping[str, object]]:
    return {step: dict(values) for step, values in chosen.values.items() if values}
