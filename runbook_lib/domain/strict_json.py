"""JSON read without mercy: what two programs could read differently is no input for a gate."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from runbook_lib.errors import InputError

__all__ = ["read_json"]

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_REMEDY = "Write it again with `terraform show -json`."


def read_json(text: str | bytes, name: str = "the input") -> Any:
    """Parse one JSON document; InputError for duplicate keys, NaN, infinities, deep nesting and broken text."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        data = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
        if _HALF.search(text):
            # Only an escape can bring half a character, which no report could be written with.
            json.dumps(data, ensure_ascii=False).encode()
        return data
    except UnicodeEncodeError as error:
        raise InputError(f"{name} is no valid JSON: a surrogate stands alone", "Write it again.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 text: {error.reason} at byte {error.start}", _remedy(text)) from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{name} is no JSON, or cut short: {error.msg} at {where}", _remedy(text)) from error
    except RecursionError as error:
        raise InputError(f"{name} is nested too deeply to be what Terraform writes", _REMEDY) from error
    except ValueError as error:
        raise InputError(f"{name} is no valid JSON: {error}", _REMEDY) from error


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
