"""Telling Slack: one thread a run, each thing told once, nothing lost when Slack fails."""

from __future__ import annotations

from collections.abc import Iterable

from ..adapters.outbox import Delivery, Outbox
from ..adapters.store import RunStore
from ..errors import ConfigError, SlackError
from ..models.approval import ApprovalRequest, DecisionRecord
from ..models.base import Step
from ..models.messages import Message, Reference
from ..models.results import StepResult
from ..models.run import Run
from ..report import messages
from ..settings import Settings
from .clients import slack_client

__all__ = ["Teller", "failed_result"]

BOARD = "board"
# What goes up as files beside a step's message, by their path in the run folder.
FILES = {
    Step.COMPLIANCE: (f"{Step.COMPLIANCE.folder}/compliance.txt",),
    Step.APPLY: (f"{Step.APPLY.folder}/apply.txt",),
}
REQUEST_FILES = (f"{Step.PLAN.folder}/compliance.txt", f"{Step.PLAN.folder}/plan.txt")


class Teller:
    """What one run tells. What Slack does not take now waits in outbox/, and goes out with the next thing told."""

    def __init__(self, settings: Settings, store: RunStore, run: Run) -> None:
        self._settings = settings
        self._store = store
        self._run = run
        self._slack = slack_client(settings)
        self._outbox = Outbox(store)

    @property
    def thread(self) -> Reference | None:
        """Where the run's thread is, once Slack has it."""
        return self._outbox.references.get(BOARD)

    def start(self) -> Delivery:
        """Open the run's thread: its parent is the status board."""
        self._outbox.add(BOARD, self._board())
        return self._outbox.deliver(self._slack)

    def deliver(self) -> Delivery:
        """Send what still waits."""
        return self._outbox.deliver(self._slack)

    def tell_step(self, result: StepResult) -> Delivery:
        """Reply with a step's result and renew the board; the same result twice is told once."""
        self._outbox.add(BOARD, self._board())
        message = messages.step_result(self._run, result, self._texts(FILES.get(result.step, ())))
        self._outbox.add(f"{result.step}:{result.started_at.isoformat()}", message, BOARD)
        return self._renew_board()

    def ask_approval(self, request: ApprovalRequest, plan_url: str = "") -> Delivery:
        """Send the approval request to the channel, not only the thread; an error if it reached nobody."""
        self._outbox.add(BOARD, self._board())
        key = f"request:{request.plan_sha256[:16]}:{request.created_at.isoformat()}"
        self._outbox.add(
            key, messages.approval_request(request, self._texts(REQUEST_FILES), plan_url), BOARD, broadcast=True
        )
        delivery = self._outbox.deliver(self._slack)
        if self._slack is None and self._settings.environment.in_ci:
            raise ConfigError(
                "the approval request reached nobody: Slack is not configured",
                "Set SLACK_BOT_TOKEN and SLACK_CHANNEL, or SLACK_WEBHOOK_URL.",
            )
        if self._slack is not None and key not in self._outbox.references:
            reason = delivery.error.message if delivery.error else "it waits in outbox/"
            remedy = delivery.error.remedy if delivery.error else "Run the approval step again."
            raise SlackError(f"the approval request reached nobody: {reason}", remedy)
        return delivery

    def tell_decision(self, record: DecisionRecord) -> Delivery:
        """Reply with who decided what."""
        decided = ",".join(f"{item.user}@{item.at.isoformat()}" for item in record.decisions)
        key = f"decision:{record.plan_sha256[:16]}:{record.approved}:{decided}"
        self._outbox.add(key, messages.decision(record), BOARD)
        return self._outbox.deliver(self._slack)

    def tell_failure(self, result: StepResult) -> Delivery:
        """Tell the channel, not only the thread, that the run stopped, with the pipeline's link."""
        self._outbox.add(BOARD, self._board())
        key = f"failure:{result.step}:{result.started_at.isoformat()}"
        self._outbox.add(key, messages.failure(self._run, result), BOARD, broadcast=True)
        return self._renew_board()

    def _renew_board(self) -> Delivery:
        self._outbox.add_update(BOARD, self._board())
        return self._outbox.deliver(self._slack)

    def _board(self) -> Message:
        return messages.status_board(self._run, self._store.results())

    def _texts(self, paths: Iterable[str]) -> dict[str, str]:
        return {path: self._store.read_text(path) for path in paths if self._store.exists(path)}


def failed_result(results: Iterable[StepResult]) -> StepResult | None:
    """The result that stopped a run, if one did."""
    stopped = [result for result in results if result.outcome.stops]
    return stopped[-1] if stopped else None
