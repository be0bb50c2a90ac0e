"""The workspace in memory: channels, messages, files. Touched from the server's event loop alone."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .config import BOT_ID, BOT_USER, TEAM, SlackLabConfig
from .errors import RateLimitedError, SlackRefusal

__all__ = ["Channel", "File", "Workspace"]

Json = dict[str, Any]


@dataclass
class Channel:
    """A channel; `messages` in the order of posting, replies among them."""

    id: str
    name: str
    is_member: bool
    is_private: bool = False
    is_archived: bool = False
    messages: list[Json] = field(default_factory=list)
    recent: deque[float] = field(default_factory=deque)

    def find(self, ts: str) -> Json | None:
        """The message with this `ts`."""
        return next((message for message in self.messages if message["ts"] == ts), None)

    def replies(self, ts: str) -> list[Json]:
        """The thread's messages, its parent left out."""
        return [m for m in self.messages if m.get("thread_ts") == ts and m["ts"] != ts]

    def delete(self, ts: str) -> bool:
        """Delete a message; of a thread's parent a tombstone stays, and the thread with it."""
        message = self.find(ts)
        if message is None:
            return False
        if self.replies(ts):
            kept = {key: message[key] for key in message if key in {"type", "ts", "thread_ts"} or "reply" in key}
            message.clear()
            gone = {"subtype": "tombstone", "text": "This message was deleted.", "user": "USLACKBOT", "hidden": True}
            message |= kept | gone
        else:
            self.messages.remove(message)
        return True


@dataclass
class File:
    """An upload: `ticket` is the secret of its upload address."""

    id: str
    name: str
    length: int
    ticket: str
    created: int
    title: str = ""
    content: bytes | None = None
    snippet_type: str = ""
    completed: bool = False
    shares: Json = field(default_factory=dict)


class Workspace:
    """All that the lab's Slack remembers. `clock` gives seconds since 1970."""

    def __init__(self, config: SlackLabConfig, clock: Callable[[], float]) -> None:
        self.config = config
        self.clock = clock
        self.files: dict[str, File] = {}
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._last_ts = 0
        home = Channel(config.channel_id, config.channel, is_member=True)
        others = (Channel("C0GENERAL", "general", is_member=False),)
        self.channels = {channel.id: channel for channel in (home, *others)}

    @property
    def home(self) -> Channel:
        """The channel that the page shows."""
        return self.channels[self.config.channel_id]

    def channel(self, given: Any, *, by_name: bool = False) -> Channel:
        """The channel with this id, or also name where Slack takes one; `channel_not_found` if there is none."""
        found = self.channels.get(str(given))
        if found is None and by_name:
            name = str(given).removeprefix("#")
            found = next((c for c in self.channels.values() if c.name == name), None)
        # Of a private channel nobody learns who is not in it.
        if found is None or (found.is_private and not found.is_member and not found.is_archived):
            raise SlackRefusal("channel_not_found")
        return found

    def later(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something once so many seconds are over."""
        self._later.append((self.clock() + seconds, do))

    def settle(self) -> None:
        """Do what is due."""
        due = [do for moment, do in self._later if moment <= self.clock()]
        self._later = [(moment, do) for moment, do in self._later if moment > self.clock()]
        for do in due:
            do()

    def next_ts(self) -> str:
        """A timestamp that no message has yet."""
        self._last_ts = max(self._last_ts + 1, int(self.clock() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def admit(self, channel: Channel) -> None:
        """Count one message; RateLimitedError when the channel's burst is used up and the second is not over."""
        now = self.clock()
        while channel.recent and channel.recent[0] <= now - self.config.burst:
            channel.recent.popleft()
        if len(channel.recent) >= self.config.burst:
            raise RateLimitedError(retry_after=1)
        channel.recent.append(now)

    def post(self, channel: Channel, content: Json) -> Json:
        """Append a message of the bot's."""
        message: Json = {"type": "message", "user": BOT_USER, "bot_id": BOT_ID, "team": TEAM, "ts": self.next_ts()}
        message |= content
        for number, block in enumerate(message.get("blocks", [])):
            block.setdefault("block_id", f"{message['ts'][-4:]}{number}")
        channel.messages.append(message)
        self._count_reply(channel, message)
        return message

    def _count_reply(self, channel: Channel, message: Json) -> None:
        parent = channel.find(message["thread_ts"]) if "thread_ts" in message else None
        if parent is None:
            return
        replies = channel.replies(parent["ts"])
        users = sorted({reply["user"] for reply in replies})
        parent |= {"thread_ts": parent["ts"], "reply_count": len(replies), "latest_reply": message["ts"]}
        parent |= {"reply_users": users, "reply_users_count": len(users)}

    def new_file(self, name: str, length: int, snippet_type: str) -> File:
        """Room for an upload."""
        file_id = "F0" + secrets.token_hex(4).upper()
        ticket = secrets.token_urlsafe(24)
        file = File(file_id, name, length, ticket, int(self.clock()), snippet_type=snippet_type)
        self.files[file.id] = file
        return file
