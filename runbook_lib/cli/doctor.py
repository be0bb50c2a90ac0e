"""`runbook doctor`: what is missing or wrong here, with one remedy each."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    stack: Annotated[str, typer.Option(help="The stack of runbook.yml to look at; the default one if none.")] = "",
) -> None:
    """Look at tools, tokens, channel, state, provider; exit status 2 if something is missing, 3 if a system fails."""
    from ..settings import Settings
    from ..workspace.doctor import Level, examine
    from ..workspace.where_to_look import page_for

    settings = Settings.load()
    found = examine(settings, stack)
    for item in found:
        typer.echo(f"{item.level:<8} {item.name:<13} {item.found}")
        if item.remedy:
            typer.echo(f"{'':<22} hint: {item.remedy}")
        if item.remedy and (page := page_for(settings, item.name)):
            typer.echo(f"{'':<22} open: {page}")
    levels = [item.level for item in found]
    if Level.MISSING in levels:
        raise typer.Exit(2)
    if Level.FAILED in levels:
        raise typer.Exit(3)
