"""Runs: made once, found again by every step."""

from __future__ import annotations

import getpass
import platform
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from ..adapters.git import read_commit
from ..adapters.store import RunStore
from ..errors import InputError, UsageError
from ..models.run import Run
from ..settings import Settings
from .clients import gitlab_client, stack_config

__all__ = ["latest_run_id", "load_run", "new_run_id", "open_run", "run_store"]


RUN_FILE = "run.json"
TOOLS = ("papermill", "nbclient", "boto3", "pandas", "slack_sdk", "python-gitlab", "python-hcl2")


def run_store(settings: Settings, run_id: str) -> RunStore:
    """The run's folder, with every text masked on its way there."""
    return RunStore(settings.outputs, run_id, settings.redactor.mask)


def new_run_id(settings: Settings, now: datetime | None = None) -> str:
    """The pipeline's id, else the UTC time with a suffix."""
    if settings.environment.pipeline_id:
        return settings.environment.pipeline_id
    return f"{(now or datetime.now(UTC)):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def latest_run_id(settings: Settings, stack: str) -> str:
    """The id of the newest run of the stack; InputError if there is none."""
    if settings.environment.pipeline_id:
        return settings.environment.pipeline_id
    found = []
    for path in settings.outputs.glob(f"*/{RUN_FILE}"):
        run = RunStore(settings.outputs, path.parent.name).read_model(RUN_FILE, Run)
        if not stack or run.stack == stack:
            found.append((run.created_at, run.run_id))
    if not found:
        raise InputError("there is no run yet", "Start one with the compliance notebook, or with `runbook run`.")
    return max(found)[1]


def load_run(store: RunStore) -> Run:
    """The run that the folder holds; InputError if it holds none."""
    return store.read_model(RUN_FILE, Run)


def open_run(
    settings: Settings, run_id: str, stack: str, parameters: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[RunStore, Run]:
    """Find the run of this id, or make it and write run.json."""
    store = run_store(settings, run_id or new_run_id(settings))
    stack_config(settings, stack)
    if store.exists(RUN_FILE):
        return store, _of_stack(load_run(store), stack)
    environment, commit = settings.environment, read_commit(settings.root)
    requester, author = _people(settings, environment.commit or commit.sha, commit.author_email)
    run = Run(
        run_id=store.run_id,
        stack=stack or settings.config.default_stack or next(iter(settings.config.stacks)),
        commit=environment.commit or commit.sha,
        ref=environment.ref or commit.ref,
        dirty=commit.dirty,
        requester=requester,
        author=author,
        created_at=datetime.now(UTC),
        pipeline_url=_pipeline_url(settings),
        project=environment.project_path or settings.gitlab_project,
        parameters={step: dict(values) for step, values in (parameters or {}).items()},
        tools=_tools(),
    )
    store.write_json(RUN_FILE, run)
    return store, run


def _of_stack(run: Run, stack: str) -> Run:
    if stack and run.stack != stack:
        raise UsageError(f"run {run.run_id} is of stack {run.stack!r}, not {stack!r}", "Leave --stack away.")
    return run


def _people(settings: Settings, commit: str, author_email: str) -> tuple[str, str]:
    # Who asks is what GitLab says of the token or the pipeline; the operating system's user vouches for nothing.
    gitlab = gitlab_client(settings)
    if gitlab is None:
        return f"local:{getpass.getuser()}", author_email
    pipeline = settings.environment.pipeline_id
    requester = gitlab.pipeline(int(pipeline)).user if pipeline else gitlab.current_user()
    return requester, gitlab.commit_author(commit, author_email) if commit else author_email


def _pipeline_url(settings: Settings) -> str:
    environment = settings.environment
    if environment.pipeline_url or not environment.pipeline_id:
        return environment.pipeline_url
    project = environment.project_path or settings.gitlab_project
    return f"{settings.gitlab_url}/{project}/-/pipelines/{environment.pipeline_id}"


def _tools() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in TOOLS}}
