"""`runbook services`: the service tests alone."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..models.services import ServiceReport, ServiceResult

__all__ = ["register"]


class Format(StrEnum):
    """How the answer is written."""

    TABLE = "table"
    JSON = "json"
    JUNIT = "junit"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("services")(_services)


def _services(
    baseline: Annotated[
        Path | None, typer.Option(help="An earlier results.json: only what got worse since then blocks.")
    ] = None,
    stack: Annotated[str, typer.Option(help="The stack; runbook.yml's default_stack if it is not given.")] = "",
    shard: Annotated[str, typer.Option(help="I/N: the I-th of N parts of the tests.")] = "",
    merge: Annotated[
        list[Path] | None,
        typer.Option(help="A shard's results.json, for each of them: nobody is asked, they become one."),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.TABLE,
) -> None:
    """Ask every service, from here; interrupted, it writes what is known so far."""
    from ..domain.services import parse_shard

    if shard:
        parse_shard(shard)  # a slip in the option is told before anybody is asked
    before = _baseline(baseline) if baseline else None
    found = _merged(merge) if merge else _ask(stack, shard, before, form)
    sys.stdout.write(_render(found, form))
    if found.outcome.stops:
        raise typer.Exit(1)


def _merged(paths: list[Path]) -> ServiceReport:
    from ..domain.service_history import merge_reports
    from ..workspace.service_history import read_reports

    return merge_reports(read_reports(paths))


def _ask(stack: str, shard: str, before: tuple[ServiceResult, ...] | None, form: Format) -> ServiceReport:
    from ..settings import Settings
    from ..steps.service_tests import ask_services, plan_tests
    from ..workspace.clients import enter_stack
    from .inputs import progress_on_stderr

    settings = Settings.load()
    stack = settings.stack_name(stack)
    enter_stack(settings, stack)
    answer = sys.stdout

    def interrupted(found: ServiceReport) -> None:
        answer.write(_render(found, form))
        answer.flush()

    with progress_on_stderr():
        return ask_services(settings, plan_tests(settings, stack, shard), before, interrupted)


def _baseline(path: Path) -> tuple[ServiceResult, ...]:
    from ..errors import InputError
    from ..models.services import ServiceReport
    from .inputs import read_bytes

    try:
        return ServiceReport.model_validate_json(read_bytes(path)).results
    except ValueError as error:
        remedy = "Give the results.json of an earlier run, or what `runbook services --format json` wrote."
        raise InputError(f"{path} is no result of service tests", remedy) from error


def _render(found: ServiceReport, form: Format) -> str:
    if form is Format.JSON:
        return found.model_dump_json(indent=2) + "\n"
    if form is Format.JUNIT:
        from ..report.service_formats import services_junit

        return services_junit(found)
    if form is Format.CSV:
        from ..report.csv_formats import services_csv

        return services_csv(found)
    from ..report import tables

    table = tables.services(found)
    rows = f"\n\n{table.text()}" if table.rows else ""
    more = [f"not known from here: {name}: {reason}" for name, reason in found.unknowable.items()]
    rows += "".join(f"\n{line}" for line in more)
    return f"{found.outcome.value.upper()}: {found.summary}{rows}\n"
