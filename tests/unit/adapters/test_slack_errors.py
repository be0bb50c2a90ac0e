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
from slack_sdk.webhook import WebhookResponse

from runbook_lib.adapters.slack_errors import FOREIGN, SlackMessageError, translate, webhook_refused
from runbook_lib.errors import SlackError

# Slack's published errors of the methods that a run calls.
DOCUMENTED = """
access_denied account_inactive as_user_not_supported block_mismatch cannot_reply_to_message channel_not_found
deprecated_endpoint duplicate_channel_not_found duplicate_message_not_found ekm_access_denied enterprise_is_restricted
external_channel_migrating fatal_error file_not_found internal_error invalid_arg_name invalid_arguments
invalid_array_arg invalid_attachments invalid_auth invalid_blocks invalid_blocks_format invalid_charset
invalid_form_data invalid_metadata_format invalid_metadata_schema invalid_post_type is_archived
message_limit_exceeded message_not_found messages_tab_disabled metadata_must_be_sent_from_app metadata_too_large
method_deprecated missing_post_type missing_scope msg_blocks_too_long msg_too_long no_permission no_text
not_allowed_token_type not_authed not_in_channel org_login_required posting_to_general_channel_denied
rate_limited ratelimited request_timeout restricted_action restricted_action_non_threadable_channel
restricted_action_read_only_channel restricted_action_thread_locked restricted_action_thread_only_channel
service_unavailable slack_connect_blocked_file_type team_access_not_granted team_added_to_org team_not_found
thread_not_found token_expired token_revoked too_many_attachments too_many_contact_cards
two_factor_setup_required unknown_method upload_error
"""
WEBHOOK_WORDS = """
action_prohibited channel_is_archived channel_not_found invalid_payload invalid_token no_active_hooks no_service
no_team no_text posting_to_general_channel_denied team_disabled too_many_attachments user_not_found
"""


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


@pytest.mark.parametrize("code", DOCUMENTED.split())
def test_every_documented_refusal_has_words_and_a_remedy(code: str) -> None:
    error = translate(api_error(error=code), "#infra-changes")
    assert error.message.startswith("Slack")
    assert error.remedy


@pytest.mark.parametrize("kind", SDK_ERRORS)
def test_no_error_of_the_sdk_is_left_unmapped(kind: type[SlackClientError]) -> None:
    error = made(kind)
    assert isinstance(error, FOREIGN)
    assert isinstance(translate(error, "#x"), SlackError)


@pytest.mark.parametrize("error", NETWORK, ids=lambda error: type(error).__name__)
def test_no_error_of_the_network_is_left_unmapped(error: Exception) -> None:
    assert isinstance(error, FOREIGN)
    assert translate(error, "#x").remedy


@pytest.mark.parametrize("word", WEBHOOK_WORDS.split())
def test_every_answer_of_a_webhook_has_a_remedy(word: str) -> None:
    error = webhook_refused(WebhookResponse(url="", status_code=400, body=word, headers={}), "#x")
    assert error.message.startswith("Slack")
    assert error.remedy


@pytest.mark.parametrize("code", ["invalid_blocks", "msg_blocks_too_long", "no_text", "thread_not_found"])
def test_refusal_of_the_content_is_told_apart(code: str) -> None:
    error = translate(api_error(error=code, errors=["no more than 50 items allowed [json-pointer:/blocks]"]), "#x")
    assert isinstance(error, SlackMessageError)
    assert error.code == code
    assert "50 items" in error.message


@pytest.mark.parametrize("code", ["channel_not_found", "invalid_auth", "fatal_error", "never_heard_of"])
def test_refusal_that_may_pass_is_no_refusal_of_the_content(code: str) -> None:
    assert not isinstance(translate(api_error(error=code), "#x"), SlackMessageError)


def test_missing_scope_is_named_even_if_slack_does_not() -> None:
    assert "files:write" in translate(api_error(error="missing_scope", needed="files:write"), "#x").message
    assert "scope" in translate(api_error(error="missing_scope"), "#x").message


def test_answer_that_is_no_json_points_at_the_address() -> None:
    error = translate(api_error(error="Received a response in a non-JSON format: " + "x" * 5_000), "#x")
    assert len(error.message) < 300
    assert "slack.api_url" in error.remedy
