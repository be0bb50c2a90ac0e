"""Block Kit blocks as dicts, within Slack's limits whatever they are given."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from ...models.messages import Message, MessageFile
from .text import clean, clip, signless

__all__ = [
    "Block",
    "actions",
    "answer_button",
    "bullets",
    "compose",
    "context",
    "fields",
    "header",
    "link",
    "link_button",
    "section",
]

Block = dict[str, Any]

# Below Slack's figures: it may count otherwise than in characters.
MAX_BLOCKS = 45
MAX_BYTES = 12_500
SECTION = 2_900
# Slack cuts at 40,000; nobody listens to more than this.
MAX_TEXT = 3_000
FIELD = 1_900
LEAST = 300  # bytes that each list gets
CUT = "… and more than fits here; the run folder has all of it."
_WEB = re.compile(r"https?://[^\s<>|\"'`]+")


def _mrkdwn(text: str, limit: int) -> Block:
    # verbatim: Slack must not make links or mentions of what merely looks like one.
    return {"type": "mrkdwn", "text": clip(text, limit) or " ", "verbatim": True}


def header(text: str) -> Block:
    """A title; plain text, in which emoji names count."""
    return {"type": "header", "text": {"type": "plain_text", "text": clip(text, 148) or "-", "emoji": True}}


def section(text: str) -> Block:
    """A paragraph of mrkdwn whose outside parts are escaped already."""
    return {"type": "section", "text": _mrkdwn(text, SECTION)}


def fields(pairs: Iterable[tuple[str, str]]) -> Block:
    """Two columns of label and value, ten pairs at most; values escaped already."""
    return {"type": "section", "fields": [_mrkdwn(f"*{label}*\n{value}", FIELD) for label, value in pairs][:10]}


def context(*texts: str) -> Block:
    """Small print; up to ten pieces, escaped already."""
    return {"type": "context", "elements": [_mrkdwn(text, 500) for text in texts if text][:10]}


def link_button(label: str, url: str, style: str = "") -> Block | None:
    """A button that opens an address, or None if Slack would not take the address."""
    if len(url) > 3_000 or not _WEB.fullmatch(url):
        return None
    made: Block = {"type": "button", "text": {"type": "plain_text", "text": clip(label, 75), "emoji": True}, "url": url}
    made["action_id"] = "open-" + re.sub(r"[^a-z]+", "-", label.lower()).strip("-")[:40]
    return made | ({"style": style} if style else {})


def answer_button(label: str, action: str, value: str, style: str) -> Block:
    """A button that is answered by whoever listens to the app's own."""
    text = {"type": "plain_text", "text": clip(label, 75), "emoji": True}
    return {"type": "button", "text": text, "action_id": action, "value": value, "style": style}


def link(label: str, url: str) -> str:
    """A link in a text, or nothing if Slack would not take the address."""
    return f"<{url}|{label}>" if len(url) <= 3_000 and _WEB.fullmatch(url) else ""


def actions(*buttons: Block | None) -> list[Block]:
    """A row of the buttons that there are; no row without one."""
    given = [button for button in buttons if button]
    return [{"type": "actions", "elements": given}] if given else []


def bullets(lines: Sequence[str], most: int) -> str:
    """One line each, as many as a section holds, and how many more there are."""
    shown: list[str] = []
    room = SECTION - 200
    for text in lines[:most]:
        room -= len(text) + 1
        if room < 0:
            break
        shown.append(text)
    if len(lines) > len(shown):
        shown.append(f"… and {len(lines) - len(shown)} more")
    return "\n".join(shown)


def compose(text: str, body: Sequence[Block], tail: Sequence[Block] = (), files: Sequence[MessageFile] = ()) -> Message:
    """A message: `text` for notifications, as much of the body as Slack takes, and all of the tail.

    Long parts are shortened first: whoever chooses names must not be able to push another part out by their length.
    """
    kept: list[Block] = []
    room = MAX_BYTES - _size(tail) - 300
    for block in _shortened(body, room):
        room -= _size([block])
        if room < 0 or len(kept) + len(tail) >= MAX_BLOCKS:
            kept.append(context(f"… {len(body) - len(kept)} more parts did not fit; the run folder has them."))
            break
        kept.append(block)
    return Message(
        text=clip(" ".join(signless(clean(text)).split()), MAX_TEXT), blocks=(*kept, *tail), files=tuple(files)
    )


def _shortened(body: Sequence[Block], room: int) -> Sequence[Block]:
    shorter, limit = body, SECTION
    while _size(shorter) > room and limit > LEAST:
        limit -= LEAST
        shorter = [_cut(block, limit) for block in body]
    return shorter


def _cut(block: Block, limit: int) -> Block:
    """A paragraph of at most so many bytes, in whole lines where its first ones are not too long for that.

    One line alone stays whole: it is what the message is about, or the links.
    """
    text = str(block["text"]["text"]) if block["type"] == "section" and "text" in block else ""
    if len(text.encode()) <= limit or "\n" not in text:
        return block
    kept: list[str] = []
    room = limit - len(CUT.encode())
    for number, each in enumerate(text.split("\n")):
        if room < len(each.encode()) and number > 1:
            break
        # A title says nothing without what stands under it.
        kept.append(clip(each, len(each.encode()[: max(room, 0)].decode(errors="ignore"))))
        room -= len(kept[-1].encode()) + 1
    return section("\n".join([*kept, CUT]))


def _size(blocks: Sequence[Block]) -> int:
    return len(json.dumps(list(blocks), ensure_ascii=False).encode("utf-8", "replace"))
