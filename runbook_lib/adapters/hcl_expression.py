"""HCL expressions as trees, by recursive descent. What the grammar doesn't know is an unknown, never a guess."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from .hcl_template import read_template
from .hcl_tree import NOT_UNDERSTOOD, Expression, NotUnderstoodError, number_in

__all__ = ["Expression", "Parser", "convert", "parse_expression", "parse_template", "unquoted"]

_NAME: Final = r"[A-Za-z_\u00aa-\U0010ffff][\w\u00aa-\U0010ffff-]*"
_TOKEN: Final = re.compile(
    rf"(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|(?P<name>{_NAME}(?:::{_NAME})*)|(?P<string>\")"
    rf"|(?P<heredoc><<-?{_NAME}\r?\n)"
    r"|(?P<mark>\n|\.\.\.|==|!=|<=|>=|&&|\|\||=>|~\}|[-+*/%!<>?:.,=(){}\[\]])"
)
# Comments are blanks, and so are line ends, but for those in an object, which part its elements.
_COMMENT: Final = r"#[^\n]*|//[^\n]*|/\*.*?\*/"
_BLANKS: Final = re.compile(rf"(?>(?:\s|{_COMMENT})*)", re.DOTALL)
_BLANKS_IN_LINE: Final = re.compile(rf"(?>(?:[ \t\r]|{_COMMENT})*)", re.DOTALL)
_LEVELS: Final = (("||",), ("&&",), ("==", "!="), ("<", ">", "<=", ">="), ("+", "-"), ("*", "/", "%"))
_MAX_DEPTH: Final = 60


def convert(value: Any) -> Expression:
    """What stands in a body as a tree: an expression, nested blocks or the parts of a JSON document."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, list):
        return Expression("list", tuple(convert(item) for item in value))
    if isinstance(value, dict):
        pairs = ((parse_template(key), convert(part)) for key, part in value.items() if key != "__is_block__")
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
        return NOT_UNDERSTOOD
    return tree


@lru_cache(maxsize=8192)
def parse_template(text: str) -> Expression:
    """The tree of a text as JSON has it, in which nothing is escaped but a `${`."""
    try:
        return read_template(text, 0, Parser)[0]
    except (NotUnderstoodError, RecursionError):
        return NOT_UNDERSTOOD


def unquoted(text: str) -> str:
    """What a label in quotes says."""
    tree = parse_expression(f'"{text}"')
    return str(tree.parts[0]) if tree.kind == "literal" else text


class Lexer:
    """One expression, token by token: `kind` is number, name, template or mark, and `token` its text.

    It may begin in the midst of a text: `position` is where what follows the token begins.
    """

    def __init__(self, text: str, position: int = 0) -> None:
        self._text = text
        self.position = position
        self._within: list[str] = []
        self._object_begins = False
        self.depth = 0
        self.kind = self.token = ""
        self.tree = NOT_UNDERSTOOD
        self.next()

    def next(self) -> None:
        """Go on to the next token; `kind` is empty at the end."""
        blanks = _BLANKS_IN_LINE if self._within[-1:] == ["{"] else _BLANKS
        found = blanks.match(self._text, self.position)
        self.position = found.end() if found else self.position
        self.kind = self.token = ""
        if self.position == len(self._text):
            return
        match = _TOKEN.match(self._text, self.position)
        if match is None:
            raise NotUnderstoodError
        self.kind, self.position = str(match.lastgroup), match.end()
        self.token = match[self.kind]
        if self.kind in {"string", "heredoc"}:
            self._template()
        self._nest()

    def _template(self) -> None:
        heredoc = self.token if self.kind == "heredoc" else ""
        self.tree, self.position = read_template(
            self._text, self.position, Parser, quoted=not heredoc, heredoc=heredoc.strip()
        )
        self.kind, self.token = "template", ""

    def _nest(self) -> None:
        """Which line ends count from here on: in brackets none, and none after the `for` of an object."""
        found = self.token
        if self.kind == "mark" and found in {"(", "[", "{"}:
            self._within.append(found)
        elif self.kind == "mark" and found in {")", "]", "}", "~}"} and self._within:
            self._within.pop()
        elif self._object_begins and found == "for":
            self._within[-1] = "("
        self._object_begins = found == "{" or (self._object_begins and found == "\n")

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
            if self.takes("["):
                tree = self._index(tree)
            elif (longer := self._attributes(tree)) is not tree:
                tree = longer
            else:
                break
        return tree

    def _index(self, tree: Expression) -> Expression:
        if self.takes("*"):
            self.expect("]")
            return Expression("splat", (tree, self._postfix(Expression("item"))))
        index = self.expression()
        self.expect("]")
        return Expression("index", (tree, index))

    def _attributes(self, tree: Expression) -> Expression:
        while self.kind == "mark" and self.takes("."):
            if self.takes("*"):
                # What stands in brackets after this splat is taken of the whole list, not of each item.
                return Expression("splat", (tree, self._attributes(Expression("item"))))
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
            number = number_in(token)
            return NOT_UNDERSTOOD if number is None else Expression("literal", (number,))
        if kind == "template":
            tree = self.tree
            self.next()
            return tree
        if kind == "name":
            return self._named(self.name())
        if self.takes("("):
            tree = self.expression()
            self.expect(")")
            return tree
        if self.takes("["):
            return self._list()
        if self.takes("{"):
            return self._object()
        raise NotUnderstoodError

    def _named(self, name: str) -> Expression:
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
            names, collection = self.for_head(":")
            value = self.expression()
            condition = self.expression() if self.takes("if") else None
            self.expect("]")
            return Expression("for_list", (names, collection, value, condition))
        return Expression("list", tuple(self._items("]")))

    def _object(self) -> Expression:
        self._lines()
        if self.takes("for"):
            names, collection = self.for_head(":")
            key = self.expression()
            self.expect("=>")
            value = self.expression()
            grouped = self.takes("...")
            condition = self.expression() if self.takes("if") else None
            self.expect("}")
            return Expression("for_object", (names, collection, key, value, condition, grouped))
        pairs = []
        self._lines()
        while not self.takes("}"):
            key = self._key()
            if not self.takes("="):
                self.expect(":")
            pairs.append((key, self.expression()))
            if not self.takes(",") and not self._lines():
                self.expect("}")
                break
            self._lines()
        return Expression("object", tuple(pairs))

    def _key(self) -> Expression:
        if self.kind != "name":
            return self._unary()
        name = self.name()
        # A name alone is meant as it stands; one with something behind it is looked up.
        alone = self.kind == "mark" and self.token in {"=", ":"}
        return Expression("literal", (name,)) if alone else self._postfix(self._named(name))

    def _lines(self) -> bool:
        found = False
        while self.takes("\n"):
            found = True
        return found

    def for_head(self, end: str = "") -> tuple[tuple[str, ...], Expression]:
        """The names that a `for` makes, and what it goes through."""
        names = [self.name()]
        if self.takes(","):
            names.append(self.name())
        self.expect("in")
        collection = self.expression()
        if end:
            self.expect(end)
        return tuple(names), collection
