"""`runbook params`: what a notebook can be given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import UsageError

if TYPE_CHECKING:
    from ..engine.parameters import Parameter

__all__ = ["register"]

PRECEDENCE = (
    "Precedence: the notebook's default < a file (-f) < the environment (RUNBOOK_PARAM_…) < the command line (-p)."
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("params")(params)


def params(
    notebook: Annotated[str, typer.Argument(metavar="NOTEBOOK", help="A notebook's path, or a step's name.")],
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="How to show them.")] = "table",
) -> None:
    """List a notebook's parameters: types, defaults, meaning, and the ways to set them."""
    from ..engine.notebook_files import read_notebook
    from ..engine.parameters import declared_parameters

    path, step = _locate(notebook)
    declared = list((declared_parameters(read_notebook(path)) or {}).values())
    if form == "json":
        typer.echo(json.dumps([_as_json(parameter, step) for parameter in declared], indent=2))
    elif not declared:
        typer.echo(f"{path.name} takes no parameters.")
    else:
        typer.echo(_table(declared, step))
        typer.echo(PRECEDENCE, err=True)


def _locate(notebook: str) -> tuple[Path, str]:
    from ..models.steps import BUILT_IN, find_step
    from ..settings import Settings
    from ..workspace.runs import no_step

    path = Path(notebook)
    if path.suffix == ".ipynb":
        if not path.is_file():
            raise UsageError(f"there is no notebook {path}", "Name a notebook's path, or a step.")
        return path, next((step.name for step in BUILT_IN if step.notebook == path.name), "")
    settings, name = Settings.load(), notebook.replace("-", "_").lower()
    step = find_step(settings.config.all_steps, name)
    if step is None:
        raise no_step(name, settings.config.all_steps, "runbook.yml")
    return settings.notebook(step), step.name


def _as_json(parameter: Parameter, step: str) -> dict[str, object]:
    return {
        "name": parameter.name,
        "type": parameter.type,
        "default": None if parameter.required else parameter.default,
        "required": parameter.required,
        "meaning": parameter.meaning,
        **_ways(parameter.name, step),
    }


def _ways(name: str, step: str) -> dict[str, str]:
    if not step:
        return {}
    if name in {"run_id", "stack"}:
        return {"option": f"--{name.replace('_', '-')}"}
    return {"option": f"-p {step}.{name}=…", "variable": f"RUNBOOK_PARAM_{step.upper()}_{name.upper()}"}


def _table(declared: list[Parameter], step: str) -> str:
    rows = [("NAME", "TYPE", "DEFAULT", "SET BY", "MEANING")]
    for parameter in declared:
        ways = _ways(parameter.name, step)
        setting = ways.get("variable") or ways.get("option") or f"-p {parameter.name}"
        default = "(required)" if parameter.required else parameter.default
        rows.append((parameter.name, parameter.type or "any", default, setting, parameter.meaning))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[4]]).rstrip()
        for row in rows
    )
