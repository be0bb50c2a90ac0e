"""A list of steps, executed in order until one stops it: resumed, repeated where that is safe, and summed up."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Sequence_
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..adapters.logs import configure_logs
from ..adapters.store import RunStore, sha256_file
from ..domain.redaction import Redactor
from ..engine.display import Display, choose_display
from ..engine.endings import Ending, EndingKind
from ..engine.kernels import KernelRequest
from ..engine.loop import LoopThread
from ..engine.notebook_files import light_imports, load_notebook, read_notebook
from ..engine.options import EngineOptions
from ..engine.papermill_engine import RunbookEngine
from ..engine.parameters import INJECTED, check_parameters, declared_parameters
from ..engine.session import Session
from ..engine.stopping import StopRequest, trap_signals
from ..errors import InputError, StoreError
from ..models.base import Outcome
from ..models.results import ErrorInfo, InputFile, StepResult
from ..models.steps import BUILT_IN, Step
from ..workspace.records import OUTCOME_FILE
from ..workspace.runs import refuse_second
from .kernel_queue import KernelQueue
from .own_steps import changed_elsewhere, files_elsewhere, given_result, own_environment, trespass
from .pages import Pages, import_pages

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from ..engine.forking import ForkServer

__all__ = [
    "Hooks",
    "Job",
    "Sequence",
    "Summary",
    "apply_began",
    "exit_status",
    "fingerprint",
    "run_sequence",
    "summary_text",
]


class Hooks(Protocol):
    """Told as things happen, in the main thread if it isn't said otherwise. What a hook raises ends the run."""

    def step_started(self, step: Step) -> None:
        """The step's notebook is about to be executed."""

    def step_ended(self, result: StepResult) -> None:
        """The step has ended and its files are written, but for the HTML page."""

    def step_resumed(self, step: Step) -> None:
        """The step was not executed again, as nothing that it came from changed. Told in the pages' thread."""

    def page_made(self, step: Step) -> None:
        """All that the step leaves is there, its page too. Told in the pages' thread."""

    def run_ended(self, results: tuple[StepResult, ...]) -> None:
        """Nothing more is executed, and all pages are written."""


@dataclass(frozen=True)
class Job:
    """What to run, where; `run_dir` is the run folder, named by the run's id.

    `notebooks` and `parameters` are by the steps' names. With a `fork_server` kernels come from there.
    `import_from` are folders that kernels may import from beside what is installed. A `stale` step is never resumed.
    """

    run_dir: Path
    steps: tuple[Step, ...]
    notebooks: Mapping[str, Path]
    stack: str
    cwd: Path
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    resume: bool = False
    redactor: Redactor = field(default_factory=Redactor)
    options: EngineOptions = field(default_factory=EngineOptions)
    display: Display | None = None
    fork_server: ForkServer | None = None
    import_from: tuple[str, ...] = ()
    stale: frozenset[str] = frozenset()

    @property
    def run_id(self) -> str:
        """The run folder's name."""
        return self.run_dir.name


@dataclass(frozen=True)
class Summary:
    """All results in order, those of steps that were not repeated included (`resumed`, by name)."""

    results: tuple[StepResult, ...]
    outcome: Outcome
    exit_status: int
    started_at: datetime
    finished_at: datetime
    resumed: frozenset[str] = frozenset()
    signal_number: int = 0


def run_sequence(job: Job, hooks: Hooks) -> Summary:
    """Run the steps; UsageError, before any kernel starts, for parameters that the notebooks do not take."""
    return Sequence(job, hooks).run()


@dataclass(frozen=True)
class Work:
    """One step's notebook and what it is given."""

    step: Step
    parameters: Mapping[str, Any]
    fingerprint: str
    request: KernelRequest


class Sequence:
    """Carries one job out."""

    def __init__(self, job: Job, hooks: Hooks) -> None:
        self._job = job
        self._hooks = hooks
        self._display: Display = job.display or choose_display()
        self._store = RunStore(job.run_dir.parent, job.run_id, job.redactor.mask)
        self._results: list[StepResult] = []
        self._resumed: set[str] = set()
        self._applied = False
        self._started_at = datetime.now(UTC)

    def run(self) -> Summary:
        """All steps up to the first that stops; then the pages, the hooks and the summary."""
        todo = [self._work(step) for step in self._job.steps]
        with LoopThread() as self._loop:
            self._stop = StopRequest(self._loop.loop)
            with trap_signals(self._stop), Pages(self._job.redactor) as self._pages:
                try:
                    self._steps(todo)
                finally:
                    self._display.close()
                    self._pages.finish()
                self._hooks.run_ended(tuple(self._results))
        return self._summary(self._stop.number)

    def _work(self, step: Step) -> Work:
        nb = read_notebook(self._job.notebooks[step.name])
        given = {**self._job.parameters.get(step.name, {}), "run_id": self._job.run_id, "stack": self._job.stack}
        if not step.decides:
            # A notebook that asks for neither runs as it is.
            declared = declared_parameters(nb) or {}
            given = {name: value for name, value in given.items() if name in declared or name not in INJECTED}
        parameters = check_parameters(nb, given, f"step {step.name}")
        name = nb["metadata"].get("kernelspec", {}).get("name") or "python3"
        environment = {**self._job.environment, **({} if step.decides else own_environment(self._store, step))}
        start_timeout = self._job.options.start_timeout
        import_from = self._job.import_from
        request = KernelRequest(
            name, self._job.cwd, environment, step.preload, step.later, start_timeout, import_from=import_from
        )
        return Work(step, parameters, fingerprint(nb, parameters), request)

    def _steps(self, todo: list[Work]) -> None:
        kernels: KernelQueue | None = None
        try:
            for position, work in enumerate(todo):
                last = self._results[-1] if self._results else None
                if self._stop.count or (last and (last.outcome.stops or last.ends)):
                    return
                if self._resume(work):
                    continue
                kernels = kernels or KernelQueue(
                    self._loop, [later.request for later in todo[position:]], self._job.fork_server
                )
                self._step(work, kernels)
                self._pages.add(self._store.step_dir(work.step.name), partial(self._hooks.page_made, work.step))
        finally:
            if kernels is not None:
                kernels.close()

    def _resume(self, work: Work) -> bool:
        # What apply did outside is not seen in files: once it has been carried out, what follows is too.
        if not self._job.resume or self._applied or work.step.name in self._job.stale:
            return False
        result = unchanged_result(self._store, self._job.cwd, work.step.name, work.fingerprint)
        if result is None:
            return False
        self._results.append(result)
        self._resumed.add(work.step.name)
        self._display.resumed(work.step.name, _line(result))
        self._pages.after(partial(self._hooks.step_resumed, work.step))
        return True

    def _step(self, work: Work, kernels: KernelQueue) -> None:
        if work.step.applies:
            refuse_second(self._store)
        self._hooks.step_started(work.step)
        self._display.started(work.step.name, work.step.folder)
        self._applied = self._applied or work.step.applies
        result = self._repeat(work.step, lambda: self._execute(work, kernels))
        self._results.append(result)
        self._display.ended(_line(result))
        self._hooks.step_ended(result)

    def _repeat(self, step: Step, once: Callable[[], StepResult]) -> StepResult:
        """Carry the step out, again if an outside system failed and the step allows it; the last result stands."""
        allowed = 1 + (step.retries if step.repeatable else 0)
        if allowed == 1:
            return once()

        import stamina

        configure_logs()
        for attempt in stamina.retry_context(on=_TransientError, attempts=allowed, timeout=None):
            with attempt:
                result = once()
                if attempt.num < allowed and not self._stop.count and _transient(result, step):
                    raise _TransientError(result.summary)
        return result

    def _execute(self, work: Work, kernels: KernelQueue) -> StepResult:
        started_at, step = datetime.now(UTC), work.step
        folder = self._store.step_dir(step.name)
        # An old result must not speak for a step that is killed before it can write its own.
        for name in ("result.json", OUTCOME_FILE):
            (folder / name).unlink(missing_ok=True)
        nb = load_notebook(self._job.notebooks[step.name])
        nb.metadata["runbook"] = {"step": step.name, "fingerprint": work.fingerprint}
        before = self._elsewhere(step)
        ending = self._papermill(nb, work, kernels)
        written = read_own_result(self._store, step.name)
        result = written
        if result is None and ending.good and not step.decides:
            result = given_result(self._store, step, self._job.stack, started_at)
        if result is None or (not ending.good and not result.outcome.stops):
            result = result_of_ending(self._store, step.name, self._job.stack, started_at, ending)
        if changed := changed_elsewhere(before, self._elsewhere(step)):
            result = trespass(result, changed)
        if result is not written:
            with contextlib.suppress(StoreError):
                # On a full disk the result still counts, for the exit status and for who is told.
                self._store.write_result(result)
        return result

    def _elsewhere(self, step: Step) -> dict[str, str]:
        # Ours write into other steps' folders where they must (apply keeps the decision); a team's own may not.
        if step.decides:
            return {}
        self._pages.finish()
        return files_elsewhere(self._store, step)

    def _papermill(self, nb: NotebookNode, work: Work, kernels: KernelQueue) -> Ending:
        """Execute and save the notebook; gives the ending, raises nothing that happened in it."""
        with light_imports():
            from papermill.engines import papermill_engines
            from papermill.exceptions import PapermillException
            from papermill.execute import execute_notebook

        # The entry point does it too, where the package is installed.
        papermill_engines.register("runbook", RunbookEngine)

        session = self._session(work, kernels)
        try:
            execute_notebook(
                nb,
                None,
                parameters=dict(work.parameters),
                engine_name="runbook",
                progress_bar=False,
                session=session,
            )
        except PapermillException as error:
            # papermill found an exception in the outputs; the session knows it already.
            if session.ending is None:
                return Ending(EndingKind.NOT_STARTED, type(error).__name__, str(error))
        return session.ending or Ending(EndingKind.NOT_STARTED, "EngineError", "the notebook was not executed")

    def _session(self, work: Work, kernels: KernelQueue) -> Session:
        from ..engine.saving import FolderSide, LocalFile

        folder = self._store.step_dir(work.step.name)
        return Session(
            self._loop,
            self._stop,
            self._job.redactor,
            lambda: kernels.take(work.request),
            replace(self._job.options, notebook_timeout=work.step.timeout),
            self._display,
            destination=LocalFile(folder / "notebook.ipynb"),
            side=FolderSide(folder),
            kernel_left=kernels.left,
            meanwhile=import_pages,
        )

    def _summary(self, signal_number: int) -> Summary:
        order = (Outcome.INTERRUPTED, Outcome.ERRORED, Outcome.BLOCKED, Outcome.WARNED, Outcome.PASSED)
        outcomes = {result.outcome for result in self._results} or {Outcome.SKIPPED}
        outcome = next((worst for worst in order if worst in outcomes), Outcome.SKIPPED)
        return Summary(
            results=tuple(self._results),
            outcome=Outcome.INTERRUPTED if signal_number else outcome,
            exit_status=exit_status(self._results, signal_number),
            started_at=self._started_at,
            finished_at=datetime.now(UTC),
            resumed=frozenset(self._resumed),
            signal_number=signal_number,
        )


TRANSIENT = {"TerraformError", "AwsError", "GitLabError", "ServiceError", "DeadKernelError"}


class _TransientError(Exception):
    """An outside system failed; the step may be tried again. Never leaves this module."""


def _transient(result: StepResult, step: Step) -> bool:
    if result.outcome is not Outcome.ERRORED or result.error is None:
        return False
    # What a team's own notebook raises when an outside system fails, only the team knows.
    return result.error.type in TRANSIENT or not step.decides


def _line(result: StepResult) -> str:
    return f"{result.outcome.upper()}: {result.summary}"


USAGE = {"UsageError", "ConfigError", "InputError"}
REMEDIES = {
    EndingKind.COMPLETED: "The last cell of a step's notebook shows its decision: put it back.",
    EndingKind.EXCEPTION: "Read the traceback in {}; if the defect is ours, report that file with `runbook --version`.",
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


def read_own_result(store: RunStore, step: str) -> StepResult | None:
    """The result that the notebook wrote; None if there is none that can be read, or one of another run or step."""
    try:
        result = store.read_result(step)
    except InputError:
        return None
    return result if result and result.step == step and result.run_id == store.run_id else None


def result_of_ending(store: RunStore, step: str, stack: str, started_at: datetime, ending: Ending) -> StepResult:
    """What the engine says when the notebook could not."""
    interrupted = ending.kind is EndingKind.SIGNAL
    message = ending.message if not ending.good else "the notebook ended without a result"
    remedy = REMEDIES[ending.kind].format(f"{store.run_id}/{store.file(step, 'notebook.ipynb')}")
    return StepResult(
        run_id=store.run_id,
        step=step,
        stack=stack,
        outcome=Outcome.INTERRUPTED if interrupted else Outcome.ERRORED,
        summary=" ".join(message.split())[:300],
        started_at=started_at,
        finished_at=datetime.now(UTC),
        artifacts=store.artifacts(step),
        error=ErrorInfo(type=ending.error_type or "EngineError", message=message, remedy=remedy),
    )


def exit_status(results: Sequence_[StepResult], signal_number: int) -> int:
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
    usage = stopping.error is not None and stopping.error.type in USAGE
    # What 2 says, that nothing was done, is true no more once apply has begun.
    return 2 if usage and not any(apply_began(result) for result in results) else 3


def apply_began(result: StepResult) -> bool:
    """Whether this is the result of an apply that came further than its own checks."""
    applies = any(step.applies and step.name == result.step for step in BUILT_IN)
    return applies and (bool(result.metrics.get("approved")) or not result.outcome.stops)


DONE = (Outcome.PASSED, Outcome.WARNED)
REPOSITORY = "repo:"


def fingerprint(nb: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """A digest over the cells' sources and the parameters' values; kept in the executed notebook's metadata."""
    sources = [(cell["cell_type"], cell["source"]) for cell in nb["cells"]]
    text = json.dumps([sources, parameters], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def unchanged_result(store: RunStore, root: Path, step: str, wanted: str) -> StepResult | None:
    """The step's result if it was good and nothing that it came from has changed since; else None."""
    result = read_own_result(store, step)
    if result is None or result.outcome not in DONE or _recorded(store, step) != wanted:
        return None
    return result if all(_same(store, root, file) for file in result.inputs) else None


def _recorded(store: RunStore, step: str) -> str:
    try:
        notebook = json.loads((store.dir / store.file(step, "notebook.ipynb")).read_text(encoding="utf-8"))
        return str(notebook["metadata"]["runbook"]["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _same(store: RunStore, root: Path, file: InputFile) -> bool:
    inside = file.path.startswith(REPOSITORY)
    path = root / file.path.removeprefix(REPOSITORY) if inside else store.dir / file.path
    return path.is_file() and sha256_file(path) == file.sha256


def summary_text(summary: Summary) -> str:
    """One line a step, then one for the run."""
    lines = []
    for result in summary.results:
        seconds = (result.finished_at - result.started_at).total_seconds()
        time = "unchanged" if result.step in summary.resumed else f"{seconds:.1f} s"
        lines.append(f"{result.step:<14} {result.outcome.upper():<12} {time:>10}  {result.summary}")
    total = (summary.finished_at - summary.started_at).total_seconds()
    run = summary.results[0].run_id if summary.results else ""
    return "\n".join([*lines, f"run {run} {summary.outcome.upper()} after {total:.1f} s".replace("  ", " ")])
