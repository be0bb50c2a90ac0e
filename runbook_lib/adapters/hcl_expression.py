"""HCL expressions as trees. What the grammar here doesn't know becomes an unknown, never a guess."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from .hcl_syntax import Expression, Parser, template
from .hcl_tokens import NotUnderstoodError

__all__ = ["Expression", "convert", "parse_expression", "parse_template"]

_NOT_UNDERSTOOD: Final = Expression("unknown")


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
