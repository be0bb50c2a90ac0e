"""The lab's Slack held to what Slack is known to do, where an obvious fake would do otherwise.

The facts are those of Slack's reference, and of the answers that its own SDKs keep as samples.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from slack_lab import RunningSlack, running_slack
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from runbook_lib.lab.slack import SlackLabConfig

CHANNEL = "C0INFRA"
PRIVATE = "C0PRIVATE"

# The fields that an answer may have, as the SDKs' samples and the reference have them.
ENVELOPE = "ok error errors needed provided warning response_metadata"
MESSAGE = """
    type subtype text ts user username bot_id app_id team bot_profile thread_ts parent_user_id reply_count
    reply_users_count latest_reply reply_users replies subscribed last_read is_locked blocks attachments icons root
    files upload display_as_bot edited metadata hidden"""
FILE = """
    id created timestamp name title mimetype filetype pretty_type user mode size is_external is_public channels groups
    ims shares preview preview_is_truncated lines lines_more url_private permalink"""
CHANNEL_FIELDS = """
    id name is_channel is_group is_im is_mpim is_private created creator is_archived is_general name_normalized
    is_shared is_org_shared is_ext_shared is_member topic purpose previous_names num_members"""
ANSWERS = {
    "auth.test": {"url", "team", "user", "team_id", "user_id", "bot_id", "is_enterprise_install"},
    "chat.postMessage": {"channel", "ts", "message"},
    "chat.update": {"channel", "ts", "text", "message"},
    "conversations.history": {"messages", "has_more", "pin_count", "channel_actions_ts", "channel_actions_count"},
    "conversations.info": {"channel"},
    "conversations.replies": {"messages", "has_more"},
    "files.completeUploadExternal": {"files"},
    "files.getUploadURLExternal": {"upload_url", "file_id"},
    "files.info": {"file", "comments"},
    "users.conversations": {"channels"},
}


@pytest.fixture
def now() -> list[float]:
    return [1_800_000_000.0]


@pytest.fixture
def lab(now: list[float]) -> Iterator[RunningSlack]:
    with running_slack(SlackLabConfig(burst=500, share_delay=5), clock=lambda: now[0]) as running:
        running.change_channel(PRIVATE, name="secret-changes", is_private=True, is_member=True)
        yield running


@pytest.fixture
def web(lab: RunningSlack) -> WebClient:
    return WebClient(lab.config.bot_token, base_url=lab.api_url)


def post(web: WebClient, **arguments: Any) -> Any:
    return web.chat_postMessage(**({"channel": CHANNEL, "text": "x"} | arguments))


def refusal(web: WebClient, method: str, **arguments: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        web.api_call(method, params=arguments)
    return str(caught.value.response["error"])


def sent(web: WebClient, **target: str) -> str:
    made = web.files_getUploadURLExternal(filename="plan.txt", length=3)
    requests.post(made["upload_url"], data=b"abc", timeout=60).raise_for_status()
    answer = web.files_completeUploadExternal(files=[{"id": made["file_id"], "title": "Plan"}], **target)
    assert answer["files"] == [{"id": made["file_id"], "title": "Plan"}]
    return str(made["file_id"])


def test_no_answer_has_a_field_that_slacks_has_not(web: WebClient, now: list[float]) -> None:
    parent = post(web)
    file = sent(web, channel_id=CHANNEL, thread_ts=parent["ts"])
    now[0] += 5
    thread = web.conversations_replies(channel=CHANNEL, ts=parent["ts"])
    seen = {
        "auth.test": web.auth_test(),
        "chat.postMessage": parent,
        "chat.update": web.chat_update(channel=CHANNEL, ts=parent["ts"], text="y"),
        "conversations.history": web.conversations_history(channel=CHANNEL),
        "conversations.info": web.conversations_info(channel=CHANNEL),
        "conversations.replies": thread,
        "files.info": web.files_info(file=file),
        "users.conversations": web.users_conversations(),
    }
    for method, answer in seen.items():
        assert ANSWERS[method] <= set(answer.data) <= ANSWERS[method] | set(ENVELOPE.split()), method
    for message in [*thread["messages"], parent["message"], seen["chat.update"]["message"]]:
        assert set(message) <= set(MESSAGE.split())
    assert set(seen["files.info"]["file"]) <= set(FILE.split())
    assert set(thread["messages"][1]["files"][0]) <= set(FILE.split())
    assert set(seen["conversations.info"]["channel"]) <= set(CHANNEL_FIELDS.split())


def test_client_msg_id_is_no_argument_and_makes_two_messages(web: WebClient, lab: RunningSlack) -> None:
    for _ in range(2):
        post(web, client_msg_id="5f0c4a52-9d0a-4d8e-9a57-0c1f4d1d3e11")
    assert len(lab.messages()) == 2


@pytest.mark.parametrize("thread", ["1700000000.000001", "1.1", "soon"])
def test_a_reply_to_what_is_not_there_is_a_message_of_its_own(web: WebClient, thread: str) -> None:
    assert "thread_ts" not in post(web, thread_ts=thread)["message"]


def test_a_deleted_message_leaves_nothing_and_a_deleted_parent_its_thread(web: WebClient, lab: RunningSlack) -> None:
    alone, parent = post(web), post(web)
    post(web, thread_ts=parent["ts"], text="first")
    for message in (alone, parent):
        lab.delete(message["ts"])
    assert refusal(web, "conversations.replies", channel=CHANNEL, ts=alone["ts"]) == "thread_not_found"
    post(web, thread_ts=parent["ts"], text="second")
    left = web.conversations_replies(channel=CHANNEL, ts=parent["ts"])["messages"]
    assert [(m.get("subtype"), m["text"]) for m in left] == [
        ("tombstone", "This message was deleted."),
        (None, "first"),
        (None, "second"),
    ]
    for message in (alone, parent):
        assert refusal(web, "chat.update", channel=CHANNEL, ts=message["ts"], text="x") == "message_not_found"


def test_what_a_webhook_posted_a_token_cannot_change(web: WebClient, lab: RunningSlack) -> None:
    WebhookClient(lab.webhook).send(text="by hook")
    ts = lab.messages()[-1]["ts"]
    assert refusal(web, "chat.update", channel=CHANNEL, ts=ts, text="x") == "cant_update_message"


def test_a_long_text_is_cut_in_a_post_and_refused_in_an_update(web: WebClient) -> None:
    posted = web.chat_postMessage(channel=CHANNEL, text="x" * 41_000)
    assert len(posted["message"]["text"]) == 40_000
    with pytest.raises(SlackApiError, match="msg_too_long"):
        web.chat_update(channel=CHANNEL, ts=posted["ts"], text="x" * 4_001)


def test_an_archived_channel_takes_nothing_and_tells_nothing(web: WebClient, lab: RunningSlack) -> None:
    ts = post(web)["ts"]
    lab.change_channel(is_archived=True)
    assert refusal(web, "chat.postMessage", channel=CHANNEL, text="x") == "is_archived"
    assert refusal(web, "chat.update", channel=CHANNEL, ts=ts, text="x") == "is_inactive"
    assert refusal(web, "conversations.history", channel=CHANNEL) == "not_in_channel"
    assert web.conversations_info(channel=CHANNEL)["channel"]["is_archived"] is True
    assert CHANNEL not in {c["id"] for c in web.users_conversations(exclude_archived=True)["channels"]}
    assert CHANNEL in {c["id"] for c in web.users_conversations()["channels"]}


def test_a_private_channel_is_listed_only_where_it_is_asked_for_and_only_to_who_is_in_it(
    web: WebClient, lab: RunningSlack
) -> None:
    def listed(**asked: str) -> set[str]:
        return {channel["id"] for channel in web.conversations_list(**asked)["channels"]}

    assert listed() == {CHANNEL, "C0GENERAL"}
    assert listed(types="public_channel,private_channel") == {CHANNEL, "C0GENERAL", PRIVATE}
    assert {c["id"] for c in web.users_conversations(types="private_channel")["channels"]} == {PRIVATE}
    lab.change_channel(PRIVATE, is_member=False)
    assert listed(types="private_channel") == set()
    for method in ("conversations.info", "conversations.history", "chat.postMessage"):
        assert refusal(web, method, channel=PRIVATE, text="x") == "channel_not_found"


@pytest.mark.parametrize(
    ("method", "channel", "scope"),
    [
        ("conversations.history", CHANNEL, "channels:history"),
        ("conversations.history", PRIVATE, "groups:history"),
        ("conversations.info", CHANNEL, "channels:read"),
        ("conversations.info", PRIVATE, "groups:read"),
    ],
)
def test_private_channels_need_scopes_of_their_own(method: str, channel: str, scope: str) -> None:
    granted = tuple(one for one in SlackLabConfig().scopes if one != scope)
    with running_slack(SlackLabConfig(scopes=granted)) as lab:
        lab.change_channel(PRIVATE, name="secret-changes", is_private=True, is_member=True)
        web = WebClient(lab.config.bot_token, base_url=lab.api_url)
        with pytest.raises(SlackApiError) as caught:
            web.api_call(method, params={"channel": channel})
        assert (caught.value.response["error"], caught.value.response["needed"]) == ("missing_scope", scope)


def test_a_channel_of_another_name_answers_to_its_id_alone(web: WebClient, lab: RunningSlack) -> None:
    lab.change_channel(name="changes-of-infra")
    assert refusal(web, "chat.postMessage", channel="#infra-changes", text="x") == "channel_not_found"
    assert post(web)["channel"] == CHANNEL


@pytest.mark.parametrize(("channel", "kind"), [(CHANNEL, "public"), (PRIVATE, "private")])
def test_a_file_is_shared_later_than_slack_says(web: WebClient, now: list[float], channel: str, kind: str) -> None:
    parent = post(web, channel=channel)
    file = sent(web, channel_id=channel, thread_ts=parent["ts"])
    assert web.files_info(file=file)["file"]["shares"] == {}
    assert len(web.conversations_replies(channel=channel, ts=parent["ts"])["messages"]) == 1
    now[0] += 5
    (share,) = web.files_info(file=file)["file"]["shares"][kind][channel]
    assert share["thread_ts"] == parent["ts"]
    assert len(web.conversations_replies(channel=channel, ts=parent["ts"])["messages"]) == 2


def test_an_upload_is_completed_once(web: WebClient) -> None:
    file = sent(web, channel_id=CHANNEL)
    completed = refusal(web, "files.completeUploadExternal", files=json.dumps([{"id": file}]), channel_id=CHANNEL)
    assert completed == "file_not_found"


def test_a_file_without_a_channel_stays_private(web: WebClient, now: list[float], lab: RunningSlack) -> None:
    file = sent(web)
    now[0] += 5
    assert web.files_info(file=file)["file"]["is_public"] is False
    assert lab.messages() == []


# By Slack's changelog and guide to incoming webhooks: the status of each word.
WEBHOOK = {
    "invalid_payload": 400,
    "no_text": 400,
    "too_many_attachments": 400,
    "user_not_found": 400,
    "action_prohibited": 403,
    "invalid_token": 403,
    "posting_to_general_channel_denied": 403,
    "channel_not_found": 404,
    "no_service": 404,
    "channel_is_archived": 410,
    "rollup_error": 500,
}


@pytest.mark.parametrize("word", WEBHOOK)
def test_a_webhook_says_no_by_a_status_and_a_word(lab: RunningSlack, word: str) -> None:
    lab.fault(method="webhook", error=word)
    answer = WebhookClient(lab.webhook).send(text="x")
    assert (answer.status_code, answer.body) == (WEBHOOK[word], word)


def test_a_webhook_to_an_archived_channel_is_gone(lab: RunningSlack) -> None:
    lab.change_channel(is_archived=True)
    answer = WebhookClient(lab.webhook).send(text="x")
    assert (answer.status_code, answer.body) == (410, "channel_is_archived")
