"""The grammar of HCL expressions, by recursive descent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Expression", "NotUnderstoodError", "Parser", "template"]

_TOKEN: Final = re.compile(
    r'\s*(?:(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_][\w-]*(?:::[A-Za-z_][\w-]*)*)|(?P<string>")'
    r"|(?P<mark>\.\.\.|==|!=|<=|>=|&&|\|\||=>|\[\*\]|\.\*|[-+*/%!<>?:.,=(){}\[\]]))"
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_LEVELS: Final = (("||",), ("&&",), ("==", "!="), ("<", ">", "<=", ">="), ("+", "-"), ("*", "/", "%"))
_MAX_DEPTH: Final = 60


@dataclass(frozen=True, slots=True)
class Expression:
    """A node: `kind` says what `parts` are; `unknown` is the kind of all that is not understood."""

    kind: str
    parts: tuple[Any, ...] = ()


class NotUnderstoodError(Exception):
    """The text is outside this grammar, or nested out of all proportion."""


class Parser:
    """Recursive descent over one expression."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._depth = 0
        self.kind = self.token = ""
        self._next()

    def expect_end(self) -> None:
        """Nothing may follow."""
        if self.kind:
            raise NotUnderstoodError

    def expression(self) -> Expression:
        """The tree of the next expression."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise NotUnderstoodError
        tree = self._binary(0)
        if self._takes("?"):
            yes = self.expression()
            self._expect(":")
            tree = Expression("choice", (tree, yes, self.expression()))
        self._depth -= 1
        return tree

    def _next(self) -> None:
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
                position = _closing(self._text, position + 2)
            position += 1
        raise NotUnderstoodError

    def _takes(self, token: str) -> bool:
        if self.kind in {"mark", "name"} and self.token == token:
            self._next()
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._takes(token):
            raise NotUnderstoodError

    def _name(self) -> str:
        if self.kind != "name":
            raise NotUnderstoodError
        name = self.token
        self._next()
        return name

    def _binary(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self.kind == "mark" and self.token in _LEVELS[level]:
            operator = self.token
            self._next()
            left = Expression("binary", (operator, left, self._binary(level + 1)))
        return left

    def _unary(self) -> Expression:
        for operator in ("-", "!"):
            if self.kind == "mark" and self._takes(operator):
                return Expression("unary", (operator, self._unary()))
        return self._postfix(self._primary())

    def _postfix(self, tree: Expression) -> Expression:
        while self.kind == "mark":
            if self._takes("."):
                name = self.token
                if self.kind not in {"name", "number"}:
                    raise NotUnderstoodError
                self._next()
                tree = Expression("get", (tree, name))
            elif self.token in {"[*]", ".*"}:
                self._next()
                tree = Expression("splat", (tree, self._postfix(Expression("item"))))
            elif self._takes("["):
                index = self.expression()
                self._expect("]")
                tree = Expression("index", (tree, index))
            else:
                break
        return tree

    def _primary(self) -> Expression:
        kind, token = self.kind, self.token
        if kind == "number":
            self._next()
            number = float(token)
            return Expression("literal", (int(number) if number.is_integer() else number,))
        if kind == "string":
            self._next()
            return template(token)
        if kind == "name":
            return self._named()
        if self._takes("("):
            tree = self.expression()
            self._expect(")")
            return tree
        if self._takes("["):
            return self._list()
        if self._takes("{"):
            return self._object()
        raise NotUnderstoodError

    def _named(self) -> Expression:
        name = self._name()
        if self._takes("("):
            return Expression("call", (name, *self._items(")")))
        constants = {"true": True, "false": False, "null": None}
        return Expression("literal", (constants[name],)) if name in constants else Expression("root", (name,))

    def _items(self, end: str) -> list[Expression]:
        items = []
        while not self._takes(end):
            items.append(self.expression())
            if self._takes("..."):
                items[-1] = Expression("spread", (items[-1],))
            if not self._takes(","):
                self._expect(end)
                break
        return items

    def _list(self) -> Expression:
        if self._takes("for"):
            names, collection = self._for_head()
            value = self.expression()
            condition = self.expression() if self._takes("if") else None
            self._expect("]")
            return Expression("for_list", (names, collection, value, condition))
        return Expression("list", tuple(self._items("]")))

    def _object(self) -> Expression:
        if self._takes("for"):
            names, collection = self._for_head()
            key = self.expression()
            self._expect("=>")
            value = self.expression()
            grouped = self._takes("...")
            condition = self.expression() if self._takes("if") else None
            self._expect("}")
            return Expression("for_object", (names, collection, key, value, condition, grouped))
        pairs = []
        while not self._takes("}"):
            key = Expression("literal", (self._name(),)) if self.kind == "name" else self._unary()
            if not self._takes("="):
                self._expect(":")
            pairs.append((key, self.expression()))
            self._takes(",")
        return Expression("object", tuple(pairs))

    def _for_head(self) -> tuple[tuple[str, ...], Expression]:
        names = [self._name()]
        if self._takes(","):
            names.append(self._name())
        self._expect("in")
        collection = self.expression()
        self._expect(":")
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
            end = _closing(text, position + 2)
            parts += [
                Expression("literal", ("".join(letters),)),
                _inner(text[position + 2 : end].strip(" ~")),
            ]
            letters, position = [], end + 1
        elif two == "%{":
            raise NotUnderstoodError
        elif two[0] == "\\" and not raw:
            letters.append(_escape(two))
            position += 2
        else:
            letters.append(two[0])
            position += 1
    if not parts:
        return Expression("literal", ("".join(letters),))
    whole = [*parts, Expression("literal", ("".join(letters),))]
    whole = [part for part in whole if part != Expression("literal", ("",))]
    return Expression("template", tuple(whole))


def _escape(two: str) -> str:
    if two[1:] not in _ESCAPES:
        raise NotUnderstoodError  # \u and what Terraform refuses
    return _ESCAPES[two[1]]


def _closing(text: str, position: int) -> int:
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


def _inner(text: str) -> Expression:
    parser = Parser(text)
    tree = parser.expression()
    parser.expect_end()
    return tree
