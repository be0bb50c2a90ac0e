"""What a server said, as it may be told: without a test's secrets, which it may send back, and in one line."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable
from functools import cache, partial

__all__ = ["Hide", "hiding", "legible"]

Hide = Callable[[str], str]
# What is shorter stands in many texts by chance.
_SHORTEST = 4


def hiding(secrets: Iterable[str]) -> Hide:
    """What writes `***` in place of these values; it costs nothing until it is called, and nothing where none are.

    To be called before a text is cut: a part of a value is not known any more.
    """
    values = tuple(value for value in secrets if len(value) >= _SHORTEST)
    return partial(_hide, values) if values else str


def legible(text: str) -> str:
    """A text in one line, and with nothing in it that a terminal obeys, that hides or that no file can hold."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _hide(values: tuple[str, ...], text: str) -> str:
    # The longest first: one may be the beginning of another. A host's name comes back in small letters.
    forms = [form for value in sorted(values, key=len, reverse=True) for form in (re.escape(value), _any_form(value))]
    return re.sub("|".join(forms), "***", text, flags=re.IGNORECASE)


def _any_form(value: str) -> str:
    """An expression for a value however it comes back: each writer escapes other letters, and in its own way."""
    return "".join(f"(?>{'|'.join(map(re.escape, _forms(letter)))})" for letter in value)


@cache
def _forms(letter: str) -> tuple[str, ...]:
    """A letter as JSON, Python, URLs, forms and HTML write it, the longest first."""
    number = ord(letter)
    forms = {
        letter,
        json.dumps(letter)[1:-1],
        repr(letter)[1:-1],
        f"\\u{number:04x}",
        "".join(f"%{byte:02x}" for byte in letter.encode(errors="surrogateescape")),
        html.escape(letter),
        f"&#{number};",
        f"&#x{number:x};",
        *({"/": ["\\/"], "'": ["\\'"], " ": ["+"]}.get(letter, ())),
    }
    return tuple(sorted(forms, key=len, reverse=True))
