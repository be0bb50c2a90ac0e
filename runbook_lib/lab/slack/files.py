"""files.*: the three steps of an upload, and the page's look at what was uploaded."""

from __future__ import annotations

import json
from typing import Any

from .call import Call
from .config import BOT_USER, TEAM
from .errors import SlackRefusal
from .workspace import File, Json

__all__ = ["complete_upload", "describe", "file_info", "get_upload_url"]

PREVIEW = 20_000


def describe(file: File) -> Json:
    """A file object; `preview` is the beginning of a text."""
    content = file.content or b""
    title = file.title or file.name
    kind = file.snippet_type or file.name.rpartition(".")[2] or "text"
    about = {"id": file.id, "created": file.created, "timestamp": file.created, "name": file.name, "title": title}
    about |= {"mimetype": "text/plain", "filetype": kind, "user": BOT_USER, "size": len(content), "mode": "snippet"}
    public = bool(file.shares.get("public"))
    about |= {
        "is_external": False,
        "is_public": public,
        "shares": file.shares,
        "channels": [*file.shares.get("public", ())],
    }
    about |= {"groups": [*file.shares.get("private", ())]}
    text = content.decode("utf-8", "replace")
    return about | {"preview": text[:PREVIEW], "preview_is_truncated": len(text) > PREVIEW, "lines": text.count("\n")}


def get_upload_url(call: Call) -> Json:
    """files.getUploadURLExternal."""
    name, length = call.need("filename"), call.need("length")
    if not length.isdigit() or not int(length):
        raise SlackRefusal("invalid_arguments", "must be a positive number [json-pointer:/length]")
    file = call.workspace.new_file(name, int(length), str(call.get("snippet_type")))
    return {"ok": True, "upload_url": f"{call.base}/upload/v1/{file.ticket}", "file_id": file.id}


def complete_upload(call: Call, *, lost: bool = False) -> Json:
    """files.completeUploadExternal: the files become one message, in a thread if one is named, a little later.

    It can be called once; `lost` are those that Slack never comes to share.
    """
    files = [_uploaded(call, item) for item in _items(call.need("files"))]
    if call.get("channel_id"):
        _share(call, files, lost)
    for file in files:
        file.completed = True
    return {"ok": True, "files": [{"id": file.id, "title": file.title} for file in files]}


def file_info(call: Call) -> Json:
    """files.info: `shares` tells where a file is shown, as soon as it is."""
    file = call.workspace.files.get(call.need("file", "file_not_found"))
    if file is None:
        raise SlackRefusal("file_not_found")
    return {"ok": True, "file": describe(file), "comments": [], "response_metadata": {"next_cursor": ""}}


def _items(text: str) -> list[Json]:
    try:
        items: Any = json.loads(text)
    except ValueError:
        raise SlackRefusal("invalid_arguments", "must be valid JSON [json-pointer:/files]") from None
    if not isinstance(items, list) or not all(isinstance(item, dict) and item.get("id") for item in items):
        raise SlackRefusal("invalid_arguments", "must be an array of objects with an id [json-pointer:/files]")
    return items


def _uploaded(call: Call, item: Json) -> File:
    file = call.workspace.files.get(str(item["id"]))
    if file is None or file.content is None or file.completed:
        raise SlackRefusal("file_not_found")
    file.title = str(item.get("title") or file.name)
    return file


def _share(call: Call, files: list[File], lost: bool) -> None:
    workspace = call.workspace
    channel = workspace.channel(call.get("channel_id"))
    if not channel.is_member or channel.is_archived:
        raise SlackRefusal("not_in_channel")
    workspace.admit(channel)
    thread, comment = str(call.get("thread_ts")), str(call.get("initial_comment"))

    def share() -> None:
        parent = {"thread_ts": thread} if thread and channel.find(thread) else {}
        message = workspace.post(channel, {"text": comment, "files": [], "upload": True, **parent})
        kind = "private" if channel.is_private else "public"
        for file in files:
            where = {"ts": message["ts"], "channel_name": channel.name, "team_id": TEAM, **parent}
            file.shares.setdefault(kind, {})[channel.id] = [where]
        message["files"] = [describe(file) for file in files]

    if not lost:
        workspace.later(workspace.config.share_delay, share)
