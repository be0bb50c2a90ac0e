"""JSON read without mercy: what two programs could read differently is no input for a gate."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, TypeVar

from runbook_lib.errors import InputError

__all__ = ["read_json", "read_shown", "refuse_deep"]

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
# Far more than Terraform's own types nest, and far less than Python's stack bears, in a kernel too.
DEEPEST: Final = 150
_NESTS: Final = frozenset({dict, list})
_REMEDY = "Write it again with `terraform show -json`."

T = TypeVar("T")


def read_json(text: str | bytes, name: str = "the input") -> Any:
    """Parse one JSON document; InputError for duplicate keys, NaN, infinities, deep nesting and broken text."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        data = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
        if _HALF.search(text):
            # Only an escape can bring half a character, which no report could be written with.
            json.dumps(data, ensure_ascii=False).encode()
        return refuse_deep(data, name)
    except UnicodeEncodeError as error:
        raise InputError(f"{name} is no valid JSON: a surrogate stands alone", "Write it again.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 text: {error.reason} at byte {error.start}", _remedy(text)) from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{name} is no JSON, or cut short: {error.msg} at {where}", _remedy(text)) from error
    except RecursionError as error:
        raise _deep(name) from error
    except ValueError as error:
        raise InputError(f"{name} is no valid JSON: {error}", _REMEDY) from error


def read_shown(text: str, name: str) -> dict[str, Any]:
    """What Terraform itself has just written, which needs no such strictness; InputError for deep nesting alone."""
    try:
        return dict(refuse_deep(json.loads(text), name))
    except RecursionError as error:
        raise _deep(name) from error


def refuse_deep(data: T, name: str) -> T:
    """The data; InputError where it is nested so deeply that whoever walks through it would fall."""
    level: list[Any] = [data] if isinstance(data, dict | list) else []
    for _ in range(DEEPEST):
        inside = (node.values() if type(node) is dict else node for node in level)
        level = [child for children in inside for child in children if type(child) in _NESTS]
    if level:
        raise _deep(name)
    return data


def _deep(name: str) -> InputError:
    remedy = "Keep such a value as one text, with Terraform's `jsonencode`."
    return InputError(f"{name} is nested too deeply: more than {DEEPEST} levels", remedy)


def _remedy(text: str | bytes) -> str:
    # `terraform plan -out` writes a zip: the commonest mistake of all.
    start = text[:2] if isinstance(text, bytes) else text[:2].encode("utf-8", "replace")
    if start == b"PK":
        return "This is the plan file itself. Turn it into JSON with `terraform show -json FILE`."
    return _REMEDY


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:80]!r} stands twice in one object")
    return result


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number
