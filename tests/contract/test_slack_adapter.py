"""The Slack adapter over the real SDK against the lab."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import slack_sdk.http_retry.builtin_handlers as builtin
import slack_sdk.http_retry.handler as base
from slack_lab import RunningSlack, running_slack

from runbook_lib.adapters.slack import Slack
from runbook_lib.errors import ConfigError, SlackError
from runbook_lib.lab.slack import SlackLabConfig
from runbook_lib.models.messages import Message

KEY = "5f0c4a52-9d0a-4d8e-9a57-0c1f4d1d3e11"
HELLO = Message(text="hello")


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningSlack]:
    with running_slack(SlackLabConfig(burst=500, share_delay=0)) as running:
        yield running


@pytest.fixture
def lab(shared: RunningSlack) -> RunningSlack:
    return shared


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The SDK's waits between attempts, noted instead of spent."""
    spent: list[float] = []
    clock = SimpleNamespace(sleep=spent.append)
    monkeypatch.setattr(base, "time", clock)
    monkeypatch.setattr(builtin, "time", clock)
    return spent


def slack(lab: RunningSlack, **options: Any) -> Slack:
    options = {"token": lab.config.bot_token, "channel": "#infra-changes", "api_url": lab.api_url} | options
    return Slack(**options)


def failure(client: Slack) -> SlackError:
    with pytest.raises(SlackError) as caught:
        client.post(HELLO)
    return caught.value


@pytest.mark.parametrize("channel", ["#infra-changes", "infra-changes", "C0INFRA"])
def test_post_gives_channel_id_and_time(lab: RunningSlack, channel: str) -> None:
    reference = slack(lab, channel=channel).post(HELLO)
    assert reference.channel == "C0INFRA"
    assert reference.ts == lab.messages()[-1]["ts"]


def test_reply_and_file_land_in_the_thread_and_update_on_the_parent(lab: RunningSlack) -> None:
    client = slack(lab)
    parent = client.post(HELLO)
    client.post(Message(text="reply"), parent.ts)
    client.upload("plan.txt", "+ create", "The plan", parent.ts)
    client.update(parent, Message(text="renewed"))
    thread = lab.messages()[-1]
    assert thread["text"] == "renewed"
    assert [reply["text"] for reply in thread["replies"]] == ["reply", ""]
    assert thread["replies"][1]["files"][0]["title"] == "The plan"


def test_upload_before_anything_was_posted_waits_for_a_channel_that_is_known_by_its_id(lab: RunningSlack) -> None:
    client = slack(lab)
    with pytest.raises(SlackError, match="nothing was posted to #infra-changes yet"):
        client.upload("only.txt", "first thing ever sent")
    client.post(HELLO)
    client.upload("only.txt", "the second")
    assert lab.messages()[-1]["files"][0]["name"] == "only.txt"


def test_plain_text_is_escaped_for_slack(lab: RunningSlack) -> None:
    slack(lab).post(Message(text="<!channel> & <https://evil.example|here>"))
    assert lab.messages()[-1]["text"] == "&lt;!channel&gt; &amp; &lt;https://evil.example|here&gt;"


def test_a_message_is_found_by_its_key(lab: RunningSlack) -> None:
    client = slack(lab)
    parent = client.post(HELLO)
    first = client.post(Message(text="once"), parent.ts, key=KEY)
    assert client.find(KEY, parent.ts) == first
    assert first.thread == parent.ts
    assert client.find("another", parent.ts) is None


def test_nothing_is_found_without_the_right_to_read() -> None:
    with running_slack(SlackLabConfig(scopes=("chat:write", "files:write"))) as poor:
        client = slack(poor)
        client.post(HELLO, key=KEY)
        assert client.find(KEY) is None
        assert client.has_file("plan.txt") is False


def test_identity_tells_scopes_and_which_are_missing() -> None:
    with running_slack(SlackLabConfig(scopes=("chat:write",))) as poor:
        identity = slack(poor).identity()
    assert identity.user == "runbook"
    assert identity.missing_scopes == ("files:write",)


def test_webhook_alone_posts_texts_and_the_beginning_of_files(lab: RunningSlack) -> None:
    client = slack(lab, token="", webhook=lab.webhook)
    assert client.post(HELLO).ts == ""
    client.upload("plan.txt", "<&>" * 3_000, "The plan")
    shown = lab.messages()[-1]["blocks"][0]["text"]["text"]
    assert shown.startswith("*The plan*\n```&lt;&amp;&gt;")
    assert shown.endswith("…```")
    assert len(shown) <= 3_000
    assert client.update(client.post(HELLO), HELLO).ts == ""


def test_told_to_wait_the_call_waits_as_long_and_goes_through(lab: RunningSlack, waits: list[float]) -> None:
    lab.fault(method="chat.postMessage", status=429, retry_after=7, times=2)
    assert slack(lab).post(HELLO).ts
    assert [int(seconds) for seconds in waits] == [7, 7]


def test_told_to_wait_too_long_the_call_gives_up_at_once(lab: RunningSlack, waits: list[float]) -> None:
    lab.fault(method="chat.postMessage", status=429, retry_after=3600)
    error = failure(slack(lab))
    assert "3600 seconds" in error.message
    assert waits == []


def test_told_to_wait_again_and_again_the_call_gives_up(lab: RunningSlack, waits: list[float]) -> None:
    lab.fault(method="chat.postMessage", status=429, retry_after=1, times=4)
    assert "asks to wait" in failure(slack(lab)).message
    assert len(waits) == 3


def test_ailing_slack_is_asked_twice_and_gets_one_message(lab: RunningSlack) -> None:
    before = len(lab.messages())
    lab.fault(method="chat.postMessage", status=503, after=True)
    slack(lab).post(Message(text="answer lost"), key="0b1c4a52-9d0a-4d8e-9a57-0c1f4d1d3e11")
    assert len(lab.messages()) == before + 1


def test_ailing_webhook_is_asked_twice(lab: RunningSlack, waits: list[float]) -> None:
    lab.fault(method="webhook", status=503)
    slack(lab, token="", webhook=lab.webhook).post(HELLO)
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("fault", "message", "remedy"),
    [
        ({"error": "invalid_auth"}, "the token is not valid", "SLACK_BOT_TOKEN"),
        ({"error": "missing_scope", "needed": "chat:write"}, "lacks the scope chat:write", "OAuth & Permissions"),
        ({"error": "channel_not_found"}, "no channel #infra-changes", "invite the app"),
        ({"error": "not_in_channel"}, "no member of #infra-changes", "/invite"),
        ({"error": "is_archived"}, "is archived", "Unarchive"),
        ({"status": 500, "times": 2}, "status 500", "next step"),
        ({"status": 502, "times": 2}, "status 502", "next step"),
    ],
)
def test_refusal_says_what_happened_and_what_to_do(
    lab: RunningSlack, fault: dict[str, Any], message: str, remedy: str
) -> None:
    lab.fault(method="chat.postMessage", **fault)
    error = failure(slack(lab))
    assert message in error.message
    assert remedy in error.remedy


@pytest.mark.parametrize("fault", [{"error": "no_service"}, {"error": "invalid_token"}])
def test_webhook_that_is_gone_says_so(lab: RunningSlack, fault: dict[str, Any]) -> None:
    lab.fault(method="webhook", **fault)
    assert "SLACK_WEBHOOK_URL" in failure(slack(lab, token="", webhook=lab.webhook)).remedy


def test_misspelt_channel_is_named_to_who_asks_for_it(lab: RunningSlack) -> None:
    with pytest.raises(SlackError, match="no channel #infra-chnages"):
        slack(lab, channel="#infra-chnages").channel_id()


def test_server_that_is_not_there_is_a_slack_error(lab: RunningSlack) -> None:
    for client in (slack(lab, api_url="http://127.0.0.1:9/api/"), slack(lab, token="", webhook="http://127.0.0.1:9/x")):
        error = failure(client)
        assert "can't be reached" in error.message
        assert "network" in error.remedy


def test_failed_upload_is_a_slack_error(lab: RunningSlack) -> None:
    client = slack(lab)
    client.post(HELLO)
    lab.fault(method="upload", status=500)
    with pytest.raises(SlackError, match="status 500"):
        client.upload("a.txt", "x")


def test_tokens_show_in_no_repr_and_no_error(lab: RunningSlack) -> None:
    token = "xoxb-secret-of-mine"
    client = slack(lab, token=token)
    error = failure(client)
    hook = slack(lab, token="", webhook=lab.url + "/services/T0/B0/secret-of-mine")
    told = [repr(client), repr(hook), str(error), error.remedy, repr(error), str(failure(hook))]
    assert not any("secret-of-mine" in text for text in told)
    assert error.__cause__ is None


def test_neither_token_nor_webhook_and_no_channel_are_configuration_errors() -> None:
    with pytest.raises(ConfigError, match="neither"):
        Slack("", "#infra-changes")
    with pytest.raises(ConfigError, match="channel"):
        Slack("xoxb-x", "")


def test_no_proxy_is_heeded_though_the_sdk_does_not(lab: RunningSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert slack(lab).post(HELLO).ts
    assert slack(lab, token="", webhook=lab.webhook).post(HELLO) is not None
