"""The command `runbook`: the one place that prints errors and chooses the exit status."""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer

from .. import __version__
from ..errors import AdapterError, InterruptedRunError, RunbookError
from . import (
    approve,
    approve_same,
    blame,
    check,
    demo,
    doctor,
    drift,
    evidence,
    expiring,
    exposure,
    history,
    init,
    lab,
    listen,
    new,
    note,
    notify,
    params,
    pipeline,
    review,
    run,
    services,
    state,
    unanswered,
    undo,
    verify,
)
from .extras import missing_extra

__all__ = ["app", "main"]

app = typer.Typer(
    name="runbook",
    help="Carry one infrastructure change through check, plan, approval, apply and proof.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    init,
    run,
    check,
    exposure,
    approve,
    approve_same,
    review,
    listen,
    undo,
    verify,
    drift,
    expiring,
    unanswered,
    services,
    state,
    evidence,
    history,
    blame,
    params,
    pipeline,
    new,
    note,
    notify,
    doctor,
    lab,
    demo,
):
    command.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"runbook {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    if debug:
        os.environ["RUNBOOK_DEBUG"] = "1"


def main() -> NoReturn:
    """Run the command line; never returns."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    # Python else looks for garbage among what it has just imported, dozens of times before the command begins.
    gc.set_threshold(50_000, 20, 20)
    try:
        # Not by itself: typer would leave with 1, as if a gate had said no, when who reads the output went away.
        status = app(standalone_mode=False, prog_name="runbook") or 0
    except SystemExit as left:
        status = _without_reader() if isinstance(left.__context__, BrokenPipeError) else left.code
    except BrokenPipeError:
        status = _without_reader()
    except RunbookError as error:
        status = _report(error, error.message, error.remedy, error.exit_status)
    except Exception as error:  # noqa: BLE001 - the last resort
        status = _report_other(error)
    if status == AdapterError.exit_status and (advice := lab.ended_lab()):
        typer.echo(f"hint: {advice}", err=True)
    # What is left goes with the process: to look through all of it once more takes Python a quarter of a second.
    gc.freeze()
    sys.exit(status)


def _without_reader() -> int:
    # As with `head`: nothing is left to tell anybody, not even when Python flushes at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE


def _report_other(error: Exception) -> int:
    # typer's errors of usage have no class that may be imported in every version of it; this method they all have.
    said = getattr(error, "format_message", None)
    extra = missing_extra(error) if isinstance(error, ModuleNotFoundError) else None
    if extra is not None:
        return _report(error, extra.message, extra.remedy, extra.exit_status)
    if said is None:
        from .defects import describe_defect

        return _report(error, *describe_defect(error), 3)
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        # Making the error has shown the help.
        message, remedy = "no command is named", "Name one of those above."
    else:
        message = said().replace("Value error, ", "")
        remedy = (
            f"{context.command_path} --help shows what it takes."
            if context
            else "Put --help after the command to see what it takes."
        )
    typer.echo(f"error: {message}\nhint: {remedy}", err=True)
    return int(getattr(error, "exit_code", 2))


def _report(error: Exception, message: str, remedy: str, status: int) -> int:
    if os.environ.get("RUNBOOK_DEBUG"):
        raise error
    typer.echo(f"error: {message}", err=True)
    if remedy:
        typer.echo(f"hint: {remedy}", err=True)
    return status


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise InterruptedRunError(number)
