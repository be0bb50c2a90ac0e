"""Runs: made once, found again by every step."""

from __future__ import annotations

import difflib
import getpass
import platform
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ..adapters.git import read_commit
from ..adapters.run_lock import is_carried_out
from ..adapters.store import RUN_ID, RunStore
from ..errors import ApprovalError, InputError, UsageError
from ..models.run import Run
from ..models.steps import CHANGE, DRIFT, RunStep, Step, find_step
from ..settings import Settings
from .clients import gitlab_client
from .records import began_file

__all__ = [
    "RUN_FILE",
    "Asked",
    "latest_run_id",
    "living_run",
    "load_run",
    "new_run_id",
    "no_step",
    "open_run",
    "refuse_second",
    "run_store",
    "runbook_with",
    "step_of",
]


RUN_FILE = "run.json"
TOOLS = ("papermill", "nbclient", "boto3", "pandas", "slack_sdk", "python-gitlab", "python-hcl2")


@dataclass(frozen=True)
class Asked:
    """Which run is meant. What is empty is not asked for; `parameters` by step are kept with a new run."""

    run_id: str = ""
    stack: str = ""
    runbook: str = ""
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def run_store(settings: Settings, run_id: str) -> RunStore:
    """The run's folder, with every text masked on its way there."""
    return RunStore(settings.outputs, run_id, settings.redactor.mask)


def new_run_id(settings: Settings, now: datetime | None = None) -> str:
    """The pipeline's id, else the UTC time with a suffix."""
    if settings.environment.pipeline_id:
        return settings.environment.pipeline_id
    return f"{(now or datetime.now(UTC)):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def latest_run_id(settings: Settings, stack: str) -> str:
    """The id of the newest run of the stack that is meant; InputError if there is none."""
    if settings.environment.pipeline_id:
        return settings.environment.pipeline_id
    stack, found = settings.stack_name(stack), []
    for path in settings.outputs.glob(f"*/{RUN_FILE}"):
        if not RUN_ID.fullmatch(path.parent.name):
            continue  # somebody's copy: no run can have this name
        run = RunStore(settings.outputs, path.parent.name).read_model(RUN_FILE, Run)
        # A look at the drift is no change that anything goes on with.
        if run.stack == stack and run.runbook != DRIFT:
            found.append((run.created_at, run.run_id))
    if not found:
        raise InputError(
            f"there is no run of stack {stack} yet", "Start one with the compliance notebook, or with `runbook run`."
        )
    return max(found)[1]


def living_run(settings: Settings, stack: str) -> str:
    """The id of a run of the stack that some process carries out here now; empty if there is none."""
    for path in settings.outputs.glob(f"*/{RUN_FILE}"):
        # What nobody carries out need not be readable: a state is put right among the ruins of something.
        if is_carried_out(settings.outputs, path.parent.name):
            run = run_store(settings, path.parent.name).read_model(RUN_FILE, Run)
            if run.stack == stack:
                return run.run_id
    return ""


def load_run(store: RunStore) -> Run:
    """The run that the folder holds; InputError if it holds none."""
    return store.read_model(RUN_FILE, Run)


def step_of(settings: Settings, run: Run, name: str) -> Step:
    """A step as runbook.yml describes it now, with the number that it has in the run; UsageError if it has none."""
    recorded = find_step(run.steps, name)
    if recorded is None:
        raise no_step(name, run.steps, f"run {run.run_id}")
    described = find_step(_described(settings, run), name)
    if described is None:
        raise UsageError(f"runbook.yml has no step {name!r} any more", "Put it back, or begin a new run.")
    return described.model_copy(update={"number": recorded.number, "title": recorded.title})


def no_step(name: str, steps: Iterable[RunStep], where: str) -> UsageError:
    """The error that says that there is no step of this name, with the likeliest one."""
    names = [step.name for step in steps]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return UsageError(f"unknown step {name!r}", f"{hint}The steps of {where} are {', '.join(names)}.")


def runbook_with(settings: Settings, step: str) -> str:
    """The runbook that has this step: `change`, else the first that has it; UsageError if none does."""
    for name in settings.config.runbook_names:
        if find_step(settings.config.runbook(name), step):
            return name
    raise no_step(step, settings.config.all_steps, "runbook.yml")


def open_run(settings: Settings, asked: Asked) -> tuple[RunStore, Run]:
    """Find the run that is asked for, or make it and write run.json; UsageError for another stack or runbook."""
    store = run_store(settings, asked.run_id or new_run_id(settings))
    if store.exists(RUN_FILE):
        return store, _as_asked(_of_this_commit(settings, load_run(store)), asked)
    stack = settings.stack_name(asked.stack)
    steps = settings.runbook(asked.runbook, stack)
    environment, commit = settings.environment, read_commit(settings.root)
    requester, author = _people(settings, environment.commit or commit.sha, commit.author_email)
    run = Run(
        run_id=store.run_id,
        stack=stack,
        runbook=asked.runbook or CHANGE,
        steps=tuple(step.recorded for step in steps),
        commit=environment.commit or commit.sha,
        ref=environment.ref or commit.ref,
        dirty=commit.dirty,
        requester=requester,
        author=author,
        created_at=datetime.now(UTC),
        pipeline_url=_pipeline_url(settings),
        project=environment.project_path or settings.gitlab_project,
        parameters={step: dict(values) for step, values in asked.parameters.items()},
        tools=_tools(),
    )
    store.write_json(RUN_FILE, run)
    return store, run


def _of_this_commit(settings: Settings, run: Run) -> Run:
    # What another commit was checked for, this one was not.
    here = read_commit(settings.root).sha
    if here and here != run.commit:
        of = f"commit {run.commit[:12]}" if run.commit else "no commit"
        back = f"Check out {run.commit[:12]}, or begin" if run.commit else "Begin"
        raise UsageError(f"run {run.run_id} is of {of}, and {here[:12]} is checked out", f"{back} a new run.")
    return run


def refuse_second(store: RunStore) -> None:
    """ApprovalError for a run whose apply began: its record stays as it is, and its approval is used up."""
    if find_step(store.steps, "apply") and store.exists(began_file(store)):
        raise ApprovalError(
            f"run {store.run_id} was applied, or its apply began: an approval is used once",
            "Begin a new run: it plans what is left to do.",
        )


def _as_asked(run: Run, asked: Asked) -> Run:
    if asked.stack and run.stack != asked.stack:
        raise UsageError(f"run {run.run_id} is of stack {run.stack!r}, not {asked.stack!r}", "Leave --stack away.")
    if asked.runbook and run.runbook != asked.runbook:
        raise UsageError(
            f"run {run.run_id} is of runbook {run.runbook!r}, not {asked.runbook!r}", "Leave --runbook away."
        )
    return run


def _described(settings: Settings, run: Run) -> tuple[Step, ...]:
    # A runbook may have been renamed since the run began: its steps may be in another one now.
    config = settings.config
    return (*(config.runbook(run.runbook) if run.runbook in config.runbook_names else ()), *config.all_steps)


def _people(settings: Settings, commit: str, author_email: str) -> tuple[str, str]:
    # Who asks is what GitLab says of the token or the pipeline; the operating system's user vouches for nothing.
    gitlab = gitlab_client(settings)
    if gitlab is None:
        return f"local:{getpass.getuser()}", author_email
    pipeline = settings.environment.pipeline_id
    requester = gitlab.pipeline_user(int(pipeline)) if pipeline else gitlab.current_user()
    return requester, gitlab.commit_author(commit, author_email) if commit else author_email


def _pipeline_url(settings: Settings) -> str:
    environment = settings.environment
    if environment.pipeline_url or not environment.pipeline_id:
        return environment.pipeline_url
    project = environment.project_path or settings.gitlab_project
    return f"{settings.gitlab_url}/{project}/-/pipelines/{environment.pipeline_id}"


def _tools() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: found for name in TOOLS if (found := _version(name))}}


def _version(name: str) -> str:
    # What only a desk has, a job does without.
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
