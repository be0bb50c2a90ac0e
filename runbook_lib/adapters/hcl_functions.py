"""The Terraform functions that rules are made with. Any other, or any error, is an unknown."""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
from collections.abc import Callable
from typing import Any, Final

from ..models.base import UNKNOWN

__all__ = ["call_function", "iterate", "to_text"]


def call_function(name: str, arguments: list[Any]) -> Any:
    """The result, or UNKNOWN where the function, an argument or the outcome is not certain."""
    function = _FUNCTIONS.get(name)
    if function is None or (name not in _LENIENT and any(_has_unknown(argument) for argument in arguments)):
        return UNKNOWN
    try:
        return function(*arguments)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError):
        return UNKNOWN


def iterate(collection: Any) -> list[tuple[Any, Any]]:
    """Keys and values as a for expression sees them; maps go by key. TypeError for what is no collection."""
    if isinstance(collection, dict):
        return sorted(collection.items())
    if isinstance(collection, list):
        return list(enumerate(collection))
    raise TypeError("not a collection")


def to_text(value: Any) -> str:
    """A scalar as Terraform writes it into a string. TypeError for others."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError("not a scalar")


def _has_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_unknown(part) for part in value.values())
    if isinstance(value, list):
        return any(_has_unknown(part) for part in value)
    return value is UNKNOWN


def _decode(text: str) -> Any:
    value = json.loads(text, parse_constant=int)
    json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    return value


def _as_list(value: Any) -> list[Any]:
    return [part for _, part in iterate(value)]


def _concat(*lists: Any) -> Any:
    return UNKNOWN if UNKNOWN in lists else [item for items in lists for item in items]


def _flatten(items: Any) -> Any:
    if items is UNKNOWN:
        return UNKNOWN
    flat: list[Any] = []
    for item in items:
        inner = _flatten(item) if isinstance(item, list) else [item]
        flat += inner
    return flat


def _merge(*maps: Any) -> Any:
    if any(part is UNKNOWN for part in maps):
        return UNKNOWN
    return {key: value for part in maps if part is not None for key, value in part.items()}


def _toset(items: Any) -> list[Any]:
    unique: list[Any] = []
    for item in _as_list(items):
        if item not in unique:
            unique.append(item)
    return sorted(unique, key=str)


def _distinct(items: list[Any]) -> list[Any]:
    return [item for index, item in enumerate(items) if item not in items[:index]]


def _coalesce(*values: Any) -> Any:
    return next(value for value in values if value not in (None, ""))


def _lookup(values: dict[str, Any], key: str, *default: Any) -> Any:
    return values.get(key, *default) if default else values[key]


def _tonumber(value: Any) -> Any:
    if isinstance(value, str):
        number = float(value)
        return int(number) if number.is_integer() else number
    return value


def _tobool(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, UNKNOWN) if isinstance(value, str) else value


def _cidrsubnet(prefix: str, new_bits: int, number: int) -> str:
    network = ipaddress.ip_network(prefix, strict=False)
    bits = network.prefixlen + new_bits
    size = 1 << (network.max_prefixlen - bits)
    address = int(network.network_address) + number * size
    made = ipaddress.ip_network((address, bits))
    if new_bits < 0 or number < 0 or not made.subnet_of(network):  # type: ignore[arg-type]
        raise ValueError("outside")
    return str(made)


def _range(*bounds: int) -> list[int]:
    if len(range(*bounds)) > 100_000:
        raise ValueError("too long")
    return list(range(*bounds))


def _format(spec: str, *values: Any) -> Any:
    # Only the plain verbs mean the same in Go and in Python.
    verbs = re.findall(r"%(.)", spec.replace("%%", ""))
    if any(verb not in "sd" for verb in verbs) or len(verbs) != len(values):
        return UNKNOWN
    return re.sub("%d", "%s", spec) % tuple(map(to_text, values))


def _element(items: list[Any], index: int) -> Any:
    return items[index % len(items)]


_LENIENT: Final = {"concat", "flatten", "merge", "tolist", "try", "length", "keys"}
_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "abs": abs,
    "cidrsubnet": _cidrsubnet,
    "coalesce": _coalesce,
    "compact": lambda items: [item for item in items if item not in (None, "")],
    "concat": _concat,
    "contains": lambda items, item: item in items,
    "distinct": _distinct,
    "element": _element,
    "flatten": _flatten,
    "endswith": str.endswith,
    "format": _format,
    "formatlist": lambda spec, items: [_format(spec, item) for item in items],
    "join": lambda separator, items: separator.join(map(to_text, items)),
    "jsondecode": _decode,
    "jsonencode": lambda value: json.dumps(value, separators=(",", ":"), sort_keys=True),
    "keys": lambda values: UNKNOWN if values is UNKNOWN else sorted(values),
    "length": lambda value: UNKNOWN if value is UNKNOWN else len(value),
    "lookup": _lookup,
    "lower": str.lower,
    "max": max,
    "merge": _merge,
    "min": min,
    "nonsensitive": lambda value: value,
    "one": lambda items: items[0] if items else None,
    "range": _range,
    "replace": lambda text, old, new: UNKNOWN if old.startswith("/") else text.replace(old, new),
    "reverse": lambda items: items[::-1],
    "sensitive": lambda value: value,
    "setproduct": lambda *sets: [list(group) for group in itertools.product(*map(_as_list, sets))],
    "setsubtract": lambda items, without: [item for item in items if item not in without],
    "setunion": lambda *sets: _toset([item for items in sets for item in items]),
    "slice": lambda items, start, end: items[start:end],
    "sort": sorted,
    "split": lambda separator, text: text.split(separator),
    "startswith": str.startswith,
    "sum": sum,
    "tobool": _tobool,
    "tolist": lambda items: UNKNOWN if items is UNKNOWN else _as_list(items),
    "tomap": dict,
    "tonumber": _tonumber,
    "toset": _toset,
    "tostring": lambda value: None if value is None else to_text(value),
    "trimprefix": str.removeprefix,
    "trimspace": str.strip,
    "upper": str.upper,
    "values": lambda values: [values[key] for key in sorted(values)],
    "zipmap": lambda keys, values: dict(zip(keys, values, strict=True)),
}
