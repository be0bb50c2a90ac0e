"""`runbook state`: what a person has to do to a state by hand, with the stack's address and credentials."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError

if TYPE_CHECKING:
    from ..settings import Settings

__all__ = ["register"]

Stack = Annotated[str, typer.Option(help="The stack; runbook.yml's default_stack if it is not given.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Put a state right after something went wrong.")
    group.command("unlock")(unlock)
    group.command("push")(push)
    app.add_typer(group, name="state")


def unlock(
    lock_id: Annotated[str, typer.Argument(metavar="ID", help="The lock's id; the one that is held if left out.")] = "",
    stack: Stack = "",
    yes: Yes = False,
) -> None:
    """Take away a lock whose holder is dead: it says who that is, and asks."""
    from ..workspace import states

    settings, stack = _enter(stack)
    _refuse_living(settings, stack)
    if states.keeper(settings, stack) or not lock_id:
        # Of a backend that is not GitLab's nobody tells which lock is held.
        lock_id = _held(settings, stack, lock_id)
    if not lock_id:
        typer.echo(f"The state of {stack} is not locked.")
        return
    _confirm(f"Take the lock {lock_id} away? Whoever still works under it may overwrite the state.", yes)
    states.unlock(settings, stack, lock_id)
    typer.echo(f"The state of {stack} is unlocked.")


def push(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="errored.tfstate: a path, or one below the run folders.")
    ],
    stack: Stack = "",
    over: Annotated[
        int | None, typer.Option(min=0, help="The serial that it may replace, where that is not the noted one.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Upload a state that Terraform could not: its errored.tfstate is the only copy of what it did.

    Refused for another lineage, for a serial that is not newer, and where another state came in between.
    """
    from ..workspace.state_push import check_push, push_state

    settings, stack = _enter(stack)
    found = next((path for path in (file, settings.outputs / file, settings.root / file) if path.is_file()), None)
    if found is None:
        raise UsageError(f"{file}: there is no such file", "Name the errored.tfstate that the apply step kept.")
    _refuse_living(settings, stack)
    state = check_push(settings, stack, found.absolute(), over)
    typer.echo(
        f"{file} has serial {state.serial} and {state.resources} resources;"
        f" the state of {stack} has serial {state.replaced_serial} and {state.replaced_resources}.",
        err=True,
    )
    _confirm(f"Make {file} the state of {stack}?", yes)
    push_state(settings, stack, state)
    typer.echo(f"{file} is the state of {stack} now. Go on with `runbook run --stack {stack}`: it plans what is left.")


def _enter(stack: str) -> tuple[Settings, str]:
    from ..settings import Settings
    from ..workspace.clients import enter_stack

    settings = Settings.load()
    stack = settings.stack_name(stack)
    enter_stack(settings, stack, applies=True)
    return settings, stack


def _held(settings: Settings, stack: str, lock_id: str) -> str:
    from ..workspace.states import lock_of

    held = lock_of(settings, stack)
    if held is None:
        return ""
    typer.echo(f"The state of {stack} is locked by {held.who} since {held.created} (lock {held.id}).", err=True)
    if lock_id and lock_id != held.id:
        raise UsageError(
            f"the lock {lock_id} is not the one that is held: that is {held.id}, of {held.who}",
            f"If {held.who} is dead: `runbook state unlock --stack {stack} {held.id}`.",
        )
    return held.id


def _refuse_living(settings: Settings, stack: str) -> None:
    from ..workspace.runs import living_run

    run_id = living_run(settings, stack)
    if run_id:
        raise UsageError(f"run {run_id} of {stack} is being carried out here", "Wait for its end, or end it.")


def _confirm(question: str, yes: bool) -> None:
    if yes:
        return
    try:
        sure = typer.confirm(question, err=True)
    except typer.Abort:
        sure = False
    if not sure:
        raise UsageError("nothing was done: it was not confirmed", "Answer y, or give --yes.")
