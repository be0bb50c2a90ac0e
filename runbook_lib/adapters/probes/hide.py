"""What a server said, as it may be told: without a test's secrets, which it may send back, and in one line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from urllib.parse import quote

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
    forms = {form for value in values for form in _forms(value)}
    # The longest first: one may be the beginning of another. A host's name comes back in small letters.
    either = "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
    return re.sub(either, "***", text, flags=re.IGNORECASE)


def _forms(value: str) -> set[str]:
    as_json = json.dumps(value)[1:-1]
    return {
        value,
        as_json,
        as_json.replace("/", "\\/"),
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        quote(value),
        quote(value, safe=""),
    }
