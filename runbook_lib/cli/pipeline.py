"""`runbook pipeline`: the GitLab pipeline for the stacks that a change touches."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..models.stacks import TouchedStack
    from ..settings import Settings
    from ..workspace.stack_changes import StackChanges

__all__ = ["register"]

NAMED = 12


class Strategy(StrEnum):
    """What a job that starts another pipeline shows of it."""

    MIRROR = "mirror"
    DEPEND = "depend"
    NONE = "none"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("pipeline")(pipeline)


def pipeline(  # noqa: PLR0913, PLR0917 - a command has as many parameters as options
    include: Annotated[
        str,
        typer.Option(help="The component `change`, HOST/PROJECT/change@VERSION, or a file (.yml) of it here."),
    ] = "templates/change.yml",
    base: Annotated[str, typer.Option(help="The commit before the change; by default the one that CI names.")] = "",
    stacks: Annotated[
        list[str] | None, typer.Option("--stack", help="A stack, touched or not; again for each.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All stacks, touched or not.")] = False,
    expired: Annotated[
        bool, typer.Option("--expired", help="The stacks that hold rules whose end has come, to remove those alone.")
    ] = False,
    strategy: Annotated[
        Strategy, typer.Option(help="GitLab's trigger:strategy; mirror needs GitLab 18.2, none waits for nothing.")
    ] = Strategy.MIRROR,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write it to a file.")] = None,
) -> None:
    """Write the child pipeline that carries out the stacks which a change touches, each after those it reads from."""
    from ..errors import UsageError
    from ..report.child_pipeline import child_pipeline
    from ..settings import Settings
    from ..workspace.stack_changes import every_stack, stacks_touched

    if sum(map(bool, (every, base, stacks))) > 1 or (expired and (every or base)):
        raise UsageError("--stack, --all, --expired and --base exclude each other", "Give one of them.")
    settings = Settings.load()
    if expired:
        chosen = _expired(settings, tuple(stacks or settings.config.stacks))
    else:
        chosen = every_stack(settings, tuple(stacks or ())) if stacks or every else stacks_touched(settings, base)
    variables = {stack.name: _of_expired(settings, stack.name) for stack in chosen.stacks} if expired else {}
    waits = "" if strategy is Strategy.NONE else strategy.value
    text = _yaml(child_pipeline(chosen.stacks, include, waits, variables, chosen.gone), chosen.chosen_by)
    sys.stderr.write("\n".join([chosen.chosen_by, *_reasons(chosen.stacks), *_warnings(chosen.gone)]) + "\n")
    if output is None:
        sys.stdout.write(text)
        return
    _write(output, text)


def _expired(settings: Settings, names: tuple[str, ...]) -> StackChanges:
    """The stacks whose state holds a rule that has expired; one that can't be read is told of, and left out."""
    from ..errors import RunbookError
    from ..workspace.endings import stack_has_expired
    from ..workspace.stack_changes import StackChanges, every_stack
    from .all_stacks import apart

    found = []
    for name in dict.fromkeys(map(settings.stack_name, names)):
        try:
            with apart():
                over = stack_has_expired(settings, name)
        except RunbookError as error:
            typer.echo(f"warning: {name} is left out: {error.message}", err=True)
            continue
        found += [name] if over else []
    why = "as rules in them have expired"
    return every_stack(settings, tuple(found), why) if found else StackChanges((), f"no stack, {why}")


def _of_expired(settings: Settings, stack: str) -> dict[str, str]:
    """What makes a stack's pipeline remove what has expired alone, by itself where nobody need approve that."""
    from ..models.steps import EXPIRED
    from ..workspace.endings import frees_expired

    free = frees_expired(settings.config.approval_of(stack), stack)
    return {"RUNBOOK_KIND": EXPIRED, **({"RUNBOOK_APPLY": "automatic"} if free else {})}


def _reasons(stacks: Iterable[TouchedStack]) -> Iterator[str]:
    """A line for each reason, however many stacks share it."""
    same: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for stack in stacks:
        same.setdefault((stack.why, stack.after), []).append(stack.name)
    for (why, after), names in same.items():
        shown = ", ".join(names[:NAMED]) + (f", … ({len(names)} stacks)" if len(names) > NAMED else "")
        yield f"  {shown}: {why}" + (f", after {', '.join(after)}" if after else "")


def _warnings(gone: Iterable[str]) -> Iterator[str]:
    for name in gone:
        yield f"warning: {name} is no stack of runbook.yml any more: what it made stands, unless another has its state"


def _yaml(document: object, said: str) -> str:
    import io

    from ruamel.yaml import YAML

    out = io.StringIO()
    yaml = YAML()
    yaml.width = 120
    yaml.dump(document, out)
    return f"# Written by `runbook pipeline`: {said}.\n{out.getvalue()}"


def _write(output: Path, text: str) -> None:
    from ..adapters.named_file import write_output
    from ..errors import StoreError, UsageError

    try:
        write_output(output, text.encode())
    except StoreError as error:
        raise UsageError(error.message, "Name a file in a folder that exists.") from error
