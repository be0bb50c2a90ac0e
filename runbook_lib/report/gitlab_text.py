"""Text from outside on GitLab's pages, made harmless there."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["code", "line", "word"]

_LONGEST: Final = 400


def code(text: str) -> str:
    """A text as code: in it nobody is mentioned, nothing is a link, and no line begins with a command to GitLab."""
    return f"`{line(text).replace('`', chr(39)) or ' '}`"


def line(text: str) -> str:
    """The text on one line, without signs that are not to be seen, and not too long."""
    flat = " ".join(_printable(text).split())
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…"


def word(text: str) -> str:
    """The text as one word, which ends no comment."""
    return re.sub(r"[^\w-]", "-", text, flags=re.ASCII)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
