"""An approval is used once, by the newest pipeline, from a folder of plain files."""

from __future__ import annotations

import contextlib
import socket
import stat
from datetime import datetime

from ..adapters.approvals.gitlab_comment import began_in_comment, begin_in_comment
from ..adapters.git import changed_files
from ..adapters.gitlab import GitLab
from ..adapters.store import RunStore
from ..errors import ApprovalError, GitLabError
from ..models.approval import DecisionRecord
from ..models.run import Run
from ..settings import Settings
from .applied_commit import applied_commit
from .asked import clock_of, kept_by_job
from .clients import gitlab_client, stack_config
from .context import StepContext
from .records import began_file
from .runs import refuse_second
from .slack_thread import Teller

__all__ = ["begin", "outdated", "refuse_odd_files", "refuse_used", "uncommitted", "uncommitted_in_ci"]

_NAMED = 5
_NEW_PLAN = "Begin a new run: plan, approval, apply."


def refuse_odd_files(store: RunStore) -> None:
    """ApprovalError for a link, a pipe or anything else in the run folder that is neither file nor folder."""
    for path in sorted(store.dir.rglob("*")):
        # Slack may be told meanwhile: what it writes to is renamed in the end.
        with contextlib.suppress(FileNotFoundError):
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                name = path.relative_to(store.dir).as_posix()
                raise ApprovalError(f"{name} in the run folder is no plain file", "Begin a new run.")


def refuse_used(settings: Settings, store: RunStore, run: Run) -> None:
    """ApprovalError where GitLab knows that an apply of this run began before, whatever became of it."""
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token:
        return
    pipeline = settings.environment.pipeline_id
    if pipeline:
        # One of many is its own: what the others carry out is none of it.
        own = gitlab.whose_job().name if gitlab.has_job_token else settings.config.approval.job
        for job in gitlab.earlier_jobs(int(pipeline), own):
            if job.started_at is not None and _may_have_begun(settings, gitlab, job.id, store):
                raise ApprovalError(f"apply was begun before, by {job.user}: {job.web_url}", _NEW_PLAN)
    elif run.commit and (note := began_in_comment(gitlab, run.commit, run.run_id)):
        raise ApprovalError(f"apply of run {run.run_id} was begun before, by {note.author}", _NEW_PLAN)


def _may_have_begun(settings: Settings, gitlab: GitLab, job_id: int, store: RunStore) -> bool:
    """Whether an earlier apply job came to Terraform: unless what it uploaded shows that it was refused before that."""
    if kept_by_job(settings, gitlab, job_id, store.run_id, "manifest.json") is None:
        return True  # it was killed, or its artifacts are gone
    return kept_by_job(settings, gitlab, job_id, store.run_id, began_file(store)) is not None


def outdated(settings: Settings, run: Run) -> tuple[str, ...]:
    """Why a pipeline comes too late: its branch has gone on, or what was applied last is newer than its commit.

    Or is not of the commit and branch that run.json, which an earlier job wrote, says of it.
    """
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token or not settings.environment.pipeline_id:
        return ()
    pipeline = gitlab.pipeline(int(settings.environment.pipeline_id))
    # Of a merge request's pipeline GitLab names the request, and its jobs the branch.
    branch = run.ref if pipeline.ref.startswith("refs/") else pipeline.ref
    if (run.commit, run.ref) != (pipeline.sha, branch) or not branch:
        said = f"{run.commit[:12] or 'no commit'} of {run.ref or 'no branch'}"
        return (f"run.json says {said}, and the pipeline is of {pipeline.sha[:12]} of {pipeline.ref}. {_NEW_PLAN}",)
    found = []
    head = gitlab.branch(run.ref).sha
    if head != run.commit:
        found.append(
            f"The commit {run.commit[:12]} is no longer the head of {run.ref}. Start a pipeline on {head[:12]}."
        )
    try:
        applied = applied_commit(settings, run)
        # Nothing may be on the applied side that the commit lacks: a branch may have been pushed over.
        if applied and applied != run.commit and gitlab.commits_between(run.commit, applied):
            found.append(f"{run.commit[:12]} lacks commits of {applied[:12]}, which was applied. {_NEW_PLAN}")
    except GitLabError as error:
        found.append(f"It is not known whether something newer was applied: {error.message}. {error.remedy}")
    return tuple(found)


def uncommitted(settings: Settings, stack: str) -> tuple[str, ...]:
    """Files that git tracks and that differ from the commit, and files that it doesn't know where they would count."""
    config = settings.config
    counting = (
        stack_config(settings, stack).path,
        config.compliance.policies,
        "notebooks",
        "runbook.yml",
        "services.yml",
    )
    return changed_files(settings.root, counting)


def uncommitted_in_ci(settings: Settings, stack: str) -> tuple[str, ...]:
    """A sentence for files of a pipeline's job that differ from its commit; nothing at a desk, which may plan so."""
    changed = uncommitted(settings, stack) if settings.environment.in_ci else ()
    if not changed:
        return ()
    more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
    return (f"Files differ from the commit: {', '.join(changed[:_NAMED])}{more}. A pipeline has no other.",)


def begin(context: StepContext, record: DecisionRecord) -> None:
    """Use the approval up: write down and tell that apply begins, before Terraform does.

    ApprovalError where another notebook of the run began it meanwhile.
    """
    refuse_second(context.store)
    now, run = clock_of(context.settings, context.clock()), context.run
    gitlab = gitlab_client(context.settings)
    if gitlab is not None and gitlab.has_token and not context.settings.environment.pipeline_id and run.commit:
        begin_in_comment(gitlab, run.commit, run.run_id, record.plan_sha256)
    context.store.write_json(began_file(context.store), _began(record, now))
    Teller(context.settings, context.store, run).tell_began(record)


def _began(record: DecisionRecord, now: datetime) -> dict[str, object]:
    return {
        "schema": "runbook/apply-began/v1",
        "run_id": record.run_id,
        "plan_sha256": record.plan_sha256,
        "approved_by": list(record.approved_by),
        "at": now.isoformat(),
        "host": socket.gethostname(),
    }
