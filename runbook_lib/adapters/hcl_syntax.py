"""The grammar of HCL expressions, by recursive descent."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import Any, Final

from .hcl_tokens import Lexer, NotUnderstoodError, closing

__all__ = ["Expression", "Parser", "template"]

_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_CODE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_LEVELS: Final = (("||",), ("&&",), ("==", "!="), ("<", ">", "<=", ">="), ("+", "-"), ("*", "/", "%"))
_MAX_DEPTH: Final = 60


@dataclass(frozen=True, slots=True)
class Expression:
    """A node: `kind` says what `parts` are; `unknown` is the kind of all that is not understood."""

    kind: str
    parts: tuple[Any, ...] = ()


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
            if self.takes("."):
                name = self.token
                if self.kind not in {"name", "number"}:
                    raise NotUnderstoodError
                self.next()
                tree = Expression("get", (tree, name))
            elif self.token in {"[*]", ".*"}:
                self.next()
                tree = Expression("splat", (tree, self._postfix(Expression("item"))))
            elif self.takes("["):
                index = self.expression()
                self.expect("]")
                tree = Expression("index", (tree, index))
            else:
                break
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
                _inner(text[position + 2 : end].strip(" ~")),
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
    parser = Parser(text)
    tree = parser.expression()
    parser.expect_end()
    return tree
