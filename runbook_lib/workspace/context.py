"""One step at work: where it reads, where it writes, and how it ends."""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from ..adapters.run_lock import is_carried_out
from ..adapters.store import RunStore, sha256_file
from ..errors import BlockedError, RunbookError
from ..models.base import Outcome
from ..models.config import StackConfig
from ..models.findings import Finding
from ..models.results import ErrorInfo, InputFile, StepResult
from ..models.run import Run
from ..models.steps import Step, find_step
from ..report.result_view import ResultView
from ..settings import Settings
from .clients import enter_stack, stack_config
from .runs import Asked, latest_run_id, open_run, refuse_second, runbook_with, step_of
from .slack_thread import Teller

__all__ = ["StepContext", "open_step", "recorded"]


P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class StepContext:
    """What the functions of a step share: made by `open_step`, ended by `finish`."""

    step: Step
    settings: Settings
    store: RunStore
    run: Run
    started_at: datetime
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    metrics: dict[str, Any] = field(default_factory=dict)
    # What was found out once and is asked for again.
    known: dict[str, Any] = field(default_factory=dict)
    _inputs: dict[str, Path] = field(default_factory=dict)

    @property
    def stack(self) -> StackConfig:
        """The stack that the run changes."""
        return stack_config(self.settings, self.run.stack)

    @property
    def stack_dir(self) -> Path:
        """The folder of the stack's Terraform files."""
        return self.settings.root / self.stack.path

    def file(self, name: str) -> str:
        """The path, inside the run folder, of a file of this step."""
        return f"{self.step.folder}/{name}"

    def uses(self, *paths: Path) -> None:
        """Remember files this step reads, whose change makes it worth repeating."""
        for path in paths:
            resolved = path.resolve()
            if resolved.is_relative_to(self.store.dir.resolve()):
                self._inputs[resolved.relative_to(self.store.dir.resolve()).as_posix()] = resolved
            elif resolved.is_relative_to(self.settings.root):
                self._inputs[f"repo:{resolved.relative_to(self.settings.root).as_posix()}"] = resolved

    def uses_repository(self) -> None:
        """Remember the stack's files, the policies and runbook.yml."""
        files = (path for path in self.stack_dir.glob("**/*") if ".terraform" not in path.parts)
        self.uses(*sorted(path for path in files if path.suffix in {".tf", ".tofu", ".tfvars", ".json"}))
        policies = self.settings.root / self.settings.config.compliance.policies
        self.uses(*sorted(policies.glob("*.yml")), self.settings.root / "runbook.yml")

    def import_later(self) -> None:
        """Import what the step needs later on, at a time when it would only wait."""
        for module in self.step.later:
            # What can't be imported here is missed where it is used, and said there.
            with contextlib.suppress(Exception):
                importlib.import_module(module)

    def finish(
        self, outcome: Outcome, summary: str, findings: Sequence[Finding] = (), *, ends: bool = False
    ) -> ResultView:
        """Write result.json, tell Slack, and give what the notebook shows as its decision.

        With `ends` nothing is left for the steps after this one.
        """
        return ResultView(self._end(self._result(outcome, summary, findings=tuple(findings), ends=ends)))

    def fail(self, outcome: Outcome, error: ErrorInfo) -> None:
        """Write the result of a step that an error ended, and tell Slack."""
        self._end(self._result(outcome, error.message, error=error))

    def _end(self, result: StepResult) -> StepResult:
        self.store.write_result(result)
        # Who carries the run out tells the results of its steps itself, while the next step works already.
        if not is_carried_out(self.settings.outputs, self.run.run_id):
            Teller(self.settings, self.store, self.run).tell_step(result)
        return result

    def _result(self, outcome: Outcome, summary: str, **more: Any) -> StepResult:
        inputs = [
            InputFile(path=name, sha256=sha256_file(path)) for name, path in self._inputs.items() if path.is_file()
        ]
        return StepResult(
            run_id=self.run.run_id,
            step=self.step.name,
            stack=self.run.stack,
            outcome=outcome,
            summary=summary,
            started_at=self.started_at,
            finished_at=self.clock(),
            metrics=self.metrics,
            artifacts=self.store.artifacts(self.step.name),
            inputs=tuple(inputs),
            **more,
        )


def open_step(name: str, run_id: str = "", stack: str = "") -> StepContext:
    """Begin a step of a run. By hand, with no run id, one that starts runs makes it; others take the stack's newest.

    ApprovalError for a step up to apply where that began: what it was carried out by stays as it is.
    """
    started_at = datetime.now(UTC)
    settings = Settings.load()
    store, run = open_run(settings, _asked(settings, name, run_id, stack))
    step = step_of(settings, run, name)
    applies = find_step(run.steps, "apply")
    if applies and step.number <= applies.number:
        refuse_second(store)
    enter_stack(settings, run.stack, applies=step.applies)
    store.step_dir(name)
    store.path(f"{step.folder}/result.json").unlink(missing_ok=True)
    return StepContext(step=step, settings=settings, store=store, run=run, started_at=started_at)


def _asked(settings: Settings, name: str, run_id: str, stack: str) -> Asked:
    if run_id:
        return Asked(run_id, stack)
    runbook = runbook_with(settings, name)
    first = settings.config.runbook(runbook)[0]
    step = find_step(settings.config.runbook(runbook), name)
    if step is None or not (step.starts_run or step.name == first.name):
        return Asked(latest_run_id(settings, stack), stack)
    return Asked("", stack, runbook)


def recorded(
    function: Callable[Concatenate[StepContext, P], T],
) -> Callable[Concatenate[StepContext, P], T]:
    """Decorate a function of a step: an error that leaves it is written to result.json and told before it is raised."""

    @functools.wraps(function)
    def wrapper(context: StepContext, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(context, *args, **kwargs)
        except KeyboardInterrupt:
            context.fail(Outcome.INTERRUPTED, _info("KeyboardInterrupt", "the step was interrupted"))
            raise
        except RunbookError as error:
            outcome = Outcome.BLOCKED if isinstance(error, BlockedError) else Outcome.ERRORED
            context.fail(outcome, _info(type(error).__name__, error.message, error.remedy))
            raise
        except Exception as error:
            kind = type(error).__name__
            context.fail(Outcome.ERRORED, _info(kind, str(error) or kind, DEFECT.format(_executed(context))))
            raise

    return wrapper


DEFECT = "This is a defect. Report {}, which holds the traceback, with the command and `runbook --version`."


def _executed(context: StepContext) -> str:
    # By hand nobody but JupyterLab knows where the notebook is. Evidence names no folders of a machine.
    carried_out = is_carried_out(context.settings.outputs, context.run.run_id)
    return f"{context.run.run_id}/{context.file('notebook.ipynb')}" if carried_out else "the notebook"


def _info(kind: str, message: str, remedy: str = "Run the step again.") -> ErrorInfo:
    return ErrorInfo(type=kind, message=message, remedy=remedy)


def describe(values: Mapping[str, int]) -> str:
    """Counts as words: `2 to add, 1 to change`; zeros are left out."""
    return ", ".join(f"{count} {name}" for name, count in values.items() if count)
