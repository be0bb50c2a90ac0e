"""What holds for a team's own notebooks: they need not decide, may answer by a file, and keep to their own folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from ..adapters.store import RunStore, sha256_file
from ..errors import BlockedError, InputError, UsageError
from ..models.base import Outcome
from ..models.results import ErrorInfo, GivenOutcome, InputFile, StepResult
from ..models.run import Run
from ..models.steps import RunStep, Step
from ..settings import Settings
from ..workspace.governance import notebook_problem
from ..workspace.records import OUTCOME_FILE, steps_before

__all__ = [
    "changed_elsewhere",
    "files_elsewhere",
    "given_result",
    "own_environment",
    "refuse_replaced",
    "refuse_spoilt",
    "trespass",
]

TRESPASS = "TrespassError"
# Slack is told from another thread while a step works.
_TELLING = ("slack.json", ".slack.json.", "outbox/")


def own_environment(store: RunStore, step: Step) -> dict[str, str]:
    """What a notebook in any language finds its way by."""
    folder = store.dir / step.folder
    return {
        "RUNBOOK_STEP": step.name,
        "RUNBOOK_RUN_DIR": str(store.dir),
        "RUNBOOK_STEP_DIR": str(folder),
        "RUNBOOK_OUTCOME_FILE": str(folder / OUTCOME_FILE),
    }


def given_result(store: RunStore, step: Step, stack: str, started_at: datetime) -> StepResult:
    """The result of a notebook that was executed to its end: by its outcome.json, or passed if it left none."""
    relative = store.file(step.name, OUTCOME_FILE)
    given, error = GivenOutcome(), None
    try:
        if store.exists(relative):
            given = store.read_model(relative, GivenOutcome)
    except InputError as wrong:
        error = ErrorInfo(type="InputError", message=wrong.message, remedy="docs/notebooks.md has its form.")
    return StepResult(
        run_id=store.run_id,
        step=step.name,
        stack=stack,
        outcome=Outcome.ERRORED if error else given.decided,
        summary=error.message if error else given.said(step.title),
        started_at=started_at,
        finished_at=datetime.now(UTC),
        findings=tuple(finding.finding(step.name) for finding in given.findings),
        metrics=given.metrics,
        artifacts=store.artifacts(step.name),
        # Nobody knows what it has read: a new result of any step before it is worth another look.
        inputs=tuple(
            _input(store, before.name) for before in steps_before(store, step.name) if _has(store, before.name)
        ),
        error=error,
    )


def files_elsewhere(store: RunStore, step: Step) -> dict[str, str]:
    """The digest of every file of the run that is none of this step's."""
    own = f"{step.folder}/"
    paths = (path for path in store.dir.rglob("*") if path.is_file())
    files = {path.relative_to(store.dir).as_posix(): path for path in paths}
    return {name: sha256_file(path) for name, path in sorted(files.items()) if not name.startswith((own, *_TELLING))}


def changed_elsewhere(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What was changed, added or removed between two looks."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def trespass(result: StepResult, changed: list[str]) -> StepResult:
    """The result of a step that wrote into other steps' folders: a no, whatever it says itself."""
    named = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
    message = f"The step {result.step} changed what is not its own: {named}."
    error = ErrorInfo(
        type=TRESPASS,
        message=message,
        remedy="Let it write into its own folder alone, and begin a new run.",
    )
    return result.model_copy(update={"outcome": Outcome.BLOCKED, "summary": message, "error": error})


def refuse_spoilt(store: RunStore) -> None:
    """UsageError for a run in which a step wrote into others' folders: nobody knows any more what its files prove."""
    for result in store.results():
        if result.error and result.error.type == TRESPASS:
            raise UsageError(f"run {store.run_id} is spoilt: {result.error.message}", "Begin a new run.")


def refuse_replaced(settings: Settings, run: Run, steps: Iterable[RunStep]) -> None:
    """BlockedError, before anything is executed, if approval's or apply's notebook is one that nobody has allowed."""
    for step in steps:
        problem = notebook_problem(settings, run, step, datetime.now(UTC).date())
        if problem:
            raise BlockedError(
                problem,
                f"Take the notebook of the installed version, or let steps.{step.name}.own_notebook in runbook.yml say"
                " by a change of its own that this step may have another one.",
            )


def _has(store: RunStore, name: str) -> bool:
    return store.exists(store.file(name, "result.json"))


def _input(store: RunStore, name: str) -> InputFile:
    relative = store.file(name, "result.json")
    return InputFile(path=relative, sha256=sha256_file(store.path(relative)))
