"""`runbook verify`: repository against state against AWS."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from ..models.verification import Verification

__all__ = ["register"]


class Format(StrEnum):
    """How the answer is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(_verify)


def _verify(
    stack: Annotated[str, typer.Option(help="The stack; runbook.yml's default_stack if it is not given.")] = "",
    form: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.TABLE,
) -> None:
    """Compare what the repository wants with the state and with what AWS has."""
    from ..settings import Settings
    from ..workspace.clients import enter_stack
    from ..workspace.comparison import compare_places, gather_places
    from .inputs import progress_on_stderr

    settings = Settings.load()
    stack = settings.stack_name(stack)
    enter_stack(settings, stack)
    with progress_on_stderr():
        found = compare_places(gather_places(settings, stack, print))
    sys.stdout.write(_render(found, form))
    if found.outcome.stops:
        raise typer.Exit(1)


def _render(found: Verification, form: Format) -> str:
    if form is Format.JSON:
        return found.model_dump_json(indent=2) + "\n"
    if form is Format.CSV:
        from ..report.csv_formats import differences_csv

        return differences_csv(found)
    from ..report import tables

    table = tables.differences(found)
    rows = f"\n\n{table.text()}" if table.rows else ""
    return f"{found.outcome.value.upper()}: {table.caption}{rows}\n"
