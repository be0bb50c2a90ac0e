"""The parameters of notebooks: declared in a cell, given by several sources, made to fit before a kernel starts."""

from __future__ import annotations

import ast
import difflib
import io
import math
import os
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError, UsageError
from .notebook_files import read_notebook

__all__ = [
    "INJECTED",
    "Parameter",
    "ParameterSet",
    "check_parameters",
    "collect_parameters",
    "declared_parameters",
    "fit_text",
    "fit_value",
    "known_parameter",
    "language_of",
    "parameters_cell",
]


@dataclass(frozen=True)
class Parameter:
    """One declared parameter. `annotation` is empty if none is written; `default` is source text."""

    name: str
    annotation: str
    default: str
    required: bool
    meaning: str

    @property
    def type(self) -> str:
        """The declared type; a default that is a text declares text."""
        if self.annotation:
            return self.annotation
        return "str" if isinstance(_literal(self.default), str) else ""


def parameters_cell(nb: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first code cell tagged `parameters`."""
    for cell in nb["cells"]:
        if cell["cell_type"] == "code" and "parameters" in cell["metadata"].get("tags", []):
            found: Mapping[str, Any] = cell
            return found
    return None


def declared_parameters(nb: Mapping[str, Any]) -> dict[str, Parameter] | None:
    """The parameters by name; None if the notebook declares none, or declares them in another language."""
    cell = parameters_cell(nb)
    language = language_of(nb)
    if cell is None or (language and language not in {"python", "ipython"}):
        return None
    source = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in cell["source"].splitlines())
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise ConfigError(
            f"the parameters cell, line {error.lineno}: {error.msg}", "Write one parameter a line, as `name: str = ''`."
        ) from error
    comments = _comments(source)
    found = [_parameter(node, source, comments) for node in tree.body]
    return {parameter.name: parameter for parameter in found if parameter}


def language_of(nb: Mapping[str, Any]) -> str:
    """The notebook's language in lower case, empty if it does not say."""
    metadata = nb["metadata"]
    named = metadata.get("kernelspec", {}).get("language") or metadata.get("language_info", {}).get("name")
    return str(named or "").lower()


def _parameter(node: ast.stmt, source: str, comments: dict[int, str]) -> Parameter | None:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        name, annotation, value = node.target.id, ast.unparse(node.annotation).strip("'\""), node.value
    elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        name, annotation, value = node.targets[0].id, "", node.value
    else:
        return None
    required = value is None or (isinstance(value, ast.Constant) and value.value is ...)
    default = "" if required or value is None else ast.get_source_segment(source, value) or ""
    meaning = comments.get(node.end_lineno or node.lineno) or comments.get(-(node.lineno - 1), "")
    return Parameter(name, annotation, default, required, meaning)


def _comments(source: str) -> dict[int, str]:
    # By line; a comment that has a line to itself is kept under the negative number and speaks of the line below.
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            alone = not token.line[: token.start[1]].strip()
            found[-token.start[0] if alone else token.start[0]] = token.string.lstrip("# ").strip()
    return found


def _literal(source: str) -> Any:
    try:
        return ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return None


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


def check_parameters(nb: Mapping[str, Any], values: Mapping[str, Any], what: str = "the notebook") -> dict[str, Any]:
    """The values in their declared types; UsageError for unknown names, wrong types and missing required ones.

    A notebook that declares nothing (or in another language) takes anything, as papermill documents.
    """
    declared = declared_parameters(nb)
    if declared is None:
        return dict(values)
    fitted = {
        name: fit_value(name, value, known_parameter(name, declared, what).type) for name, value in values.items()
    }
    missing = [name for name, parameter in declared.items() if parameter.required and name not in values]
    if missing:
        raise UsageError(
            f"{what} needs the parameter {missing[0]!r}" + (f" (and {', '.join(missing[1:])})" if missing[1:] else ""),
            declared[missing[0]].meaning or f"Pass it with -p {missing[0]}=….",
        )
    return fitted


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
        found.setdefault(step, {})[name] = fit_text(
            name, text, known_parameter(name, declared[step], f"step {step}").type
        )
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
        found.setdefault(step, {})[name] = fit_text(name, text, parameter.type)
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
            found.setdefault(step, {})[str(name)] = fit_value(str(name), value, parameter.type)
    return found


def _step(name: str, declared: Declared) -> str:
    if name in set(declared):
        return name
    close = difflib.get_close_matches(name, list(declared), n=1, cutoff=0.5)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise UsageError(f"unknown step {name!r}{hint}", f"Steps: {', '.join(declared)}.")
