"""Writes docs/reference/ from the command line and the models (`make reference`); a test says when to."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from runbook_lib.cli.main import app
from runbook_lib.models.approval import ApprovalRequest, DecisionRecord
from runbook_lib.models.config import RunbookConfig
from runbook_lib.models.evidence import Manifest
from runbook_lib.models.history import TABLES, about
from runbook_lib.models.policies import Policy
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run

ROOT = Path(__file__).resolve().parents[1]
MADE = "<!-- Made by `make reference`; what is written here by hand is lost. -->"
FILE = "## The file"
WORDS = {"string": "text", "integer": "whole number", "boolean": "yes or no", "null": "nothing"}
FORMATS = {"date-time": "time", "duration": "duration, as 30s, 15m, 4h, 2d", "date": "date"}
FILES: dict[str, type[BaseModel]] = {
    "run.json": Run,
    "result.json": StepResult,
    "request.json": ApprovalRequest,
    "decision.json": DecisionRecord,
    "manifest.json": Manifest,
}


def pages() -> dict[str, str]:
    """Each page's name with its text."""
    config = _page(
        "runbook.yml", "Every key. [Configuration](../configuration.md) says what they are for.", RunbookConfig
    )
    policy = _page("A policy", "Every key of a policy's YAML. [Policies](../policies.md) has examples.", Policy)
    return {
        "commands.md": commands(),
        "runbook-yml.md": config,
        "policy.md": policy,
        "run-files.md": run_files(),
        "history-tables.md": history_tables(),
    }


def history_tables() -> str:
    """Every table and column of the index of run folders."""
    lines = [
        "# The index of all runs",
        MADE,
        "The tables of `outputs/history.sqlite`. [All runs](../history.md) says what they are for.",
    ]
    for name, row in TABLES.items():
        kinds = {one.name: _kind_of(str(one.type)) for one in fields(row)}
        columns = [f"| `{column}` | {kinds[column]} | {text} |" for column, text in about(row).items()]
        lines += [f"## {name}", str(row.__doc__), "\n".join(["| column | kind | holds |", "|---|---|---|", *columns])]
    return "\n\n".join(lines) + "\n"


def _kind_of(type_: str) -> str:
    name, _, null = type_.partition(" | ")
    return {"int": "whole number", "float": "number", "str": "text"}[name] + (" or null" if null else "")


def commands() -> str:
    """Every command with its arguments and options."""
    lines = [
        "# Commands",
        MADE,
        "Exit statuses and what is printed where: [architecture](../architecture.md#exit-status).",
    ]
    for name, command in _commands(typer.main.get_command(app), "runbook"):
        usage = " ".join(_usage(parameter) for parameter in command.params if parameter.name != "help")
        lines += [f"## `{name}`", _sentence(command.help), f"    {name} {usage}".rstrip()]
        rows = [_row(parameter) for parameter in command.params if getattr(parameter, "help", None)]
        if rows:
            lines.append("\n".join(["| | is | default |", "|---|---|---|", *rows]))
    return "\n\n".join(lines) + "\n"


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
        return
    for key in sorted(inner):
        yield from _commands(inner[key], f"{name} {key}")


def _usage(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        shown = f"{_name(parameter)}{'…' if parameter.nargs == -1 else ''}"
        return shown if parameter.required else f"[{shown}]"
    longest = max(parameter.opts, key=len)
    shown = longest if parameter.is_flag else f"{longest} {_value(parameter)}"
    return shown if parameter.required else f"[{shown}]"


def _name(parameter: Any) -> str:
    return str(getattr(parameter, "metavar", None) or parameter.name).upper()


def _value(parameter: Any) -> str:
    kind = parameter.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(one.value) for one in kind)
    return str(parameter.metavar or parameter.name).upper()


def _row(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        names = f"`{_name(parameter)}`"
    given = parameter.default.value if isinstance(parameter.default, Enum) else parameter.default
    default = f"`{given}`" if isinstance(given, str | int) and given not in {"", False} else ""
    return f"| {names} | {_cell(parameter.help)} | {default} |"


def run_files() -> str:
    """The files of a run folder that are models."""
    about = "Every field. [The run folder](../run-folder.md) says who writes them and when."
    parts = [f"# Files of a run\n\n{MADE}\n\n{about}"]
    return "\n\n".join([*parts, *(_models(model, f"## {name}") for name, model in FILES.items())]) + "\n"


def _page(title: str, about: str, model: type[BaseModel]) -> str:
    return f"# {title}\n\n{MADE}\n\n{about}\n\n{_models(model, FILE)}\n"


def _models(model: type[BaseModel], head: str) -> str:
    schema = model.model_json_schema()
    parts = [head, _about(model), _table(schema)]
    for name, inner in sorted(schema.get("$defs", {}).items()):
        title = f"### {name}" if head == FILE else f"### {name} in {head[3:]}"
        words = ", ".join(f"`{value}`" for value in inner.get("enum", ()))
        parts += [
            title,
            _sentence(inner.get("description")),
            _table(inner) if "properties" in inner else f"One of {words}.",
        ]
    return "\n\n".join(part for part in parts if part)


def _about(model: type[BaseModel]) -> str:
    return _sentence(inspect.getdoc(model))


def _table(schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = []
    for name, field in schema["properties"].items():
        default = "required" if name in required else _default(field)
        rows.append(f"| `{name}` | {_cell(_type(field))} | {default} |")
    return "\n".join(["| key | is | default |", "|---|---|---|", *rows])


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    if value in (None, "", [], {}):
        return ""
    return (
        f"`{str(value).lower() if isinstance(value, bool) else value}`"
        if not isinstance(value, list | dict)
        else "built in"
    )


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rsplit("/", 1)[1]
    if "const" in field or "enum" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(inner) for inner in field["anyOf"]))
    return _plain(field, field.get("type", "any"))


def _plain(field: dict[str, Any], kind: str) -> str:
    inner = field.get("items") if kind == "array" else field.get("additionalProperties")
    if kind in {"array", "object"}:
        head = "list" if kind == "array" else "by name"
        of = _type(inner) if isinstance(inner, dict) and inner else ""
        return head if not of else f"list of {of}" if kind == "array" else f"by name: {of}"
    return FORMATS.get(field.get("format", "")) or WORDS.get(kind, kind)


def _sentence(text: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").strip().split("\n\n"))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Write them."""
    for name, text in pages().items():
        (ROOT / "docs/reference" / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
