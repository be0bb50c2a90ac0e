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

__all__ = ["register"]

NAMED = 12


class Strategy(StrEnum):
    """What a job that starts another pipeline shows of it."""

    MIRROR = "mirror"
    DEPEND = "depend"


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
    strategy: Annotated[
        Strategy, typer.Option(help="GitLab's trigger:strategy; mirror needs GitLab 18.2 or later.")
    ] = Strategy.MIRROR,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write it to a file.")] = None,
) -> None:
    """Write the child pipeline that carries out the stacks which a change touches, each after those it reads from."""
    from ..errors import UsageError
    from ..report.child_pipeline import child_pipeline
    from ..settings import Settings
    from ..workspace.stack_changes import every_stack, stacks_touched

    if ((every or base) and stacks) or (every and base):
        raise UsageError("--stack, --all and --base exclude each other", "Give one of them.")
    settings = Settings.load()
    chosen = every_stack(settings, tuple(stacks or ())) if stacks or every else stacks_touched(settings, base)
    text = _yaml(child_pipeline(chosen.stacks, include, strategy.value), chosen.chosen_by)
    sys.stderr.write("\n".join([chosen.chosen_by, *_reasons(chosen.stacks)]) + "\n")
    if output is None:
        sys.stdout.write(text)
        return
    _write(output, text)


def _reasons(stacks: Iterable[TouchedStack]) -> Iterator[str]:
    """A line for each reason, however many stacks share it."""
    same: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for stack in stacks:
        same.setdefault((stack.why, stack.after), []).append(stack.name)
    for (why, after), names in same.items():
        shown = ", ".join(names[:NAMED]) + (f", … ({len(names)} stacks)" if len(names) > NAMED else "")
        yield f"  {shown}: {why}" + (f", after {', '.join(after)}" if after else "")


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
