"""`runbook unanswered`: what no job of a pipeline can tell, as none runs any more."""

from __future__ import annotations

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("unanswered")(unanswered)


def unanswered() -> None:
    """Tell of requests that expired, plans that were rejected elsewhere and pipelines that were cancelled meanwhile."""
    from ..settings import Settings
    from ..workspace.unanswered import tell_unanswered

    told = tell_unanswered(Settings.load())
    for sentence in told or ("Every request was answered, or still waits.",):
        typer.echo(sentence)
