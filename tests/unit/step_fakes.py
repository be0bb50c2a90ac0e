"""Outside systems that answer at once, and the time at which it all happens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from runbook_lib.adapters.gitlab_data import GitLabNote
from runbook_lib.adapters.private_copy import PrivateFolder
from runbook_lib.errors import SlackError
from runbook_lib.models.base import Outcome
from runbook_lib.models.compliance import Checked, ComplianceReport
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.messages import Message, Reference, Thread
from runbook_lib.models.plan import Plan, PlanInputs
from runbook_lib.models.steps import BUILT_IN, Step
from runbook_lib.settings import Settings
from runbook_lib.workspace.context import StepContext
from runbook_lib.workspace.plan_check import FoundPlan, Judged
from runbook_lib.workspace.records import plan_file, read_summary

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
Fake = TypeVar("Fake")


def built_in(name: str) -> Step:
    """A step that there is without a word in runbook.yml."""
    return next(step for step in BUILT_IN if step.name == name)


def answering(fake: Fake) -> Callable[..., Fake]:
    """What makes an outside system, and is told by whose settings and, where it depends on that, for which stack."""

    def make(settings: Settings, *stack: str) -> Fake:
        # Many a real one reads no more of them than the type says: what hands on something else would go unseen.
        assert isinstance(settings, Settings)
        assert all(isinstance(name, str) and name for name in stack)
        return fake

    return make


def found_plan(context: StepContext, **given: Any) -> FoundPlan:
    """The run's plan file, found to be what the summary and the exposure beside it say."""
    known = context.known.get("fake plan")
    if known is None:
        store, folder = context.store, PrivateFolder()
        path = folder.copy(store.dir / plan_file(store))
        exposed = store.file("plan", "exposure.json")
        exposure = store.read_model(exposed, Exposure) if store.exists(exposed) else Exposure()
        report = ComplianceReport(outcome=Outcome.PASSED, checked=Checked())
        judged = Judged(read_summary(store), report, exposure)
        known = context.known["fake plan"] = FoundPlan(folder, path, Plan(), judged, PlanInputs())
    return known


class FakeSlack:
    """Keeps what it takes; while `error` is set, it takes nothing."""

    channel = "#infra-changes"

    def __init__(self) -> None:
        self.error: SlackError | None = None
        self.posts: list[tuple[str, bool]] = []
        self.boards: list[str] = []
        self.files: list[str] = []

    def _take(self, thread_ts: str | None = None) -> Reference:
        if self.error:
            raise self.error
        return Reference(channel="C1", ts=str(len(self.posts)), thread=thread_ts or "")

    def resume(self, thread: Thread) -> None:
        """Nothing is known from before."""

    def post(self, message: Message, thread_ts: str | None = None, broadcast: bool = False, key: str = "") -> Reference:
        self._take()
        self.posts.append((message.text, broadcast))
        return self._take(thread_ts)

    def update(self, reference: Reference, message: Message) -> Reference:
        self._take()
        self.boards.append(message.text)
        return reference

    def upload(self, name: str, content: str, title: str = "", thread_ts: str | None = None) -> None:
        self._take()
        self.files.append(name)

    def find(self, key: str, thread_ts: str | None = None) -> Reference | None:
        return None

    def has_file(self, name: str, thread_ts: str | None = None) -> bool:
        return False


class FakeGitLab:
    """Says of everybody that they are `user`."""

    has_token = False
    has_job_token = False

    def __init__(self, user: str) -> None:
        self.user = user
        self.asked_pipelines: list[int] = []
        self.notes: list[GitLabNote] = []

    def current_user(self) -> str:
        return self.user

    def now(self) -> datetime:
        return NOW

    def default_branch(self) -> str:
        return "main"

    def comment(self, sha: str, text: str) -> GitLabNote:
        note = GitLabNote(self.user, text, datetime.now(UTC), False, f"https://gitlab.example/-/commit/{sha}")
        self.notes.append(note)
        return note

    def comments(self, sha: str) -> tuple[GitLabNote, ...]:
        return tuple(self.notes)

    def commit_author(self, sha: str, fallback: str = "") -> str:
        return fallback.partition("@")[0]

    def pipeline_user(self, pipeline_id: int) -> str:
        self.asked_pipelines.append(pipeline_id)
        return self.user
