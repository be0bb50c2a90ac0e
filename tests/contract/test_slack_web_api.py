"""The lab's Slack as slack_sdk calls it: the same answers, refusals and limits as Slack's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
import requests
from slack_lab import RunningSlack, running_slack
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from runbook_lib.lab.slack import SlackLabConfig

CHANNEL = "C0INFRA"

# By Slack's published description: what each successful answer must have at least.
REQUIRED = {
    "auth.test": ({}, {"ok", "url", "team", "user", "team_id", "user_id"}),
    "chat.postMessage": ({"channel": CHANNEL, "text": "hi"}, {"ok", "channel", "ts", "message"}),
    "conversations.list": ({}, {"ok", "channels"}),
    "conversations.history": (
        {"channel": CHANNEL},
        {"ok", "messages", "has_more", "pin_count", "channel_actions_ts", "channel_actions_count"},
    ),
    "files.getUploadURLExternal": ({"filename": "a.txt", "length": 3}, {"ok", "upload_url", "file_id"}),
}
CHANNEL_HAS = (
    "id name created creator is_archived is_channel is_general is_mpim is_group is_org_shared is_im is_shared "
    "is_private name_normalized topic purpose"
)
REFUSALS = [
    ("chat.postMessage", {"channel": "C0NOWHERE", "text": "x"}, "channel_not_found"),
    ("chat.postMessage", {"channel": "#nowhere", "text": "x"}, "channel_not_found"),
    ("chat.postMessage", {"channel": "#general", "text": "x"}, "not_in_channel"),
    ("chat.postMessage", {"channel": CHANNEL}, "no_text"),
    ("chat.postMessage", {"channel": CHANNEL, "text": "x", "blocks": "{"}, "invalid_blocks_format"),
    ("chat.update", {"channel": CHANNEL, "ts": "1700000000.000001", "text": "x"}, "message_not_found"),
    ("chat.update", {"channel": "#infra-changes", "ts": "1700000000.000001", "text": "x"}, "channel_not_found"),
    ("conversations.replies", {"channel": CHANNEL, "ts": "1700000000.000001"}, "thread_not_found"),
    ("files.completeUploadExternal", {"files": '[{"id": "F0NONE"}]'}, "file_not_found"),
    ("files.completeUploadExternal", {"files": "F0NONE"}, "invalid_arguments"),
    ("files.getUploadURLExternal", {"filename": "a.txt"}, "invalid_arguments"),
    ("chat.teleport", {}, "unknown_method"),
]


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningSlack]:
    with running_slack(SlackLabConfig(burst=500, share_delay=0)) as running:
        yield running


@pytest.fixture
def web(lab: RunningSlack) -> WebClient:
    return WebClient(lab.config.bot_token, base_url=lab.api_url)


def refusal(web: WebClient, method: str, **arguments: Any) -> dict[str, Any]:
    with pytest.raises(SlackApiError) as caught:
        web.api_call(method, json=arguments)
    return dict(caught.value.response.data)


@pytest.mark.parametrize("method", REQUIRED)
def test_answer_has_what_slack_promises(web: WebClient, method: str) -> None:
    arguments, promised = REQUIRED[method]
    assert promised <= set(web.api_call(method, params=arguments).data)


def test_objects_inside_an_answer_have_what_slack_promises(web: WebClient) -> None:
    message = web.chat_postMessage(channel=CHANNEL, text="hi")["message"]
    assert {"text", "type", "ts"} <= set(message)
    assert all(set(CHANNEL_HAS.split()) <= set(channel) for channel in web.conversations_list()["channels"])


@pytest.mark.parametrize(("method", "arguments", "error"), REFUSALS)
def test_refusal_has_slacks_word(web: WebClient, method: str, arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(SlackApiError) as caught:
        web.api_call(method, params=arguments)
    assert caught.value.response["error"] == error


def test_token_that_is_wrong_missing_or_of_the_other_kind_is_refused(lab: RunningSlack) -> None:
    def error(token: str | None, method: str) -> str:
        return str(refusal(WebClient(token, base_url=lab.api_url), method)["error"])

    assert error("xoxb-wrong", "auth.test") == "invalid_auth"
    assert error(None, "auth.test") == "not_authed"
    assert error(lab.config.app_token, "auth.test") == "not_allowed_token_type"


def test_scope_that_was_not_granted_is_named() -> None:
    with running_slack(SlackLabConfig(scopes=("chat:write",))) as poor:
        web = WebClient(poor.config.bot_token, base_url=poor.api_url)
        answer = refusal(web, "files.getUploadURLExternal", filename="a", length=1)
        assert answer == {"ok": False, "error": "missing_scope", "needed": "files:write", "provided": "chat:write"}
        assert web.auth_test().headers["x-oauth-scopes"] == "chat:write"


def test_reply_is_counted_on_its_parent_and_found_in_the_thread(web: WebClient) -> None:
    parent = web.chat_postMessage(channel="#infra-changes", text="parent")
    web.chat_postMessage(channel=CHANNEL, text="reply", thread_ts=parent["ts"])
    found = web.conversations_replies(channel=CHANNEL, ts=parent["ts"])["messages"]
    assert [message["text"] for message in found] == ["parent", "reply"]
    assert found[0]["reply_count"] == 1
    assert all(m["text"] != "reply" for m in web.conversations_history(channel=CHANNEL)["messages"])


def test_broadcast_reply_is_in_the_channel_too(web: WebClient) -> None:
    parent = web.chat_postMessage(channel=CHANNEL, text="parent")
    web.chat_postMessage(channel=CHANNEL, text="to all", thread_ts=parent["ts"], reply_broadcast=True)
    assert web.conversations_history(channel=CHANNEL)["messages"][0]["text"] == "to all"


def test_update_replaces_blocks_and_marks_the_message_edited(web: WebClient) -> None:
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "old"}}]
    posted = web.chat_postMessage(channel=CHANNEL, text="old", blocks=blocks)
    web.chat_update(channel=CHANNEL, ts=posted["ts"], text="new")
    message = web.conversations_replies(channel=CHANNEL, ts=posted["ts"])["messages"][0]
    assert message["text"] == "new"
    assert "blocks" not in message
    assert "edited" in message


def test_metadata_is_kept_and_shown_only_when_asked_for(web: WebClient) -> None:
    metadata = {"event_type": "told", "event_payload": {"key": "k"}}
    ts = web.chat_postMessage(channel=CHANNEL, text="x", metadata=metadata)["ts"]
    assert "metadata" not in web.conversations_replies(channel=CHANNEL, ts=ts)["messages"][0]
    shown = web.conversations_replies(channel=CHANNEL, ts=ts, include_all_metadata=True)
    assert shown["messages"][0]["metadata"] == metadata


def test_sdk_pages_through_a_channel_by_cursor(web: WebClient) -> None:
    for number in range(5):
        web.chat_postMessage(channel=CHANNEL, text=f"page {number}")
    pages = [page["messages"] for page in islice(web.conversations_history(channel=CHANNEL, limit=2), 3)]
    assert [message["text"] for page in pages for message in page][:5] == [f"page {n}" for n in (4, 3, 2, 1, 0)]


def test_uploaded_text_arrives_in_the_thread_byte_for_byte(web: WebClient, lab: RunningSlack) -> None:
    parent = web.chat_postMessage(channel=CHANNEL, text="parent")
    content = "héllo <b>&\n" * 3
    made = web.files_upload_v2(
        content=content, filename="plan.txt", title="Plan", channel=CHANNEL, thread_ts=parent["ts"]
    )
    file = web.conversations_replies(channel=CHANNEL, ts=parent["ts"])["messages"][1]["files"][0]
    assert (file["id"], file["title"], file["size"]) == (made["file"]["id"], "Plan", len(content.encode()))
    assert requests.get(f"{lab.url}/lab/slack/files/{file['id']}", timeout=60).content == content.encode()


def test_upload_refuses_a_token_and_another_length(web: WebClient) -> None:
    url = web.files_getUploadURLExternal(filename="a.txt", length=3)["upload_url"]
    assert requests.post(url, data=b"abc", headers={"Authorization": "Bearer x"}, timeout=60).status_code == 403
    assert requests.post(url, data=b"abcd", timeout=60).status_code == 400
    assert requests.post(url, data=b"abc", timeout=60).status_code == 200


def test_upload_that_was_never_sent_cannot_be_completed(web: WebClient) -> None:
    file_id = web.files_getUploadURLExternal(filename="a.txt", length=3)["file_id"]
    answer = refusal(web, "files.completeUploadExternal", files=json.dumps([{"id": file_id}]))
    assert answer["error"] == "file_not_found"


def test_webhook_answers_in_plain_words(lab: RunningSlack) -> None:
    hook = WebhookClient(lab.webhook)
    assert (hook.send(text="by hook").status_code, hook.send(text="by hook").body) == (200, "ok")
    assert hook.send(text="").body == "no_text"
    assert hook.send(text="x", blocks=[{"type": "hologram"}]).body == "invalid_blocks"
    assert WebhookClient(lab.url + "/services/T0/B0/wrong").send(text="x").status_code == 404
    assert requests.post(lab.webhook, data="{", timeout=60).text == "invalid_payload"


def test_message_past_the_burst_is_told_to_wait_and_taken_a_second_later() -> None:
    now = [1_800_000_000.0]
    with running_slack(SlackLabConfig(burst=2), clock=lambda: now[0]) as lab:
        web = WebClient(lab.config.bot_token, base_url=lab.api_url)
        for _ in range(2):
            web.chat_postMessage(channel=CHANNEL, text="x")
        with pytest.raises(SlackApiError) as caught:
            web.chat_postMessage(channel=CHANNEL, text="x")
        assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "1")
        now[0] += 2
        assert web.chat_postMessage(channel=CHANNEL, text="x")["ok"]


def test_ordered_fault_strikes_as_often_as_it_was_ordered(web: WebClient, lab: RunningSlack) -> None:
    lab.fault(method="chat.postMessage", error="fatal_error", times=2)
    errors = [refusal(web, "chat.postMessage", channel=CHANNEL, text="x")["error"] for _ in range(2)]
    assert errors == ["fatal_error", "fatal_error"]
    assert web.chat_postMessage(channel=CHANNEL, text="x")["ok"]


def test_lost_answer_leaves_the_message_posted(web: WebClient, lab: RunningSlack) -> None:
    lab.fault(method="chat.postMessage", status=502, after=True)
    with pytest.raises(SlackApiError):
        web.chat_postMessage(channel=CHANNEL, text="posted all the same")
    assert lab.messages()[-1]["text"] == "posted all the same"
