"""Variables that are written out, as .tfvars files hold them: read at once, where a whole grammar takes a minute.

Anything but plain text, numbers, true, false, null, lists and objects of them is left to the grammar, and so is what
two readers could see differently.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

from .hcl_tree import number_in

__all__ = ["read_literals"]

# Comments at a line's end are a part of it; those between /* and */ are left to the grammar.
_TOKEN: Final = re.compile(
    r"[ \t]*+(?:(?P<line>(?:(?:\#|//)[^\r\n]*+)?\r?\n)"
    r'|"(?P<text>(?>(?:[^"\\\r\n$%]|\\[nrt"\\]|[$%](?![{$%]))*))"'
    r"|(?P<number>-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?(?![\w.]))"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_-]*+)(?![\w])"
    r"|(?P<mark>[={}\[\],:]))"
)
_ESCAPED: Final = re.compile(r"\\(.)")
_LETTERS: Final = {"n": "\n", "r": "\r", "t": "\t"}
_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_DEEPEST: Final = 50


class _OtherError(Exception):
    """Something that is not written out."""


def read_literals(text: str) -> dict[str, Any] | None:
    """The values by name; None if there is anything else in the text."""
    try:
        return _Reader(f"{text}\n").variables()
    except _OtherError:
        return None


class _Reader:
    """`kind` and `word` are those in hand."""

    def __init__(self, text: str) -> None:
        self._text, self._position = text, 0
        self.kind = self.word = ""
        self.next()

    def next(self) -> None:
        if self._position == len(self._text):
            self.kind = self.word = ""
            return
        match = _TOKEN.match(self._text, self._position)
        if match is None:
            raise _OtherError
        self._position = match.end()
        self.kind = str(match.lastgroup)
        self.word = match[self.kind]

    def variables(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._skip_lines()
        while self.kind:
            self._pair(found, ("name",), "=", 0)
            if self.kind != "line":
                raise _OtherError
            self._skip_lines()
        return found

    def _skip_lines(self) -> bool:
        before = self._position
        while self.kind == "line":
            self.next()
        return self._position != before

    def _is(self, mark: str) -> bool:
        return self.kind == "mark" and self.word == mark

    def _takes(self, mark: str) -> bool:
        found = self._is(mark)
        if found:
            self.next()
        return found

    def _pair(self, found: dict[str, Any], kinds: tuple[str, ...], marks: str, depth: int) -> None:
        if self.kind not in kinds or (self.kind == "number" and not self.word.isdecimal()):
            raise _OtherError
        key = self._string() if self.kind == "text" else self.word
        self.next()
        if key in found or self.kind != "mark" or self.word not in marks:
            raise _OtherError
        self.next()
        found[key] = self._value(depth)

    def _value(self, depth: int) -> Any:
        kind, word = self.kind, self.word
        if kind == "text":
            value: Any = self._string()
        elif kind == "number":
            value = number_in(word)
            if value is None or (value == 0 and word.startswith("-")):
                raise _OtherError
        elif kind == "name" and word in _CONSTANTS:
            value = _CONSTANTS[word]
        elif kind == "mark" and word in "{[" and depth < _DEEPEST:
            self.next()
            return self._object(depth + 1) if word == "{" else self._list(depth + 1)
        else:
            raise _OtherError
        self.next()
        return value

    def _list(self, depth: int) -> list[Any]:
        found: list[Any] = []
        self._skip_lines()
        while not self._takes("]"):
            found.append(self._value(depth))
            self._skip_lines()
            if self._takes(","):
                self._skip_lines()
            elif not self._is("]"):
                raise _OtherError
        return found

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._skip_lines()
        while not self._takes("}"):
            self._pair(found, ("name", "text", "number"), "=:", depth)
            # One ends with its line, or with a comma.
            if self._takes(","):
                self._skip_lines()
            elif not self._skip_lines() and not self._is("}"):
                raise _OtherError
        return found

    def _string(self) -> str:
        text = self.word if self.word.isascii() else unicodedata.normalize("NFC", self.word)
        return _ESCAPED.sub(lambda match: _LETTERS.get(match[1], match[1]), text) if "\\" in text else text
