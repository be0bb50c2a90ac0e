"""The outbox and the adapter together against the lab: a run is told whole, in its thread, whatever Slack does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import slack_sdk.http_retry.builtin_handlers as builtin
import slack_sdk.http_retry.handler as base
from slack_lab import RunningSlack, running_slack

from runbook_lib.adapters.outbox import Outbox
from runbook_lib.adapters.slack import Slack
from runbook_lib.adapters.store import RunStore
from runbook_lib.lab.slack import SlackLabConfig
from runbook_lib.models.messages import Message, MessageFile

PLAN = Message(text="plan", files=(MessageFile(name="plan.txt", title="Plan", content="+ create"),))
FAULTS = {
    "answer lost, and again": {"method": "chat.postMessage", "status": 502, "after": True},
    "ailing before and after the retry": {"method": "chat.postMessage", "status": 503, "after": True, "times": 2},
    "told to wait for an hour": {"method": "chat.postMessage", "status": 429, "retry_after": 3600},
    "upload lost": {"method": "files.completeUploadExternal", "status": 502, "after": True},
    "upload refused": {"method": "upload", "status": 500},
    "token taken away for a while": {"method": "*", "error": "invalid_auth"},
    "file never shared": {"method": "share"},
}
# What arrived although the answer was lost is found at once.
FOUND = {"answer lost, and again", "ailing before and after the retry"}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(sleep=lambda seconds: None)
    monkeypatch.setattr(base, "time", clock)
    monkeypatch.setattr(builtin, "time", clock)


@pytest.fixture
def lab() -> Iterator[RunningSlack]:
    with running_slack(SlackLabConfig()) as running:
        yield running


@pytest.mark.parametrize("fault", FAULTS)
def test_message_is_there_once_after_the_next_step(lab: RunningSlack, tmp_path: Path, fault: str) -> None:
    slack = Slack(lab.config.bot_token, "#infra-changes", lab.api_url)
    outbox = Outbox(RunStore(tmp_path, "run-1"))
    outbox.add("board", Message(text="board"))
    outbox.deliver(slack)
    lab.fault(**FAULTS[fault])
    outbox.add("plan", PLAN, thread="board")
    assert (outbox.deliver(slack).error is None) is (fault in FOUND)
    outbox.add("apply", Message(text="apply"), thread="board")
    assert outbox.deliver(slack).waiting == ()
    (thread,) = lab.messages()
    told = [reply["text"] or reply["files"][0]["name"] for reply in thread["replies"]]
    assert told == ["plan", "plan.txt", "apply"]


def test_message_whose_blocks_are_refused_is_told_in_words(lab: RunningSlack, tmp_path: Path) -> None:
    slack = Slack(lab.config.bot_token, "#infra-changes", lab.api_url)
    outbox = Outbox(RunStore(tmp_path, "run-1"))
    outbox.add("board", Message(text="in words", blocks=({"type": "divider"},) * 51))
    assert outbox.deliver(slack).error is None
    assert [(message["text"], "blocks" in message) for message in lab.messages()] == [("in words", False)]


def test_webhook_tells_the_same_without_a_thread(lab: RunningSlack, tmp_path: Path) -> None:
    outbox = Outbox(RunStore(tmp_path, "run-1"))
    outbox.add("board", Message(text="board"))
    outbox.add("plan", PLAN, thread="board")
    outbox.add_update("board", Message(text="renewed"))
    assert outbox.deliver(Slack("", "", webhook=lab.webhook)).waiting == ()
    assert [message["text"] for message in lab.messages()] == ["board", "plan", "Plan"]
