"""Slack's refusals in words, each with what becomes of the message and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPException
from urllib.error import HTTPError, URLError

from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.webhook import WebhookResponse

from ..errors import ChatSilentError, MessageDoubtedError, MessageRefusedError, SlackError

__all__ = [
    "FOREIGN",
    "MEANINGS",
    "Fate",
    "Meaning",
    "SlackDoubtError",
    "SlackMessageError",
    "SlackScopeError",
    "SlackSilentError",
    "SlackUncertainError",
    "is_timeout",
    "refused",
    "translate",
    "webhook_refused",
]

# All that slack_sdk and urllib under it let through; ValueError stands for an address that is none.
FOREIGN = (SlackClientError, HTTPException, OSError, ValueError)


class SlackMessageError(SlackError, MessageRefusedError):
    """Slack refuses this very message."""


class SlackDoubtError(SlackError, MessageDoubtedError):
    """Slack refuses in a word that its documentation has not."""


class SlackScopeError(SlackError):
    """The token lacks a scope."""


class SlackUncertainError(SlackError):
    """Nobody knows whether Slack took the message: it failed, or the answer was lost."""


class SlackSilentError(SlackUncertainError, ChatSilentError):
    """Slack did not answer in time."""


class Fate(StrEnum):
    """What becomes of a message that Slack refuses; the value of the first five is `MessageRefusedError.instead`."""

    SET_ASIDE = ""
    IN_WORDS = "text"
    UNMARKED = "unmarked"
    TO_CHANNEL = "channel"
    NEW_THREAD = "thread"
    ANEW = "anew"
    KEPT = "kept"


@dataclass(frozen=True)
class Meaning:
    """What a code of Slack's means; `words` may name the `{channel}`."""

    fate: Fate
    words: str
    remedy: str


_TOKEN = "Set SLACK_BOT_TOKEN to the bot token (xoxb-…) of an app that is installed in the workspace."  # noqa: S105
_AGAIN = "The message is kept and goes out with the next step."
_INVITE = "Invite the app to it: /invite @runbook in the channel."
_REPORT = "Please report this message's content as a bug of the runbook."
_ALLOWED = "Ask the workspace's administrators to allow the app this."
_POST = "Let the app post to this channel, or name another in SLACK_CHANNEL or runbook.yml's slack.channel."
_WEBHOOK = "Make a new incoming webhook in Slack and set SLACK_WEBHOOK_URL to it."
_SPELLING = (
    "Check the spelling in SLACK_CHANNEL or slack.channel of runbook.yml, or give the channel's id, which outlasts a"
    " new name; to a private channel, invite the app."
)
_CHANGED = "Look for a proxy that changes what is sent, and update the runbook."
_NEWER = "Update the runbook: it calls Slack in a way that Slack has given up."
_FOLDER = "The run folder has the text."

# Fate, words, remedy, and the codes that share them: those of chat.postMessage, chat.update, the upload, the methods
# that read, and incoming webhooks.
_GROUPS: tuple[tuple[Fate, str, str, str], ...] = (
    # The channel.
    (Fate.KEPT, "there is no channel {channel} for this token", _SPELLING, "channel_not_found invalid_channel"),
    (Fate.KEPT, "the app is no member of {channel}", _INVITE, "not_in_channel no_permission"),
    (
        Fate.KEPT,
        "channel {channel} is archived",
        "Unarchive it, or name another in runbook.yml's slack.channel; a webhook needs to be made for another channel.",
        "is_archived channel_is_archived is_inactive",
    ),
    (
        Fate.KEPT,
        "the app may not post to {channel}",
        _POST,
        (
            "restricted_action restricted_action_read_only_channel posting_to_general_channel_denied"
            " posting_to_channel_denied method_not_supported_for_channel_type"
        ),
    ),
    (Fate.KEPT, "{channel} takes replies only", _POST, "restricted_action_thread_only_channel"),
    (
        Fate.KEPT,
        "the app takes no messages in its own tab",
        "Name a channel, not the app, in SLACK_CHANNEL or slack.channel of runbook.yml.",
        "messages_tab_disabled",
    ),
    (
        Fate.KEPT,
        "an organisation's token finds no channel by its name",
        "Give the channel's id in SLACK_CHANNEL or slack.channel of runbook.yml.",
        "team_not_found",
    ),
    (Fate.KEPT, "{channel} is being moved", "Wait until the migration is over.", "external_channel_migrating"),
    # The thread.
    (
        Fate.NEW_THREAD,
        "the thread takes no reply any more",
        "A new one is begun.",
        "thread_not_found invalid_thread_ts cannot_reply_to_message restricted_action_thread_locked",
    ),
    (
        Fate.TO_CHANNEL,
        "{channel} takes no replies",
        "Each message goes to the channel itself.",
        "restricted_action_non_threadable_channel",
    ),
    # The message that was to be changed.
    (
        Fate.ANEW,
        "the message can't be changed any more",
        "It is posted anew.",
        "message_not_found cant_update_message block_mismatch",
    ),
    (
        Fate.SET_ASIDE,
        "the workspace lets no message be changed after a while",
        "The replies in the thread tell the rest.",
        "edit_window_closed",
    ),
    # The content.
    (
        Fate.IN_WORDS,
        "it refuses the blocks of the message",
        _REPORT,
        (
            "invalid_blocks invalid_blocks_format msg_blocks_too_long invalid_arguments invalid_attachments"
            " attachment_payload_limit_exceeded invalid_payload"
        ),
    ),
    (
        Fate.UNMARKED,
        "it refuses the mark by which a message is found again",
        _REPORT,
        "invalid_metadata_format invalid_metadata_schema metadata_too_large metadata_must_be_sent_from_app",
    ),
    (
        Fate.SET_ASIDE,
        "it refuses the message",
        _REPORT,
        (
            "no_text msg_too_long too_many_attachments too_many_contact_cards markdown_text_conflict missing_file_data"
            " invalid_arg_name invalid_array_arg as_user_not_supported duplicate_channel_not_found"
            " duplicate_message_not_found agent_prompt_display_not_allowed draft_already_deleted draft_already_sent"
            " draft_has_conflict draft_not_found cant_broadcast_message no_dual_broadcast_content_update"
            " missing_argument unknown_snippet_type unknown_subtype alt_txt_too_large channels_limit_exceeded"
            " missing_text_or_fallback_or_attachments"
        ),
    ),
    (
        Fate.SET_ASIDE,
        "it lets no such link or file into a channel that is shared with other organisations",
        "Name a channel that is not shared in slack.channel of runbook.yml.",
        (
            "slack_connect_canvas_sharing_blocked slack_connect_file_link_sharing_blocked"
            " slack_connect_lists_sharing_blocked slack_connect_blocked_file_type"
        ),
    ),
    (
        Fate.SET_ASIDE,
        "it refuses the file",
        _FOLDER,
        "file_upload_size_restricted snippet_too_large blocked_file_type file_type_not_allowed file_deleted",
    ),
    (
        Fate.KEPT,
        "the workspace takes no more files",
        f"Make room, or let the app upload files. {_FOLDER}",
        "storage_limit_reached file_uploads_disabled file_uploads_except_images_disabled",
    ),
    # The token.
    (Fate.KEPT, "no token was sent", _TOKEN, "not_authed"),
    (Fate.KEPT, "the token is not valid", _TOKEN, "invalid_auth"),
    (Fate.KEPT, "the token was revoked", _TOKEN, "token_revoked"),
    (Fate.KEPT, "the token has expired", _TOKEN, "token_expired"),
    (Fate.KEPT, "the token's account is switched off", _TOKEN, "account_inactive"),
    (
        Fate.KEPT,
        "this kind of token is not taken",
        _TOKEN,
        "not_allowed_token_type send_on_behalf_not_allowed enterprise_is_restricted",
    ),
    (Fate.KEPT, "the token has no access to this workspace", _TOKEN, "team_access_not_granted"),
    # The workspace.
    (Fate.KEPT, "the workspace is being moved", "Wait until it is over.", "org_login_required team_added_to_org"),
    (Fate.KEPT, "the account must set up two-factor authentication", _ALLOWED, "two_factor_setup_required"),
    (Fate.KEPT, "access is denied", _ALLOWED, "access_denied app_access_restricted"),
    (Fate.KEPT, "the workspace's administrators have suspended posting", _ALLOWED, "ekm_access_denied"),
    (
        Fate.KEPT,
        "Slack may not be called from this network",
        "Ask the workspace's administrators to allow the runners' addresses.",
        "accesslimited",
    ),
    # The call itself: every other one would be refused too.
    (
        Fate.KEPT,
        "the call arrived changed",
        _CHANGED,
        (
            "invalid_charset invalid_form_data invalid_post_type missing_post_type invalid_json json_not_object"
            " invalid_ts_latest invalid_ts_oldest invalid_cursor invalid_limit invalid_types pagination_not_available"
            " invalid_metadata_filter_keys timezone_count_failed"
        ),
    ),
    (
        Fate.KEPT,
        "the method is gone",
        _NEWER,
        "deprecated_endpoint method_deprecated unknown_method upgrade_required",
    ),
    # For now.
    (Fate.KEPT, "too many messages", _AGAIN, "ratelimited rate_limited message_limit_exceeded"),
    (
        Fate.KEPT,
        "Slack is ailing",
        _AGAIN,
        (
            "fatal_error internal_error request_timeout service_unavailable rollup_error update_failed"
            " file_update_failed upload_error streaming_state_conflict file_not_found"
        ),
    ),
    # Incoming webhooks alone.
    (Fate.KEPT, "the webhook does not exist or was removed", _WEBHOOK, "no_service no_service_id"),
    (Fate.KEPT, "the webhook's workspace does not exist", _WEBHOOK, "no_team"),
    (Fate.KEPT, "the webhook is switched off", _WEBHOOK, "no_active_hooks"),
    (Fate.KEPT, "the webhook's address is wrong", _WEBHOOK, "invalid_token"),
    (Fate.KEPT, "the webhook's workspace is switched off", _WEBHOOK, "team_disabled"),
    (Fate.KEPT, "whom the webhook writes to is gone", _WEBHOOK, "user_not_found"),
    (Fate.KEPT, "an administrator forbids the webhook to post", _ALLOWED, "action_prohibited"),
)
MEANINGS: dict[str, Meaning] = {
    code: Meaning(fate, words, remedy) for fate, words, remedy, codes in _GROUPS for code in codes.split()
}


def translate(error: BaseException, channel: str) -> SlackError:
    """The error as SlackError; SlackMessageError where it is the message that Slack will never take."""
    if isinstance(error, SlackApiError):
        return _from_response(error, channel)
    if isinstance(error, HTTPError):
        return SlackUncertainError(f"Slack: the upload was answered with status {error.code}", _AGAIN)
    if is_timeout(error):
        return SlackSilentError("Slack did not answer in time", f"Check the network and the proxy. {_AGAIN}")
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(error, (OSError, HTTPException)):
        kind = SlackError if isinstance(reason, ConnectionRefusedError) else SlackUncertainError
        said = str(reason) or type(error).__name__
        return kind(f"Slack can't be reached: {said}", f"Check the network. {_AGAIN}")
    return SlackError(f"Slack: the call failed: {type(error).__name__}", f"Check slack.api_url and the proxy. {_AGAIN}")


def is_timeout(error: BaseException | None) -> bool:
    """Whether nobody answered in time; while connecting urllib wraps the reason."""
    return isinstance(error, TimeoutError) or (isinstance(error, URLError) and isinstance(error.reason, TimeoutError))


def _from_response(error: SlackApiError, channel: str) -> SlackError:
    response = error.response
    if response.status_code == 429:
        return _limited(response.headers)
    if response.status_code >= 500:
        return SlackUncertainError(f"Slack is ailing: it answered with status {response.status_code}", _AGAIN)
    if response.get("error") == "missing_scope":
        needed = response.get("needed") or "of this call"
        return SlackScopeError(
            f"Slack: the token lacks the scope {needed} (missing_scope)",
            f"Add {needed} under OAuth & Permissions of the Slack app, and install the app again.",
        )
    code = str(response.get("error") or "no reason given")
    if code.startswith("Received a response"):
        # The SDK's words for a body that is no JSON: a proxy's page, or another server altogether.
        return SlackError(f"Slack did not answer: {code[:200]}", f"Check slack.api_url and the proxy. {_AGAIN}")
    return refused(code, channel, [str(detail) for detail in response.get("errors") or ()])


def _limited(headers: dict[str, str]) -> SlackError:
    wait = {name.lower(): value for name, value in headers.items()}.get("retry-after", "some")
    return SlackError(f"Slack asks to wait: too many messages, {wait} seconds", _AGAIN)


def refused(code: str, channel: str, details: list[str] | None = None) -> SlackError:
    """What Slack's error code means here."""
    meaning = MEANINGS.get(code)
    if meaning is None:
        told = f"Look {code[:60]} up in Slack's documentation. {_AGAIN}"
        return SlackDoubtError(f"Slack refused: {code[:200]}", told)
    words = meaning.words.format(channel=channel or "(none named)")
    said = ": ".join([f"Slack: {words} ({code})", *(details or [])[:3]])
    if meaning.fate is Fate.KEPT:
        return SlackError(said, meaning.remedy)
    return SlackMessageError(said, meaning.remedy, code, meaning.fate.value)


def webhook_refused(response: WebhookResponse, channel: str) -> SlackError:
    """What an incoming webhook's answer means: plain words in the body, and the status."""
    if response.status_code == 429:
        return _limited(dict(response.headers))
    if response.status_code >= 500:
        return SlackUncertainError(f"Slack is ailing: the webhook answered with status {response.status_code}", _AGAIN)
    return refused(response.body.strip() or f"status {response.status_code}", channel)
