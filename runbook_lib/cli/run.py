"""`runbook run`: the runbook, or some steps of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from ..models.base import Step

__all__ = ["chosen_steps", "register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    steps: Annotated[list[str] | None, typer.Argument(help="Steps to run; all of them if none is named.")] = None,
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
    from ..engine.runbook import RunRequest, execute
    from ..settings import Settings

    request = RunRequest(
        steps=chosen_steps(steps or [], start),
        stack=stack,
        run_id=run_id,
        resume=resume,
        assignments=tuple(parameters or ()),
        parameter_file=file,
    )
    raise typer.Exit(execute(request, Settings.load()).exit_status)


def chosen_steps(names: list[str], start: str) -> tuple[Step, ...]:
    """The steps to run, in the runbook's order; UsageError with a suggestion for an unknown name."""
    if names and start:
        raise UsageError("steps and --from exclude each other", "Name the steps, or the first of them with --from.")
    if start:
        order = list(Step)
        return tuple(order[order.index(_step(start)) :])
    wanted = {_step(name) for name in names} or set(Step)
    return tuple(step for step in Step if step in wanted)


def _step(name: str) -> Step:
    import difflib

    normal = name.replace("-", "_").lower()
    if normal in set(Step):
        return Step(normal)
    close = difflib.get_close_matches(normal, list(Step), n=1, cutoff=0.4)
    remedy = f"Did you mean {close[0]!r}? " if close else ""
    raise UsageError(f"unknown step {name!r}", f"{remedy}The steps are {', '.join(Step)}.")
