"""`runbook drift`: all stacks verified on a schedule, and only what is new or gone told."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import AdapterError, RunbookError, UsageError
from ..models.base import Outcome
from ..models.steps import DRIFT
from .inputs import Format

if TYPE_CHECKING:
    from ..models.drift import DriftNews
    from ..settings import Settings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("drift")(drift)


def drift(
    stacks: Annotated[
        list[str] | None, typer.Option("--stack", help="A stack to look at, again for each; all of them by default.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.TEXT,
) -> None:
    """Verify every stack; tell Slack what is new or gone, and keep an issue open for each stack that differs.

    Exit status 1: something differs. 3: a stack could not be verified, or what was found could not be told.
    """
    from ..settings import Settings
    from .all_stacks import apart

    settings = Settings.load()
    names = [settings.stack_name(name) for name in stacks or settings.config.stacks]
    watched = [name for name in dict.fromkeys(names) if settings.config.runbook(DRIFT, name)]
    if not watched:
        raise UsageError("every stack leaves verification out", "Take it out of `without` in runbook.yml.")
    found, failed = [], False
    for name in watched:
        with apart():
            news, told = _look(settings, name)
        found.append(news)
        failed = failed or not told or news.outcome is Outcome.ERRORED
        if form is Format.TEXT:
            sys.stdout.write(_text(news))
            sys.stdout.flush()
    if form is Format.JSON:
        sys.stdout.write("[" + ",\n".join(news.model_dump_json(indent=2) for news in found) + "]\n")
    if failed:
        raise typer.Exit(AdapterError.exit_status)
    raise typer.Exit(int(any(news.outcome.stops for news in found)))


def _look(settings: Settings, stack: str) -> tuple[DriftNews, bool]:
    """What one look found, and whether all of it could be told: what fails for one stack keeps none of the others."""
    from ..models.drift import DriftNews
    from ..runner.run import RunRequest, execute
    from ..workspace.drift_watch import judge_look, keep_issue, open_issue, tell_news
    from ..workspace.runs import new_run_id

    run_id = new_run_id(settings) if not settings.environment.pipeline_id else ""
    run_id = run_id or f"{settings.environment.pipeline_id}-{stack}"
    try:
        summary = execute(RunRequest(runbook=DRIFT, stack=stack, run_id=run_id, quiet=True), settings)
        if summary.signal_number:
            raise typer.Exit(summary.exit_status)
        news = judge_look(settings, stack, summary.results)
    except RunbookError as error:
        _warn(stack, error)
        url = settings.environment.pipeline_url
        news = DriftNews(stack=stack, run_id=run_id, outcome=Outcome.ERRORED, summary=error.message, pipeline_url=url)
    told = True
    try:
        news = open_issue(settings, news)
    except RunbookError as error:
        # The channel hears of it all the same.
        _warn(stack, error)
        told = False
    try:
        tell_news(settings, news)
        # What the channel did not hear of is no memory yet.
        keep_issue(settings, news)
    except RunbookError as error:
        _warn(stack, error)
        told = False
    return news, told


def _warn(stack: str, error: RunbookError) -> None:
    typer.echo(f"error: {stack}: {error.message}", err=True)
    if error.remedy:
        typer.echo(f"hint: {error.remedy}", err=True)


def _text(news: DriftNews) -> str:
    lines = [f"{news.stack}: {news.outcome.value}: {news.summary}"]
    for word, entries in (("new", news.new), ("gone", news.gone), ("as before", news.same)):
        lines += [f"  {word}: {entry.text}" for entry in entries]
    if news.issue:
        lines.append(f"  issue: {news.issue}")
    return "\n".join(lines) + "\n"
