"""`runbook history`: all runs whose folders are here, or that GitLab still keeps."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..adapters.history_file import HistoryFile
    from ..domain.history import Filters
    from ..models.history import RunRow
    from ..settings import Settings

__all__ = ["outputs_folder", "register"]


class Format(StrEnum):
    """How the answer is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("history")(_history)


OUTPUTS = typer.Option(help="The folder that holds the run folders; the repository's outputs/ without.")


def outputs_folder(given: Path | None, settings: Settings | None) -> Path:
    """The folder that is meant."""
    return given or (settings.outputs if settings else Path("outputs"))


def _history(  # noqa: PLR0913, PLR0917  each option is one filter
    outputs: Annotated[Path | None, OUTPUTS] = None,
    stack: Annotated[str, typer.Option(help="Only runs of this stack.")] = "",
    person: Annotated[str, typer.Option(help="Only runs that this person asked for, wrote or approved.")] = "",
    outcome: Annotated[str, typer.Option(help="Only runs that ended so, or that are `unfinished`.")] = "",
    runbook: Annotated[str, typer.Option(help="Only runs of this runbook.")] = "",
    risk: Annotated[str, typer.Option(help="Only changes of this risk.")] = "",
    since: Annotated[str, typer.Option(help="Only runs since this day, as 2026-01-31; with --fetch, only these.")] = "",
    review: Annotated[
        str, typer.Option(help="Only runs that one person approved alone, with the review `open` or `closed`.")
    ] = "",
    form: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.TABLE,
    key: Annotated[Path | None, typer.Option(help="The public key (PEM) that must have signed them.")] = None,
    fetch: Annotated[
        bool, typer.Option(help="First fetch what GitLab keeps of runs, into outputs/fetched/ without --outputs.")
    ] = False,
    rebuild: Annotated[bool, typer.Option(help="Read every folder again, also those that did not change.")] = False,
    publish: Annotated[
        Path | None, typer.Option(help="Write the page here for GitLab Pages too, if only members can open these.")
    ] = None,
) -> None:
    """List all runs, newest first, and renew history.sqlite and the page index.html beside their folders."""
    from ..adapters.history_file import HistoryFile
    from ..domain.history import Filters, newest_first
    from ..models.history import RunRow
    from ..runner.history import FETCHED, renew_history
    from ..runner.history_page import HISTORY_PAGE, is_current, write_history_page

    wanted = _checked(Filters(stack, person, outcome, runbook, risk, since, review))
    settings = _settings()
    folder = outputs_folder(outputs, settings)
    if fetch and outputs is None:
        # Apart: whatever goes on with the newest run of this desk must not take up a pipeline's.
        folder /= FETCHED
    if fetch:
        _fetch(settings, folder, wanted.since)
    renewed = renew_history(folder, settings, key, rebuild=rebuild)
    with HistoryFile.read(renewed.path) as history:
        page = folder / HISTORY_PAGE
        # Who else asked meanwhile (`blame`, a notebook) renewed the index, and wrote no page.
        if not is_current(page, renewed.path):
            write_history_page(history, folder)
            sys.stderr.write(f"{renewed.read} of {renewed.runs} folders read, {renewed.gone} gone: {page}\n")
        if publish is not None:
            _publish(settings, history, publish)
        runs = [run for run in newest_first(history.rows(RunRow)) if wanted.keeps(run)]
    sys.stdout.write(_render(runs, form))


def _checked(wanted: Filters) -> Filters:
    from ..errors import UsageError
    from ..models.base import Outcome
    from ..models.history import UNFINISHED, ReviewState

    outcomes = [outcome.value for outcome in Outcome] + [UNFINISHED]
    if wanted.outcome and wanted.outcome not in outcomes:
        raise UsageError(f"no run ends as {wanted.outcome!r}", f"Name one of {', '.join(outcomes)}.")
    states = [state.value for state in ReviewState]
    if wanted.review and wanted.review not in states:
        raise UsageError(f"no review is {wanted.review!r}", f"Name one of {', '.join(states)}.")
    if not wanted.since:
        return wanted
    try:
        moment = datetime.fromisoformat(wanted.since)
        # Of the first and the last year some times are in none of UTC's.
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--since {wanted.since!r} is no day", "Give one as 2026-01-31.") from error
    # As the index writes times, and as GitLab reads them.
    return replace(wanted, since=f"{moment:%Y-%m-%dT%H:%M:%SZ}")


def _settings() -> Settings | None:
    from .evidence import settings_here

    return settings_here()


def _fetch(settings: Settings | None, folder: Path, since: str) -> None:
    from ..errors import ConfigError
    from ..runner.fetched_runs import fetch_runs

    if settings is None:
        raise ConfigError("there is no runbook.yml that names a GitLab project", "Fetch inside the repository.")
    for told in fetch_runs(settings, folder, since):
        sys.stderr.write(f"{told}\n")


def _publish(settings: Settings | None, history: HistoryFile, folder: Path) -> None:
    from ..errors import ConfigError
    from ..runner.history_page import write_history_page
    from ..workspace.members_only import hold_pages_to_members

    if settings is None:
        raise ConfigError("there is no runbook.yml that names a GitLab project", "Publish inside the repository.")
    hold_pages_to_members(settings)
    # The runs' own folders hold plans, and are not published.
    write_history_page(history, folder, linked=False)


def _render(runs: list[RunRow], form: Format) -> str:
    from ..report import history_formats

    if form is Format.JSON:
        return history_formats.runs_json(runs)
    if form is Format.CSV:
        return history_formats.runs_csv(runs)
    return f"{history_formats.runs_table(runs).text()}\n"
