"""files.*: the three steps of an upload, and the page's look at what was uploaded."""

from __future__ import annotations

import json
from typing import Any

from .call import Call
from .config import BOT_USER
from .errors import SlackRefusal
from .workspace import File, Json

__all__ = ["complete_upload", "describe", "get_upload_url"]

PREVIEW = 20_000


def describe(file: File) -> Json:
    """A file object; `preview` is the beginning of a text."""
    content = file.content or b""
    title = file.title or file.name
    kind = file.snippet_type or file.name.rpartition(".")[2] or "text"
    about = {"id": file.id, "created": file.created, "timestamp": file.created, "name": file.name, "title": title}
    about |= {"mimetype": "text/plain", "filetype": kind, "user": BOT_USER, "size": len(content), "mode": "snippet"}
    about |= {"is_external": False, "is_public": True}
    text = content.decode("utf-8", "replace")
    return about | {"preview": text[:PREVIEW], "preview_is_truncated": len(text) > PREVIEW, "lines": text.count("\n")}


def get_upload_url(call: Call) -> Json:
    """files.getUploadURLExternal."""
    name, length = call.need("filename"), call.need("length")
    if not length.isdigit() or not int(length):
        raise SlackRefusal("invalid_arguments", "must be a positive number [json-pointer:/length]")
    file = call.workspace.new_file(name, int(length), str(call.get("snippet_type")))
    return {"ok": True, "upload_url": f"{call.base}/upload/v1/{file.ticket}", "file_id": file.id}


def complete_upload(call: Call) -> Json:
    """files.completeUploadExternal: the files become one message, in a thread if one is named."""
    files = [_uploaded(call, item) for item in _items(call.need("files"))]
    if call.get("channel_id"):
        _share(call, files)
    return {"ok": True, "files": [describe(file) for file in files]}


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
    if file is None or file.content is None:
        raise SlackRefusal("file_not_found")
    file.title = str(item.get("title") or file.name)
    return file


def _share(call: Call, files: list[File]) -> None:
    channel = call.workspace.channel(call.get("channel_id"))
    if not channel.is_member:
        raise SlackRefusal("not_in_channel")
    thread = str(call.get("thread_ts"))
    if thread and channel.find(thread) is None:
        raise SlackRefusal("thread_not_found")
    call.workspace.admit(channel)
    content = {"text": str(call.get("initial_comment")), "files": [describe(file) for file in files]}
    call.workspace.post(channel, content | {"upload": True} | ({"thread_ts": thread} if thread else {}))
