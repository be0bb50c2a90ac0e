"""Terraform's JSON syntax, in the shape that python-hcl2 gives to the native one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..models.findings import Source
from .hcl_blocks import Block

__all__ = ["json_blocks", "read_json_file"]


def json_blocks(data: Any, file: str) -> Iterator[tuple[Block, dict[str, Any]]]:
    """The blocks of one .tf.json file; their line is not known, and given as 1."""
    if not isinstance(data, dict):
        raise InputError(f"{file}, line 1: an object is expected", "Write it as Terraform's JSON syntax.")
    source = Source(file=file, line=1)
    depths = {"resource": 2, "module": 1, "variable": 1, "output": 1, "locals": 0}
    for kind, depth in depths.items():
        for part in data[kind] if isinstance(data.get(kind), list) else [data.get(kind)]:
            for labels, body in _json_bodies(part, depth, ()):
                yield Block(kind, labels, "", source), _from_json(body)


def _json_bodies(part: Any, depth: int, labels: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for item in part if isinstance(part, list) else [part]:
        if depth == 0 and isinstance(item, dict):
            yield labels, item
        elif isinstance(item, dict):
            for label, inner in item.items():
                yield from _json_bodies(inner, depth - 1, (*labels, label))


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


def read_json_file(text: str, path: Path) -> Any:
    """Parse a .tf.json or .tfvars.json file; InputError naming the line."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: {error.msg}", "Correct the JSON there.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: can't be read as JSON: {error}", "Correct the JSON.") from error
