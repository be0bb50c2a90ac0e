"""`runbook doctor`: what is missing or wrong here, with one remedy each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..workspace.doctor import Diagnosis

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    stack: Annotated[
        str, typer.Option(help="The stack of runbook.yml to look at; if none the default one, else all.")
    ] = "",
    every: Annotated[
        bool, typer.Option("--all", help="All stacks; what is the same for several is said once.")
    ] = False,
) -> None:
    """Look at tools, tokens, channel, state, provider; exit status 2 if something is missing, 3 if a system fails."""
    from ..errors import UsageError
    from ..settings import Settings
    from ..workspace.doctor import Level, examine
    from ..workspace.where_to_look import page_for
    from .all_stacks import apart

    settings = Settings.load()
    if stack and every:
        raise UsageError("--stack and --all exclude each other", "Give one of them.")
    several = len(settings.config.stacks) > 1 and not settings.config.default_stack
    every = every or (several and not stack)
    said: dict[Diagnosis, None] = {}
    for name in settings.config.stacks if every else (stack,):
        with apart():
            found = examine(settings, name)
        news = [item for item in found if item not in said]
        said |= dict.fromkeys(news)
        if every:
            typer.echo(f"stack {name}{'' if news else ': as above'}")
        for item in news:
            _say(item, page_for(settings, item.name) if item.remedy else "")
    levels = [item.level for item in said]
    if Level.MISSING in levels:
        raise typer.Exit(2)
    if Level.FAILED in levels:
        raise typer.Exit(3)


def _say(item: Diagnosis, page: str) -> None:
    typer.echo(f"{item.level:<8} {item.name:<13} {item.found}")
    if item.remedy:
        typer.echo(f"{'':<22} hint: {item.remedy}")
    if page:
        typer.echo(f"{'':<22} open: {page}")
