"""`runbook approve-same`: one yes to the plans of several stacks that do the same."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..models.approval import ApprovalRequest
    from ..workspace.together import Waiting

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("approve-same")(approve_same)


def approve_same(
    pipelines: Annotated[
        list[int], typer.Argument(metavar="PIPELINE…", help="The stacks' pipelines, or the one that started them.")
    ],
    fingerprint: Annotated[
        str,
        typer.Option(help="Only the plans with this fingerprint, or its beginning, where they are not all the same."),
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
) -> None:
    """Approve the plans of several stacks that do the same, by playing the job apply of each as yourself.

    They are shown once. Each stack's apply checks its own plan, its state and who you are, as if you had played it.
    """
    from ..errors import GitLabError, UsageError
    from ..settings import Settings
    from ..workspace.together import approve_together, may_approve, same_requests, waiting_below

    settings = Settings.load()
    found = same_requests(waiting_below(settings, pipelines), fingerprint)
    user = may_approve(settings, found)
    typer.echo("\n".join(_shown(found)))
    if not yes and not sys.stdin.isatty():
        raise UsageError("nobody is at a terminal to say yes", "Say --yes, once you have read what is asked.")
    if not yes and not typer.confirm(f"Approve and apply these {len(found)} plans as {user}?", err=True):
        raise UsageError("nothing was approved", "To say no for good, play reject in each pipeline.")
    failed = 0
    for one, wrong in approve_together(settings, found):
        failed += bool(wrong)
        said = f"not approved: {wrong}" if wrong else f"{user} approved plan {one.request.plan_sha256[:12]}"
        typer.echo(f"{one.request.stack}, pipeline {one.pipeline}: {said}")
    if failed:
        raise GitLabError(
            f"{failed} of {len(found)} plans were not approved", "The others are. Start it again for those that wait."
        )


def _shown(found: Sequence[Waiting]) -> Iterator[str]:
    from ..wording import needed, risk_in_words

    request = found[0].request
    stacks = ", ".join(one.request.stack for one in found)
    yield f"Same change in {len(found)} stacks: {stacks}" if len(found) > 1 else f"Change in one stack: {stacks}"
    yield f"  does         {_actions(request)}"
    yield f"  opens        {request.exposure.sentence or 'Nothing becomes reachable that was not.'}"
    yield from (f"  for a time   {said}" for said in request.summary.temporary)
    yield f"  risk         {risk_in_words(request.risk)}"
    yield from (f"  not holding  {said}" for said in request.summary.checks)
    yield from (f"  finding      {one.verdict} {one.severity}: {one.policy} {one.address}" for one in request.findings)
    yield from (f"  before this  {said}" for said in request.earlier)
    yield from (f"  governance   {said}" for said in request.governance)
    yield from (f"  runs         {said}" for said in request.code)
    if not request.complete:
        yield "  incomplete   Terraform leaves a part of it for a later plan."
    if request.dirty:
        yield "  files        Some differ from the commit that was planned."
    yield f"  needs        {needed(request)}"
    yield f"  fingerprint  {request.summary.fingerprint or 'none'}"
    for one in found:
        asked = one.request
        until = f"{asked.expires_at:%Y-%m-%d %H:%M} UTC"
        plan = f"pipeline {one.pipeline}, plan {asked.plan_sha256[:12]}"
        yield f"  {asked.stack}: {plan}, asked by {asked.requester}, until {until}"


def _actions(request: ApprovalRequest) -> str:
    actions = request.summary.addresses.items()
    return "; ".join(f"{action} {', '.join(names)}" for action, names in actions if names) or "nothing to resources"
