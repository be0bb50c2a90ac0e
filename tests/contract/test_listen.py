"""Approving by Slack's buttons: slack-bolt against the lab's Slack, and the signed answers against the lab's GitLab."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from gitlab_lab import RunningGitLab, running_gitlab
from slack_lab import RunningSlack, running_slack
from slack_sdk import WebClient

from runbook_lib.adapters.approvals.gitlab_comment import SIGNED, GitLabComments
from runbook_lib.adapters.approvals.slack_answer import SlackAnswers, project_address, say_signed
from runbook_lib.adapters.signing import generate_key, sign_statement
from runbook_lib.adapters.slack_listener import Listener, Tokens
from runbook_lib.domain.approval import ApplyFacts, judge_decisions
from runbook_lib.domain.governance import approval_in_force
from runbook_lib.errors import ConfigError, SlackError
from runbook_lib.lab.gitlab.config import default_config
from runbook_lib.lab.slack import SlackLabConfig
from runbook_lib.models.approval import ApprovalRequest, DecisionRecord
from runbook_lib.models.approval_config import SlackApprovals
from runbook_lib.models.config import ApprovalConfig
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.slack_answer import Asked, SlackAnswer
from runbook_lib.report.messages import approval_request
from runbook_lib.settings import Settings
from runbook_lib.workspace.listening import Answers, open_listener

PRIVATE, PUBLIC = generate_key()
OTHER, OTHER_PUBLIC = generate_key()
DIGEST = "d" * 64
CONFIG = SlackApprovals(users={"U0ALEX": "alex", "U0RILEY": "riley"}, key=PUBLIC)


def asks(shown: dict[str, Any]) -> bool:
    """Whether somebody is shown a dialog that is to be filled in."""
    return bool(shown["dialog"] and shown["dialog"].get("submit"))


class World:
    """A request in the lab's Slack, and the listener that answers its buttons."""

    def __init__(self, slack: RunningSlack, gitlab: RunningGitLab) -> None:
        self.slack, self.gitlab = slack, gitlab
        now = datetime.now(UTC)
        self.request = ApprovalRequest(
            run_id="7",
            stack="access",
            plan_sha256=DIGEST,
            commit=gitlab.push(),
            state_lineage="l",
            state_serial=3,
            policy_sha256="p",
            summary=PlanSummary(plan_sha256=DIGEST),
            exposure=Exposure(sentence="The internet can newly reach web on tcp 80."),
            requester="riley",
            author="riley",
            approvers=("alex", "sam"),
            quorum=1,
            created_at=now - timedelta(seconds=2),
            expires_at=now + timedelta(hours=4),
        )
        message = approval_request(self.request, answered=True)
        web = WebClient(slack.config.bot_token, base_url=slack.api_url)
        posted = web.chat_postMessage(channel="C0INFRA", text=message.text, blocks=list(message.blocks))
        self.ts = str(posted["ts"])

    def listener(self, key: str = PRIVATE, config: SlackApprovals = CONFIG, **tokens: str) -> Listener:
        answers = Answers(self.gitlab.client("alex"), config, key)
        given = {"app": self.slack.config.app_token, "bot": self.slack.config.bot_token, **tokens}
        return Listener(Tokens(**given, api_url=self.slack.api_url), answers.why_not, answers.take)

    def _post(self, what: str, **body: Any) -> requests.Response:
        return requests.post(f"{self.slack.url}/lab/slack/{what}", json=body, timeout=60)

    def click(self, user: str = "alex", action: str = "decide-approve", **more: Any) -> bool:
        answer = self._post("click", message_ts=self.ts, action_id=action, user=user, **more)
        answer.raise_for_status()
        return bool(answer.json()["acknowledged"])

    def shown(self, user: str, until: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """What somebody is shown, once it is: slack-bolt works in threads of its own."""
        for _ in range(3_000):
            found = dict(requests.get(f"{self.slack.url}/lab/slack/shown/{user}", timeout=60).json())
            if until(found):
                return found
        raise AssertionError(found)

    def say(self, user: str, slack_id: str, action: str = "decide-approve", reason: str = "", **more: Any) -> list[str]:
        """Click, fill the dialog in, and give back what the person is told."""
        assert self.click(user, action)
        before = len(self.shown(slack_id, asks)["messages"])
        answer = self._post("submit", user=user, values={"reason": reason} if reason else {}, **more)
        answer.raise_for_status()
        assert answer.json() == {"acknowledged": True}
        return list(self.shown(slack_id, lambda one: len(one["messages"]) > before)["messages"][before:])

    def judge(self, request: ApprovalRequest | None = None, config: SlackApprovals = CONFIG) -> DecisionRecord:
        request, gitlab = request or self.request, self.gitlab.client("project_42_bot")
        found = [
            *GitLabComments(gitlab, approves=False).decisions(request),
            *SlackAnswers(gitlab, config).decisions(request),
        ]
        return judge_decisions(request, found, ApplyFacts(DIGEST, "l", 3), datetime.now(UTC))


@pytest.fixture
def world() -> Iterator[World]:
    with ExitStack() as stack:
        gitlab = stack.enter_context(running_gitlab(default_config()))
        yield World(stack.enter_context(running_slack(SlackLabConfig())), gitlab)


@pytest.fixture
def listening(world: World) -> Iterator[Listener]:
    listener = world.listener()
    listener.start()
    yield listener
    listener.stop()


def test_a_click_a_dialog_and_the_answer_counts_when_apply_judges_it(world: World, listening: Listener) -> None:
    assert world.click()
    dialog = world.shown("U0ALEX", asks)["dialog"]
    assert dialog["title"]["text"] == "Approve this plan?"
    assert "The internet can newly reach web on tcp 80." in dialog["blocks"][0]["text"]["text"]
    assert not world.judge().decisions
    assert "You approved plan dddddddddddd" in world.say("alex", "U0ALEX", reason="As agreed.")[0]
    record = world.judge()
    assert record.approved
    (said,) = record.decisions
    assert (said.user, said.source, said.reason) == ("alex", "slack", "As agreed.")


def test_a_rejection_asks_for_a_reason_and_is_final(world: World, listening: Listener) -> None:
    assert world.click(action="decide-reject")
    world.shown("U0ALEX", asks)
    assert world._post("submit", user="alex").status_code == 404  # Slack keeps the dialog open
    world.say("alex", "U0ALEX", "decide-reject", reason="Not on a Friday.")
    world.say("alex", "U0ALEX")
    record = world.judge()
    assert (record.rejected, record.approved) == (True, False)
    assert record.reasons[0].startswith("alex rejected the change: Not on a Friday.")


def test_a_rejection_of_blanks_stays_open_and_says_what_it_needs(world: World, listening: Listener) -> None:
    assert world.click(action="decide-reject")
    world.shown("U0ALEX", asks)
    assert world._post("submit", user="alex", values={"reason": "  "}).json() == {"acknowledged": True}
    assert world.shown("U0ALEX", asks)["dialog"]["errors"] == {"reason": "A rejection needs a reason."}
    assert not world.judge().decisions


def test_the_dialog_says_that_an_answer_is_not_taken_down_until_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener, goes_on = world.listener(), threading.Event()
    kept = listener._answer
    monkeypatch.setattr(listener, "_answer", lambda said: goes_on.wait(60) and kept(said))

    def text(one: dict[str, Any]) -> str:
        return str(one["dialog"]["blocks"][0]["text"]["text"])

    listener.start()
    try:
        assert world.click(action="decide-reject")
        world.shown("U0ALEX", asks)
        assert world._post("submit", user="alex", values={"reason": "Not on a Friday."}).json()["acknowledged"]
        shown = world.shown("U0ALEX", lambda one: not asks(one))
        assert text(shown) == "This is being taken down. Until this text changes, it is not."
        goes_on.set()
        world.shown("U0ALEX", lambda one: text(one).startswith("You rejected plan dddddddddddd of run 7."))
    finally:
        goes_on.set()
        listener.stop()
    assert world.judge().rejected


def test_a_stranger_is_told_so_and_shown_no_dialog(world: World, listening: Listener) -> None:
    assert world.click("sam")
    shown = world.shown("U0SAM", lambda one: one["messages"])
    assert shown["dialog"] is None
    assert shown["messages"] == [
        "You are none of those who may answer here: approval.slack.users in runbook.yml names them by their id."
    ]
    assert not world.judge().decisions


def test_who_asked_may_say_so_and_it_does_not_count(world: World, listening: Listener) -> None:
    world.say("riley", "U0RILEY")
    record = world.judge()
    assert not record.approved
    assert "riley asked for the change" in record.reasons[0]


def test_a_double_click_and_a_payload_delivered_twice_are_one_answer(world: World, listening: Listener) -> None:
    assert world.click(again=True)
    world.shown("U0ALEX", asks)
    world.say("alex", "U0ALEX", again=True)
    world.shown("U0ALEX", lambda one: len(one["messages"]) > 1)
    assert len(world.judge().decisions) == 1
    world.say("alex", "U0ALEX")
    record = world.judge()
    assert (record.approved, [one.counts for one in record.decisions]) == (True, [True, False])


def test_while_nobody_listens_a_click_is_not_acknowledged_and_decides_nothing(world: World) -> None:
    assert not world.click()
    assert not world.judge().decisions


def test_an_answer_signed_with_another_key_counts_for_nothing(world: World) -> None:
    listener = world.listener(OTHER)
    listener.start()
    try:
        world.say("alex", "U0ALEX")
    finally:
        listener.stop()
    record = world.judge()
    assert not record.approved
    assert "it is no answer of the listener's: the signature does not verify" in record.reasons[0]


def answer(world: World, **given: Any) -> SlackAnswer:
    client = world.gitlab.client("alex")
    asked = Asked(run_id="7", stack="access", commit=world.request.commit, plan_sha256=DIGEST)
    usual = {"project": project_address(client), "asked": asked, "user": "U0ALEX", "approved": True}
    return SlackAnswer(**{**usual, "at": datetime.now(UTC), **given})


def test_an_answer_replayed_to_a_later_request_another_run_or_another_plan_counts_for_nothing(world: World) -> None:
    say_signed(world.gitlab.client("alex"), answer(world), PRIVATE)
    assert world.judge().approved
    later = world.request.model_copy(update={"created_at": datetime.now(UTC) + timedelta(seconds=1)})
    assert "before the request was made" in world.judge(later).reasons[0]
    assert world.judge(world.request.model_copy(update={"run_id": "8"})).decisions == ()
    other = world.judge(world.request.model_copy(update={"plan_sha256": "e" * 64}))
    assert not other.approved
    assert "given for another plan" in " ".join(other.reasons)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"project": "https://gitlab.example.com/other/project"}, "it is of https://gitlab.example.com/other/project"),
        ({"user": "U0SAM"}, "slack:U0SAM is none of the approvers"),
        (
            {"asked": Asked(run_id="7", stack="network", commit="c" * 40, plan_sha256=DIGEST)},
            "it is of another commit or stack",
        ),
    ],
)
def test_an_answer_of_another_place_or_of_a_stranger_counts_for_nothing(
    world: World, given: dict[str, Any], said: str
) -> None:
    client = world.gitlab.client("alex")
    envelope = sign_statement(
        answer(world, **given).model_dump_json().encode(), PRIVATE, "application/vnd.runbook.slack-answer+json"
    )
    client.comment(world.request.commit, f"{SIGNED}{base64.b64encode(envelope).decode()}")
    record = world.judge()
    assert not record.approved
    assert said in record.reasons[0]


def test_an_altered_answer_and_another_thing_that_the_key_signed_count_for_nothing(world: World) -> None:
    client = world.gitlab.client("alex")
    no = answer(world, approved=False, reason="No.").model_dump_json().encode()
    envelope = json.loads(sign_statement(no, PRIVATE, "application/vnd.runbook.slack-answer+json"))
    envelope["payload"] = base64.b64encode(no.replace(b'"approved":false', b'"approved":true')).decode()
    altered = (json.dumps(envelope, indent=2) + "\n").encode()
    as_evidence = sign_statement(answer(world).model_dump_json().encode(), PRIVATE)
    for content in (altered, as_evidence, b"{}", b"\xff", b""):
        client.comment(world.request.commit, f"{SIGNED}{base64.b64encode(content).decode()}")
    client.comment(world.request.commit, f"{SIGNED}no base64!")
    record = world.judge()
    assert not record.approved
    assert [one.counts for one in record.decisions] == [False] * 6


def test_neither_the_signer_nor_the_change_says_who_is_who(world: World) -> None:
    before = ApprovalConfig(approvers=("alex", "sam"), slack=CONFIG)
    mine = SlackApprovals(users={"U0ALEX": "sam", "U0RILEY": "riley", "U0MALLORY": "alex"}, key=OTHER_PUBLIC)
    found = approval_in_force(before, ApprovalConfig(approvers=("alex", "sam"), slack=mine)).slack
    assert found is not None
    assert (found.users, found.key) == ({"U0RILEY": "riley"}, PUBLIC)
    assert approval_in_force(ApprovalConfig(), before).slack is None
    assert approval_in_force(before, ApprovalConfig()).slack is None


def test_a_no_is_heard_of_whom_the_change_takes_for_somebody_else_or_takes_out(world: World) -> None:
    agreed = CONFIG.model_copy(update={"users": {"U0RILEY": "riley"}})
    say_signed(world.gitlab.client("alex"), answer(world, approved=False, reason="No."), PRIVATE)
    client = world.gitlab.client("alex")
    (no,) = SlackAnswers(client, agreed, {"U0ALEX": "alex"}).decisions(world.request)
    assert (no.user, no.approved, no.doubt) == ("alex", False, "")
    say_signed(world.gitlab.client("alex"), answer(world), PRIVATE)
    assert SlackAnswers(client, agreed, {"U0ALEX": "alex"}).decisions(world.request)[1].user == "slack:U0ALEX"


def test_tokens_that_slack_refuses_are_named(world: World) -> None:
    with pytest.raises(ConfigError, match="SLACK_BOT_TOKEN"):
        world.listener(bot="xoxb-another")
    with pytest.raises(SlackError, match="no connection: not_allowed_token_type"):
        world.listener(app=world.slack.config.bot_token).start()


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("slack", "does not say who is who in Slack"),
        ("RUNBOOK_LISTENER_KEY", "RUNBOOK_LISTENER_KEY is not set"),
        ("SLACK_APP_TOKEN", "SLACK_APP_TOKEN is not set"),
        ("SLACK_BOT_TOKEN", "SLACK_BOT_TOKEN is not set"),
        ("another key", "and approval.slack.key in runbook.yml another"),
        ("GITLAB_TOKEN", "there is no GITLAB_TOKEN"),
        ("", ""),
    ],
)
def test_a_listener_says_what_it_lacks_before_it_listens(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, said: str
) -> None:
    document: dict[str, Any] = {
        "version": 1,
        "stacks": {"access": {"path": "a"}},
        "gitlab": {"url": world.gitlab.url, "project": "platform/network-access"},
        "slack": {"api_url": world.slack.api_url},
        "approval": {"approvers": ["alex"], "slack": None if missing == "slack" else CONFIG.model_dump()},
    }
    (tmp_path / "runbook.yml").write_text(json.dumps(document))
    given = {
        "RUNBOOK_LISTENER_KEY": OTHER if missing == "another key" else PRIVATE,
        "SLACK_APP_TOKEN": world.slack.config.app_token,
        "SLACK_BOT_TOKEN": world.slack.config.bot_token,
        "GITLAB_TOKEN": world.gitlab.token("alex"),
        "RUNBOOK_OUTPUTS": str(tmp_path / "outputs"),
    }
    for name, value in given.items():
        monkeypatch.setenv(name, "" if name == missing else value)
    settings = Settings.load(tmp_path, checked=False)
    if said:
        with pytest.raises(ConfigError, match=said):
            open_listener(settings)
        return
    listener = open_listener(settings)
    listener.start()
    try:
        world.say("alex", "U0ALEX")
    finally:
        listener.stop()
    assert world.judge().approved
