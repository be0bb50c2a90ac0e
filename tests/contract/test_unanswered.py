"""What no job tells is told by a look at GitLab: once, in the run's thread, and nothing that was answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from gitlab_lab import BEFORE_APPLY, PROJECT, RunningGitLab, running_gitlab

from runbook_lib.adapters.outbox import Outbox
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ChatError, ConfigError, SlackError
from runbook_lib.lab.gitlab.config import default_config
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.models.base import Outcome
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.messages import Message, Reference, Thread
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.settings import Environment, Settings
from runbook_lib.workspace.unanswered import tell_unanswered

TOKEN = "xoxb-1"


class Slack:
    """Keeps what it is told: text, thread, whether the channel sees it; and the boards."""

    channel = "C1"

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None, bool]] = []
        self.boards: list[str] = []
        self.error: SlackError | None = None

    def post(self, message: Message, thread_ts: str | None = None, broadcast: bool = False, key: str = "") -> Reference:
        if self.error:
            raise self.error
        self.told.append((message.text, thread_ts, broadcast))
        return Reference(channel="C1", ts=f"{len(self.told)}.0", thread=thread_ts or "")

    def resume(self, thread: Thread) -> None:
        """Nothing is known from before."""

    def update(self, reference: Reference, message: Message) -> Reference:
        self.boards.append(message.text)
        return reference

    def upload(self, *given: Any, **named: Any) -> None:
        raise AssertionError("nothing is uploaded")

    def find(self, key: str, thread_ts: str | None = None) -> Reference | None:
        return None


@pytest.fixture
def lab() -> Iterator[RunningGitLab]:
    with running_gitlab(default_config()) as running:
        yield running


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Slack:
    fake = Slack()
    monkeypatch.setattr("runbook_lib.workspace.slack_thread.messenger", lambda settings, stack: fake)
    return fake


@pytest.fixture
def look(lab: RunningGitLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], tuple[str, ...]]:
    """`runbook unanswered` by the bot that reads."""
    config = f"gitlab: {{url: {lab.url}, project: {PROJECT}}}\nslack: {{channel: C1}}\n"
    (tmp_path / "runbook.yml").write_text(f"version: 1\nstacks: {{access: {{path: access}}}}\n{config}")
    for field in Environment.model_fields.values():
        for name in getattr(field.validation_alias, "choices", ()):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLACK_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("GITLAB_TOKEN", lab.token("project_42_bot"))
    return lambda: tell_unanswered(Settings.load(tmp_path, checked=False))


def asked(lab: RunningGitLab, tmp_path: Path, expires: timedelta) -> int:
    """A pipeline whose approval job sent a request into a thread, and now waits."""
    pipeline, now = lab.pipeline(), datetime.now(UTC)
    store = RunStore(tmp_path / "left", str(pipeline))
    store.write_json("run.json", Run(run_id=str(pipeline), stack="access", commit="4dc7", created_at=now))
    summary = PlanSummary(create=1, plan_sha256="d")
    request = ApprovalRequest(
        run_id=str(pipeline), stack="access", plan_sha256="d", commit="4dc7", state_lineage="l", state_serial=1,
        policy_sha256="p", summary=summary, exposure=Exposure(), requester="riley", approvers=("alex",), quorum=1,
        created_at=now - timedelta(hours=4), expires_at=now + expires,
    )  # fmt: skip
    store.write_json("03_approval/request.json", request)
    outbox = Outbox(store, TOKEN)
    outbox.add("board", Message(text="the board"))
    outbox.deliver(Slack())
    for name in BEFORE_APPLY:
        job = lab.job(pipeline, name)
        lab.start(job)
        files = {
            f"outputs/{pipeline}/{path.relative_to(store.dir)}": path.read_text() for path in store.dir.rglob("*.json")
        }
        lab.control(f"jobs/{job}/finish", status="success", artifacts=files if name == "approval" else {})
    return pipeline


def test_a_request_that_expired_is_told_in_its_thread_and_to_the_channel(
    lab: RunningGitLab, tmp_path: Path, slack: Slack, look: Callable[[], tuple[str, ...]]
) -> None:
    pipeline = asked(lab, tmp_path, timedelta(seconds=-1))
    (said,) = look()
    assert said.startswith(f"Pipeline {pipeline}: Nobody answered: the request expired at ")
    ((text, thread, broadcast),) = slack.told
    assert "Nobody answered" in text
    assert (thread, broadcast) == ("1.0", True)
    assert "blocked at approval" in slack.boards[-1]


def test_a_request_that_still_waits_or_expired_long_ago_is_not_told(
    lab: RunningGitLab, tmp_path: Path, slack: Slack, look: Callable[[], tuple[str, ...]]
) -> None:
    for expires in (timedelta(hours=1), timedelta(hours=-25)):
        asked(lab, tmp_path, expires)
    assert look() == ()
    assert slack.told == []


def test_a_pipeline_that_was_cancelled_while_it_waited_is_told(
    lab: RunningGitLab, tmp_path: Path, slack: Slack, look: Callable[[], tuple[str, ...]]
) -> None:
    pipeline = asked(lab, tmp_path, timedelta(hours=1))
    lab.call("POST", f"/api/v4/projects/42/pipelines/{pipeline}/cancel", "alex")
    assert look() == (f"Pipeline {pipeline}: The pipeline was cancelled before anybody answered.",)
    assert "interrupted at approval" in slack.boards[-1]


@pytest.mark.parametrize("name", ["apply", "reject"])
def test_what_somebody_answered_is_told_by_that_ones_job(
    lab: RunningGitLab, tmp_path: Path, slack: Slack, look: Callable[[], tuple[str, ...]], name: str
) -> None:
    pipeline = asked(lab, tmp_path, timedelta(seconds=-1))
    lab.call("POST", f"/api/v4/projects/42/jobs/{lab.job(pipeline, name)}/play", "alex", json={})
    assert look() == ()


def cancel(lab: RunningGitLab, pipeline: int) -> None:
    lab.call("POST", f"/api/v4/projects/42/pipelines/{pipeline}/cancel", "alex").raise_for_status()


def planned(lab: RunningGitLab, tmp_path: Path, **files: str) -> int:
    """A pipeline whose compliance job left its part of the run folder, and whose plan job runs."""
    pipeline = lab.pipeline()
    store = RunStore(tmp_path / "left", str(pipeline))
    store.write_json("run.json", Run(run_id=str(pipeline), stack="access", created_at=datetime.now(UTC)))
    result = StepResult(
        run_id=str(pipeline), step="compliance", stack="access", outcome=Outcome.PASSED, summary="All is well.",
        started_at=datetime.now(UTC), finished_at=datetime.now(UTC),
    )  # fmt: skip
    store.write_json("01_compliance/result.json", result)
    lab.run(lab.job(pipeline, "prepare"))
    left = {str(path.relative_to(store.dir)): path.read_text() for path in store.dir.rglob("*.json")} | files
    job = lab.job(pipeline, "compliance")
    lab.start(job)
    artifacts = {f"outputs/{pipeline}/{name}": text for name, text in left.items()}
    lab.control(f"jobs/{job}/finish", status="success", artifacts=artifacts)
    lab.start(lab.job(pipeline, "plan"))
    return pipeline


def test_a_pipeline_that_was_cancelled_before_it_asked_is_told_with_what_it_had_done(
    lab: RunningGitLab, tmp_path: Path, slack: Slack, look: Callable[[], tuple[str, ...]]
) -> None:
    pipeline = planned(lab, tmp_path)
    assert look() == ()
    cancel(lab, pipeline)
    assert look() == (f"Pipeline {pipeline}: The pipeline was cancelled before anybody was asked.",)
    assert "access: interrupted at plan" in slack.told[0][0]
    assert ("plan interrupted" in slack.told[-1][0], slack.told[-1][2]) == (True, True)


def test_one_that_never_began_is_told_by_its_only_stack_and_its_newer_pipeline(
    lab: RunningGitLab, slack: Slack, look: Callable[[], tuple[str, ...]]
) -> None:
    pipeline = lab.pipeline()
    lab.run(lab.job(pipeline, "prepare"))
    newer = lab.pipeline()
    cancel(lab, pipeline)
    (said,) = look()
    assert said.endswith(f"before anybody was asked; pipeline {newer}, of a newer commit, had begun.")
    assert slack.told[-1][0].startswith("access: compliance interrupted")


def test_a_run_json_that_is_none_keeps_nobody_from_being_told(
    lab: RunningGitLab, tmp_path: Path, slack: Slack, look: Callable[[], tuple[str, ...]]
) -> None:
    first, other = planned(lab, tmp_path, **{"run.json": '{"run_id": '}), planned(lab, tmp_path)
    for pipeline in (first, other):
        cancel(lab, pipeline)
    assert [said.split(":")[0] for said in look()] == [f"Pipeline {first}", f"Pipeline {other}"]


def test_of_what_is_no_change_only_the_job_that_finds_the_stacks_is_told_of(
    lab: RunningGitLab, tmp_path: Path, slack: Slack, look: Callable[[], tuple[str, ...]]
) -> None:
    theirs = lab.pipeline(jobs=[{"name": "build", "stage": "build"}, {"name": "stacks", "stage": "test"}])
    cancel(lab, theirs)
    assert look() == ()
    jobs = [{"name": "stacks", "stage": "stacks"}, {"name": "failure", "stage": "failure"}]
    unfound = lab.pipeline(jobs=jobs)
    cancel(lab, unfound)
    found = lab.pipeline(jobs=jobs)
    lab.run(lab.job(found, "stacks"))
    cancel(lab, found)
    assert [said.split(":")[0] for said in look()] == [f"Pipeline {unfound}"]


def test_an_apply_that_was_played_and_then_cancelled_was_an_answer(
    lab: RunningGitLab, tmp_path: Path, slack: Slack, look: Callable[[], tuple[str, ...]]
) -> None:
    pipeline = asked(lab, tmp_path, timedelta(hours=1))
    job = lab.job(pipeline, "apply")
    lab.call("POST", f"/api/v4/projects/42/jobs/{job}/play", "alex", json={})
    lab.start(job)
    cancel(lab, pipeline)
    assert look() == ()


def test_what_could_not_be_told_is_an_error_so_that_the_next_look_says_it(
    lab: RunningGitLab, tmp_path: Path, slack: Slack, look: Callable[[], tuple[str, ...]]
) -> None:
    asked(lab, tmp_path, timedelta(seconds=-1))
    slack.error = SlackError("Slack can't be reached")
    with pytest.raises(ChatError, match="can't be reached"):
        look()
    slack.error = None
    assert len(look()) == 1


def test_a_look_begins_where_the_last_one_that_ended_well_began(
    lab: RunningGitLab,
    tmp_path: Path,
    slack: Slack,
    look: Callable[[], tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked(lab, tmp_path, timedelta(seconds=-1))
    lab.push(jobs=[{"name": "unanswered", "stage": "test"}])
    numbers = [
        int(lab.call("POST", "/api/v4/projects/42/pipeline", "riley", json={"ref": "main"}).json()["id"]) for _ in "ab"
    ]
    first, second = (lab.job(number, "unanswered") for number in numbers)
    monkeypatch.setenv("CI_JOB_TOKEN", lab.start(first))
    assert len(look()) == 1
    lab.control(f"jobs/{first}/finish", status="success")
    monkeypatch.setenv("CI_JOB_TOKEN", lab.start(second))
    assert look() == ()


def test_without_a_token_that_reads_it_is_said_what_to_do(
    look: Callable[[], tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITLAB_TOKEN")
    with pytest.raises(ConfigError) as caught:
        look()
    assert "read_api" in caught.value.remedy


def test_the_ledger_of_another_is_not_believed(
    lab: RunningGitLab,
    tmp_path: Path,
    slack: Slack,
    look: Callable[[], tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked(lab, tmp_path, timedelta(seconds=-1))
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-another")
    look()
    # A thread of its own: where it was told before is only what somebody wrote there.
    assert [thread for _, thread, _ in slack.told] == [None, "1.0"]
    assert json.loads((next((tmp_path / "left").glob("*/slack.json"))).read_text())["messages"]
