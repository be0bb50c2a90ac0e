"""Every way in which slack_sdk can fail becomes a SlackError with a remedy."""

from __future__ import annotations

import http.client
import inspect
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError, URLError

import pytest
import slack_sdk.errors
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry import ConnectionErrorRetryHandler
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.state import RetryState
from slack_sdk.webhook import WebhookResponse

from runbook_lib.adapters.slack import _handlers
from runbook_lib.adapters.slack_errors import (
    FOREIGN,
    MEANINGS,
    Fate,
    SlackDoubtError,
    SlackMessageError,
    SlackSilentError,
    SlackUncertainError,
    translate,
    webhook_refused,
)
from runbook_lib.errors import SlackError

# What becomes of a message, by the code in which chat.postMessage refuses it: all that Slack's reference lists, and
# those that older editions of it had.
POSTED = {
    Fate.KEPT: """
        access_denied accesslimited account_inactive app_access_restricted channel_not_found deprecated_endpoint
        ekm_access_denied enterprise_is_restricted fatal_error internal_error invalid_auth invalid_charset
        invalid_form_data invalid_post_type is_archived message_limit_exceeded messages_tab_disabled method_deprecated
        missing_post_type no_permission not_allowed_token_type not_authed not_in_channel
        org_login_required rate_limited ratelimited request_timeout restricted_action
        restricted_action_read_only_channel restricted_action_thread_only_channel send_on_behalf_not_allowed
        service_unavailable team_access_not_granted team_added_to_org team_not_found token_expired token_revoked
        two_factor_setup_required""",
    Fate.IN_WORDS: """
        attachment_payload_limit_exceeded invalid_arguments invalid_blocks invalid_blocks_format msg_blocks_too_long""",
    Fate.UNMARKED: """
        invalid_metadata_format invalid_metadata_schema metadata_must_be_sent_from_app metadata_too_large""",
    Fate.NEW_THREAD: "cannot_reply_to_message restricted_action_thread_locked",
    Fate.TO_CHANNEL: "restricted_action_non_threadable_channel",
    Fate.SET_ASIDE: """
        agent_prompt_display_not_allowed as_user_not_supported draft_already_deleted draft_already_sent
        draft_has_conflict draft_not_found duplicate_channel_not_found duplicate_message_not_found invalid_arg_name
        invalid_array_arg markdown_text_conflict missing_file_data msg_too_long no_text
        slack_connect_canvas_sharing_blocked slack_connect_file_link_sharing_blocked
        slack_connect_lists_sharing_blocked too_many_attachments too_many_contact_cards""",
}
# What the other methods that a run calls have beside these.
CHANGED = {
    Fate.ANEW: "block_mismatch cant_update_message message_not_found",
    Fate.KEPT: "external_channel_migrating is_inactive streaming_state_conflict update_failed",
    Fate.IN_WORDS: "invalid_attachments",
    Fate.SET_ASIDE: "cant_broadcast_message edit_window_closed no_dual_broadcast_content_update",
}
UPLOADED = {
    Fate.KEPT: """
        file_not_found file_update_failed file_uploads_disabled file_uploads_except_images_disabled invalid_channel
        posting_to_channel_denied posting_to_general_channel_denied storage_limit_reached upload_error""",
    Fate.SET_ASIDE: """
        alt_txt_too_large blocked_file_type channels_limit_exceeded file_deleted file_type_not_allowed
        file_upload_size_restricted missing_argument slack_connect_blocked_file_type snippet_too_large
        unknown_snippet_type unknown_subtype""",
}
READ = {
    Fate.NEW_THREAD: "invalid_thread_ts thread_not_found",
    Fate.KEPT: """
        invalid_cursor invalid_json invalid_limit invalid_metadata_filter_keys invalid_ts_latest invalid_ts_oldest
        invalid_types json_not_object method_not_supported_for_channel_type pagination_not_available
        timezone_count_failed unknown_method upgrade_required""",
}
BY_WEBHOOK = {
    Fate.KEPT: """
        action_prohibited channel_is_archived invalid_token no_active_hooks no_service no_service_id no_team
        rollup_error team_disabled user_not_found""",
    Fate.IN_WORDS: "invalid_payload",
    Fate.SET_ASIDE: "missing_text_or_fallback_or_attachments",
}
TABLES = {"post": POSTED, "update": CHANGED, "upload": UPLOADED, "read": READ, "webhook": BY_WEBHOOK}
CASES = [(code, fate) for table in TABLES.values() for fate, codes in table.items() for code in codes.split()]


def api_error(status: int = 200, **data: Any) -> SlackApiError:
    response = SimpleNamespace(status_code=status, headers={}, data=data, get=data.get)
    return SlackApiError("The request failed.", response)


def made(kind: type[SlackClientError]) -> SlackClientError:
    if kind is SlackApiError:
        return api_error(error="fatal_error")
    if kind is slack_sdk.errors.SlackTokenRotationError:
        return kind(api_error(error="x"))
    return kind("went wrong")


SDK_ERRORS = [kind for _, kind in inspect.getmembers(slack_sdk.errors, inspect.isclass)]
NETWORK = [
    URLError(ConnectionRefusedError(111, "Connection refused")),
    TimeoutError("timed out"),
    ConnectionResetError(104, "Connection reset by peer"),
    http.client.RemoteDisconnected("closed"),
    http.client.IncompleteRead(b""),
    HTTPError("http://x", 503, "ailing", http.client.HTTPMessage(), None),
    ValueError("unknown url type"),
    UnicodeError("label empty or too long"),
]


@pytest.mark.parametrize(("code", "fate"), CASES)
def test_every_documented_code_says_what_becomes_of_the_message_and_what_to_do(code: str, fate: Fate) -> None:
    error = translate(api_error(error=code), "#infra-changes")
    assert error.message.startswith("Slack: ")
    assert error.message.endswith(f"({code})")
    assert error.remedy
    refused = isinstance(error, SlackMessageError)
    assert (refused, error.instead if refused else Fate.KEPT) == (fate is not Fate.KEPT, fate)


def test_the_tables_hold_every_code_that_has_a_meaning_and_each_once() -> None:
    assert sorted(code for code, _ in CASES) == sorted(MEANINGS)


@pytest.mark.parametrize("kind", SDK_ERRORS)
def test_no_error_of_the_sdk_is_left_unmapped(kind: type[SlackClientError]) -> None:
    error = made(kind)
    assert isinstance(error, FOREIGN)
    assert isinstance(translate(error, "#x"), SlackError)


@pytest.mark.parametrize("error", NETWORK, ids=lambda error: type(error).__name__)
def test_no_error_of_the_network_is_left_unmapped(error: Exception) -> None:
    assert isinstance(error, FOREIGN)
    assert translate(error, "#x").remedy


@pytest.mark.parametrize("word", MEANINGS)
def test_every_answer_of_a_webhook_means_the_same(word: str) -> None:
    error = webhook_refused(WebhookResponse(url="", status_code=400, body=word, headers={}), "#x")
    assert error.message == translate(api_error(error=word), "#x").message


def test_a_word_that_slack_never_explained_is_doubted() -> None:
    error = translate(api_error(error="never_heard_of"), "#x")
    assert isinstance(error, SlackDoubtError)
    assert "never_heard_of" in error.remedy


@pytest.mark.parametrize("error", [TimeoutError("timed out"), URLError(TimeoutError("timed out"))])
def test_silence_is_told_apart_from_a_lost_connection(error: Exception) -> None:
    assert isinstance(translate(error, "#x"), SlackSilentError)
    assert not isinstance(translate(ConnectionResetError(), "#x"), SlackSilentError)


@pytest.mark.parametrize(
    ("error", "uncertain"),
    [
        (ConnectionResetError(104, "reset"), True),
        (http.client.RemoteDisconnected("closed"), True),
        (api_error(502), True),
        (URLError(ConnectionRefusedError(111, "refused")), False),
        (api_error(error="no_text"), False),
        (api_error(429), False),
    ],
    ids=["reset", "closed", "bad gateway", "refused", "no text", "rate limited"],
)
def test_what_may_have_arrived_is_told_apart_from_what_did_not(error: Exception, uncertain: bool) -> None:
    assert isinstance(translate(error, "#x"), SlackUncertainError) is uncertain


@pytest.mark.parametrize("code", ["invalid_blocks", "msg_blocks_too_long", "no_text", "thread_not_found"])
def test_refusal_of_the_content_is_told_apart(code: str) -> None:
    error = translate(api_error(error=code, errors=["no more than 50 items allowed [json-pointer:/blocks]"]), "#x")
    assert isinstance(error, SlackMessageError)
    assert error.code == code
    assert "50 items" in error.message


def test_missing_scope_is_named_even_if_slack_does_not() -> None:
    assert "files:write" in translate(api_error(error="missing_scope", needed="files:write"), "#x").message
    assert "scope" in translate(api_error(error="missing_scope"), "#x").message


def test_answer_that_is_no_json_points_at_the_address() -> None:
    error = translate(api_error(error="Received a response in a non-JSON format: " + "x" * 5_000), "#x")
    assert len(error.message) < 300
    assert "slack.api_url" in error.remedy


@pytest.mark.parametrize(
    ("error", "again"),
    [(URLError(TimeoutError("timed out")), False), (URLError(ConnectionResetError()), True)],
    ids=str,
)
def test_only_a_lost_connection_is_tried_again_and_no_silence(error: Exception, again: bool) -> None:
    request = HttpRequest(method="POST", url="https://slack.com/api/chat.update", headers={})
    lost = next(handler for handler in _handlers() if isinstance(handler, ConnectionErrorRetryHandler))
    assert lost.can_retry(state=RetryState(), request=request, error=error) is again
