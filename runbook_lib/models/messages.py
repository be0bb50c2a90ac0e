"""A message as Slack takes it, and where it ended up."""

from __future__ import annotations

from typing import Any

from .base import Model

__all__ = ["Message", "MessageFile", "OutboxEntry", "Reference"]


class MessageFile(Model):
    """A text too long for a message, to be uploaded beside it."""

    name: str
    title: str
    content: str


class Message(Model):
    """Slack blocks (dicts of Block Kit), the plain text for notifications and terminals, and files to put beside."""

    text: str
    blocks: tuple[dict[str, Any], ...] = ()
    files: tuple[MessageFile, ...] = ()


class Reference(Model):
    """A message in Slack: channel id and `ts` name it. All are empty for what went through an incoming webhook."""

    channel: str = ""
    ts: str = ""
    permalink: str = ""


class OutboxEntry(Model):
    """One message, or one of its files, that waits to be sent. `key` names it in the run, `id` in Slack.

    `tried` means that an earlier attempt may have arrived without our knowing.
    """

    key: str
    id: str
    message: Message | None = None
    file: MessageFile | None = None
    broadcast: bool = False
    tried: bool = False
