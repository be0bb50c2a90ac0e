"""chat.*: posting and updating."""

from __future__ import annotations

import json
import re
from typing import Any

from .call import Call
from .errors import SlackRefusal
from .limits import check_blocks
from .workspace import Channel, Json

__all__ = ["post_message", "read_content", "update"]

TEXT_CUT = 40_000
TS = re.compile(r"\d{10}\.\d{6}")


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
    """chat.postMessage; a `client_msg_id` seen before gives the message that it made, as Slack does."""
    channel = call.workspace.channel(call.need("channel", "channel_not_found"), by_name=True)
    if not channel.is_member:
        raise SlackRefusal("not_in_channel")
    content = read_content(call) | _thread(call, channel)
    key = str(call.get("client_msg_id"))
    before = next((m for m in channel.messages if key and m.get("client_msg_id") == key), None)
    if before is None:
        call.workspace.admit(channel)
        before = call.workspace.post(channel, content | ({"client_msg_id": key} if key else {}))
    return {"ok": True, "channel": channel.id, "ts": before["ts"], "message": before}


def _thread(call: Call, channel: Channel) -> Json:
    thread = str(call.get("thread_ts"))
    if not thread:
        return {}
    if not TS.fullmatch(thread):
        raise SlackRefusal("invalid_thread_ts")
    parent = channel.find(thread)
    if parent is None:
        raise SlackRefusal("thread_not_found")
    broadcast = {"subtype": "thread_broadcast"} if call.flag("reply_broadcast") else {}
    return {"thread_ts": parent.get("thread_ts", thread), **broadcast}


def update(call: Call) -> Json:
    """chat.update; takes a channel id alone."""
    channel = call.workspace.channel(call.need("channel", "channel_not_found"))
    message = channel.find(call.need("ts", "message_not_found"))
    if message is None:
        raise SlackRefusal("message_not_found")
    content = read_content(call)
    message.pop("blocks", None)
    message |= content | {"edited": {"user": message["user"], "ts": call.workspace.next_ts()}}
    return {"ok": True, "channel": channel.id, "ts": message["ts"], "text": message["text"], "message": message}
