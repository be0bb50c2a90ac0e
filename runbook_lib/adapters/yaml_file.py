"""YAML files that people write: parsed with line numbers, so that an error can name file, line and field."""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import ConfigError

__all__ = ["YamlDocument", "load_model", "load_yaml", "validate"]

# Nobody writes this, and the parser would take ten seconds to give up.
_DEEP = re.compile(r"(?:[\[{][^\[\]{}]*+){60}|(?:[-?:] +){60}")
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True)
class YamlDocument:
    """Parsed YAML (`data`: plain dicts, lists and scalars) that remembers where each key stands."""

    path: Path
    data: Any
    marks: dict[tuple[str | int, ...], int]

    def line(self, *keys: str | int) -> int:
        """The 1-based line of the innermost part of `keys` that the file really has."""
        while keys and keys not in self.marks:
            keys = keys[:-1]
        return self.marks.get(keys, 1)


def load_yaml(path: Path) -> YamlDocument:
    """Read one YAML document; ConfigError for a missing file, bad syntax and duplicate keys."""
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        text = path.read_text(encoding="utf-8")
        if _DEEP.search(text):
            raise ConfigError(f"{path}: is nested too deeply", "Write it flatter.")
        data, tree = _parse(text)
        marks = _Marks(tree).lines
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file", "Create it, or name another one.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {error}", "Check its permissions and that it is UTF-8.") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        remedy = "Indent with spaces." if "\\t" in str(error.problem) else "Correct the YAML syntax there."
        raise ConfigError(f"{path}{line}: {_first_line(error.problem)}", remedy) from error
    except (TypeError, NotImplementedError) as error:
        # ruamel gives up on a mapping as a key.
        raise ConfigError(f"{path}: a key can't be read", "Write plain keys, as `name: value`.") from error
    except ValueError as error:
        where, value = _no_date(text)
        if where:
            raise ConfigError(f"{path}, line {where}: {value!r} is no date", "Write it as 2026-12-31.") from error
        raise ConfigError(f"{path}: {_first_line(error)}", "Correct the YAML syntax.") from error
    except (YAMLError, RecursionError) as error:
        raise ConfigError(f"{path}: {_first_line(error)}", "Correct the YAML syntax.") from error
    return YamlDocument(path, data, marks)


def _parse(text: str) -> tuple[Any, Any]:
    """The data, and the tree of nodes that says where each of them stands."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import ReusedAnchorWarning, YAMLError

    with warnings.catch_warnings():
        # An anchor named twice is legal: the later one counts.
        warnings.simplefilter("ignore", ReusedAnchorWarning)
        try:
            return YAML(typ="safe").load(text), YAML(typ="safe").compose(text)
        except YAMLError:
            # The parser in C is six times as fast; those in Python say better what is wrong where, and take more.
            YAML(typ="rt", pure=True).load(text)
            return YAML(typ="safe", pure=True).load(text), YAML(typ="safe", pure=True).compose(text)


def _no_date(text: str) -> tuple[int, str]:
    """Where a day stands that no calendar has, which the parser tells without saying where; 0 if there is none."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        pending = [YAML(typ="safe").compose(text)]
    except YAMLError:
        return 0, ""
    seen: set[int] = set()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if str(getattr(node, "tag", "")).endswith(":timestamp"):
            try:
                YAML(typ="safe").load(node.value)
            except ValueError:
                return node.start_mark.line + 1, node.value
        elif isinstance(node.value, list):
            pending += [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
    return 0, ""


def _first_line(problem: object) -> str:
    # ruamel quotes whole values, which may be pages long.
    return next((line.strip()[:200] for line in str(problem).splitlines() if line.strip()), "can't be read")


def load_model(path: Path, model: type[ModelT]) -> ModelT:
    """Read one YAML file as `model`; every problem becomes a ConfigError naming file, line and field."""
    document = load_yaml(path)
    if not isinstance(document.data, dict):
        fields = ", ".join(model.model_fields)
        raise ConfigError(f"{path}, line 1: `name: value` lines are expected", f"Its names are {fields}.")
    return validate(document, document.data, model)


def validate(document: YamlDocument, data: Any, model: type[ModelT], prefix: Sequence[str | int] = ()) -> ModelT:
    """Make a `model` of `data`, which stands in `document` at `prefix`; ConfigError naming file, line and field."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _config_error(document, error, model, tuple(prefix)) from error


@dataclass(frozen=True)
class _Mistake:
    line: int
    field: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"line {self.line}: " + (f"{self.field}: " if self.field else "") + self.reason


def _config_error(
    document: YamlDocument, error: ValidationError, model: type[BaseModel], prefix: tuple[str | int, ...]
) -> ConfigError:
    told = error.errors(include_url=False)
    mistakes = [_mistake(document, one, model, prefix) for one in told]
    # A misspelt field is missing as well: the spelling is what has to be told.
    guessed = [one.remedy for one in mistakes if one.remedy.startswith("Did you mean")]
    # What may be one of several things is told of for each of them: what goes deepest was meant.
    deeper = [f"{one.field}." for one in mistakes]
    each = {
        one.field: one
        for one in reversed(mistakes)
        if not (one.reason == MISSING and _meant(one, guessed))
        and not (one.field and any(other.startswith(f"{one.field}.") and other != f"{one.field}." for other in deeper))
    }
    found = sorted(each.values(), key=_place)
    first, *others = found
    # The error is one line, for whoever shows no more; the hint has one for each of the others.
    suffix = f" (and {len(others)} more)" if others else ""
    lines = [f"  {one}. {one.remedy}" for one in others[:MOST]]
    more = [f"  and {len(others) - MOST} more"] if len(others) > MOST else []
    return ConfigError(f"{document.path}, {first}{suffix}", "\n".join([first.remedy, *lines, *more]))


# By the beginning of pydantic's names for it.
_KINDS = {
    "tuple": ("a list", "it as [one, another]"),
    "list": ("a list", "it as [one, another]"),
    "frozen_set": ("a list", "it as [one, another]"),
    "dict": ("names with values", "a line `name: value` for each"),
    "model": ("names with values", "a line `name: value` for each"),
    "int": ("a whole number", "it in digits, without quotation marks"),
    "int_from": ("a whole number", "it in digits, without quotation marks"),
    "string": ("a text", "one text, in quotation marks if it looks like a number or a truth value"),
    "bool": ("true or false", "true or false"),
}
MOST = 20
MISSING = "is missing"


def _place(mistake: _Mistake) -> tuple[int, str]:
    return mistake.line, mistake.field


def _meant(mistake: _Mistake, guessed: Sequence[str]) -> bool:
    return any(f"{mistake.field.rpartition('.')[2]!r}" in remedy for remedy in guessed)


def _mistake(
    document: YamlDocument, told: Mapping[str, Any], model: type[BaseModel], prefix: tuple[str | int, ...]
) -> _Mistake:
    # A check of several things together says itself which of them is wrong.
    location = (*told["loc"], *told.get("ctx", {}).get("at", ()))
    field = ".".join(str(part) for part in (*prefix, *location))
    reason = str(told["msg"]).removeprefix("Value error, ")
    remedy = f"Correct the field {field}." if field else "Correct it there."
    if told["type"] == "missing":
        reason, remedy = MISSING, f"Add the field {field}."
    elif told["type"] == "extra_forbidden":
        reason = "is not a known field"
        close = difflib.get_close_matches(str(location[-1]), _names(model, location[:-1]), n=1)
        remedy = f"Did you mean {close[0]!r}?" if close else "Remove it."
    elif told["type"] == "time_delta_parsing":
        reason, remedy = f"{told['input']!r} is no time", "Write it as 30s, 15m, 4h or 2d."
    elif told["type"].startswith("date_"):
        reason, remedy = f"{str(told['input'])[:40]!r} is no date", "Write it as 2026-12-31."
    elif kind := _KINDS.get(told["type"].rpartition("_")[0]):
        # Not the value itself, which may be a secret that somebody put there.
        reason, remedy = f"is {_kind_of(told['input'])}, and has to be {kind[0]}", f"Write {kind[1]}."
    return _Mistake(document.line(*prefix, *location), field, reason, remedy)


def _kind_of(value: object) -> str:
    """What YAML made of what stands there."""
    kinds = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return "empty" if value is None else kinds.get(type(value), "names with values")


def _names(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    # Walks the nested models along the location; a name is a suggestion only, so giving up returns fewer of them.
    found: type[BaseModel] = model
    for part in location:
        field = found.model_fields.get(str(part))
        candidates = _models_in(field.annotation) if field else _models_in(found)
        if candidates:
            found = candidates[0]
    return list(found.model_fields)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


class _Marks:
    """Lines by path. What aliases repeat is walked once: nine of nine of nine of them may be more than ever ends."""

    def __init__(self, tree: Any) -> None:
        self.lines: dict[tuple[str | int, ...], int] = {(): 1}
        self._walked: set[int] = set()
        self._above: set[int] = set()
        self._walk(tree, ())

    def _walk(self, node: Any, path: tuple[str | int, ...]) -> None:
        kind = getattr(node, "id", "scalar")
        if kind == "scalar":
            return
        if id(node) in self._above:
            raise ValueError(f"line {node.start_mark.line + 1}: an anchor holds itself")
        if id(node) in self._walked:
            return
        self._walked.add(id(node))
        self._above.add(id(node))
        if kind == "mapping":
            named = ((key.value, key, value) for key, value in node.value)
        else:
            named = ((index, value, value) for index, value in enumerate(node.value))
        for name, where, value in named:
            self.lines[*path, name] = where.start_mark.line + 1
            self._walk(value, (*path, name))
        self._above.discard(id(node))
