"""A run's thread in Slack: each thing told once, also that a run stopped, and nothing lost when Slack fails."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

from ..adapters.gitlab_data import GitLabJob
from ..adapters.outbox import Delivery, Outbox
from ..adapters.store import RunStore
from ..domain.people import involved, named
from ..errors import ChatError, ConfigError, GitLabError, InputError
from ..models.approval import ApprovalRequest, Decision, DecisionRecord
from ..models.base import Outcome
from ..models.messages import Message, Reference
from ..models.results import ErrorInfo, StepResult
from ..models.run import Run
from ..models.steps import STEP_NAME, find_step
from ..report import messages
from ..settings import Settings
from .clients import gitlab_client, messenger
from .records import plan_text_files, read_request, read_resources, rejected_by, request_file
from .runs import Asked, latest_run_id, open_run

__all__ = ["Teller", "failed_result", "tell_stopped"]


BOARD = "board"
_REQUEST = "request:"
LOOK = "Read the job's log, then retry the job."
STEP = re.compile(STEP_NAME)


class Teller:
    """What one run tells. What Slack does not take now waits in outbox/, and goes out with the next thing told.

    `again` is for a folder that no later process sees: what the same call told before is looked for in Slack.
    """

    def __init__(self, settings: Settings, store: RunStore, run: Run, *, again: bool = False) -> None:
        self._settings = settings
        self._store = store
        self._run = run
        self._slack = messenger(settings, run.stack)
        environment = settings.environment
        credential = environment.slack_token.get_secret_value() or environment.slack_webhook.get_secret_value()
        self._outbox = Outbox(store, credential, f"{run.pipeline_url} {run.run_id}" if again else "")
        # A job that has no word in the channel leaves nothing there for one that has: that would be anybody's word.
        self._silent = self._slack is None and environment.in_ci

    @property
    def thread(self) -> Reference | None:
        """Where the run's thread is, once Slack has it."""
        return self._outbox.references.get(BOARD)

    def start(self) -> Delivery:
        """Open the run's thread: its parent is the status board. What earlier jobs could not tell is told now."""
        if self._silent:
            return Delivery()
        self._outbox.add(BOARD, self._board())
        self._tell(self._store.results() if self._settings.environment.in_ci else ())
        return self.deliver()

    def deliver(self) -> Delivery:
        """Send what still waits; what is never sent, as somebody else put it there, is told by name."""
        delivery = self._outbox.deliver(self._slack)
        if delivery.refused and delivery.error:
            print(f"warning: {delivery.error.message}", file=sys.stderr)  # noqa: T201 - nobody else hears of it
        return delivery

    def tell_step(self, result: StepResult) -> Delivery:
        """Reply with a step's result and renew the board; the same result twice is told once."""
        if self._silent:
            return Delivery()
        # At a desk each step has told itself.
        before = self._store.results() if self._settings.environment.in_ci else ()
        self._renew(self._board())
        self._tell([*(one for one in before if one.step != result.step), result])
        return self.deliver()

    def ask_approval(self, request: ApprovalRequest, plan_url: str = "") -> Delivery:
        """Send the approval request to the channel, not only the thread; an error if it reached nobody."""
        if self._silent:
            raise ConfigError(
                "the approval request reached nobody: Slack is not configured",
                "Set SLACK_BOT_TOKEN and SLACK_CHANNEL, or SLACK_WEBHOOK_URL.",
            )
        self._renew(self._board())
        key = _request_key(request)
        # One that still waits goes out as well, and is nothing to answer by then.
        for earlier in self._outbox.known:
            if earlier.startswith(_REQUEST) and earlier != key:
                self._outbox.add_update(earlier, messages.request_superseded(self._run.run_id))
        self._outbox.add(
            key,
            messages.approval_request(
                request,
                self._texts(plan_text_files(self._store)),
                plan_url,
                answered=self._settings.config.approval.slack is not None,
                mentions=self._mentions(request),
            ),
            BOARD,
            broadcast=True,
        )
        delivery = self.deliver()
        if self._slack is not None and key not in self._outbox.references:
            reason = delivery.error.message if delivery.error else "it waits in outbox/"
            remedy = delivery.error.remedy if delivery.error else "Run the approval step again."
            raise ChatError(f"the approval request reached nobody: {reason}", remedy)
        return delivery

    def _mentions(self, request: ApprovalRequest) -> tuple[str, ...]:
        """Slack's ids of those who may answer, and did not make the change."""
        slack, who = self._settings.config.approval.slack, involved(request)
        if slack is None or request.unasked:
            return ()
        return tuple(
            member for member, login in slack.users.items() if named(login, request.approvers) and not who.part(login)
        )

    def tell_decision(self, record: DecisionRecord) -> Delivery:
        """Reply with who decided what; a no is on the board as well."""
        if self._silent:
            return Delivery()
        if record.rejected:
            self._renew(self._board())
        else:
            self._renew_known()
        self._close_request(record)
        decided = ",".join(f"{item.user}@{item.at.isoformat()}" for item in record.decisions)
        key = f"decision:{record.plan_sha256[:16]}:{record.approved}:{decided}"
        self._outbox.add(key, messages.decision(record), BOARD, broadcast=bool(record.broken_by))
        return self.deliver()

    def tell_over(self, request: ApprovalRequest, how: str = "expired") -> Delivery:
        """Let the request say that nobody can answer it any more."""
        if self._silent:
            return Delivery()
        self._renew_request(request, how)
        return self.deliver()

    def _close_request(self, record: DecisionRecord) -> None:
        """Once it is decided, or over: the request says so in its own place, and has no buttons any more."""
        if not self._store.exists(request_file(self._store)):
            return
        request = read_request(self._store)
        if request.plan_sha256 != record.plan_sha256:
            return
        if record.approved or record.rejected:
            approved = "nobody need approve" if record.unasked else "approved"
            self._renew_request(request, "rejected" if record.rejected else approved, record.decisions)
        elif record.checked_at >= request.expires_at:
            self._renew_request(request, "expired", record.decisions)

    def _renew_request(self, request: ApprovalRequest, how: str, decisions: Iterable[Decision] = ()) -> None:
        key = _request_key(request)
        reference = self._outbox.references.get(key)
        # What still waits is renewed once it is there; what a webhook posted can't be.
        if key in self._outbox.known and (reference is None or reference.ts):
            self._outbox.add_update(key, messages.request_closed(request, how, decisions))

    def tell_began(self, record: DecisionRecord) -> Delivery:
        """Reply that the approval is being used: Terraform begins to apply the plan."""
        if self._silent:
            return Delivery()
        self._renew_known()
        self._outbox.add(f"began:{record.plan_sha256[:16]}", messages.apply_began(record), BOARD)
        return self.deliver()

    def tell_failure(self, result: StepResult) -> Delivery:
        """Tell the channel, not only the thread, that the run stopped, with the pipeline's link."""
        if self._silent:
            return Delivery()
        # What stopped it may have left no result: the board must not look as if nothing had happened.
        self._renew(self._board(result))
        self._tell(self._store.results() if self._settings.environment.in_ci else ())
        key = f"failure:{result.step}:{result.started_at.isoformat()}"
        self._outbox.add(key, messages.failure(self._run, result, self._resources(result)), BOARD, broadcast=True)
        return self.deliver()

    def _tell(self, results: Iterable[StepResult]) -> None:
        for result in results:
            texts, resources = self._texts(self._uploads(result)), self._resources(result)
            message = messages.step_result(self._run, result, texts, resources)
            self._outbox.add(f"{result.step}:{result.started_at.isoformat()}", message, BOARD)

    def _renew(self, board: Message) -> None:
        # Before what is told: a board that somebody deleted is posted anew, and the reply finds its thread.
        self._outbox.add(BOARD, board)
        self._outbox.add_update(BOARD, board)

    def _renew_known(self) -> None:
        if self.thread:
            self._renew(self._board())

    def _board(self, stopped: StepResult | None = None) -> Message:
        told = messages.Told(rejected_by(self._store), stopped)
        return messages.status_board(self._run, self._store.results(), told)

    def _resources(self, result: StepResult) -> tuple[dict[str, str], ...]:
        step = find_step(self._settings.config.all_steps, result.step)
        if not (step and step.applies and result.outcome.stops):
            return ()
        try:
            return read_resources(self._store)
        except InputError:
            # It came to none of them, or can't be told how far: the result says why.
            return ()

    def _uploads(self, result: StepResult) -> tuple[str, ...]:
        step = find_step(self._settings.config.all_steps, result.step)
        return tuple(self._store.file(result.step, name) for name in (step.uploads if step else ()))

    def _texts(self, paths: Iterable[str]) -> dict[str, str]:
        return {path: self._store.read_text(path) for path in paths if self._store.exists(path)}


def _request_key(request: ApprovalRequest) -> str:
    return f"{_REQUEST}{request.plan_sha256[:16]}:{request.created_at.isoformat()}"


def failed_result(results: Iterable[StepResult]) -> StepResult | None:
    """The result that stopped a run, if one did."""
    stopped = [result for result in results if result.outcome.stops]
    return stopped[-1] if stopped else None


def tell_stopped(settings: Settings, run_id: str, stack: str) -> str:
    """Tell the failure of a run, once; the sentence says what was told. ChatError if it could not be.

    In a pipeline, where this is asked only after something failed, a run without a failed step has lost one.
    """
    environment = settings.environment
    run_id = run_id or environment.pipeline_id or latest_run_id(settings, stack)
    store, run = open_run(settings, Asked(run_id, stack))
    results, teller = store.results(), Teller(settings, store, run)
    result = failed_result(results)
    if result is None and not environment.pipeline_id:
        delivery, said = teller.deliver(), f"Run {run.run_id} did not stop at any step."
    else:
        result = result or _lost(settings, run, {result.step for result in results})
        delivery, said = teller.tell_failure(result), f"Run {run.run_id} stopped at {result.step}: {result.summary}"
    if delivery.error:
        raise ChatError(delivery.error.message, delivery.error.remedy)
    return said


def _lost(settings: Settings, run: Run, done: set[str]) -> StepResult:
    # A job can die without a result: its runner was lost, or it ran out of time before its notebook began.
    lost = next((step for step in run.steps if step.name not in done), run.steps[-1]).name
    message, remedy = f"The job of step {lost} ended without a result, or never began.", LOOK
    described = find_step(settings.config.all_steps, lost)
    job = _failed_job(settings, run)
    if job and not find_step(run.steps, job.name) and not (described and described.own_pipeline):
        # One that is no step: what is missing was found before the first of them began.
        lost, message, remedy = job.name, f"The job {job.name} failed.", f"Read its log, then retry it: {job.web_url}"
    elif described and described.own_pipeline and (job is None or job.name != lost):
        # It tells what it found itself; its results don't come back into this pipeline.
        message = f"{run.title(lost)} did not pass: their own pipeline says why."
    return StepResult(
        run_id=run.run_id,
        step=lost if STEP.fullmatch(lost) else "job",
        stack=run.stack,
        outcome=Outcome.ERRORED,
        summary=message,
        # One loss, one message: a time that a second call would see as well.
        started_at=run.created_at,
        finished_at=datetime.now(UTC),
        error=ErrorInfo(type="EngineError", message=message, remedy=remedy),
    )


def _failed_job(settings: Settings, run: Run) -> GitLabJob | None:
    """The first job of the run's pipeline that failed, as far as there is a token that may ask."""
    gitlab, pipeline = gitlab_client(settings), settings.environment.pipeline_id
    if gitlab is None or not gitlab.has_token or pipeline != run.run_id:
        return None
    with contextlib.suppress(GitLabError):
        # Who is told of a failure is told all the same.
        return next((job for job in gitlab.pipeline_jobs(int(pipeline)) if job.status == "failed"), None)
    return None
