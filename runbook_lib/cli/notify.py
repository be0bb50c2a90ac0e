"""`runbook notify`: what the pipeline's last stage tells when something failed."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("notify")(notify)


def notify(
    run_id: Annotated[str, typer.Option("--run-id", help="The run; the pipeline's, or the newest, by default.")] = "",
    stack: Annotated[str, typer.Option(help="The stack, if the run never began.")] = "",
) -> None:
    """Tell Slack that the run stopped, unless it was told already, and send what still waits in the outbox."""
    from ..settings import Settings
    from ..workspace.slack_thread import tell_stopped

    typer.echo(tell_stopped(Settings.load(), run_id, stack))
