"""Slack's buttons and dialogs by slack-bolt in Socket Mode: who clicked, and what they said."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from ..errors import ConfigError, RunbookError, SlackError
from ..models.slack_answer import Asked

if TYPE_CHECKING:
    from slack_bolt import Ack

__all__ = ["APPROVE", "REJECT", "Listener", "Said", "Tokens"]

# As the request's buttons are called.
APPROVE, REJECT = "decide-approve", "decide-reject"
_DIALOG, _REASON = "decide", "reason"
_KINDS: Final = {APPROVE: True, REJECT: False}
_SHOWN: Final = 2_800
_CLOSED: Final = {"not_found", "view_not_found"}
_USED: Final = {"exchanged_trigger_id", "invalid_trigger_id"}


@dataclass(frozen=True)
class Said:
    """One answer. `click` is the same for the same dialog, however often Slack delivers what became of it."""

    asked: Asked
    user: str
    approved: bool
    reason: str
    message: str
    click: str


@dataclass(frozen=True)
class Tokens:
    """The app's own token, which opens the connection, and the bot's; `api_url` is where Slack is."""

    app: str
    bot: str
    api_url: str


class Listener:
    """`allowed` says why a Slack user may not answer, empty if they may; `answer` carries an answer out, in words."""

    def __init__(self, tokens: Tokens, allowed: Callable[[str], str], answer: Callable[[Said], str]) -> None:
        # The extra `listen`, which is only where somebody listens.
        from slack_bolt import App
        from slack_bolt.adapter.socket_mode import SocketModeHandler

        self._allowed = allowed
        self._answer = answer
        self._client = WebClient(tokens.bot, base_url=tokens.api_url)
        try:
            app = App(client=self._client, token_verification_enabled=True, raise_error_for_unhandled_request=False)
        except Exception as error:  # bolt has no error of its own for a token that Slack refuses
            raise ConfigError(f"Slack refuses SLACK_BOT_TOKEN: {error}", "Set the bot's token (xoxb-…).") from error
        for action in _KINDS:
            app.action(action)(self._clicked)
        app.view(_DIALOG)(self._submitted)
        self._handler = SocketModeHandler(app, tokens.app, web_client=self._client)

    def start(self) -> None:
        """Open the connection; SlackError if Slack does not. What comes is handled in threads of its own."""
        try:
            self._handler.connect()
        except SlackApiError as error:
            code = str(error.response.get("error", "unknown"))
            raise SlackError(
                f"Slack opens no connection: {code}",
                "Set SLACK_APP_TOKEN (xapp-…, scope connections:write), and turn Socket Mode on in the app's settings.",
            ) from error

    def stop(self) -> None:
        """Close the connection."""
        self._handler.close()

    def wait(self) -> None:
        """Until somebody interrupts."""
        threading.Event().wait()

    def _clicked(self, ack: Ack, body: dict[str, Any]) -> None:
        # First: Slack takes three seconds to say that the app is dead.
        ack()
        user, action = str(body["user"]["id"]), body["actions"][0]
        asked, channel = _asked(action.get("value")), str(body["channel"]["id"])
        why = self._allowed(user) if asked else "This button is none that can be answered any more."
        if asked is None or why:
            self._client.chat_postEphemeral(channel=channel, user=user, text=why)
            return
        message = body.get("message") or {}
        view = _dialog(asked, (_KINDS[action["action_id"]], channel, str(message.get("ts", ""))), message.get("text"))
        try:
            self._client.views_open(trigger_id=body["trigger_id"], view=view)
        except SlackApiError as error:
            # A click that Slack delivers twice opens one dialog; one that came too late opens none.
            if str(error.response.get("error")) not in _USED:
                self._client.chat_postEphemeral(
                    channel=channel, user=user, text="The dialog did not open. Click again."
                )

    def _submitted(self, ack: Ack, body: dict[str, Any], view: dict[str, Any]) -> None:
        approved, channel, ts, value = view["private_metadata"].split("\n", 3)
        asked, user = _asked(value), str(body["user"]["id"])
        if asked is None:
            ack()
            return
        reason = (view["state"]["values"][_REASON][_REASON].get("value") or "").strip()
        if approved != "yes" and not reason:
            ack(response_action="errors", errors={_REASON: "A rejection needs a reason."})
            return
        # Until it is taken down the dialog says that it is not: whoever sees it stay so knows that nobody heard.
        ack(response_action="update", view=_note(view, "This is being taken down. Until this text changes, it is not."))
        why = self._allowed(user)
        try:
            told = why or self._answer(Said(asked, user, approved == "yes", reason, ts, str(view["id"])))
        except RunbookError as error:
            told = f"This was not taken down: {error.message}. {error.remedy}"
        try:
            self._client.views_update(view_id=str(view["id"]), view=_note(view, told))
        except SlackApiError as error:
            if str(error.response.get("error")) not in _CLOSED:
                raise
        finally:
            self._client.chat_postEphemeral(channel=channel, user=user, text=told, thread_ts=ts or None)


def _asked(value: object) -> Asked | None:
    try:
        return Asked.model_validate_json(str(value or ""))
    except ValidationError:
        return None


def _note(view: dict[str, Any], text: str) -> dict[str, Any]:
    """The same dialog, with nothing left to fill in."""
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": view["title"]["text"]},
        "close": {"type": "plain_text", "text": "Close"},
        "blocks": [{"type": "section", "text": {"type": "plain_text", "text": text[:_SHOWN]}}],
    }


def _dialog(asked: Asked, about: tuple[bool, str, str], text: object) -> dict[str, Any]:
    approved, channel, ts = about
    word = "Approve" if approved else "Reject"
    shown = str(text or "")[:_SHOWN]
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "plain_text", "text": shown or asked.stack}},
        {"type": "section", "text": {"type": "plain_text", "text": f"Plan sha256 {asked.plan_sha256[:16]}"}},
        {
            "type": "input",
            "block_id": _REASON,
            "optional": approved,
            "label": {"type": "plain_text", "text": "Reason"},
            "element": {"type": "plain_text_input", "action_id": _REASON, "multiline": True, "max_length": 1000},
        },
    ]
    return {
        "type": "modal",
        "callback_id": _DIALOG,
        "title": {"type": "plain_text", "text": f"{word} this plan?"},
        "submit": {"type": "plain_text", "text": word},
        "close": {"type": "plain_text", "text": "Cancel"},
        "private_metadata": "\n".join(["yes" if approved else "no", channel, ts, asked.model_dump_json()]),
        "blocks": blocks,
    }
