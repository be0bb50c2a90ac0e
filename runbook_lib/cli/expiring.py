"""`runbook expiring`: temporary access that ends soon, told once, and what is open though its end has come."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import AdapterError, RunbookError, UsageError
from .inputs import Format, progress_on_stderr

if TYPE_CHECKING:
    from ..models.endings import Ending, StackEndings
    from ..settings import Settings

__all__ = ["register"]

# To look for who approved takes all plans of all runs here.
_NAMED = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("expiring")(expiring)


def expiring(
    within: Annotated[str, typer.Option(help="What ends within this time, as 12h, 1d, 7d.")] = "1d",
    stacks: Annotated[
        list[str] | None, typer.Option("--stack", help="A stack to look at, again for each; all of them by default.")
    ] = None,
    tell: Annotated[bool, typer.Option(help="Tell the channel what was not told before.")] = True,
    form: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.TEXT,
) -> None:
    """Say which rules end soon, by their tag `expires` in each stack's state, and tell Slack once of each.

    Exit status 1: a rule has expired and is still open, or nobody can read when it ends. 3: a stack could not be read,
    or what was found could not be told.
    """
    from ..models.endings import EndingKind
    from ..settings import Settings
    from .all_stacks import apart

    time, settings = _duration(within), Settings.load()
    found, failed = [], False
    for name in dict.fromkeys(settings.stack_name(name) for name in stacks or settings.config.stacks):
        with apart():
            one = _look(settings, name, time, tell=tell)
        found.append(one)
        failed = failed or bool(one.problem)
        if form is Format.TEXT:
            sys.stdout.write(_text(one))
            sys.stdout.flush()
    if form is Format.JSON:
        sys.stdout.write("[" + ",\n".join(one.model_dump_json(indent=2) for one in found) + "]\n")
    if failed:
        raise typer.Exit(AdapterError.exit_status)
    raise typer.Exit(int(any(ending.kind is not EndingKind.ENDS for one in found for ending in one.endings)))


def _look(settings: Settings, stack: str, within: timedelta, *, tell: bool) -> StackEndings:
    """What fails for one stack keeps none of the others."""
    from ..models.endings import StackEndings
    from ..workspace.endings import EndingMemory, find_endings, tell_endings

    found = StackEndings(stack=stack)
    try:
        memory = EndingMemory(settings, stack)
        endings = find_endings(settings, stack, within)
        known, issue = memory.known() if tell else (frozenset[str](), "")
        named = [_with_approvers(settings, one) for one in endings[:_NAMED]]
        endings = (*named, *endings[_NAMED:])
        new = tuple(one for one in endings if one.key not in known)
        found = StackEndings(stack=stack, endings=endings, new=new, issue=issue)
        if tell:
            found = memory.open(found)
            # What nobody heard of is no memory yet.
            if tell_endings(settings, found, settings.environment.pipeline_url) or found.issue:
                memory.keep(found)
    except RunbookError as error:
        typer.echo(f"error: {stack}: {error.message}", err=True)
        if error.remedy:
            typer.echo(f"hint: {error.remedy}", err=True)
        return found.model_copy(update={"problem": error.message})
    return found


def _with_approvers(settings: Settings, ending: Ending) -> Ending:
    """Who approved it, where a run folder here tells; else the same."""
    from ..domain.blame import Asked
    from ..models.blame import BlameKind
    from ..runner.blame import blame

    try:
        with progress_on_stderr():
            answer = blame(settings, settings.outputs, Asked(address=ending.address), live=False)
    except RunbookError:
        return ending
    runs = [one for one in answer.found if one.stack == ending.stack and one.kind is not BlameKind.CLOSED]
    return ending.model_copy(update={"approvers": runs[0].approvers, "run_id": runs[0].run_id}) if runs else ending


def _duration(text: str) -> timedelta:
    from pydantic import TypeAdapter, ValidationError

    from ..models.config_values import Duration

    try:
        return TypeAdapter(Duration).validate_python(text)
    except ValidationError as error:
        raise UsageError(f"--within {text} is no time", "Write it as 12h, 1d or 7d.") from error


def _text(found: StackEndings) -> str:
    from ..wording import printable

    if found.problem:
        return f"{found.stack}: could not be looked at\n"
    if not found.endings:
        return f"{found.stack}: nothing ends soon\n"
    new = {one.key for one in found.new}
    lines = [
        f"  {one.kind.value}{'' if one.key in new else ', told before'}: {printable(one.sentence)}"
        for one in found.endings
    ]
    return "\n".join([f"{found.stack}:", *lines, *([f"  issue: {found.issue}"] if found.issue else [])]) + "\n"
