"""Slack through slack_sdk: a bot token's threads and uploads, or the incoming webhook's plain messages."""

from __future__ import annotations

import html
import logging
import re
import time
from collections.abc import Iterator, Mapping
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
from ..models.messages import Message, Reference, Thread
from .slack_errors import (
    FOREIGN,
    Fate,
    SlackMessageError,
    SlackScopeError,
    SlackSilentError,
    SlackUncertainError,
    is_timeout,
    refused,
    translate,
    webhook_refused,
)

__all__ = ["API_URL", "MANIFEST", "NEEDED_SCOPES", "PATIENCE", "Slack", "SlackIdentity"]

API_URL = "https://slack.com/api/"
MANIFEST = "slack_manifest.yml"  # beside this file
NEEDED_SCOPES = ("chat:write", "files:write")
SNIPPET = 2_800
TEXT = 3_900  # characters; chat.update takes 4,000
CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]{6,}")
EVENT = "runbook_message"
TIMEOUT = 15  # seconds
SHARED_AFTER = (0.0, 0.2, 0.4, 0.8, 1.6, 2.0)  # seconds, one after the other
HURRIED = 3  # seconds, once Slack has kept this run waiting for nothing
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
        self._web = _web_client(token, api_url, _handlers())
        # Slack knows no key by which a post would be taken once: what may have arrived is looked for, not sent again.
        self._poster = _web_client(token, api_url, [_PatientHandler(max_retry_count=3)])
        self._webhook = _webhook_client(webhook)

    def __repr__(self) -> str:
        return f"Slack(channel={self.channel!r}, {'token' if self.threads else 'webhook'}='***')"

    def resume(self, thread: Thread) -> None:
        """Go on where the run's last delivery ended: in the channel that it found, whatever it is called by now."""
        if thread.channel and thread.named == self.channel:
            self._channel_id = thread.channel
        if thread.silent:
            self._web.timeout = self._poster.timeout = self._webhook.timeout = HURRIED

    def post(self, message: Message, thread_ts: str | None = None, broadcast: bool = False, key: str = "") -> Reference:
        """Post a message; its files are the caller's to upload. A reply whose parent is gone lands in the channel.

        `key` is kept with it: where the answer to a post was lost, Slack is asked for it before it is posted again.
        """
        if not self.threads:
            return self._post_to_webhook(message)
        try:
            return self._post(message, thread_ts, broadcast, key)
        except SlackSilentError:
            raise
        except SlackUncertainError:
            return (self.find(key, thread_ts) if key else None) or self._post(message, thread_ts, broadcast, key)

    def _post(self, message: Message, thread_ts: str | None, broadcast: bool, key: str) -> Reference:
        extra: dict[str, Any] = {}
        if key:
            extra["metadata"] = {"event_type": EVENT, "event_payload": {"key": key}}
        if thread_ts:
            extra |= {"thread_ts": thread_ts, "reply_broadcast": broadcast}
        with self._mapped():
            answer = self._poster.chat_postMessage(
                channel=self._channel_id or self.channel,
                text=_escaped(message.text),
                blocks=list(message.blocks) or None,
                unfurl_links=False,
                unfurl_media=False,
                **extra,
            )
            self._channel_id = str(answer["channel"])
            return _reference(self._channel_id, {"ts": answer["ts"], "thread_ts": answer["message"].get("thread_ts")})

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
        """Put a text into the thread as a file, and see it arrive; through a webhook, its beginning as a message."""
        if not self.threads:
            self._post_to_webhook(_snippet(title or name, content))
            return
        if not self._channel_id:
            # Files go to a channel by its id alone, and to look it up means to read every channel's name.
            raise SlackError(
                f"Slack: nothing was posted to {self.channel} yet, so no file can be",
                "It goes up after the first message.",
            )
        with self._mapped():
            # An empty file is refused; a newline says as much.
            answer = self._web.files_upload_v2(
                content=content or "\n",
                filename=name,
                title=title or name,
                channel=self._channel_id,
                thread_ts=thread_ts,
            )
            file = str(answer["files"][0]["id"])
        self._see_arrive(file, name)

    def _see_arrive(self, file: str, name: str) -> None:
        # Slack shares a file after it has said that it will, and now and then it does not.
        for seconds in SHARED_AFTER:
            time.sleep(seconds)
            if self._is_shared(file):
                return
        raise SlackUncertainError(
            f"Slack has {name}, but does not show it in the channel", "It is looked for again with the next step."
        )

    def _is_shared(self, file: str) -> bool:
        try:
            with self._mapped():
                about = self._web.files_info(file=file)["file"]
        except SlackMessageError:
            return True  # somebody has deleted it since
        except SlackScopeError:
            return True  # whoever may not look must believe it
        shares = about.get("shares") or {}
        return any(self._channel_id in (shares.get(kind) or {}) for kind in ("public", "private"))

    def find(self, key: str, thread_ts: str | None = None) -> Reference | None:
        """The message that was posted with this key, or None, also where the token may not read the channel."""
        if not self.threads:
            return None
        for message in self._recent(thread_ts):
            metadata = message.get("metadata") or {}
            if metadata.get("event_type") == EVENT and metadata.get("event_payload", {}).get("key") == key:
                return _reference(self._channel_id, message)
        return None

    def has_file(self, name: str, thread_ts: str | None = None) -> bool:
        """Whether a file of this name is in the thread; False also where the token may not read the channel."""
        for seconds in SHARED_AFTER[:4] if self.threads else ():
            time.sleep(seconds)
            if any(
                file.get("name") == name for message in self._recent(thread_ts) for file in message.get("files") or ()
            ):
                return True
        return False

    def identity(self) -> SlackIdentity:
        """Who the token is; SlackError if it is not valid."""
        with self._mapped():
            answer = self._web.auth_test()
        headers = {name.lower(): value for name, value in answer.headers.items()}
        scopes = tuple(scope.strip() for scope in headers.get("x-oauth-scopes", "").split(",") if scope.strip())
        return SlackIdentity(str(answer["team"]), str(answer["user"]), str(answer["url"]), scopes)

    def channel_id(self) -> str:
        """The id of the channel, which must be one of the app's own; SlackError if it is not.

        For who only asks: a post finds the channel by itself.
        """
        if CHANNEL_ID.fullmatch(self.channel):
            return self._known_channel()
        name = self.channel.removeprefix("#")
        for kinds in ("public_channel,private_channel", "public_channel"):
            try:
                with self._mapped():
                    # The app's own channels are few; a workspace may have tens of thousands.
                    pages = self._web.users_conversations(exclude_archived=True, limit=200, types=kinds)
                    found = [c["id"] for page in pages for c in page["channels"] if c["name"] == name]
            except SlackScopeError:
                # Without groups:read the private ones can't be asked for.
                if "private" in kinds:
                    continue
                raise
            if found:
                return str(found[0])
            break
        raise SlackError(
            f"Slack: the app is in no channel {self.channel} (channel_not_found)",
            "Check the spelling, and invite the app: /invite @runbook in the channel. An id outlasts a new name.",
        )

    def _known_channel(self) -> str:
        try:
            with self._mapped():
                about = self._web.conversations_info(channel=self.channel)["channel"]
        except SlackScopeError:
            return self.channel
        for code, wrong in (("is_archived", about.get("is_archived")), ("not_in_channel", not about.get("is_member"))):
            if wrong:
                raise refused(code, self.channel)
        return self.channel

    def _recent(self, thread_ts: str | None) -> list[dict[str, Any]]:
        try:
            # Where the answer to the very first post was lost, nobody has told the id yet.
            self._channel_id = self._channel_id or self.channel_id()
            asked: dict[str, Any] = {"channel": self._channel_id, "include_all_metadata": True}
            with self._mapped():
                if thread_ts:
                    answer = self._web.conversations_replies(ts=thread_ts, limit=999, **asked)
                else:
                    answer = self._web.conversations_history(limit=100, **asked)
        except SlackSilentError:
            raise
        except SlackMessageError as error:
            # A reply to a thread that is gone has become a message of the channel's own.
            return self._recent(None) if thread_ts and error.instead == Fate.NEW_THREAD else []
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


def _reference(channel: str, message: Mapping[str, Any]) -> Reference:
    ts, thread = str(message["ts"]), str(message.get("thread_ts") or "")
    return Reference(channel=channel, ts=ts, thread="" if thread == ts else thread)


def _escaped(text: str) -> str:
    # Slack reads &, < and > as its own signs; a Message's text is plain.
    escaped = html.escape(text, quote=False)
    return escaped if len(escaped) <= TEXT else re.sub(r"&\w{0,4}$", "", escaped[:TEXT]) + "…"


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


class _LostHandler(ConnectionErrorRetryHandler):
    """The SDK's handler, but for a server that keeps silent: to ask it again would double the wait."""

    def _can_retry(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        again = super()._can_retry(state=state, request=request, response=response, error=error)
        return again and not is_timeout(error)


def _handlers() -> list[RetryHandler]:
    return [_PatientHandler(max_retry_count=3), _LostHandler(), ServerErrorRetryHandler()]


def _web_client(token: str, api_url: str, handlers: list[RetryHandler]) -> WebClient:
    client = WebClient(token or None, base_url=api_url, timeout=TIMEOUT, retry_handlers=handlers, logger=_QUIET)
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
