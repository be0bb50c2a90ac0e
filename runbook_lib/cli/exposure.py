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
    live: Annotated[
        bool, typer.Option("--live", help="Ask AWS who is in the groups, and what else lets them be reached.")
    ] = False,
    form: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.TABLE,
) -> None:
    """Say who can newly reach what through a plan, and who no longer can."""
    from ..domain.exposure import exposure
    from ..domain.group_names import group_names
    from ..domain.network import networks_from_plan
    from ..domain.rules import rules_from_plan
    from ..workspace.network import networks_of
    from .inputs import read_bytes, read_whole_plan

    parsed, mask = read_whole_plan(read_bytes(plan))
    rules = rules_from_plan(parsed)
    networks, error = networks_of(parsed, rules) if live else (networks_from_plan(parsed, rules), None)
    if error is not None:
        raise error
    found = exposure(rules.before, rules.after, group_names(parsed), rules.whole_groups, networks)
    if form is Format.JSON:
        sys.stdout.write(mask(found.model_dump_json(indent=2) + "\n", "json"))
        return
    from ..report import tables

    table = tables.exposure(found)
    sys.stdout.write(mask(f"{found.sentence}\n" + (f"\n{table.text()}\n" if table.rows else "")))
