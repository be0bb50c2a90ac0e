"""HCL expressions as trees, by recursive descent. What the grammar doesn't know is an unknown, never a guess."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

__all__ = ["Expression", "convert", "parse_expression", "parse_template"]

_TOKEN: Final = re.compile(
    r'\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][\w-]*(?:::[A-Za-z_][\w-]*)*)|(?P<string>")'
    r"|(?P<mark>\.\.\.|==|!=|<=|>=|&&|\|\||=>|\[\*\]|\.\*|[-+*/%!<>?:.,=(){}\[\]]))"
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_CODE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_LEVELS: Final = (("||",), ("&&",), ("==", "!="), ("<", ">", "<=", ">="), ("+", "-"), ("*", "/", "%"))
_MAX_DEPTH: Final = 60


@dataclass(frozen=True, slots=True)
class Expression:
    """A node: `kind` says what `parts` are; `unknown` is the kind of all that is not understood."""

    kind: str
    parts: tuple[Any, ...] = ()


_NOT_UNDERSTOOD: Final = Expression("unknown")


class NotUnderstoodError(Exception):
    """The text is outside this grammar, or nested out of all proportion."""


def convert(value: Any) -> Expression:
    """What python-hcl2 makes of an attribute, as a tree."""
    if isinstance(value, str):
        if value.startswith('"') and value.endswith('"') and len(value) > 1:
            return parse_template(value[1:-1])
        return parse_expression(value[2:-1] if value.startswith("${") and value.endswith("}") else value)
    if isinstance(value, list):
        return Expression("list", tuple(convert(item) for item in value))
    if isinstance(value, dict):
        pairs = (
            (_key(key), convert(part)) for key, part in value.items() if key not in {"__is_block__", "__comments__"}
        )
        return Expression("object", tuple(pairs))
    return Expression("literal", (value,))


@lru_cache(maxsize=8192)
def parse_expression(text: str) -> Expression:
    """The tree of one expression."""
    try:
        parser = Parser(text)
        tree = parser.expression()
        parser.expect_end()
    except (NotUnderstoodError, RecursionError):
        return _NOT_UNDERSTOOD
    return tree


@lru_cache(maxsize=8192)
def parse_template(text: str) -> Expression:
    """The tree of what stands between two quotes, or in a heredoc."""
    try:
        return template(_heredoc(text) if text.startswith("<<") else text, raw=text.startswith("<<"))
    except (NotUnderstoodError, RecursionError):
        return _NOT_UNDERSTOOD


def _key(key: str) -> Expression:
    if key.startswith(('"', "${")):
        return convert(key)
    if key.startswith("("):
        return parse_expression(key)
    return Expression("literal", (key,))


def _heredoc(text: str) -> str:
    lines = text.split("\n")
    body = lines[1:-1]
    if lines[0].startswith("<<-"):
        margins = [len(line) - len(line.lstrip()) for line in body if line.strip()]
        body = [line[min(margins, default=0) :] for line in body]
    return "".join(f"{line}\n" for line in body)


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


class Parser(Lexer):
    """Recursive descent over one expression."""

    def expect_end(self) -> None:
        """Nothing may follow."""
        if self.kind:
            raise NotUnderstoodError

    def expression(self) -> Expression:
        """The tree of the next expression."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise NotUnderstoodError
        tree = self._binary(0)
        if self.takes("?"):
            yes = self.expression()
            self.expect(":")
            tree = Expression("choice", (tree, yes, self.expression()))
        self.depth -= 1
        return tree

    def _binary(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self.kind == "mark" and self.token in _LEVELS[level]:
            operator = self.token
            self.next()
            left = Expression("binary", (operator, left, self._binary(level + 1)))
        return left

    def _unary(self) -> Expression:
        for operator in ("-", "!"):
            if self.kind == "mark" and self.takes(operator):
                return Expression("unary", (operator, self._unary()))
        return self._postfix(self._primary())

    def _postfix(self, tree: Expression) -> Expression:
        while self.kind == "mark":
            if self.takes("[*]"):
                tree = Expression("splat", (tree, self._postfix(Expression("item"))))
            elif self.takes(".*"):
                # What stands in brackets after this splat is taken of the whole list, not of each item.
                tree = Expression("splat", (tree, self._attributes(Expression("item"))))
            elif self.takes("["):
                index = self.expression()
                self.expect("]")
                tree = Expression("index", (tree, index))
            elif (longer := self._attributes(tree)) is not tree:
                tree = longer
            else:
                break
        return tree

    def _attributes(self, tree: Expression) -> Expression:
        while self.kind == "mark" and self.takes("."):
            name = self.token
            if self.kind not in {"name", "number"}:
                raise NotUnderstoodError
            self.next()
            tree = Expression("get", (tree, name))
        return tree

    def _primary(self) -> Expression:
        kind, token = self.kind, self.token
        if kind == "number":
            self.next()
            number = float(token)
            return Expression("literal", (int(number) if number.is_integer() else number,))
        if kind == "string":
            self.next()
            return template(token)
        if kind == "name":
            return self._named()
        if self.takes("("):
            tree = self.expression()
            self.expect(")")
            return tree
        if self.takes("["):
            return self._list()
        if self.takes("{"):
            return self._object()
        raise NotUnderstoodError

    def _named(self) -> Expression:
        name = self.name()
        if self.takes("("):
            return Expression("call", (name, *self._items(")")))
        constants = {"true": True, "false": False, "null": None}
        return Expression("literal", (constants[name],)) if name in constants else Expression("root", (name,))

    def _items(self, end: str) -> list[Expression]:
        items = []
        while not self.takes(end):
            items.append(self.expression())
            if self.takes("..."):
                items[-1] = Expression("spread", (items[-1],))
            if not self.takes(","):
                self.expect(end)
                break
        return items

    def _list(self) -> Expression:
        if self.takes("for"):
            names, collection = self._for_head()
            value = self.expression()
            condition = self.expression() if self.takes("if") else None
            self.expect("]")
            return Expression("for_list", (names, collection, value, condition))
        return Expression("list", tuple(self._items("]")))

    def _object(self) -> Expression:
        if self.takes("for"):
            names, collection = self._for_head()
            key = self.expression()
            self.expect("=>")
            value = self.expression()
            grouped = self.takes("...")
            condition = self.expression() if self.takes("if") else None
            self.expect("}")
            return Expression("for_object", (names, collection, key, value, condition, grouped))
        pairs = []
        while not self.takes("}"):
            key = Expression("literal", (self.name(),)) if self.kind == "name" else self._unary()
            if not self.takes("="):
                self.expect(":")
            pairs.append((key, self.expression()))
            self.takes(",")
        return Expression("object", tuple(pairs))

    def _for_head(self) -> tuple[tuple[str, ...], Expression]:
        names = [self.name()]
        if self.takes(","):
            names.append(self.name())
        self.expect("in")
        collection = self.expression()
        self.expect(":")
        return tuple(names), collection


def template(text: str, *, raw: bool = False) -> Expression:
    """The tree of what stands between two quotes; in a heredoc (`raw`) nothing is escaped."""
    parts: list[Expression] = []
    letters: list[str] = []
    position = 0
    while position < len(text):
        two = text[position : position + 2]
        if text[position : position + 3] in {"$${", "%%{"}:
            letters.append(two[0] + "{")
            position += 3
        elif two == "${":
            end = closing(text, position + 2)
            parts += [
                Expression("literal", ("".join(letters),)),
                _inner(text[position + 2 : end]),
            ]
            letters, position = [], end + 1
        elif two == "%{":
            raise NotUnderstoodError
        elif two[0] == "\\" and not raw:
            letter, size = _escape(text[position : position + 10])
            letters.append(letter)
            position += size
        else:
            letters.append(two[0])
            position += 1
    if not parts:
        return Expression("literal", ("".join(letters),))
    whole = [*parts, Expression("literal", ("".join(letters),))]
    whole = [part for part in whole if part != Expression("literal", ("",))]
    return Expression("template", tuple(whole))


def _escape(text: str) -> tuple[str, int]:
    """The letter that the text begins with in disguise, and how much of the text that is."""
    if text[1:2] in _ESCAPES:
        return _ESCAPES[text[1:2]], 2
    code = _CODE.match(text)
    letter = chr(int(code[1] or code[2], 16)) if code and int(code[1] or code[2], 16) <= sys.maxunicode else ""
    if code is None or not letter or "\ud800" <= letter <= "\udfff":
        raise NotUnderstoodError  # what Terraform refuses
    return letter, code.end()


def _inner(text: str) -> Expression:
    if text.startswith("~") or text.endswith("~"):
        raise NotUnderstoodError  # it takes away blanks beside it, which stand elsewhere
    parser = Parser(text)
    tree = parser.expression()
    parser.expect_end()
    return tree
