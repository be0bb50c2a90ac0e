"""Parameter values made to fit their declared types, strictly."""

from __future__ import annotations

import ast
import math
from typing import Any

from ..errors import UsageError

__all__ = ["fit_text", "fit_value"]

TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
PLAIN = {"str": str, "int": int, "float": float, "bool": bool}


def fit_text(name: str, text: str, annotation: str) -> Any:
    """The value that a text stands for: `007` is text where text is declared; UsageError if it does not fit."""
    kind = _parse(annotation)
    if _accepts_text(kind):
        return text
    if "None" in _options(kind) and text in {"", "None", "null"}:
        return None
    for option in _options(kind):
        if option == "bool" and text.lower() in TRUTH:
            return TRUTH[text.lower()]
        if option in {"int", "float"}:
            try:
                return fit_value(name, PLAIN[option](text), option)
            except ValueError:
                continue
    if annotation and all(option in PLAIN for option in _options(kind)):
        raise _misfit(name, text, annotation)
    return fit_value(name, _yaml(name, text), annotation)


def fit_value(name: str, value: Any, annotation: str) -> Any:
    """The value, if it fits the declared type (an int fits float); UsageError if not. No type takes anything."""
    if not annotation:
        return value
    fitted = _fit(value, _parse(annotation))
    if fitted is _MISFIT:
        raise _misfit(name, value, annotation)
    return fitted


_MISFIT = object()


def _misfit(name: str, value: Any, annotation: str) -> UsageError:
    hint = ""
    if annotation == "str" and not isinstance(value, str):
        hint = f" Quote it to pass text; with papermill, use -r {name} {value}."
    return UsageError(
        f"parameter {name!r} is declared {annotation}, and {value!r} is {type(value).__name__}",
        f"Pass a value of type {annotation}.{hint}",
    )


def _fit(value: Any, kind: ast.expr) -> Any:
    for option in _options(kind):
        if (fitted := _fit_one(value, option, kind)) is not _MISFIT:
            return fitted
    return _MISFIT


def _fit_one(value: Any, option: str, kind: ast.expr) -> Any:
    if option == "None":
        return None if value is None else _MISFIT
    if option == "bool":
        return value if isinstance(value, bool) else _MISFIT
    if option in {"int", "float"}:
        return _fit_number(value, option)
    if option == "str":
        return value if isinstance(value, str) else _MISFIT
    if option in {"list", "List", "dict", "Dict"}:
        return _fit_container(value, kind)
    return value  # a type that is not ours to judge


def _fit_number(value: Any, option: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _MISFIT
    if option == "int":
        return value if isinstance(value, int) else _MISFIT
    # papermill makes infinity of 123e4567; nobody means that.
    return float(value) if math.isfinite(value) else _MISFIT


def _fit_container(value: Any, kind: ast.expr) -> Any:
    for node in _alternatives(kind):
        name, arguments = _subscript(node)
        if name.lower() == "list" and isinstance(value, list | tuple):
            items = [_fit(item, arguments[0]) if arguments else item for item in value]
            return _MISFIT if any(item is _MISFIT for item in items) else items
        if name.lower() == "dict" and isinstance(value, dict):
            return _fit_dict(value, arguments)
    return _MISFIT


def _fit_dict(value: dict[Any, Any], arguments: list[ast.expr]) -> Any:
    if len(arguments) != 2:
        return value
    pairs = [(_fit(key, arguments[0]), _fit(item, arguments[1])) for key, item in value.items()]
    return _MISFIT if any(_MISFIT in (key, item) for key, item in pairs) else dict(pairs)


def _parse(annotation: str) -> ast.expr:
    try:
        return ast.parse(annotation or "object", mode="eval").body
    except SyntaxError:
        return ast.Name("object")


def _alternatives(kind: ast.expr) -> list[ast.expr]:
    if isinstance(kind, ast.BinOp) and isinstance(kind.op, ast.BitOr):
        return [*_alternatives(kind.left), *_alternatives(kind.right)]
    name, arguments = _subscript(kind)
    if name == "Optional" and arguments:
        return [*_alternatives(arguments[0]), ast.Constant(None)]
    return [kind]


def _options(kind: ast.expr) -> list[str]:
    return [
        "None" if isinstance(node, ast.Constant) and node.value is None else _subscript(node)[0]
        for node in _alternatives(kind)
    ]


def _subscript(node: ast.expr) -> tuple[str, list[ast.expr]]:
    arguments: list[ast.expr] = []
    if isinstance(node, ast.Subscript):
        arguments = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        node = node.value
    return ast.unparse(node).rpartition(".")[2], arguments


def _accepts_text(kind: ast.expr) -> bool:
    return "str" in _options(kind)


def _yaml(name: str, text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise UsageError(f"parameter {name!r}: {text!r} is no YAML value", "Write it as [a, b] or {a: b}.") from error
