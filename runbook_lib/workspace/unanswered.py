"""What no job of a pipeline can tell, as none runs: an expired request, a no elsewhere, a cancelled pipeline."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..adapters.gitlab import GitLab
from ..adapters.gitlab_data import GitLabJob, GitLabPipeline
from ..adapters.store import RunStore
from ..errors import ChatError, ConfigError
from ..models.approval import ApprovalRequest
from ..models.base import Outcome
from ..models.results import ErrorInfo, StepResult
from ..models.run import Run
from ..settings import Settings
from .clients import gitlab_client
from .records import read_request
from .runs import RUN_FILE
from .slack_thread import Teller

__all__ = ["tell_unanswered"]

APPROVAL = "approval"
FIRST_LOOK = timedelta(hours=24)
# A job that was played; in the other states nobody has answered by it.
PLAYED = frozenset({"pending", "running", "success", "failed", "canceling"})
FILES = ("result.json", "request.json", "decision.json", "summary.json")


def tell_unanswered(settings: Settings) -> tuple[str, ...]:
    """Tell each such end since the last time that this job ended well, in the run's own thread; a sentence for each.

    ConfigError without a token that reads pipelines; ChatError if something could not be told: then the next look says
    it again.
    """
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token:
        raise ConfigError("there is no GITLAB_TOKEN to read pipelines with", "Set one with the scope read_api.")
    own = gitlab.whose_job() if gitlab.has_job_token else None
    # From one job's start to the next one's: nothing is left out, and nothing told twice. GitLab's clock gives seconds.
    until = (own.started_at if own else None) or gitlab.now() + timedelta(seconds=1)
    since = (gitlab.last_success(own.name) if own else None) or until - FIRST_LOOK
    branch, told = gitlab.default_branch(), []
    for status in ("manual", "canceled"):
        for pipeline in gitlab.ended_pipelines(branch, status, since):
            look = _Look(settings, gitlab, pipeline, (since, until))
            told += [f"Pipeline {pipeline.id}: {result.summary}" for result in look.tell()]
    return tuple(told)


@dataclass(frozen=True)
class _Look:
    """One pipeline, and the time that is looked at."""

    settings: Settings
    gitlab: GitLab
    pipeline: GitLabPipeline
    window: tuple[datetime, datetime]

    def tell(self) -> Iterator[StepResult]:
        """Tell how it ended, where its request was sent and nobody else has told."""
        jobs = {job.name: job for job in self.gitlab.pipeline_jobs(self.pipeline.id)}
        asked = jobs.get(APPROVAL)
        names = self.settings.config.approval
        answered = [
            jobs[name] for name in (names.job, names.reject_job) if name in jobs and jobs[name].status in PLAYED
        ]
        if asked is None or asked.status != "success" or answered:
            return
        with tempfile.TemporaryDirectory() as folder:
            store = self._run_folder(asked, Path(folder))
            if store is None or not store.exists(f"{store.folder(APPROVAL)}/request.json"):
                return
            run, request = store.read_model(RUN_FILE, Run), read_request(store)
            end = self._end(request)
            if end is None or run.run_id != str(self.pipeline.id):
                return
            delivery = Teller(self.settings, store, run).tell_failure(_result(run, *end))
            if delivery.error:
                raise ChatError(delivery.error.message, delivery.error.remedy)
            yield _result(run, *end)

    def _end(self, request: ApprovalRequest) -> tuple[Outcome, str, datetime] | None:
        if self.pipeline.status == "canceled":
            at = self.pipeline.updated_at
            summary = "The pipeline was cancelled before anybody answered."
            return (Outcome.INTERRUPTED, summary, at) if at and self._is_new(at) else None
        job = self.settings.config.approval.job
        for one in self.gitlab.deployment_approvals(self.pipeline.id, job):
            if not one.approved and one.at and self._is_new(one.at):
                reason = f": {one.comment}" if one.comment else "."
                return Outcome.BLOCKED, f"{one.user} rejected the deployment{reason}", one.at
        if self._is_new(request.expires_at):
            until = f"{request.expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            return Outcome.BLOCKED, f"Nobody answered: the request expired at {until}.", request.expires_at
        return None

    def _is_new(self, at: datetime) -> bool:
        return self.window[0] < at <= self.window[1]

    def _run_folder(self, job: GitLabJob, folder: Path) -> RunStore | None:
        """What the thread and the board are made from, as the approval job left it."""
        store = RunStore(folder, str(self.pipeline.id), self.settings.redactor.mask)
        if not self._fetch(job, store, RUN_FILE):
            return None
        self._fetch(job, store, "slack.json")
        for step in store.steps:
            for name in FILES:
                self._fetch(job, store, f"{step.folder}/{name}")
            if step.name == APPROVAL:
                break
        return store

    def _fetch(self, job: GitLabJob, store: RunStore, name: str) -> bool:
        content = self.gitlab.artifact(job.id, f"outputs/{store.run_id}/{name}")
        if content is not None:
            store.write_bytes(name, content)
        return content is not None


def _result(run: Run, outcome: Outcome, summary: str, at: datetime) -> StepResult:
    error = ErrorInfo(
        type="ApprovalError", message=summary, remedy="Start a new pipeline: it plans what is left to do."
    )
    return StepResult(
        run_id=run.run_id,
        step=APPROVAL,
        stack=run.stack,
        outcome=outcome,
        summary=summary,
        started_at=at,
        finished_at=at,
        error=error,
    )
