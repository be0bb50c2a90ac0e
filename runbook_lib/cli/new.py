"""`runbook new notebook`: a step of one's own, to begin with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError

if TYPE_CHECKING:
    from ..models.config import RunbookConfig

__all__ = ["register"]

TEMPLATE = Path(__file__).with_name("own_step.ipynb")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Begin something of one's own.")
    group.command("notebook")(notebook)
    # A group of one command would be that command itself.
    group.callback()(lambda: None)
    app.add_typer(group, name="new")


def notebook(name: Annotated[str, typer.Argument(metavar="NAME", help="The step's name, as `cost`.")]) -> None:
    """Write a notebook that runs as a step, and say which lines make it one."""
    from ..adapters.atomic import write_atomic
    from ..models.steps import BUILT_IN, STEP_NAME, find_step
    from ..repository import find_repository

    if not re.fullmatch(STEP_NAME, name):
        raise UsageError(f"{name!r} can't name a step", "Use small letters, digits and '_', as in peer_review.")
    if find_step(BUILT_IN, name):
        raise UsageError(f"{name} is a built-in step", "Choose another name.")
    repository = find_repository()
    # Before anything is written: with a mistake in runbook.yml nothing is done.
    said = _next_steps(name, repository.load())
    path = repository.root / "notebooks" / f"{name}.ipynb"
    if path.exists():
        raise UsageError(f"{path} is there already", "Choose another name, or edit that one.")
    text = TEMPLATE.read_text(encoding="utf-8")
    title = name.replace("_", " ").capitalize()
    write_atomic(path, text.replace("@name@", name).replace("@title@", title).encode())
    typer.echo(path)
    typer.echo(said, err=True)


def _next_steps(name: str, runbooks: RunbookConfig) -> str:
    names = [step.name for step in runbooks.runbook(runbooks.runbook_names[0]) if step.name != name]
    position = names.index("plan") + 1 if "plan" in names else len(names)
    steps = ", ".join([*names[:position], name, *names[position:]])
    return f"Make it a step in runbook.yml:\n\n    runbooks:\n      change:\n        steps: [{steps}]\n"
