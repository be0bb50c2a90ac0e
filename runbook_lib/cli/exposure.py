"""`runbook exposure`: who can newly reach what through a plan, and who no longer can."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


class Format(StrEnum):
    """How the answer is written."""

    TABLE = "table"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("exposure")(_exposure)


def _exposure(
    plan: Annotated[Path, typer.Option(help="A plan as `terraform show -json` writes it; - for stdin.")],
    form: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.TABLE,
) -> None:
    """Say who can newly reach what through a plan, and who no longer can."""
    from ..domain.exposure import exposure
    from ..domain.group_names import group_names
    from ..domain.plan import parse_plan, refuse_incomplete
    from ..domain.rules import rules_from_plan
    from .inputs import read_bytes

    parsed = refuse_incomplete(parse_plan(read_bytes(plan)))
    rules = rules_from_plan(parsed)
    found = exposure(rules.before, rules.after, group_names(parsed), rules.whole_groups)
    if form is Format.JSON:
        sys.stdout.write(found.model_dump_json(indent=2) + "\n")
        return
    from ..report import tables

    table = tables.exposure(found)
    sys.stdout.write(f"{found.sentence}\n" + (f"\n{table.text()}\n" if table.rows else ""))
