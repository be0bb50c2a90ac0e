"""`runbook demo`: the whole story on a lab of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from .demo_breaks import Break

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the lab running, with the change applied.")] = False,
    broken: Annotated[Break | None, typer.Option("--break", help="Show how a run stops at this step.")] = None,
) -> None:
    """Carry the web rule from port 8000 to 80 through the whole runbook, on the lab."""
    from .extras import require
    from .places import here, story, top

    require("lab")
    from .demo_story import Story

    folder = top() / (".lab" if keep else ".lab/demo")
    told = Story(story(here()), keep, broken, lambda line: typer.echo(line, err=True), folder=folder)
    status = told.play()
    typer.echo(told.summary())
    raise typer.Exit(status)
