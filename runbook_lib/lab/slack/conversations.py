"""conversations.* and auth.test: what can be read of the workspace."""

from __future__ import annotations

from .call import Call
from .config import BOT_ID, BOT_USER, TEAM
from .errors import SlackRefusal
from .workspace import Channel, Json

__all__ = ["auth_test", "history", "list_channels", "replies"]


def auth_test(call: Call) -> Json:
    """auth.test: who the token is."""
    who = {"team": "Runbook Lab", "user": "runbook", "team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT_ID}
    return {"ok": True, "url": f"{call.base}/", "is_enterprise_install": False, **who}


def _channel(channel: Channel) -> Json:
    flags = {"is_channel": True, "is_group": False, "is_im": False, "is_mpim": False, "is_private": False}
    flags |= {"is_shared": False, "is_org_shared": False}
    flags |= {"is_archived": False, "is_general": channel.name == "general", "is_member": channel.is_member}
    topic = {"value": "", "creator": "", "last_set": 0}
    about = {"created": 1, "creator": BOT_USER, "name_normalized": channel.name, "topic": topic, "purpose": topic}
    return {"id": channel.id, "name": channel.name, **flags, **about}


def list_channels(call: Call) -> Json:
    """conversations.list."""
    page, cursor = call.page([_channel(channel) for channel in call.workspace.channels.values()])
    return {"ok": True, "channels": page, "response_metadata": {"next_cursor": cursor}}


def _read(call: Call) -> Channel:
    channel = call.workspace.channel(call.need("channel", "channel_not_found"))
    if not channel.is_member:
        raise SlackRefusal("not_in_channel")
    return channel


def _shown(call: Call, messages: list[Json]) -> list[Json]:
    if call.flag("include_all_metadata"):
        return messages
    return [{key: value for key, value in message.items() if key != "metadata"} for message in messages]


def history(call: Call) -> Json:
    """conversations.history: newest first, replies left out unless they were sent to the channel as well."""
    channel = _read(call)
    oldest, latest = str(call.get("oldest", "0")), str(call.get("latest", "9"))
    parents = [m for m in channel.messages if m.get("thread_ts", m["ts"]) == m["ts"] or m.get("subtype")]
    wanted = [m for m in reversed(parents) if oldest < m["ts"] < latest or m["ts"] in {oldest, latest}]
    page, cursor = call.page(_shown(call, wanted))
    more = {"response_metadata": {"next_cursor": cursor}} if cursor else {}
    counts = {"pin_count": 0, "channel_actions_ts": None, "channel_actions_count": 0}
    return {"ok": True, "messages": page, "has_more": bool(cursor), **counts, **more}


def replies(call: Call) -> Json:
    """conversations.replies: the parent and its thread, oldest first."""
    channel = _read(call)
    parent = channel.find(call.need("ts", "thread_not_found"))
    if parent is None:
        raise SlackRefusal("thread_not_found")
    page, cursor = call.page(_shown(call, [parent, *channel.replies(parent["ts"])]), default=1000)
    more = {"response_metadata": {"next_cursor": cursor}} if cursor else {}
    return {"ok": True, "messages": page, "has_more": bool(cursor), **more}
