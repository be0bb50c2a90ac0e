"""The note on a merge request's page: one a stack, renewed by later pushes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from ..adapters.gitlab import GitLab
from ..adapters.store import RunStore
from ..errors import ConfigError, GitLabError, InputError, UsageError
from ..models.results import StepResult
from ..models.run import Run
from ..report.merge_request_note import Noted, NotedPlan, note_body, noted_by
from ..settings import Settings
from .clients import gitlab_client
from .records import read_exposure, read_risk, read_summary
from .runs import RUN_FILE, load_run, run_store

__all__ = ["write_note"]

T = TypeVar("T")
TOLD = ("compliance", "plan")


def write_note(settings: Settings, run_id: str, stack: str) -> str:
    """Say on the merge request what the run found, or say it anew; the sentence tells what was done.

    A later pipeline's note stays as it is, and so does whatever somebody else wrote.
    """
    number, pipeline = settings.environment.merge_request, settings.environment.pipeline_id
    if not (number.isdigit() and pipeline.isdigit()):
        raise UsageError(
            "this is no pipeline of a merge request", "It is a job of the component `change`, in such pipelines alone."
        )
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token:
        raise ConfigError(
            "there is no GITLAB_TOKEN that may write notes",
            "Set one for the environment runbook-notes: a project's bot, role Reporter, scope api.",
        )
    stack = settings.stack_name(stack)
    noted = _noted(settings, gitlab, run_store(settings, run_id or pipeline), stack)
    user = gitlab.current_user()
    notes = gitlab.merge_request_notes(int(number))
    mine = [note for note in notes if note.author == user and noted_by(note.body, stack)]
    if any(noted_by(note.body, stack) > int(pipeline) for note in mine):
        return f"A later pipeline has noted already what it found in merge request {number}."
    body = settings.redactor.mask(note_body(noted))
    gitlab.note_merge_request(int(number), body, mine[0].id if mine else 0)
    return f"Noted on merge request {number}{', in place of what was noted before' if mine else ''}."


def _noted(settings: Settings, gitlab: GitLab, store: RunStore, stack: str) -> Noted:
    pipeline = int(settings.environment.pipeline_id)
    run = _run(store)
    results = tuple(result for result in _results(store) if run and run.stack == stack)
    planned = any(result.step == "plan" for result in results)
    return Noted(
        stack=stack,
        pipeline=pipeline,
        commit=settings.environment.commit,
        results=results,
        plan=_or_none(partial(_plan, store, results)) if planned else None,
        page=_page(gitlab, pipeline, store) if planned else "",
        pipeline_url=f"{settings.gitlab_url}/{_project_path(settings, gitlab)}/-/pipelines/{pipeline}",
    )


def _plan(store: RunStore, results: tuple[StepResult, ...]) -> NotedPlan:
    found = next((result.findings for result in results if result.step == "plan"), ())
    return NotedPlan(read_summary(store), read_exposure(store), read_risk(store), found)


def _run(store: RunStore) -> Run | None:
    return _or_none(partial(load_run, store)) if store.exists(RUN_FILE) else None


def _results(store: RunStore) -> list[StepResult]:
    # What an earlier job left is a stranger's word, and may be no word at all.
    found = (_or_none(partial(store.read_result, name)) for name in TOLD)
    return [result for result in found if result]


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (InputError, UsageError):
        return None


def _project_path(settings: Settings, gitlab: GitLab) -> str:
    return settings.gitlab_project if "/" in settings.gitlab_project else gitlab.project_path()


def _page(gitlab: GitLab, pipeline: int, store: RunStore) -> str:
    try:
        jobs = [job for job in gitlab.pipeline_jobs(pipeline) if job.name == "plan" and job.web_url]
    except GitLabError:
        return ""  # The pipeline's own page leads there as well.
    folder = f"outputs/{store.run_id}/{store.folder('plan')}/"
    return f"{jobs[-1].web_url}/artifacts/browse/{folder}" if jobs else ""
