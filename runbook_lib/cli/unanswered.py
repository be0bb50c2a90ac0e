"""`runbook unanswered`: what no job of a pipeline can tell, as none runs any more."""

from __future__ import annotations

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("unanswered")(unanswered)


def unanswered() -> None:
    """Tell of requests that expired, plans that were rejected elsewhere and pipelines that were cancelled meanwhile.

    And, each time, of reviews that are open: of what one person approved alone.
    """
    from ..settings import Settings
    from ..workspace.reviews import tell_open_reviews
    from ..workspace.unanswered import tell_unanswered

    settings = Settings.load()
    try:
        told = tell_unanswered(settings)
    finally:
        # What could not be told of a run keeps no review from being told, which may be another stack's.
        reviews = tell_open_reviews(settings)
    for sentence in (*told, *reviews) or ("Every request was answered, or still waits.",):
        typer.echo(sentence)
