"""The tokens of HCL expressions."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["Lexer", "NotUnderstoodError", "closing"]

_TOKEN: Final = re.compile(
    r'\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][\w-]*(?:::[A-Za-z_][\w-]*)*)|(?P<string>")'
    r"|(?P<mark>\.\.\.|==|!=|<=|>=|&&|\|\||=>|\[\*\]|\.\*|[-+*/%!<>?:.,=(){}\[\]]))"
)


class NotUnderstoodError(Exception):
    """The text is outside this grammar, or nested out of all proportion."""


class Lexer:
    """One expression, token by token: `kind` is number, name, string or mark, and `token` its text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self.depth = 0
        self.kind = self.token = ""
        self.next()

    def next(self) -> None:
        """Go on to the next token; `kind` is empty at the end."""
        if not self._text[self._position :].strip():
            self.kind = self.token = ""
            return
        match = _TOKEN.match(self._text, self._position)
        if match is None:
            raise NotUnderstoodError
        self.kind, self._position = str(match.lastgroup), match.end()
        self.token = match[self.kind]
        if self.kind == "string":
            end = self._string_end()
            self.token = self._text[self._position : end]
            self._position = end + 1

    def _string_end(self) -> int:
        position = self._position
        while position < len(self._text):
            if self._text[position] == "\\":
                position += 1
            elif self._text[position] == '"':
                return position
            elif self._text.startswith("${", position) and not self._text.startswith("$${", position - 1):
                position = closing(self._text, position + 2)
            position += 1
        raise NotUnderstoodError

    def takes(self, token: str) -> bool:
        """Go on if this is the token."""
        if self.kind in {"mark", "name"} and self.token == token:
            self.next()
            return True
        return False

    def expect(self, token: str) -> None:
        """Go on; it must be the token."""
        if not self.takes(token):
            raise NotUnderstoodError

    def name(self) -> str:
        """Go on; it must be a name, which is given."""
        if self.kind != "name":
            raise NotUnderstoodError
        name = self.token
        self.next()
        return name


def closing(text: str, position: int) -> int:
    """Where the brace that ends an interpolation stands."""
    stack = ["{"]
    while position < len(text):
        letter = text[position]
        if stack[-1] == '"':
            if letter == "\\":
                position += 1
            elif letter == '"':
                stack.pop()
            elif text.startswith("${", position):
                stack.append("{")
                position += 1
        elif letter in {'"', "{"}:
            stack.append(letter)
        elif letter == "}":
            stack.pop()
            if not stack:
                return position
        position += 1
    raise NotUnderstoodError
