"""`runbook note`: what a merge request would do, on its own page."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("note")(note)


def note(
    run_id: Annotated[str, typer.Option("--run-id", help="The run; the pipeline's by default.")] = "",
    stack: Annotated[str, typer.Option(help="The stack; runbook.yml's default_stack if it is not given.")] = "",
) -> None:
    """Note on the merge request of this pipeline what the plan would do, in place of what an earlier push noted."""
    from ..settings import Settings
    from ..workspace.merge_request import write_note

    typer.echo(write_note(Settings.load(), run_id, stack))
