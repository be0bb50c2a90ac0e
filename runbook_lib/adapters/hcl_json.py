"""Terraform's JSON syntax, in the shape that the native one is read in."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ..errors import InputError
from ..models.findings import Source
from .hcl_blocks import Block
from .hcl_expression import parse_expression, parse_template
from .hcl_tree import NOT_UNDERSTOOD, Expression, number_in

__all__ = ["json_blocks", "json_values", "read_json_file"]

_NESTED: Final = {"ingress", "egress", "entry", "lifecycle"}
_MAX_FLOAT: Final = 15


class Repeated(list[Any]):
    """The values of a key that stands more than once: Terraform takes each for a block of its own."""


def json_blocks(data: Any, file: str) -> Iterator[tuple[Block, dict[str, Any]]]:
    """The blocks of one .tf.json file; their line is not known, and given as 1."""
    documents = data if isinstance(data, list) else [data]
    if not all(isinstance(document, dict) for document in documents):
        raise InputError(f"{file}, line 1: an object is expected", "Write it as Terraform's JSON syntax.")
    source = Source(file=file, line=1)
    depths = {"resource": 2, "module": 1, "variable": 1, "output": 1, "locals": 0}
    for kind, depth in depths.items():
        for document in documents:
            for labels, body in _json_bodies(document.get(kind), depth, ()):
                if any(not label.isprintable() for label in labels):
                    raise InputError(
                        f"{file}: a label is no name: {labels!r:.80}", "Give it one of letters and digits."
                    )
                yield Block(kind, labels, "", source), _variable(body) if kind == "variable" else _with_blocks(body)


def _variable(body: dict[str, Any]) -> dict[str, Any]:
    """Its type is an expression in quotes, and no text in its default is a template."""
    found = {key: NOT_UNDERSTOOD if _repeats(part) else Expression("literal", (part,)) for key, part in body.items()}
    if isinstance(body.get("type"), str):
        found["type"] = parse_expression(body["type"])
    return dict(found)


def _json_bodies(part: Any, depth: int, labels: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for item in part if isinstance(part, list) else [part]:
        if depth == 0 and isinstance(item, dict):
            yield labels, item
        elif isinstance(item, dict):
            for label, inner in item.items():
                yield from _json_bodies(inner, depth - 1, (*labels, label))


def _with_blocks(body: dict[str, Any]) -> dict[str, Any]:
    """The body with nested blocks as lists, which JSON may write as one object."""
    result = {
        key: [_with_blocks(inner) for inner in _flat(part) if isinstance(inner, dict)]
        if key in _NESTED and isinstance(part, dict | Repeated)
        else _from_json(part)
        for key, part in body.items()
        if key != "dynamic"
    }
    if body.get("dynamic") is not None:
        result["dynamic"] = [
            {label: _with_blocks({**block, "content": None}) | {"content": _contents(block.get("content"))}}
            for labelled in _flat(body["dynamic"])
            for label, blocks in (labelled.items() if isinstance(labelled, dict) else ())
            for block in _flat(blocks)
            if isinstance(block, dict)
        ]
    return result


def _contents(part: Any) -> list[dict[str, Any]]:
    return [_with_blocks(inner) for inner in _flat(part) if isinstance(inner, dict)]


def _flat(part: Any) -> list[Any]:
    if not isinstance(part, list):
        return [part]
    return [inner for item in part for inner in _flat(item)] if isinstance(part, Repeated) else part


def _repeats(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_repeats(part) for part in value.values())
    return isinstance(value, Repeated) or (isinstance(value, list) and any(_repeats(part) for part in value))


def _from_json(value: Any) -> Any:
    # In JSON every text is a template.
    if isinstance(value, str):
        return parse_template(value)
    if isinstance(value, Repeated) or (isinstance(value, float) and len(repr(value)) > _MAX_FLOAT):
        return NOT_UNDERSTOOD  # Terraform reckons with more digits
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    if isinstance(value, dict):
        return {key: _from_json(item) for key, item in value.items()}
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # A mapping would keep the last alone.
    result = dict(pairs)
    if len(result) != len(pairs):
        values = defaultdict(list)
        for key, value in pairs:
            values[key].append(value)
        result |= {key: Repeated(found) for key, found in values.items() if len(found) > 1}
    return result


def _number(text: str) -> int | float:
    number = number_in(text)
    return float(text) if number is None else number


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def json_values(data: Any, path: Path) -> dict[str, Any]:
    """The values of a .tfvars.json file, in which no text is a template."""
    if not isinstance(data, dict):
        raise InputError(f"{path}, line 1: an object is expected", "Write the variables as one JSON object.")
    if _repeats(data):
        raise InputError(f"{path}: a key stands twice in one object", "Keep one of the two.")
    return data


def read_json_file(text: str, path: Path) -> Any:
    """Parse a .tf.json or .tfvars.json file; InputError naming the line."""
    try:
        data = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_number)
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: {error.msg}", "Correct the JSON there.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: can't be read as JSON: {error}", "Correct the JSON.") from error
    return data
