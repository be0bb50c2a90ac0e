"""HCL's native syntax: the tree of a text, or where the text is no valid HCL.

python-hcl2 reads it. What that does not know of HCL, or might take for something else, is read by a grammar of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

__all__ = ["DoubtError", "parse_syntax", "read_by_library"]

_OPENS: Final = {"_LPAR", "_LSQB", "_INTERPOLATION", "_IF_BEGINS", "_FOR_BEGINS"}
_CLOSES: Final = {"_RPAR", "_RSQB", "_RBRACE", "_STRIP"}
# It takes all up to the next brace for part of an escaped interpolation: quotes, and whole blocks. Half a pair of
# surrogates is a byte that was no UTF-8.
_MISTAKEN: Final = re.compile(r"\$\$\{|%%\{|[\ud800-\udfff]")
_DOUBTFUL: Final = {"STRING_CHARS", "INT_LITERAL", "FLOAT_LITERAL"}
_OPERATIONS: Final = {"binary_op", "conditional", "unary_op"}
_COMMENTS: Final = re.compile(r"/\*.*?\*/", re.DOTALL)


def parse_syntax(text: str) -> Tree[Any]:
    """The blocks and attributes, which know where they stand; UnexpectedInput of lark, with its line, if invalid.

    A `body` has attributes and blocks; an `attribute` its name and the `=`, after which its value begins; a `block` its
    type, then its labels, a name or a `label` of quoted letters, and its `body`, or the one attribute of a line.
    """
    return _parser().parse(_whole(text))


class DoubtError(Exception):
    """Terraform may read this otherwise, or not at all."""


def read_by_library(text: str) -> Tree[Any]:
    """python-hcl2's tree in the same form; DoubtError where it refuses the text, or is not to be relied on."""
    text = _whole(text)
    if _MISTAKEN.search(text):
        raise DoubtError
    import hcl2
    from lark import Tree
    from lark.exceptions import LarkError

    try:
        tree = hcl2.parses_to_tree(text)
        if any(
            _is_doubtful(part, text) for part in tree.scan_values(lambda part: getattr(part, "type", "") in _DOUBTFUL)
        ):
            raise DoubtError
        return Tree("start", [_body(tree.children[0], text, (-1, len(text)))], tree.meta)
    except LarkError as error:
        raise DoubtError from error


def _is_doubtful(part: Any, text: str) -> bool:
    # No quoted text goes over two lines, and 1.5.5 is no number.
    return "\n" in part if part.type == "STRING_CHARS" else "." in text[part.start_pos - 1] + text[part.end_pos]


def _whole(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _body(tree: Tree[Any], text: str, braces: tuple[int, int]) -> Tree[Any]:
    """Attributes and blocks, each on lines of its own but for the one attribute of a block in one line."""
    from lark import Tree

    items: list[Tree[Any]] = []
    end = braces[0] + 1
    for item in tree.children:
        if isinstance(item, Tree) and item.data in {"attribute", "block"}:
            _check_alone(text[end : item.meta.start_pos], first=not items and braces[0] < 0)
            end = item.meta.start_pos + len(text[item.meta.start_pos : item.meta.end_pos].rstrip())
            items.append(_attribute(item, text) if item.data == "attribute" else _block(item, text))
    if items:
        _check_alone(text[end : braces[1]])
    return Tree("body", items, tree.meta)


def _check_alone(between: str, *, first: bool = False) -> None:
    if not first and "\n" not in _COMMENTS.sub("", between):
        raise DoubtError


def _attribute(tree: Tree[Any], text: str) -> Tree[Any]:
    from lark import Tree

    value = tree.children[-1]
    # An operation goes on in the next line within brackets alone.
    is_operation = isinstance(value, Tree) and value.data in _OPERATIONS
    if is_operation and "\n" in text[value.meta.start_pos : value.meta.end_pos].rstrip():
        raise DoubtError
    return Tree("attribute", [tree.children[0].children[0], tree.children[1]], tree.meta)


def _block(tree: Tree[Any], text: str) -> Tree[Any]:
    from lark import Token, Tree

    parts: list[Any] = []
    braces = [part.start_pos or 0 for part in tree.children if isinstance(part, Token)]
    for part in tree.children:
        if not isinstance(part, Tree) or part.data == "new_line_or_comment":
            continue
        if part.data == "body":
            parts.append(_body(part, text, (braces[0], braces[-1])))
        elif part.data == "string":
            letters = text[part.meta.start_pos + 1 : part.meta.end_pos - 1]
            if "${" in letters or "%{" in letters:
                raise DoubtError
            parts.append(Tree("label", [letters] if letters else [], part.meta))
        else:
            parts.append(part.children[0])
    return Tree("block", parts, tree.meta)


class _Newlines:
    """Drops the newlines that mean nothing: all but those of bodies and of objects."""

    always_accept: Final = ("_NL",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        within: list[str] = []
        before = ""
        for token in stream:
            kind = token.type
            if kind == "_NL":
                if within[-1:] != ["("]:
                    yield token
                continue
            if kind in _OPENS or kind == "_LBRACE":
                within.append("{" if kind == "_LBRACE" else "(")
            elif kind == "_FOR" and before == "_LBRACE":
                within[-1] = "("
            elif kind == "_QUOTE" and within[-1:] != ['"']:
                within.append('"')
            elif (kind in _CLOSES or kind == "_QUOTE") and within:
                within.pop()
            elif kind == "NAME" and not token.isascii():
                _check(token)
            before = kind
            yield token


def _check(name: Token) -> None:
    from lark.exceptions import UnexpectedToken

    # A name is made as Python's are, of Unicode's letters and digits, apart from the hyphen.
    if not name.replace("-", "").isidentifier():
        raise UnexpectedToken(name, {"NAME"})  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1)
def _parser() -> Lark:
    from lark import Lark

    grammar = Path(__file__).with_name("hcl.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, postlex=_Newlines())
