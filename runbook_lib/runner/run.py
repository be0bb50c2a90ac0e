"""The runbook on its engine: a run opened, its notebooks executed in order, what happened told and sealed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..engine.forking import ForkServer
from ..engine.kernels import kernel_environment
from ..engine.options import EngineOptions
from ..engine.parameters import ParameterSet, collect_parameters
from ..errors import ConfigError
from ..models.base import Step
from ..settings import Settings
from ..workspace.runs import latest_run_id, open_run
from .lifecycle import Lifecycle
from .pages import write_index
from .sequence import TIMEOUTS, SequenceJob, SequenceSummary, run_sequence

__all__ = ["RunRequest", "execute"]


# What the notebooks import, or their steps where it is used: a kernel that waits has time for it.
PRELOAD = ("runbook_lib.report.tables", "runbook_lib.report.decision_tables", "ruamel.yaml")
ASKING = ("gitlab", "slack_sdk")
DRAWING = ("runbook_lib.report.charts", "matplotlib.figure", "matplotlib.backends.backend_svg", "matplotlib.patches")
PRELOAD_MORE = {
    Step.COMPLIANCE: ("hcl2",),
    Step.PLAN: ("hcl2", *DRAWING),
    Step.APPROVAL: ASKING,
    Step.APPLY: ASKING,
    Step.VERIFICATION: ("boto3", *DRAWING),
    Step.SERVICE_TESTS: ("boto3", "aiohttp", *DRAWING),
}


@dataclass(frozen=True)
class RunRequest:
    """What was asked on the command line. `assignments` are texts STEP.NAME=VALUE."""

    steps: tuple[Step, ...]
    stack: str = ""
    run_id: str = ""
    resume: bool = False
    assignments: tuple[str, ...] = ()
    parameter_file: Path | None = None


def execute(request: RunRequest, settings: Settings) -> SequenceSummary:
    """Carry out the steps. Wrong parameters are errors before a run is made or a kernel starts."""
    if not settings.notebooks.is_dir():
        raise ConfigError(f"{settings.notebooks} is not there", "The runbook's notebooks lie beside runbook.yml.")
    chosen = collect_parameters(settings.notebooks, request.steps, request.assignments, request.parameter_file)
    environment = {
        "RUNBOOK_ROOT": str(settings.root),
        "RUNBOOK_OUTPUTS": str(settings.outputs),
        "RUNBOOK_IN_SEQUENCE": "true",
    }
    with _fork_server(request, settings) as server:
        store, run = open_run(settings, _run_id(request, settings), request.stack, _named(chosen))
        job = SequenceJob(
            notebooks=settings.notebooks,
            run_dir=store.dir,
            steps=request.steps,
            stack=run.stack,
            cwd=settings.root,
            parameters=chosen.values,
            environment=environment,
            resume=request.resume,
            redactor=settings.redactor,
            timeouts=_timeouts(settings),
            retries={step: config.retries for step, config in settings.config.steps.items()},
            preload={step: _preload(step) for step in Step},
            options=_options(),
            fork_server=server,
        )
        summary = run_sequence(job, Lifecycle(settings, store, run))
    write_index(store)
    return summary


@contextlib.contextmanager
def _fork_server(request: RunRequest, settings: Settings) -> Iterator[ForkServer | None]:
    # It imports what the first kernel needs while the run is opened. One kernel alone is as quick without it.
    # And not on macOS, whose own libraries may end a process that was forked after they have been used.
    if len(request.steps) < 2 or sys.platform == "darwin":
        yield None
        return
    with ForkServer(_preload(request.steps[0]), settings.root, kernel_environment({})) as server:
        yield server


def _options() -> EngineOptions:
    # A step's time is runbook.yml's: a limit from the environment would cut short an apply as well.
    given, usual = EngineOptions.from_environment(), EngineOptions()
    return EngineOptions(grace=given.get("grace", usual.grace), save_every=given.get("save_every", usual.save_every))


def _timeouts(settings: Settings) -> Mapping[Step, float]:
    own = {step: config.timeout.total_seconds() for step, config in settings.config.steps.items() if config.timeout}
    return {**TIMEOUTS, **own}


def _preload(step: Step) -> tuple[str, ...]:
    return (f"runbook_lib.steps.{step}", *PRELOAD, *PRELOAD_MORE.get(step, ()))


def _run_id(request: RunRequest, settings: Settings) -> str:
    # Steps after the first go on with a run that is there; the first begins one of its own.
    first = request.steps[0] if request.steps else Step.COMPLIANCE
    if request.run_id or first in {Step.COMPLIANCE, Step.SERVICE_TESTS}:
        return request.run_id
    return latest_run_id(settings, request.stack)


def _named(chosen: ParameterSet) -> Mapping[str, Mapping[str, object]]:
    return {step.value: dict(values) for step, values in chosen.values.items() if values}
