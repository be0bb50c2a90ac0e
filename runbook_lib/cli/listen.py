"""`runbook listen`: answers from Slack's buttons."""

from __future__ import annotations

import typer

from .extras import require

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("listen")(listen)


def listen() -> None:
    """Take what approvers answer by Slack's buttons, sign it and keep it in GitLab, until it is stopped.

    It needs SLACK_APP_TOKEN, SLACK_BOT_TOKEN, RUNBOOK_LISTENER_KEY and a GITLAB_TOKEN with the scope api.
    """
    require("listen")
    from ..settings import Settings
    from ..workspace.listening import open_listener

    listener = open_listener(Settings.load())
    listener.start()
    typer.echo("Listening to Slack. Stop it with Ctrl-C.", err=True)
    try:
        listener.wait()
    finally:
        listener.stop()
