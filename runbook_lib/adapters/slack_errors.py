"""Slack's refusals in words, each with what to do."""

from __future__ import annotations

from http.client import HTTPException
from urllib.error import HTTPError, URLError

from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.webhook import WebhookResponse

from ..errors import MessageRefusedError, SlackError

__all__ = ["FOREIGN", "SlackMessageError", "refused", "translate", "webhook_refused"]

# All that slack_sdk and urllib under it let through; ValueError stands for an address that is none.
FOREIGN = (SlackClientError, HTTPException, OSError, ValueError)


class SlackMessageError(SlackError, MessageRefusedError):
    """Slack refuses this very message."""


_TOKEN = "Set SLACK_BOT_TOKEN to the bot token (xoxb-…) of an app that is installed in the workspace."  # noqa: S105
_AGAIN = "The message is kept and goes out with the next step."
_INVITE = "Invite the app to it: /invite @runbook in the channel."
_REPORT = "Please report this message's content as a bug of the runbook."
_ALLOWED = "Ask the workspace's administrators to allow the app this."
_POST = "Let the app post to this channel, or name another in SLACK_CHANNEL or runbook.yml's slack.channel."
_WEBHOOK = "Make a new incoming webhook in Slack and set SLACK_WEBHOOK_URL to it."

_WHERE: dict[str, tuple[str, str]] = {
    "channel_not_found": (
        "there is no channel {channel} for this token",
        "Check the spelling in SLACK_CHANNEL or slack.channel of runbook.yml; to a private channel, invite the app.",
    ),
    "not_in_channel": ("the app is no member of {channel}", _INVITE),
    "is_archived": ("channel {channel} is archived", "Unarchive it, or name another in runbook.yml's slack.channel."),
    "channel_is_archived": ("channel {channel} is archived", "Unarchive it, or make a webhook for another channel."),
    "restricted_action": ("the workspace lets the app not post to {channel}", _POST),
    "restricted_action_read_only_channel": ("{channel} is read-only", _POST),
    "restricted_action_thread_only_channel": ("{channel} takes replies only", _POST),
    "restricted_action_non_threadable_channel": ("{channel} takes no replies", _POST),
    "posting_to_general_channel_denied": ("the app may not post to {channel}", _POST),
}
_TOKENS: dict[str, tuple[str, str]] = {
    "not_authed": ("no token was sent", _TOKEN),
    "invalid_auth": ("the token is not valid", _TOKEN),
    "token_revoked": ("the token was revoked", _TOKEN),
    "token_expired": ("the token has expired", _TOKEN),
    "account_inactive": ("the token's account is switched off", _TOKEN),
    "not_allowed_token_type": ("this kind of token is not taken", _TOKEN),
    "org_login_required": ("the workspace is being moved", "Wait until the migration is over."),
    "two_factor_setup_required": ("the account must set up two-factor authentication", _ALLOWED),
    "access_denied": ("access is denied", _ALLOWED),
    "no_permission": ("the token lacks the permission", _ALLOWED),
    "ekm_access_denied": ("the workspace's administrators have suspended posting", _ALLOWED),
    "team_access_not_granted": ("the token has no access to this workspace", _ALLOWED),
}
_WEBHOOKS: dict[str, tuple[str, str]] = {
    "no_service": ("the webhook does not exist or was removed", _WEBHOOK),
    "no_team": ("the webhook's workspace does not exist", _WEBHOOK),
    "no_active_hooks": ("the webhook is switched off", _WEBHOOK),
    "invalid_token": ("the webhook's address is wrong", _WEBHOOK),
    "team_disabled": ("the webhook's workspace is switched off", _WEBHOOK),
    "action_prohibited": ("an administrator forbids the webhook to post", _ALLOWED),
}
_KNOWN = _WHERE | _TOKENS | _WEBHOOKS
_CONTENT = frozenset(
    {
        "block_mismatch", "cannot_reply_to_message", "cant_update_message", "duplicate_message_not_found",
        "edit_window_closed", "file_not_found", "invalid_arguments", "invalid_blocks", "invalid_blocks_format",
        "invalid_metadata_format", "invalid_metadata_schema", "invalid_payload", "invalid_thread_ts",
        "markdown_text_conflict", "message_not_found", "metadata_must_be_sent_from_app", "metadata_too_large",
        "msg_blocks_too_long", "msg_too_long", "no_text", "thread_not_found", "too_many_attachments",
    }
)  # fmt: skip
_LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_AILING = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable", "rollup_error"})


def translate(error: BaseException, channel: str) -> SlackError:
    """The error as SlackError; SlackMessageError where it is the message that Slack will never take."""
    if isinstance(error, SlackApiError):
        return _from_response(error, channel)
    if isinstance(error, HTTPError):
        return SlackError(f"Slack: the upload was answered with status {error.code}", _AGAIN)
    reason = str(error.reason) if isinstance(error, URLError) else str(error)
    if isinstance(error, (OSError, HTTPException)):
        return SlackError(f"Slack can't be reached: {reason or type(error).__name__}", f"Check the network. {_AGAIN}")
    return SlackError(f"Slack: the call failed: {type(error).__name__}", f"Check slack.api_url and the proxy. {_AGAIN}")


def _from_response(error: SlackApiError, channel: str) -> SlackError:
    response = error.response
    if response.status_code == 429:
        return _limited(response.headers)
    if response.status_code >= 500:
        return SlackError(f"Slack is ailing: it answered with status {response.status_code}", _AGAIN)
    if response.get("error") == "missing_scope":
        needed = response.get("needed") or "of this call"
        return SlackError(
            f"Slack: the token lacks the scope {needed}",
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
    if code in _KNOWN:
        message, remedy = _KNOWN[code]
        return SlackError(f"Slack: {message.format(channel=channel or '(none named)')} ({code})", remedy)
    if code in _CONTENT:
        return SlackMessageError(": ".join(["Slack refuses the message", code, *(details or [])[:3]]), _REPORT, code)
    if code in _LIMITED:
        return _limited({})
    if code in _AILING:
        return SlackError(f"Slack is ailing ({code})", _AGAIN)
    return SlackError(f"Slack refused: {code[:200]}", f"Look {code[:60]} up in Slack's documentation. {_AGAIN}")


def webhook_refused(response: WebhookResponse, channel: str) -> SlackError:
    """What an incoming webhook's answer means: plain words in the body, and the status."""
    if response.status_code == 429:
        return _limited(dict(response.headers))
    if response.status_code >= 500:
        return SlackError(f"Slack is ailing: the webhook answered with status {response.status_code}", _AGAIN)
    return refused(response.body.strip() or f"status {response.status_code}", channel)
