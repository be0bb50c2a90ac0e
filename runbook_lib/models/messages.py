"""A message as Slack takes it, and where it ended up."""

from __future__ import annotations

import uuid
from typing import Any, Literal

from pydantic import Field

from .base import Model

__all__ = ["Message", "MessageFile", "OutboxEntry", "Reference", "Thread"]


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
    """A message in Slack: channel id and `ts` name it. All are empty for what went through an incoming webhook.

    `thread` is the `ts` of the thread in which it landed, empty for a message of the channel's own.
    """

    channel: str = ""
    ts: str = ""
    thread: str = ""


class OutboxEntry(Model):
    """One thing to send. `key` names it in the run, `id` in Slack; `thread` is the key of the parent.

    `tried` means that an earlier attempt may have arrived without our knowing, `doubted` that one was refused in a word
    that nobody explained. `mark` says that whoever wrote it holds the chat's credential: a file that was put
    there by somebody else does not bear it.
    """

    key: str
    kind: Literal["post", "update", "file"]
    id: str = Field(default_factory=lambda: str(uuid.uuid4()))
    message: Message | None = None
    file: MessageFile | None = None
    thread: str = ""
    broadcast: bool = False
    tried: bool = False
    doubted: bool = False
    mark: str = ""


class Thread(Model):
    """The model of slack.json: where each message of the run ended up, by key.

    `channel` is the id of the channel that the settings named `named`: a new name does not change it. `silent` means
    that the chat once kept this run waiting for an answer, in vain.
    """

    messages: dict[str, Reference] = {}
    channel: str = ""
    named: str = ""
    silent: bool = False
    mark: str = ""
