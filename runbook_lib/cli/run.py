"""`runbook run`: the runbook, or some steps of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from ..runner.run import RunRequest
    from ..runner.sequence import Summary
    from ..settings import Settings

__all__ = ["carry_out", "register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(  # noqa: PLR0913, PLR0917 - a command has as many parameters as options
    steps: Annotated[list[str] | None, typer.Argument(help="Steps to run; all of them if none is named.")] = None,
    runbook: Annotated[str, typer.Option(help="The runbook of runbook.yml; `change` if none is named.")] = "",
    stack: Annotated[str, typer.Option(help="The stack of runbook.yml to change.")] = "",
    run_id: Annotated[str, typer.Option("--run-id", help="The run to go on with, or the new run's name.")] = "",
    start: Annotated[str, typer.Option("--from", help="Begin at this step.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Skip steps whose inputs did not change.")] = False,
    parameters: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", metavar="STEP.NAME=VALUE", help="A notebook's parameter.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--parameters", "-f", help="A YAML file of parameters by step.")] = None,
) -> None:
    """Execute the notebooks in order; stop at the first that is blocked or fails."""
    from ..runner.run import RunRequest
    from ..settings import Settings

    request = RunRequest(
        names=tuple(steps or ()),
        start=start,
        runbook=runbook,
        stack=stack,
        run_id=run_id,
        resume=resume,
        assignments=tuple(parameters or ()),
        parameter_file=file,
    )
    carry_out(request, Settings.load())


def carry_out(request: RunRequest, settings: Settings) -> NoReturn:
    """Carry a run out, and leave with its exit status."""
    from ..runner.run import execute
    from ..runner.sequence import summary_text

    summary = execute(request, settings)
    if summary.results:
        typer.echo(summary_text(summary))
    _tell_stop(summary, settings.outputs)
    raise typer.Exit(summary.exit_status)


def _tell_stop(summary: Summary, outputs: Path) -> None:
    # What stopped inside a notebook is told as what stops outside of one.
    stopped = next((result for result in summary.results if result.outcome.stops), None)
    if stopped is None:
        return
    from ..adapters.store import RunStore

    store = RunStore(outputs, stopped.run_id)
    page = store.dir / store.file(stopped.step, "notebook.html")
    remedy = stopped.error.remedy if stopped.error else ""
    typer.echo(f"error: step {stopped.step} {stopped.outcome}: {stopped.summary}", err=True)
    typer.echo(f"hint: {remedy or f'Read {page}.'}", err=True)
