"""The bodies of blocks as python-hcl2 gives them, what it can't read told as an error of file and line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import InputError
from .hcl_blocks import Block, without_comments

__all__ = ["inner_body", "merge_bodies", "parse_text"]


def parse_text(text: str, file: str, line: int) -> dict[str, Any]:
    """Its blocks and attributes as python-hcl2 gives them; InputError naming file and line."""
    from lark.exceptions import LarkError, UnexpectedInput

    try:
        parsed = _loads(text)
    except UnexpectedInput as error:
        at = line + max(error.line, 1) - 1 if isinstance(error.line, int) else line
        raise InputError(
            f"{file}, line {at}: this is no valid HCL", "Correct the syntax; `terraform validate` says more."
        ) from error
    except (LarkError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise InputError(
            f"{file}, line {line}: this block can't be read as HCL", "Check it with `terraform validate`."
        ) from error
    return parsed


def inner_body(parsed: Mapping[str, Any], block: Block) -> dict[str, Any]:
    """The body of the one block that was parsed."""
    if not block.kind:
        if any(not key.startswith("__") for key in parsed):
            raise InputError(
                f"{block.source.file}, line {block.source.line}: an attribute outside a block",
                "Put it into a block, or into a .tfvars file.",
            )
        return {}
    found: Any = parsed.get(block.kind)
    found = found[0] if isinstance(found, list) and found else {}
    for label in block.labels:
        if not isinstance(found, dict):
            return {}
        found = found.get(f'"{label}"', found.get(label, {}))
    return found if isinstance(found, dict) else {}


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


def _loads(text: str) -> dict[str, Any]:
    import hcl2
    from lark.exceptions import UnexpectedInput

    whole = text if text.endswith("\n") else f"{text}\n"
    try:
        parsed: dict[str, Any] = hcl2.loads(whole)
    except UnexpectedInput:
        # It takes no comment in the middle of an expression, where Terraform does.
        if "/*" not in text:
            raise
        try:
            parsed = hcl2.loads(without_comments(whole))
        except UnexpectedInput:
            parsed = {}
        if not parsed:
            raise
    return parsed


def _dynamic(body: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for block in body.get("dynamic") or ():
        for label in block:
            if not label.startswith("__"):
                yield label.strip('"'), {label: block[label]}
