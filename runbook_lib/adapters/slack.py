"""Slack through slack_sdk: a bot token's threads and uploads, or the incoming webhook's plain messages."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from slack_sdk import WebClient
from slack_sdk.http_retry import ConnectionErrorRetryHandler, RateLimitErrorRetryHandler, RetryHandler
from slack_sdk.http_retry.builtin_handlers import ServerErrorRetryHandler
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.webhook import WebhookClient

from ..errors import ConfigError, SlackError
from ..models.messages import Message, Reference
from .slack_errors import FOREIGN, translate, webhook_refused

__all__ = ["API_URL", "NEEDED_SCOPES", "PATIENCE", "Slack", "SlackIdentity"]

API_URL = "https://slack.com/api/"
NEEDED_SCOPES = ("chat:write", "files:write")
SNIPPET = 2_800
CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]{6,}")
EVENT = "runbook_message"
TIMEOUT = 15  # seconds
PATIENCE = 30  # seconds; told to wait longer, the message is better kept for the next step

# The SDK would log every failure as well; here each one becomes an exception.
_QUIET = logging.getLogger("runbook_lib.adapters.slack.sdk")
_QUIET.setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class SlackIdentity:
    """Whom the token speaks for, and what it may do."""

    team: str
    user: str
    url: str
    scopes: tuple[str, ...]

    @property
    def missing_scopes(self) -> tuple[str, ...]:
        """The scopes that a run needs and the token lacks."""
        return tuple(scope for scope in NEEDED_SCOPES if scope not in self.scopes)


class Slack:
    """One channel. `channel` is an id or a name, with or without `#`.

    With a token: threads, updates, uploads. With a webhook alone: messages one after the other in the webhook's
    channel, and the beginning of each text that would have been a file. With neither: ConfigError.
    """

    def __init__(self, token: str, channel: str, api_url: str = API_URL, webhook: str = "") -> None:
        if not token and not webhook:
            raise ConfigError("neither a Slack token nor a webhook is set", "Set SLACK_BOT_TOKEN or SLACK_WEBHOOK_URL.")
        if token and not channel:
            raise ConfigError("no Slack channel is named", "Set SLACK_CHANNEL, or slack.channel in runbook.yml.")
        self.channel = channel
        self.threads = bool(token)
        self._channel_id = channel if CHANNEL_ID.fullmatch(channel) else ""
        self._web = _web_client(token, api_url)
        self._webhook = _webhook_client(webhook)

    def __repr__(self) -> str:
        return f"Slack(channel={self.channel!r}, {'token' if self.threads else 'webhook'}='***')"

    def post(self, message: Message, thread_ts: str | None = None, broadcast: bool = False, key: str = "") -> Reference:
        """Post a message; its files are the caller's to upload.

        `key`, a UUID, keeps Slack from taking the message twice.
        """
        if not self.threads:
            return self._post_to_webhook(message)
        extra: dict[str, Any] = {}
        if key:
            extra["client_msg_id"] = key
            extra["metadata"] = {"event_type": EVENT, "event_payload": {"key": key}}
        if thread_ts:
            extra |= {"thread_ts": thread_ts, "reply_broadcast": broadcast}
        with self._mapped():
            answer = self._web.chat_postMessage(
                channel=self._channel_id or self.channel,
                text=_escaped(message.text),
                blocks=list(message.blocks) or None,
                unfurl_links=False,
                unfurl_media=False,
                **extra,
            )
        self._channel_id = str(answer["channel"])
        return Reference(channel=self._channel_id, ts=str(answer["ts"]))

    def update(self, reference: Reference, message: Message) -> Reference:
        """Replace a message's content; what a webhook posted can't be changed and stays."""
        if self.threads and reference.ts:
            with self._mapped():
                self._web.chat_update(
                    channel=reference.channel,
                    ts=reference.ts,
                    text=_escaped(message.text),
                    blocks=list(message.blocks) or None,
                )
        return reference

    def upload(self, name: str, content: str, title: str = "", thread_ts: str | None = None) -> None:
        """Put a text into the thread as a file; through a webhook, its beginning as a message."""
        if not self.threads:
            self._post_to_webhook(_snippet(title or name, content))
            return
        channel = self.channel_id()
        with self._mapped():
            # An empty file is refused; a newline says as much.
            self._web.files_upload_v2(
                content=content or "\n", filename=name, title=title or name, channel=channel, thread_ts=thread_ts
            )

    def find(self, key: str, thread_ts: str | None = None) -> Reference | None:
        """The message that was posted with this key, or None, also where the token may not read the channel."""
        if not self.threads:
            return None
        for message in self._recent(thread_ts):
            metadata = message.get("metadata") or {}
            if metadata.get("event_type") == EVENT and metadata.get("event_payload", {}).get("key") == key:
                return Reference(channel=self._channel_id, ts=str(message["ts"]))
        return None

    def has_file(self, name: str, thread_ts: str | None = None) -> bool:
        """Whether a file of this name is in the thread; False also where the token may not read the channel."""
        messages = self._recent(thread_ts) if self.threads else []
        return any(file.get("name") == name for message in messages for file in message.get("files") or ())

    def identity(self) -> SlackIdentity:
        """Who the token is; SlackError if it is not valid."""
        with self._mapped():
            answer = self._web.auth_test()
        headers = {name.lower(): value for name, value in answer.headers.items()}
        scopes = tuple(scope.strip() for scope in headers.get("x-oauth-scopes", "").split(",") if scope.strip())
        return SlackIdentity(str(answer["team"]), str(answer["user"]), str(answer["url"]), scopes)

    def channel_id(self) -> str:
        """The channel's id, looked up by name if need be; SlackError if there is none of this name."""
        if not self._channel_id:
            name = self.channel.removeprefix("#")
            with self._mapped():
                pages = self._web.conversations_list(exclude_archived=True, limit=1000, types="public_channel")
                found = [c["id"] for page in pages for c in page["channels"] if c["name"] == name]
            if not found:
                raise SlackError(
                    f"Slack: there is no channel {self.channel} (channel_not_found)",
                    "Check the spelling; for a private channel set SLACK_CHANNEL to its id and invite the app.",
                )
            self._channel_id = str(found[0])
        return self._channel_id

    def _recent(self, thread_ts: str | None) -> list[dict[str, Any]]:
        try:
            with self._mapped():
                channel = self._channel_id or self.channel_id()
                if thread_ts:
                    answer = self._web.conversations_replies(
                        channel=channel, ts=thread_ts, include_all_metadata=True, limit=200
                    )
                else:
                    answer = self._web.conversations_history(channel=channel, include_all_metadata=True, limit=100)
        except SlackError:
            # Without channels:history nobody can look: better a message twice than none.
            return []
        return list(answer["messages"] or ())

    def _post_to_webhook(self, message: Message) -> Reference:
        with self._mapped():
            answer = self._webhook.send(text=_escaped(message.text), blocks=list(message.blocks) or None)
            if answer.status_code != 200:
                raise webhook_refused(answer, self.channel or "the webhook's channel")
        return Reference()

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except SlackError:
            raise
        except FOREIGN as error:
            # The SDK's error holds the whole request, and so the token: it must not travel on as a cause.
            raise translate(error, self.channel) from None


def _escaped(text: str) -> str:
    # Slack reads &, < and > as its own signs; a Message's text is plain.
    return html.escape(text, quote=False)


def _snippet(title: str, content: str) -> Message:
    # Cut after escaping, so that no entity is cut in two: each & is followed by at most four letters and a semicolon.
    shown = re.sub(r"&\w{0,4}$", "", _escaped(content).replace("```", "'''")[:SNIPPET])
    cut = "\n…" if len(shown) < len(content) else ""
    text = f"*{_escaped(title)[:150]}*\n```{shown}{cut}```"
    return Message(text=title, blocks=({"type": "section", "text": {"type": "mrkdwn", "text": text}},))


class _PatientHandler(RateLimitErrorRetryHandler):
    """The SDK's handler, but for waits that would hold up a run."""

    def _can_retry(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        if not super()._can_retry(state=state, request=request, response=response, error=error) or response is None:
            return False
        values = [value for name, value in response.headers.items() if name.lower() == "retry-after"]
        return not values or (values[0][0].isdigit() and int(values[0][0]) <= PATIENCE)


def _handlers() -> list[RetryHandler]:
    return [_PatientHandler(max_retry_count=3), ConnectionErrorRetryHandler(), ServerErrorRetryHandler()]


def _web_client(token: str, api_url: str) -> WebClient:
    client = WebClient(token or None, base_url=api_url, timeout=TIMEOUT, retry_handlers=_handlers(), logger=_QUIET)
    if _bypassed(api_url):
        client.proxy = None
    return client


def _webhook_client(url: str) -> WebhookClient:
    client = WebhookClient(url, timeout=TIMEOUT, retry_handlers=_handlers(), logger=_QUIET)
    if _bypassed(url):
        client.proxy = None
    return client


def _bypassed(url: str) -> bool:
    # The SDK reads the variables of the proxy, but not NO_PROXY.
    return bool(proxy_bypass(urlsplit(url).hostname or ""))
