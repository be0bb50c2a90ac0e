"""HCL's templates as trees: what stands between two quotes, in a heredoc or in a JSON string."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from .hcl_tree import Expression, NotUnderstoodError

__all__ = ["read_template"]

_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_CODE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_LINE: Final = re.compile(r"[^\n]*")
_PLAIN: Final = re.compile(r'[^"\\\n$%]+')
_EMPTY: Final = Expression("literal", ("",))
_LAST_CODE: Final = 0x10FFFF


class ExpressionParser(Protocol):
    """Reads the expression that begins somewhere in a text, and stands at the token behind it."""

    kind: str
    token: str
    position: int

    def __init__(self, text: str, position: int) -> None: ...

    def name(self) -> str:
        """Go on; it must be a name, which is given."""

    def expression(self) -> Expression:
        """The tree of the next expression."""

    def for_head(self) -> tuple[tuple[str, ...], Expression]:
        """The names that a `for` makes, and what it goes through."""


@dataclass(slots=True)
class _Part:
    """A piece of text, a value, or the beginning, middle or end of a directive."""

    kind: str
    text: str = ""
    tree: Expression = _EMPTY
    names: tuple[str, ...] = ()


def read_template(
    text: str,
    position: int,
    parser: type[ExpressionParser],
    *,
    quoted: bool = False,
    heredoc: str = "",
) -> tuple[Expression, int]:
    """The tree of the template that begins there, and where the text goes on.

    It ends at a quote, at the line that is the heredoc's marker (`heredoc` is its first line), or else with the text.
    Only between quotes is anything escaped by a backslash.
    """
    reader = _Reader(text, position, parser, quoted=quoted, marker=heredoc.lstrip("<-"))
    reader.read()
    if heredoc.startswith("<<-"):
        _without_margin(reader.parts)
    if len(reader.parts) == 1 and reader.parts[0].kind == "value":
        return reader.parts[0].tree, reader.position
    trees = _assembled(iter(reader.parts), frozenset())
    if all(tree.kind == "literal" and isinstance(tree.parts[0], str) for tree in trees):
        return Expression("literal", ("".join(tree.parts[0] for tree in trees),)), reader.position
    return Expression("template", tuple(trees)), reader.position


class _Reader:
    def __init__(self, text: str, position: int, parser: type[ExpressionParser], *, quoted: bool, marker: str) -> None:
        self._text = text
        self._parser = parser
        self.position = position
        self._quoted = quoted
        self._marker = marker
        self.parts: list[_Part] = []
        self._letters: list[str] = []
        self._trim = False

    def read(self) -> None:
        """Take everything up to the end."""
        text = self._text
        line_begins = True
        while not (line_begins and self._at_marker()):
            line_begins = False
            three = text[self.position : self.position + 3]
            if not three:
                if self._quoted or self._marker:
                    raise NotUnderstoodError
                break
            if three[0] == '"' and self._quoted:
                self.position += 1
                break
            if plain := _PLAIN.match(text, self.position):
                self._take(plain[0], len(plain[0]))
            elif three in {"$${", "%%{"}:
                self._take(three[1:], 3)
            elif three[:2] in {"${", "%{"}:
                self._sequence(value=three[0] == "$")
            elif three[0] == "\\" and self._quoted:
                self._take(*_escape(text[self.position : self.position + 10]))
            else:
                self._take(three[0], 1)
                if three[0] == "\n" and not self._quoted:
                    self._end_literal()  # each line is a literal of its own
                    line_begins = True
        self._end_literal()

    def _at_marker(self) -> bool:
        line = _LINE.match(self._text, self.position) if self._marker else None
        if line is None or line[0].strip() != self._marker:
            return False
        self.position = line.end()
        return True

    def _take(self, letters: str, size: int) -> None:
        self._letters.append(letters)
        self.position += size

    def _end_literal(self) -> None:
        if self._letters:
            letters = unicodedata.normalize("NFC", "".join(self._letters))
            self.parts.append(_Part("text", letters.lstrip() if self._trim else letters))
            self._letters = []
        self._trim = False

    def _sequence(self, *, value: bool) -> None:
        """An interpolation or a directive. A `~` takes the blanks beside it away: of the literal, not of more lines."""
        self._end_literal()
        start = self.position + 2
        if self._text.startswith("~", start):
            start += 1
            if self.parts and self.parts[-1].kind == "text":
                self.parts[-1].text = self.parts[-1].text.rstrip()
        parser = self._parser(self._text, start)
        self.parts.append(_Part("value", tree=parser.expression()) if value else _directive(parser))
        end = parser.token
        if parser.kind != "mark" or end not in {"}", "~}"}:
            raise NotUnderstoodError
        self._trim = end == "~}"
        self.position = parser.position


def _directive(parser: ExpressionParser) -> _Part:
    kind = parser.name()
    if kind == "if":
        return _Part(kind, tree=parser.expression())
    if kind == "for":
        names, collection = parser.for_head()
        return _Part(kind, tree=collection, names=names)
    if kind in {"else", "endif", "endfor"}:
        return _Part(kind)
    raise NotUnderstoodError


def _assembled(parts: Iterator[_Part], ends: frozenset[str], ended: list[str] | None = None) -> list[Expression]:
    """The trees up to one of these ends, which is noted."""
    trees: list[Expression] = []
    for part in parts:
        if part.kind in ends and ended is not None:
            ended.append(part.kind)
            return trees
        if part.kind == "text":
            trees.append(Expression("literal", (part.text,)))
        elif part.kind == "value":
            trees.append(part.tree)
        elif part.kind == "if":
            found: list[str] = []
            yes = _assembled(parts, frozenset({"else", "endif"}), found)
            no = _assembled(parts, frozenset({"endif"}), found) if found[-1] == "else" else []
            trees.append(Expression("choice", (part.tree, _text(yes), _text(no))))
        elif part.kind == "for":
            each = _text(_assembled(parts, frozenset({"endfor"}), []))
            made = Expression("for_list", (part.names, part.tree, each, None))
            trees.append(Expression("call", ("join", _EMPTY, made)))
        else:
            raise NotUnderstoodError
    if ends:
        raise NotUnderstoodError
    return trees


def _text(trees: list[Expression]) -> Expression:
    return Expression("template", tuple(trees))


def _without_margin(parts: list[_Part]) -> None:
    """Take from each line the blanks that all of them begin with; a line of blanks alone has no say, and keeps its."""
    first = [part for before, part in zip([None, *parts], parts, strict=False) if _ends_line(before)]
    lines = [part for part in first if part.kind != "text" or part.text.strip() or not part.text.endswith("\n")]
    margins = [len(part.text) - len(part.text.lstrip()) if part.kind == "text" else 0 for part in lines]
    if any(part.text[:margin].strip(" \t") for part, margin in zip(lines, margins, strict=True)):
        raise NotUnderstoodError  # blanks that are counted otherwise
    for part in lines:
        part.text = part.text[min(margins) :]


def _ends_line(part: Any) -> bool:
    return part is None or (part.kind == "text" and part.text.endswith("\n"))


def _escape(text: str) -> tuple[str, int]:
    """The letter that the text begins with in disguise, and how much of the text that is."""
    if text[1:2] in _ESCAPES:
        return _ESCAPES[text[1:2]], 2
    code = _CODE.match(text)
    letter = chr(int(code[1] or code[2], 16)) if code and int(code[1] or code[2], 16) <= _LAST_CODE else ""
    if code is None or not letter or "\ud800" <= letter <= "\udfff":
        raise NotUnderstoodError  # what Terraform refuses
    return letter, code.end()
