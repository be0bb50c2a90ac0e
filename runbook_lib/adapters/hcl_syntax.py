"""HCL's native syntax by its grammar (hcl.lark): the tree of a text, or where the text is no valid HCL."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

__all__ = ["parse_syntax"]

_OPENS: Final = {"_LPAR", "_LSQB", "_INTERPOLATION", "_IF_BEGINS", "_FOR_BEGINS"}
_CLOSES: Final = {"_RPAR", "_RSQB", "_RBRACE", "_STRIP"}


def parse_syntax(text: str) -> Tree[Any]:
    """The blocks and attributes, which know where they stand; UnexpectedInput of lark, with its line, if invalid."""
    return _parser().parse(text if text.endswith("\n") else f"{text}\n")


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
