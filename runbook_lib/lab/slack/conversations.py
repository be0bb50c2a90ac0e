"""conversations.* and auth.test: what can be read of the workspace."""

from __future__ import annotations

from .call import Call
from .config import BOT_ID, BOT_USER, TEAM
from .errors import SlackRefusal
from .workspace import Channel, Json

__all__ = ["auth_test", "describe_channel", "history", "list_channels", "list_own_channels", "replies"]


def auth_test(call: Call) -> Json:
    """auth.test: who the token is."""
    who = {"team": "Runbook Lab", "user": "runbook", "team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT_ID}
    return {"ok": True, "url": f"{call.base}/", "is_enterprise_install": False, **who}


def _channel(channel: Channel) -> Json:
    flags = {"is_channel": not channel.is_private, "is_group": channel.is_private, "is_private": channel.is_private}
    flags |= {"is_im": False, "is_mpim": False, "is_shared": False, "is_org_shared": False}
    flags |= {"is_archived": channel.is_archived, "is_general": channel.name == "general"}
    flags |= {"is_member": channel.is_member}
    topic = {"value": "", "creator": "", "last_set": 0}
    about = {"created": 1, "creator": BOT_USER, "name_normalized": channel.name, "topic": topic, "purpose": topic}
    return {"id": channel.id, "name": channel.name, **flags, **about}


def _listed(call: Call, *, own: bool) -> Json:
    kinds = set(str(call.get("types") or "public_channel").replace(" ", "").split(","))
    if kinds - {"public_channel", "private_channel", "im", "mpim"}:
        raise SlackRefusal("invalid_types")
    for kind, scope in (("public_channel", "channels:read"), ("private_channel", "groups:read")):
        if kind in kinds:
            call.needs(scope)
    found = [
        channel
        for channel in call.workspace.channels.values()
        if ("private_channel" if channel.is_private else "public_channel") in kinds
        and not (channel.is_archived and call.flag("exclude_archived"))
        and (channel.is_member or not (own or channel.is_private))
    ]
    page, cursor = call.page([_channel(channel) for channel in found])
    return {"ok": True, "channels": page, "response_metadata": {"next_cursor": cursor}}


def list_channels(call: Call) -> Json:
    """conversations.list: public channels unless `types` says otherwise; private ones the app is in."""
    return _listed(call, own=False)


def list_own_channels(call: Call) -> Json:
    """users.conversations: the channels that the app is in."""
    return _listed(call, own=True)


def describe_channel(call: Call) -> Json:
    """conversations.info."""
    channel = call.workspace.channel(call.need("channel", "channel_not_found"))
    call.needs("groups:read" if channel.is_private else "channels:read")
    return {"ok": True, "channel": _channel(channel)}


def _read(call: Call) -> Channel:
    channel = call.workspace.channel(call.need("channel", "channel_not_found"))
    call.needs("groups:history" if channel.is_private else "channels:history")
    # Whoever archives a channel puts the apps out of it.
    if not channel.is_member or channel.is_archived:
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
