"""Type constraints of variables: what Terraform converts a value to, optional attributes filled in."""

from __future__ import annotations

import math
from typing import Any

from ..models.base import UNKNOWN
from .hcl_expression import Expression
from .hcl_functions import call_function, iterate, to_text

__all__ = ["apply_type"]


def apply_type(tree: Expression | None, value: Any) -> Any:
    """The value as the constraint makes it, UNKNOWN where it does not fit."""
    if tree is None or value is None or value is UNKNOWN:
        return value
    try:
        if tree.kind == "root":
            return _scalar(tree.parts[0], value)
        if tree.kind == "call":
            return _compound(tree.parts[0], tree.parts[1:], value)
    except (TypeError, ValueError, KeyError, RecursionError):
        return UNKNOWN
    return UNKNOWN


def _scalar(name: str, value: Any) -> Any:
    if name == "any":
        return value
    if name == "string":
        return to_text(value)
    if name == "number":
        if isinstance(value, bool):
            raise TypeError("a number is expected")
        number = float(value)
        if not math.isfinite(number):
            raise ValueError("Terraform has no such number")
        return int(number) if number.is_integer() else number
    if name == "bool":
        return value if isinstance(value, bool) else {"true": True, "false": False}[value]
    return value  # bare list, map and set take anything


def _compound(name: str, arguments: tuple[Expression, ...], value: Any) -> Any:
    inner = arguments[0] if arguments else None
    if name in {"list", "set", "tuple"}:
        items = [part for _, part in iterate(value)]
        if name == "tuple" and inner is not None:
            return [apply_type(kind, part) for kind, part in zip(inner.parts, items, strict=True)]
        made = [apply_type(inner, part) for part in items]
        return call_function("toset", [made]) if name == "set" else made
    if name == "map":
        return {key: apply_type(inner, part) for key, part in value.items()}
    if name == "object" and inner is not None:
        return {_name(key): _attribute(kind, value, _name(key)) for key, kind in inner.parts}
    return UNKNOWN


def _attribute(kind: Expression, value: dict[str, Any], name: str) -> Any:
    if kind.kind == "call" and kind.parts[0] == "optional":
        found = value.get(name)
        default = kind.parts[2] if len(kind.parts) > 2 else None
        if found is None and default is not None:
            return apply_type(kind.parts[1], _constant(default))
        return apply_type(kind.parts[1], found)
    return apply_type(kind, value[name])


def _constant(tree: Expression) -> Any:
    if tree.kind == "literal":
        return tree.parts[0]
    if tree.kind == "list":
        return [_constant(part) for part in tree.parts]
    if tree.kind == "object":
        return {_name(key): _constant(part) for key, part in tree.parts}
    if tree.kind == "unary" and tree.parts[0] == "-":
        return -_constant(tree.parts[1])
    return UNKNOWN


def _name(key: Expression) -> str:
    if key.kind != "literal":
        raise TypeError("not a name")
    return str(key.parts[0])
