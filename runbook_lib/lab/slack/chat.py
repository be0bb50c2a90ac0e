"""chat.*: posting and updating."""

from __future__ import annotations

import json
from typing import Any

from .call import Call
from .errors import SlackRefusal
from .limits import check_blocks
from .workspace import Channel, Json

__all__ = ["post_message", "read_content", "update"]

TEXT_CUT = 40_000  # of a post; longer ones are cut without a word
TEXT_UPDATED = 4_000  # of an update; longer ones are refused


def read_content(call: Call) -> Json:
    """Text, blocks and metadata of a message, checked; `no_text` if there is nothing to show."""
    content: Json = {"text": str(call.get("text"))[:TEXT_CUT]}
    if call.get("blocks"):
        content["blocks"] = check_blocks(call.get("blocks"))
    if not content["text"].strip() and not content.get("blocks"):
        raise SlackRefusal("no_text")
    if call.get("metadata"):
        content["metadata"] = _metadata(call.get("metadata"))
    return content


def _metadata(given: Any) -> Json:
    try:
        metadata = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        raise SlackRefusal("invalid_metadata_format") from None
    if not isinstance(metadata, dict) or not metadata.get("event_type") or "event_payload" not in metadata:
        raise SlackRefusal("invalid_metadata_schema")
    return metadata


def post_message(call: Call) -> Json:
    """chat.postMessage; the same arguments twice make two messages."""
    channel = call.workspace.channel(call.need("channel", "channel_not_found"), by_name=True)
    if channel.is_archived:
        raise SlackRefusal("is_archived")
    if not channel.is_member:
        raise SlackRefusal("not_in_channel")
    content = read_content(call) | _thread(call, channel)
    call.workspace.admit(channel)
    message = call.workspace.post(channel, content)
    return {"ok": True, "channel": channel.id, "ts": message["ts"], "message": message}


def _thread(call: Call, channel: Channel) -> Json:
    """The thread of a reply; a parent that is gone makes it a message of the channel's own, without a word."""
    thread = str(call.get("thread_ts"))
    parent = channel.find(thread) if thread else None
    if parent is None:
        return {}
    broadcast = {"subtype": "thread_broadcast"} if call.flag("reply_broadcast") else {}
    return {"thread_ts": parent.get("thread_ts", thread), **broadcast}


def update(call: Call) -> Json:
    """chat.update; takes a channel id alone, and changes what this app posted by its token."""
    channel = call.workspace.channel(call.need("channel", "channel_not_found"))
    if channel.is_archived:
        raise SlackRefusal("is_inactive")
    message = channel.find(call.need("ts", "message_not_found"))
    if message is None or message.get("subtype") == "tombstone":
        raise SlackRefusal("message_not_found")
    if message.get("subtype") == "bot_message":
        raise SlackRefusal("cant_update_message")
    if len(str(call.get("text"))) > TEXT_UPDATED:
        raise SlackRefusal("msg_too_long")
    content = read_content(call)
    message.pop("blocks", None)
    message |= content | {"edited": {"user": message["user"], "ts": call.workspace.next_ts()}}
    return {"ok": True, "channel": channel.id, "ts": message["ts"], "text": message["text"], "message": message}
