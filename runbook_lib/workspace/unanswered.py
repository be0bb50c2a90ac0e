"""What no job of a pipeline can tell, as none runs: an expired request, a no elsewhere, a cancelled pipeline."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..adapters.gitlab import GitLab
from ..adapters.gitlab_data import GitLabJob, GitLabPipeline
from ..adapters.store import RunStore
from ..errors import ChatError, ConfigError, InputError, UsageError
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
# Jobs of the components that are no step: what tells of a failure, and what finds the stacks.
FAILURE, STACKS = "failure", "stacks"
# How the components name a pipeline, before its stack; and what is said where that is not known.
NAMED, NO_STACK = "runbook: ", "a stack"
FIRST_LOOK = timedelta(hours=24)
# A job that was played; in the other states nobody has answered by it.
PLAYED = frozenset({"pending", "running", "success", "failed", "canceling"})
FILES = ("result.json", "request.json", "decision.json", "summary.json")


def tell_unanswered(settings: Settings) -> tuple[str, ...]:
    """Tell each such end since the last time that this job ended well, in the run's own thread; a sentence for each.

    ConfigError without a token that reads pipelines; ChatError if something could not be told, once all else was: then
    the next look says it again, and of the rest what Slack has not.
    """
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token:
        raise ConfigError("there is no GITLAB_TOKEN to read pipelines with", "Set one with the scope read_api.")
    own = gitlab.whose_job() if gitlab.has_job_token else None
    # From one job's start to the next one's: nothing is left out, and nothing told twice. GitLab's clock gives seconds.
    until = (own.started_at if own else None) or gitlab.now() + timedelta(seconds=1)
    since = (gitlab.last_success(own.name) if own else None) or until - FIRST_LOOK
    branch, told, failed = gitlab.default_branch(), [], None
    for status in ("manual", "canceled"):
        for pipeline in gitlab.ended_pipelines(branch, status, since):
            look = _Look(settings, gitlab, pipeline, (since, until))
            try:
                told += [f"Pipeline {pipeline.id}: {result.summary}" for result in look.tell()]
            except (InputError, UsageError) as error:
                # Half-written, or by somebody who means ill: others are told of all the same.
                what = _FOLDER.sub("", error.message)
                told.append(f"Pipeline {pipeline.id}: how it ended can't be told: {what.rstrip('.')}.")
            except ChatError as error:
                # One stack's channel may be gone: the others have their own.
                failed = failed or error
    if failed:
        raise failed
    return tuple(told)


# Where the files were put for this look, before their names in the run folder.
_FOLDER = re.compile(r"^/\S*/(?=\d\d_\w+/[\w.]+: )|^/\S*/(?=[\w.]+: )")
_Found = tuple[RunStore, Run, StepResult]


@dataclass(frozen=True)
class _Look:
    """One pipeline, and the time that is looked at."""

    settings: Settings
    gitlab: GitLab
    pipeline: GitLabPipeline
    window: tuple[datetime, datetime]

    def tell(self) -> Iterator[StepResult]:
        """Tell how it ended, where nobody else has told."""
        jobs = {job.name: job for job in self.gitlab.pipeline_jobs(self.pipeline.id)}
        with tempfile.TemporaryDirectory() as folder:
            look = self._waited if _is_done(jobs.get(APPROVAL)) else self._cut_short
            found = look(jobs, Path(folder))
            if found is None:
                return
            store, run, result = found
            teller = Teller(self.settings, store, run, again=True)
            if store.exists(f"{store.folder(APPROVAL)}/request.json"):
                request = read_request(store)
                over = "expired" if result.finished_at == request.expires_at else "rejected"
                teller.tell_over(request, "cancelled" if result.outcome is Outcome.INTERRUPTED else over)
            delivery = teller.tell_failure(result)
            # What Slack refuses for good, as a board that is too old to be changed, it would refuse the next time too.
            if delivery.error and delivery.waiting:
                raise ChatError(delivery.error.message, delivery.error.remedy)
            yield result

    def _waited(self, jobs: Mapping[str, GitLabJob], folder: Path) -> _Found | None:
        """One whose request was sent, and nobody answered by playing a job."""
        names = self.settings.config.approval
        answers = [jobs[name] for name in (names.job, names.reject_job) if name in jobs]
        # One that was played and then cancelled was an answer, and tells of itself.
        if any(job.status in PLAYED or job.started_at for job in answers):
            return None
        store = self._store(folder / str(jobs[APPROVAL].id))
        run = self._fetch_all(jobs[APPROVAL], store)
        if run is None or not store.exists(f"{store.folder(APPROVAL)}/request.json"):
            return None
        store.results()
        end = self._end(read_request(store))
        return (store, run, _result(run, APPROVAL, *end)) if end else None

    def _cut_short(self, jobs: Mapping[str, GitLabJob], folder: Path) -> _Found | None:
        """One that was cancelled before it asked anybody: no job runs then, not even one that runs always."""
        at, ours = self.pipeline.updated_at, {APPROVAL, self.settings.config.approval.job} <= jobs.keys()
        if self.pipeline.status != "canceled" or not (ours or _finds_stacks(jobs)) or not at or not self._is_new(at):
            return None
        began = sorted((job for job in jobs.values() if job.started_at), key=lambda job: job.id, reverse=True)
        lefts = (self._run_left(job, folder) for job in began)
        store, run = next((left for left in lefts if left), None) or self._never_began(jobs, folder)
        done = {result.step for result in store.results()}
        if APPROVAL in done:
            return None  # its job was cut short, and told of it
        step = next((step.name for step in run.steps if step.name not in done), APPROVAL)
        summary = f"The pipeline was cancelled before anybody was asked{self._followed()}."
        return store, run, _result(run, step, Outcome.INTERRUPTED, summary, at)

    def _never_began(self, jobs: Mapping[str, GitLabJob], folder: Path) -> tuple[RunStore, Run]:
        """What is known of a run of which nothing is left. GitLab's pipeline has the stack in its name."""
        stacks = self.settings.config.stacks
        named = self.pipeline.name.removeprefix(NAMED)
        stack = named if named in stacks else next(iter(stacks)) if len(stacks) == 1 else NO_STACK
        project = next(iter(jobs.values())).web_url.partition("/-/")[0]
        run = Run(
            run_id=str(self.pipeline.id),
            stack=stack,
            commit=self.pipeline.sha,
            ref=self.pipeline.ref,
            requester=self.pipeline.user,
            created_at=self.pipeline.created_at or self.window[1],
            pipeline_url=f"{project}/-/pipelines/{self.pipeline.id}",
        )
        store = self._store(folder / "new")
        store.write_json(RUN_FILE, run)
        return store, run

    def _followed(self) -> str:
        """That a newer commit's pipeline had begun, which is why GitLab cancels one by itself; empty if none had."""
        latest, at = self.gitlab.pipeline("latest"), self.pipeline.updated_at
        newer = latest.id > self.pipeline.id and latest.sha != self.pipeline.sha
        in_time = latest.created_at and at and latest.created_at <= at
        return f"; pipeline {latest.id}, of a newer commit, had begun" if newer and in_time else ""

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

    def _run_left(self, job: GitLabJob, folder: Path) -> tuple[RunStore, Run] | None:
        """The run as a job left it, with what thread and board are made from; None if it left none of this pipeline."""
        store = self._store(folder / str(job.id))
        try:
            run = self._fetch_all(job, store)
            store.results()
        except InputError:
            return None  # half-written, or by somebody who means ill: others are told of all the same
        return (store, run) if run else None

    def _store(self, folder: Path) -> RunStore:
        return RunStore(folder, str(self.pipeline.id), self.settings.redactor.mask)

    def _fetch_all(self, job: GitLabJob, store: RunStore) -> Run | None:
        if not self._fetch(job, store, RUN_FILE):
            return None
        run = store.read_model(RUN_FILE, Run)
        if run.run_id != str(self.pipeline.id):
            return None
        self._fetch(job, store, "slack.json")
        for step in run.steps:
            for name in FILES:
                self._fetch(job, store, f"{step.folder}/{name}")
            if step.name == APPROVAL:
                break
        return run

    def _fetch(self, job: GitLabJob, store: RunStore, name: str) -> bool:
        content = self.gitlab.artifact(job.id, f"outputs/{store.run_id}/{name}")
        if content is not None:
            store.write_bytes(name, content)
        return content is not None


def _is_done(job: GitLabJob | None) -> bool:
    return job is not None and job.status == "success"


def _finds_stacks(jobs: Mapping[str, GitLabJob]) -> bool:
    # Once it has found them, each of them has a pipeline of its own, which is cancelled with it.
    return {STACKS, FAILURE} <= jobs.keys() and not _is_done(jobs[STACKS])


def _result(run: Run, step: str, outcome: Outcome, summary: str, at: datetime) -> StepResult:
    error = ErrorInfo(
        type="ApprovalError", message=summary, remedy="Start a new pipeline: it plans what is left to do."
    )
    return StepResult(
        run_id=run.run_id,
        step=step,
        stack=run.stack,
        outcome=outcome,
        summary=summary,
        started_at=at,
        finished_at=at,
        error=error,
    )
