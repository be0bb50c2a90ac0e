"""A test's secrets taken out of what a server said: it may send back what it was sent, in another form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from urllib.parse import quote

__all__ = ["Hide", "hiding"]

Hide = Callable[[str], str]
# What is shorter stands in many texts by chance.
_SHORTEST = 4


def hiding(secrets: Iterable[str]) -> Hide:
    """What writes `***` in place of these values; it costs nothing until it is called, and nothing where none are.

    To be called before a text is cut: a part of a value is not known any more.
    """
    values = tuple(value for value in secrets if len(value) >= _SHORTEST)
    return partial(_hide, values) if values else str


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
