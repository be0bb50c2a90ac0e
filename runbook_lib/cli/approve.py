"""`runbook approve` and `runbook reject`: a decision from the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError

if TYPE_CHECKING:
    from ..models.approval import Decision

__all__ = ["register"]

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]


def register(app: typer.Typer) -> None:
    """Add both commands."""
    app.command("approve")(approve)
    app.command("reject")(reject)


def approve(
    run: RunId,
    reason: Annotated[str, typer.Option(help="Why; kept with the decision.")] = "",
    digest: Annotated[str, typer.Option(help="The plan's digest, or its beginning, as the request shows it.")] = "",
    break_glass: Annotated[
        bool, typer.Option("--break-glass", help="Alone, in an emergency: two others review it afterwards.")
    ] = False,
) -> None:
    """Approve the run's plan, as the user that GITLAB_TOKEN belongs to.

    With --break-glass and a reason, whom approval.break_glass names may approve alone: the channel hears of it, and an
    issue stays open until two other approvers have looked at it (`runbook review RUN`).
    """
    from ..settings import Settings
    from ..workspace.decisions import answer_alone, answer_request

    settings, answer = Settings.load(), (True, reason)
    _say(
        run,
        answer_alone(settings, run, digest, reason) if break_glass else answer_request(settings, run, digest, answer),
    )


def reject(
    run: RunId,
    reason: Annotated[str, typer.Option(envvar="RUNBOOK_REASON", help="Why; kept, and told to Slack.")] = "",
    digest: Annotated[str, typer.Option(help="The plan's digest, or its beginning, as the request shows it.")] = "",
) -> None:
    """Reject the run's plan, as the user that GITLAB_TOKEN belongs to. A rejection is final for this plan.

    In the pipeline's job for it nothing need be said: whoever played it has rejected, and this only tells of it.
    """
    from ..settings import Settings
    from ..workspace.decisions import answer_request, tell_rejection

    settings = Settings.load()
    decision = tell_rejection(settings, run, reason)
    if decision is None and not reason.strip():
        raise UsageError("the reason is empty", "Say why, for who asked and for who reads the evidence.")
    _say(run, decision or answer_request(settings, run, digest, (False, reason)))


def _say(run: str, decision: Decision) -> None:
    word = "approved" if decision.approved else "rejected"
    typer.echo(f"{decision.user} {word} plan {decision.plan_sha256[:12]} of run {run}.")
