"""Text from outside, made harmless and short enough for Slack."""

from __future__ import annotations

import html
import re
import unicodedata
from datetime import UTC, datetime, timedelta

__all__ = ["clean", "clip", "code", "duration", "line", "moment", "plural", "prose", "signless", "spoken"]

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
# What is not seen and yet is there: format and direction signs, fillers, joiners, variation selectors, tags.
_UNSEEN = re.compile(
    r"[\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd"
    r"\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Slack draws these, and the codes, as the pictures that our own signs are.
_PICTURE = re.compile(
    r"[\u203c\u2049\u231a\u231b\u2328\u23cf\u23e9-\u23fa\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u2600-\u27bf\u2934\u2935"
    r"\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
# `:lock:`; a piece of an IPv6 address is none.
_CODE = re.compile(r":(?=(?![0-9a-f]{1,4}:)[a-z0-9_+'-]{1,100}:)", re.IGNORECASE)
# What begins and what ends bold, italic or struck text in Slack, and the sign that stands for it where it would.
_OPENS = {
    mark: re.compile(rf"(?<!\w)(?<!{re.escape(mark)}){re.escape(mark)}+(?=[^\s{re.escape(mark)}])") for mark in "*_~"
}
_CLOSES = {mark: re.compile(rf"(?<=[^\s]){re.escape(mark)}(?!\w)") for mark in "*_~"}
_LOOKS_LIKE = {"*": "\u2217", "_": "\uff3f", "~": "\u223c"}
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
    seen = _UNSEEN.sub("", text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n"))
    return _CONTROL.sub(" ", seen)


def signless(text: str) -> str:
    """The text with the names of pictures in place of them, and with no code that Slack makes one of."""
    return _CODE.sub(": ", _PICTURE.sub(_named, text))


def _unstyled(text: str) -> str:
    return "\n".join(_unstyled_line(each) for each in text.split("\n"))


def _unstyled_line(text: str) -> str:
    for mark, opens in _OPENS.items():
        begin = opens.search(text)
        if begin is not None and _CLOSES[mark].search(text, begin.end()):
            text = opens.sub(lambda found: _LOOKS_LIKE[found[0][0]] * len(found[0]), text)
    return text


def _named(match: re.Match[str]) -> str:
    return f"[{unicodedata.name(match[0], 'picture').lower()}]"


def spoken(text: str, limit: int) -> str:
    """Plain text on one line, for a screen reader: at most `limit` characters once Slack's own signs are escaped."""
    escaped = html.escape(" ".join(signless(clean(text)).split()), quote=False)
    return html.unescape(clip(escaped, limit))


def prose(text: str, limit: int = 1_500) -> str:
    """A text of several lines, with nothing in it that Slack takes for a mention, a link, a sign or bold."""
    return clip(html.escape(_unstyled(signless(clean(text))).strip(), quote=False), limit)


def line(text: str, limit: int = 300) -> str:
    """The same on one line."""
    return prose(" ".join(clean(text).split()), limit)


def code(text: str, limit: int = 150) -> str:
    """A name or an address in code style, in which Slack leaves codes alone; empty for an empty text."""
    plain = " ".join(_PICTURE.sub(_named, clean(text)).replace("`", "'").split())
    inner = clip(html.escape(plain, quote=False), limit)
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
