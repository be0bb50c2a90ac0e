"""Text from outside, made harmless and short enough for Slack."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

__all__ = ["clean", "clip", "code", "duration", "line", "moment", "plural", "prose"]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# An entity, or a time of ours, that the cut has left without its end.
_PARTIAL = re.compile(r"(?:&[a-z]{0,4}|<[^>]*)$")


def clip(text: str, limit: int) -> str:
    """At most `limit` characters, the last one `…` where something was cut; for text that is escaped already."""
    if len(text) <= limit:
        return text
    return _PARTIAL.sub("", text[: limit - 1]).rstrip() + "…"


def clean(text: str) -> str:
    """The text without signs that no message should carry; neither escaped nor cut."""
    # Half surrogates can't be written as UTF-8; control and direction signs can make a text look like another.
    return _CONTROL.sub(" ", text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n"))


def prose(text: str, limit: int = 1_500) -> str:
    """A text of several lines, with nothing in it that Slack reads as a mention or a link."""
    return clip(html.escape(clean(text).strip(), quote=False), limit)


def line(text: str, limit: int = 300) -> str:
    """The same on one line."""
    return prose(" ".join(clean(text).split()), limit)


def code(text: str, limit: int = 150) -> str:
    """A name or an address in code style; empty for an empty text."""
    inner = line(text.replace("`", "'"), limit)
    return f"`{inner}`" if inner else ""


def moment(when: datetime) -> str:
    """A time that Slack shows in each reader's own time zone."""
    utc = (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    fallback = utc.strftime("%Y-%m-%d %H:%M UTC")
    return f"<!date^{int(utc.timestamp())}^{{date_short_pretty}} {{time}}|{fallback}>"


def duration(span: timedelta) -> str:
    """A span as a person says it: `8 s`, `3 min 5 s`, `2 h 10 min`."""
    seconds = max(0, round(span.total_seconds()))
    minutes, rest = divmod(seconds, 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_left} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds} s"


def plural(count: int, noun: str) -> str:
    """`1 finding`, `2 findings`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
