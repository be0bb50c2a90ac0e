"""The bodies of blocks: their attributes as trees, what is no valid HCL told as an error of file and line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .hcl_blocks import Block
from .hcl_expression import Expression, parse_expression, unquoted
from .hcl_syntax import DoubtError, parse_syntax, read_by_library
from .hcl_tree import NOT_UNDERSTOOD

if TYPE_CHECKING:
    from lark import Token, Tree

__all__ = ["merge_bodies", "parse_text", "read_blocks"]


def parse_text(text: str, file: str, line: int) -> dict[str, Any]:
    """Its attributes as expressions, its blocks as lists of bodies by their labels; InputError naming file and line."""
    from lark.exceptions import UnexpectedInput, UnexpectedToken

    try:
        with contextlib.suppress(DoubtError):
            return _body(read_by_library(text).children[0], text, file, line, sure=True)
        return _body(parse_syntax(text).children[0], text, file, line)
    except UnexpectedInput as error:
        ended = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        at = line + (text.count("\n") if ended else max(error.line, 1) - 1)
        raise InputError(
            f"{file}, line {at}: this is no valid HCL", "Correct the syntax; `terraform validate` says more."
        ) from error
    except RecursionError as error:
        raise InputError(f"{file}, line {line}: this block is nested too deep", "Nest it less.") from error


def read_blocks(block: Block) -> Iterable[tuple[Block, dict[str, Any]]]:
    """The block with its body. What the header does not tell, as a comment stands in it, the grammar does."""
    source = block.source
    parsed = parse_text(block.text, source.file, source.line)
    if any(not isinstance(part, list) for part in parsed.values()):
        raise InputError(
            f"{source.file}, line {source.line}: an attribute outside a block",
            "Put it into a block, or into a .tfvars file.",
        )
    for kind, bodies in parsed.items():
        for body in bodies:
            labels: tuple[str, ...] = ()
            inner = body
            while "__is_block__" not in inner:
                ((label, inner),) = inner.items()
                labels = (*labels, label)
            if any(not label.isprintable() for label in labels):
                raise InputError(
                    f"{source.file}, line {source.line}: a label of this block is no name",
                    "Give it one of letters and digits.",
                )
            yield Block(kind, labels, block.text, source), inner


def merge_bodies(body: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """The body with each attribute of the override, and with its nested blocks in place of all of the same type."""
    replaced = {key for key in override if key != "dynamic"} | {kind for kind, _ in _dynamic(override)}
    result = {key: part for key, part in body.items() if key not in replaced and key != "dynamic"}
    result |= {key: part for key, part in override.items() if key != "dynamic"}
    kept = [block for kind, block in _dynamic(body) if kind not in replaced]
    dynamic = [*kept, *(block for _, block in _dynamic(override))]
    if dynamic:
        result["dynamic"] = dynamic
    return result


def _dynamic(body: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for block in body.get("dynamic") or ():
        for label in block:
            if not label.startswith("__"):
                yield label, {label: block[label]}


def _body(tree: Tree[Any], text: str, file: str, line: int, *, sure: bool = False) -> dict[str, Any]:
    """The body; DoubtError at an attribute that is not understood, where it is to be `sure` that there is none."""
    found: dict[str, Any] = {}
    for item in tree.children:
        name = str(item.children[0])
        is_block = item.data == "block"
        if name in found and not (is_block and isinstance(found[name], list)):
            raise InputError(f"{file}, line {line + item.meta.line - 1}: {name} is set twice", "Keep one of the two.")
        if is_block:
            found.setdefault(name, []).append(_block(item.children[1:], text, file, line, sure=sure))
        else:
            found[name] = _value(item, text)
            if sure and found[name] is NOT_UNDERSTOOD:
                raise DoubtError
    return found


def _value(attribute: Tree[Any], text: str) -> Expression:
    equals: Any = attribute.children[1]
    return parse_expression(text[equals.end_pos : attribute.meta.end_pos])


def _block(parts: list[Tree[Any] | Token], text: str, file: str, line: int, *, sure: bool = False) -> dict[str, Any]:
    labels: list[str] = []
    body: dict[str, Any] = {}
    for part in parts:
        if isinstance(part, str):
            labels.append(part)
        elif part.data == "label":
            labels.append(unquoted(str(part.children[0])) if part.children else "")
        elif part.data == "body":
            body = _body(part, text, file, line, sure=sure)
        else:  # an attribute in the same line
            body = {str(part.children[0]): _value(part, text)}
    body["__is_block__"] = True
    for label in reversed(labels):
        body = {label: body}
    return body
