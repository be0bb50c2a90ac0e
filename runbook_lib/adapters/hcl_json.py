"""Terraform's JSON syntax, in the shape that python-hcl2 gives to the native one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ..errors import InputError
from ..models.findings import Source
from .hcl_blocks import Block

__all__ = ["json_blocks", "json_values", "read_json_file"]

_NESTED: Final = {"ingress", "egress", "entry", "lifecycle"}


def json_blocks(data: Any, file: str) -> Iterator[tuple[Block, dict[str, Any]]]:
    """The blocks of one .tf.json file; their line is not known, and given as 1."""
    if not isinstance(data, dict):
        raise InputError(f"{file}, line 1: an object is expected", "Write it as Terraform's JSON syntax.")
    source = Source(file=file, line=1)
    depths = {"resource": 2, "module": 1, "variable": 1, "output": 1, "locals": 0}
    for kind, depth in depths.items():
        for part in data[kind] if isinstance(data.get(kind), list) else [data.get(kind)]:
            for labels, body in _json_bodies(part, depth, ()):
                if any(not label.isprintable() for label in labels):
                    raise InputError(
                        f"{file}: a label is no name: {labels!r:.80}", "Give it one of letters and digits."
                    )
                yield Block(kind, labels, "", source), _with_blocks(_from_json(body))


def _json_bodies(part: Any, depth: int, labels: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for item in part if isinstance(part, list) else [part]:
        if depth == 0 and isinstance(item, dict):
            yield labels, item
        elif isinstance(item, dict):
            for label, inner in item.items():
                yield from _json_bodies(inner, depth - 1, (*labels, label))


def _with_blocks(body: dict[str, Any]) -> dict[str, Any]:
    """The body with nested blocks as lists, which JSON may write as one object."""
    result = {key: [part] if key in _NESTED and isinstance(part, dict) else part for key, part in body.items()}
    dynamic = body.get("dynamic")
    if dynamic is not None:
        result["dynamic"] = [
            {label: {**block, "content": _listed(block.get("content"))}}
            for labelled in _listed(dynamic)
            for label, blocks in (labelled.items() if isinstance(labelled, dict) else ())
            for block in _listed(blocks)
            if isinstance(block, dict)
        ]
    return result


def _listed(part: Any) -> list[Any]:
    return part if isinstance(part, list) else [part]


def _from_json(value: Any) -> Any:
    # In JSON every string is a template, which python-hcl2 shows in quotes.
    if isinstance(value, str):
        escaped = re.sub(r'(["\\])', r"\\\1", value) if "${" not in value else value
        return f'"{escaped}"'.replace("\n", "\\n")
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    if isinstance(value, dict):
        return {key: _from_json(item) for key, item in value.items()}
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Terraform takes both blocks of one name, and a mapping would keep the last alone.
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def json_values(data: Any, path: Path) -> dict[str, Any]:
    """The values of a .tfvars.json file, in which no text is a template."""
    if not isinstance(data, dict):
        raise InputError(f"{path}, line 1: an object is expected", "Write the variables as one JSON object.")
    return data


def read_json_file(text: str, path: Path) -> Any:
    """Parse a .tf.json or .tfvars.json file; InputError naming the line."""
    try:
        data = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: {error.msg}", "Correct the JSON there.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: can't be read as JSON: {error}", "Correct the JSON.") from error
    return data
