"""`runbook blame`: who opened this."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .history import OUTPUTS, outputs_folder
from .inputs import Format, progress_on_stderr

if TYPE_CHECKING:
    from ..models.blame import Blame, BlameAnswer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("blame")(_blame)


def _blame(  # noqa: PLR0913, PLR0917 - a command has as many parameters as options
    group: Annotated[str, typer.Option(help="The security group: its id, its name or Terraform's address.")] = "",
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="A port that the rule lets in.")] = None,
    protocol: Annotated[str, typer.Option(help="Its protocol, as tcp.")] = "",
    address: Annotated[str, typer.Option(help="Terraform's address of the rule.")] = "",
    outputs: Annotated[Path | None, OUTPUTS] = None,
    aws: Annotated[bool, typer.Option(help="Ask AWS whether it has the rule still.")] = True,
    form: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.TEXT,
) -> None:
    """Say which run opened a rule, from which commit, who asked and approved, and whether AWS has it still."""
    from ..domain.blame import Asked
    from ..runner.blame import blame
    from ..settings import Settings
    from ..wording import printable

    settings = Settings.load()
    asked = Asked(group, port, protocol, address)
    with progress_on_stderr():
        answer = blame(settings, outputs_folder(outputs, settings), asked, live=aws)
    sys.stdout.write(f"{answer.model_dump_json(indent=2)}\n" if form is Format.JSON else _text(answer))
    for unread in answer.unread:
        sys.stderr.write(f"not read: {printable(unread)}\n")


def _text(answer: BlameAnswer) -> str:
    from ..wording import printable

    return "\n".join("\n".join(map(printable, _lines(one))) + "\n" for one in answer.found)


def _lines(one: Blame) -> list[str]:
    from ..models.blame import Live

    now = {Live.THERE: "AWS has it now", Live.GONE: "AWS has no such rule now"}.get(one.live, one.why)
    by = f"asked by {one.requester or 'unknown'}, approved by {one.approvers or 'nobody that counted'}"
    perhaps = "" if one.applied == "yes" else ", though its apply did not end well"
    return [
        f"{one.kind}: {one.said} of {one.group}",
        f"  run {one.run_id} of stack {one.stack}, {one.at or 'at an unknown time'}{perhaps}",
        f"  commit {one.commit or 'unknown'}, {by}",
        *([f"  {one.pipeline_url}"] if one.pipeline_url else []),
        f"  evidence {one.evidence}" + (f"; {now}" if now else ""),
    ]
