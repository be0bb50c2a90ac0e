"""What its next approver should know of a stack: an apply that did not end well, a review that is open."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from ..adapters.gitlab import GitLab
from ..adapters.gitlab_data import GitLabDeployed
from ..adapters.store import RunStore
from ..adapters.terraform_errors import unlock_remedy
from ..domain.carried_out import changes_named, events_of_log, in_full, seen_of
from ..errors import ConfigError, GitLabError, InputError
from ..models.approval import ApprovalRequest
from ..models.base import Outcome
from ..models.run import Run
from ..models.steps import BUILT_IN
from ..settings import Settings
from .applied_commit import environment_of
from .asked import APPROVAL, kept_by_job
from .clients import gitlab_client, stack_config
from .records import began_file, read_progress, read_summary
from .reviews import open_reviews
from .runs import RUN_FILE, load_run, run_store
from .states import keeper

__all__ = ["earlier_troubles", "far_of_killed", "unfinished_applies"]

_ENDED_BADLY = frozenset({"failed", "canceled"})


def earlier_troubles(settings: Settings, run: Run) -> tuple[str, ...]:
    """A sentence for each: applies since the last that ended well, and what one person approved alone."""
    return (*unfinished_applies(settings, run), *_reviews(settings, run.stack))


def unfinished_applies(settings: Settings, run: Run) -> tuple[str, ...]:
    """A sentence for each apply of the stack since the last that ended well, and for the lock that it left behind."""
    gitlab = gitlab_client(settings)
    known = gitlab is not None and gitlab.has_token and settings.environment.pipeline_id
    half = _in_gitlab(settings, gitlab, run) if gitlab and known else _in_outputs(settings, run)
    ended = tuple(_or_unknown(half, "how the last apply of the stack ended"))
    lock = _or_unknown(_lock(settings, run.stack), "whether the state is still locked") if ended else ()
    return (*ended, *lock)


def _or_unknown(told: Iterator[str], what: str) -> Iterator[str]:
    # That GitLab does not say it is no reason to ask nobody.
    try:
        yield from told
    except GitLabError as error:
        yield f"It is not known {what}: {error.message}."


def _reviews(settings: Settings, stack: str) -> Iterator[str]:
    yield from _or_unknown(_unreviewed(settings, stack), "whether a review is open")


def _unreviewed(settings: Settings, stack: str) -> Iterator[str]:
    for one in open_reviews(settings, stack):
        yield f"{one.user} approved run {one.run_id} alone, and nobody reviewed it yet: {one.url}."


def _in_gitlab(settings: Settings, gitlab: GitLab, run: Run) -> Iterator[str]:
    job, environment = settings.config.approval.job, environment_of(settings, run.stack)
    for deployed in gitlab.deployments(environment, job, gitlab.default_branch()):
        if deployed.status == "success":
            return
        if deployed.status in _ENDED_BADLY and deployed.started and str(deployed.pipeline_id) != run.run_id:
            yield from _told_by_job(settings, gitlab, deployed)


def _told_by_job(settings: Settings, gitlab: GitLab, deployed: GitLabDeployed) -> Iterator[str]:
    run_id, what = str(deployed.pipeline_id), f"The apply of pipeline {deployed.pipeline_id} by {deployed.user}"
    try:
        kept = {
            name: kept_by_job(settings, gitlab, deployed.job_id, run_id, name) for name in ("manifest.json", RUN_FILE)
        }
        if kept["manifest.json"] is None or kept[RUN_FILE] is None:
            far = _far_of_lost(settings, gitlab, deployed)
            yield f"{what} was ended from outside, and {far}: {deployed.url}. {_LOOK}"
            return
        folder = _folder(kept[RUN_FILE], "apply")
        began = kept_by_job(settings, gitlab, deployed.job_id, run_id, f"{folder}/began.json")
        found = kept_by_job(settings, gitlab, deployed.job_id, run_id, f"{folder}/resources.json")
    except GitLabError as error:
        yield f"{what} did not end well, and how far it came can't be read ({error.message}): {deployed.url}."
        return
    if began is not None:
        yield f"{what} did not end well: {_far(found)}: {deployed.url}. {_LOOK}"


def _far_of_lost(settings: Settings, gitlab: GitLab, deployed: GitLabDeployed) -> str:
    """How far an apply came whose runner was lost: by what it was to do, and by what its log has of that."""
    asked = _asked(settings, gitlab, deployed.pipeline_id)
    rows = seen_of(changes_named(asked), events_of_log(gitlab.archive.log(deployed.job_id))) if asked else ()
    return f"its log says: {in_full(rows)}" if rows else _UNKNOWN


def _asked(settings: Settings, gitlab: GitLab, pipeline: int) -> Mapping[str, tuple[str, ...]]:
    """The addresses by action that the approval job of a pipeline asked for; empty if it kept no request."""
    run_id = str(pipeline)
    for job in reversed(gitlab.pipeline_jobs(pipeline)):
        run = kept_by_job(settings, gitlab, job.id, run_id, RUN_FILE) if job.name == APPROVAL else None
        name = f"{_folder(run, APPROVAL)}/request.json"
        content = kept_by_job(settings, gitlab, job.id, run_id, name) if run is not None else None
        if content is not None:
            with contextlib.suppress(ValidationError):
                return ApprovalRequest.model_validate_json(content).summary.addresses
    return {}


def _lock(settings: Settings, stack: str) -> Iterator[str]:
    """That the state is still locked, where GitLab tells: a process that is killed leaves its lock behind."""
    gitlab = None
    with contextlib.suppress(ConfigError):
        # Where runbook.yml does not say which state it is, every plan says so.
        gitlab = keeper(settings, stack)
    lock = gitlab.state_lock(stack_config(settings, stack).state) if gitlab and gitlab.has_token else None
    if lock is not None:
        since = f"{lock.since:%Y-%m-%d %H:%M} UTC" if lock.since else "an unknown time"
        yield f"The state is locked by {lock.user} since {since}. {unlock_remedy(stack)}"


_UNKNOWN = "nobody knows how far it came"
_LOOK = "This plan shows what is left to do."


def _folder(run: bytes | None, name: str) -> str:
    try:
        steps = json.loads(run or b"{}")["steps"]
        return next(f"{step['number']:02}_{step['name']}" for step in steps if step["name"] == name)
    except (ValueError, LookupError, TypeError, StopIteration):
        return next(step.recorded.folder for step in BUILT_IN if step.name == name)


def _far(content: bytes | str | None) -> str:
    try:
        found: Any = json.loads(content or b"")
        return in_full(found) or "nothing was to be changed"
    except (ValueError, LookupError, TypeError):
        return "nobody knows how far it came"


def _in_outputs(settings: Settings, run: Run) -> Iterator[str]:
    """The runs of the stack whose folders are here; the newest first, back to the last that was applied."""
    found = []
    for path in settings.outputs.glob(f"*/{RUN_FILE}"):
        store = run_store(settings, path.parent.name)
        try:
            other = load_run(store)
        except InputError:
            continue
        if other.stack == run.stack and other.run_id != run.run_id and other.created_at < run.created_at:
            found.append((other.created_at, other.run_id, store))
    for _, run_id, store in sorted(found, key=lambda one: one[:2], reverse=True):
        if not any(step.name == "apply" for step in store.steps):
            continue
        result = store.read_result("apply")
        if result and result.outcome is Outcome.PASSED:
            return
        if store.exists(began_file(store)):
            yield f"The apply of run {run_id} {_ending(store, result is not None)}. {_LOOK}"


def _ending(store: RunStore, ended: bool) -> str:
    path = store.file("apply", "resources.json")
    if not ended and not store.exists(path):
        return f"was ended from outside, and {far_of_killed(store)}"
    return f"did not end well: {_far(store.read_text(path) if store.exists(path) else None)}"


def far_of_killed(store: RunStore) -> str:
    """How far an apply came that was killed: by what the plan was to do, and by what was noted until then."""
    try:
        rows = seen_of(changes_named(read_summary(store).addresses), read_progress(store))
    except InputError:
        return _UNKNOWN
    return f"until then: {in_full(rows)}" if rows else _UNKNOWN
