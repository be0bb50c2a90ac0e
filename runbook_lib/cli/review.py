"""`runbook review`: the look that two others take at what one person approved alone."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("review")(review)


def review(
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="The run's id; without it the open reviews.")] = "",
    reason: Annotated[str, typer.Option(help="What you found; kept with the review.")] = "",
) -> None:
    """Say that you have looked at a run that one person approved alone; without RUN list what nobody has yet.

    The second of two others closes the review. While one is open, the list ends with status 1.
    """
    from ..settings import Settings
    from ..workspace.reviews import open_reviews, review_run

    settings = Settings.load()
    if run:
        found, done = review_run(settings, run, reason)
        left = "The review is closed." if done else "One more must look."
        typer.echo(f"Run {run} was looked at by {', '.join(found.reviewers)}. {left}")
        return
    listed = open_reviews(settings)
    for one in listed:
        typer.echo(f"{one.run_id or 'unreadable'}: approved alone by {one.user}: {one.url}")
    if listed:
        raise typer.Exit(1)
    typer.echo("No review is open.")
