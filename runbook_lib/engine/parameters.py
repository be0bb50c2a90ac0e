"""The parameters of notebooks: declared in a cell, given by several sources, made to fit before a kernel starts."""

from __future__ import annotations

import ast
import difflib
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError, UsageError
from .declarations import Parameter, declared_parameters
from .notebook_files import read_notebook

__all__ = [
    "INJECTED",
    "Given",
    "MissingParameterError",
    "Parameter",
    "ParameterSet",
    "check_parameters",
    "collect_parameters",
    "declared_parameters",
    "fit_text",
    "fit_value",
    "known_parameter",
    "retype",
]


TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
PLAIN = {"str": str, "int": int, "float": float, "bool": bool}
CONTAINERS = {"list", "List", "dict", "Dict"}
ANYTHING = {"Any", "object"}


def fit_text(name: str, text: str, annotation: str) -> Any:
    """The value that a text stands for: `007` is text where text is declared; UsageError if it does not fit.

    A type that is not ours to judge (`Path`, `date`) takes the text as it is.
    """
    kind = _parse(annotation)
    if _accepts_text(kind):
        return text
    if "None" in _options(kind) and text in {"", "None", "null"}:
        return None
    for option in _options(kind):
        if option == "bool" and text.lower() in TRUTH:
            return TRUTH[text.lower()]
        if option in {"int", "float"} and (number := _number(text, option)) is not None:
            return number
    if _foreign(kind):
        return text
    if annotation and all(option in PLAIN for option in _options(kind)):
        raise _misfit(name, text, annotation)
    return fit_value(name, _yaml(name, text), annotation)


def _number(text: str, option: str) -> float | None:
    try:
        number: float = PLAIN[option](text)
    except ValueError:
        return None
    # 123e4567 makes infinity, and nobody means that; who means it writes it.
    return None if math.isinf(number) and "inf" not in text.lower() else number


def retype(parameter: Parameter, text: str, value: Any) -> Any:
    """What a typed text means where the parameter is declared; `value` is what papermill has made of it."""
    kind = _parse(parameter.annotation)
    # A default that is a number says of a type that we do not know that it takes numbers.
    free = ANYTHING & set(_options(kind)) or (_foreign(kind) and isinstance(parameter.value, int | float))
    # Without an annotation papermill's None is null: a default that is a text only keeps text as it was typed.
    null = value is None and not parameter.annotation
    if null or not parameter.type or (parameter.annotation and free):
        return value
    return fit_text(parameter.name, text, parameter.type)


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
    if option in CONTAINERS:
        return _fit_container(value, kind)
    return value  # a type that is not ours to judge


def _fit_number(value: Any, option: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _MISFIT
    if option == "int":
        return value if isinstance(value, int) else _MISFIT
    return float(value)


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
    if name == "Union":
        return [option for argument in arguments for option in _alternatives(argument)]
    if name in {"Annotated", "Final"} and arguments:
        return _alternatives(arguments[0])
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


def _foreign(kind: ast.expr) -> bool:
    return any(option not in {*PLAIN, *CONTAINERS, *ANYTHING, "None"} for option in _options(kind))


def _yaml(name: str, text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise UsageError(f"parameter {name!r}: {text!r} is no YAML value", "Write it as [a, b] or {a: b}.") from error


def check_parameters(
    nb: Mapping[str, Any], values: Mapping[str, Any], what: str = "the notebook", *, unknown: bool = False
) -> dict[str, Any]:
    """The values in their declared types; UsageError for unknown names, wrong types and missing required ones.

    Only an annotation makes a type wrong. A notebook that declares nothing (or in another language) takes anything, as
    papermill documents; with `unknown` each takes names that it does not know.
    """
    declared = declared_parameters(nb)
    if declared is None:
        return dict(values)
    fitted = {}
    for name, value in values.items():
        free = unknown and name not in declared
        fitted[name] = value if free else _given_value(known_parameter(name, declared, what), value)
    missing = [name for name, parameter in declared.items() if parameter.required and name not in values]
    if missing:
        raise MissingParameterError(
            f"{what} needs the parameter {missing[0]!r}" + (f" (and {', '.join(missing[1:])})" if missing[1:] else ""),
            declared[missing[0]].meaning or f"Pass it with -p {missing[0]}=….",
        )
    return fitted


def _given_value(parameter: Parameter, value: Any) -> Any:
    return _chosen(parameter, fit_value(parameter.name, value, parameter.annotation))


def _given_text(parameter: Parameter, text: str) -> Any:
    return _chosen(parameter, fit_text(parameter.name, text, parameter.type))


def _chosen(parameter: Parameter, value: Any) -> Any:
    """The value, if it is one of those that the parameter allows."""
    choices = parameter.choices
    if not choices or str(value) in choices:
        return value
    close = difflib.get_close_matches(str(value), choices, n=1, cutoff=0.5)
    raise UsageError(
        f"parameter {parameter.name!r} can't be {value!r}" + (f"; did you mean {close[0]!r}?" if close else ""),
        f"It takes {', '.join(choices[:-1])} or {choices[-1]}.",
    )


class MissingParameterError(UsageError):
    """A required parameter was not given."""


def known_parameter(name: str, declared: Mapping[str, Parameter], what: str) -> Parameter:
    """The declared parameter of this name; UsageError with the likeliest name if there is none."""
    if name in declared:
        return declared[name]
    close = difflib.get_close_matches(name, declared, n=1, cutoff=0.5)
    known = f"Known: {', '.join(declared)}." if declared else "It takes none."
    raise UsageError(
        f"unknown parameter {name!r} of {what}" + (f"; did you mean {close[0]!r}?" if close else ""), known
    )


PREFIX = "RUNBOOK_PARAM_"
# The sequence itself sets these, by --run-id and --stack.
INJECTED = ("run_id", "stack")


@dataclass(frozen=True)
class ParameterSet:
    """Typed values by notebook, and where each came from: `file`, `environment` or `command line`."""

    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """What was given: texts `NAME.PARAMETER=VALUE`, a document (`what` is its file's name), and variables."""

    assignments: Iterable[str] = ()
    document: object = None
    what: str = ""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


def collect_parameters(notebooks: Mapping[str, Path], chosen: Iterable[str], given: Given) -> ParameterSet:
    """Values for the chosen ones of several named notebooks, from all that was given.

    Variables are named RUNBOOK_PARAM_<NAME>_<PARAMETER>; a document has the notebooks' names at its top. UsageError for
    an unknown name, with a suggestion, or for a value that does not fit its declared type.
    """
    names = tuple(chosen)
    declared = {
        name: declared_parameters(read_notebook(path)) or {}
        for name, path in notebooks.items()
        if name in names or path.exists()
    }
    values: dict[str, dict[str, Any]] = {name: {} for name in names}
    sources: dict[str, dict[str, str]] = {name: {} for name in names}
    for source, found in (
        ("file", _from_document(given, declared)),
        ("environment", _from_environment(given.environ, declared)),
        ("command line", _from_assignments(given.assignments, declared)),
    ):
        for step, named in found.items():
            if step in values:
                values[step] |= named
                sources[step] |= dict.fromkeys(named, source)
    return ParameterSet(values, sources)


Declared = Mapping[str, Mapping[str, Parameter]]
Found = dict[str, dict[str, Any]]


def _from_assignments(assignments: Iterable[str], declared: Declared) -> Found:
    found: Found = {}
    for assignment in assignments:
        target, equals, text = assignment.partition("=")
        step_name, dot, name = target.strip().partition(".")
        if not (equals and dot and name):
            raise UsageError(f"parameter {assignment!r} is not STEP.NAME=VALUE", "As in -p plan.lock=false.")
        step = _step(step_name, declared)
        found.setdefault(step, {})[name] = _given_text(known_parameter(name, declared[step], f"step {step}"), text)
    return found


def _from_environment(environ: Mapping[str, str], declared: Declared) -> Found:
    found: Found = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX):
            continue
        # Steps' names hold underscores too: the longest one that fits is meant.
        steps = [step for step in declared if variable.startswith(f"{PREFIX}{step.upper()}_")]
        if not steps:
            raise UsageError(f"{variable} names no step", f"Write {PREFIX}<STEP>_<NAME>; steps: {', '.join(declared)}.")
        step = max(steps, key=len)
        name = variable[len(f"{PREFIX}{step}_") :].lower()
        parameter = known_parameter(name, declared[step], f"step {step} ({variable})")
        found.setdefault(step, {})[name] = _given_text(parameter, text)
    return found


def _from_document(given: Given, declared: Declared) -> Found:
    document = given.document or {}
    if not isinstance(document, dict) or not all(isinstance(named, dict) for named in document.values()):
        raise ConfigError(
            f"{given.what}: is no list of steps with their parameters", "Write `plan:` and below it `name: value`."
        )
    found: Found = {}
    for step_name, named in document.items():
        step = _step(str(step_name), declared)
        for name, value in named.items():
            parameter = known_parameter(str(name), declared[step], f"step {step} ({given.what})")
            found.setdefault(step, {})[str(name)] = _given_value(parameter, value)
    return found


def _step(name: str, declared: Declared) -> str:
    if name in set(declared):
        return name
    close = difflib.get_close_matches(name, list(declared), n=1, cutoff=0.5)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise UsageError(f"unknown step {name!r}{hint}", f"Steps: {', '.join(declared)}.")
