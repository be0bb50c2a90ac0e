"""`runbook init`: begin in a repository of one's own."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError

if TYPE_CHECKING:
    from ..adapters.root_modules import RootModule
    from ..workspace.pipeline_file import Component
    from ..workspace.scaffold import Answers, Draft

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(  # noqa: PLR0913, PLR0917 - a command has as many parameters as options
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take what the files and git say.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; say what this version would write otherwise.")
    ] = False,
    gitlab: Annotated[str, typer.Option(help="GitLab's address; that of the remote `origin` if none.")] = "",
    project: Annotated[str, typer.Option(help="The project's path; that of the remote `origin` if none.")] = "",
    approver: Annotated[list[str] | None, typer.Option(help="A GitLab login; may be repeated.")] = None,
    channel: Annotated[str, typer.Option(help="The Slack channel, as #infra-changes.")] = "",
    component: Annotated[
        str,
        typer.Option(
            help="The address of the CI component, as gitlab.com/group/toolkit/change@1.0; "
            "`local` puts it into this repository."
        ),
    ] = "",
    package: Annotated[
        str, typer.Option(help="What the pipeline's jobs install where their image has no runbook.")
    ] = "",
) -> None:
    """Write what a repository needs: runbook.yml, pipeline, policies, Slack app. What is there is never overwritten."""
    from ..adapters.root_modules import find_root_modules
    from ..workspace.origin import gitlab_project
    from ..workspace.scaffold import Answers, drafts

    root = _root()
    modules = find_root_modules(root)
    if not modules:
        remedy = "Start it in the repository that holds the .tf files."
        raise UsageError(f"no Terraform root module lies in {root} or below it", remedy)
    if strange := next((module.path for module in modules if not module.path.isprintable()), ""):
        raise UsageError(f"the name of the folder {strange!r} can't be written in runbook.yml", "Give it another one.")
    url, path = gitlab_project(root)
    known = Answers(gitlab or url, project or path, tuple(approver or ()), channel)
    if not (yes or check):
        known = _ask(known, modules)
    known = replace(known, component=_component(root, known.gitlab, component, package))
    found = drafts(root, modules, known)
    if check:
        raise typer.Exit(_compare(root, found, modules))
    _write(root, found)


def _root() -> Path:
    from ..repository import checkout_root

    return checkout_root(Path.cwd(), {}) or Path.cwd().resolve()


def _component(root: Path, gitlab: str, address: str, package: str) -> Component:
    """As given; else as this program was installed; else as the pipeline has it already."""
    from ..workspace.origin import installed_component
    from ..workspace.pipeline_file import Component
    from ..workspace.scaffold import known_component

    installed, there = installed_component(gitlab), known_component(root)
    wanted = address or installed.address or there.address
    if wanted not in {"", "local"} and not re.fullmatch(r"\S+/change@\S+", wanted):
        raise UsageError(f"{wanted} is no address of the component", "It reads gitlab.com/group/toolkit/change@1.0.")
    return Component("" if wanted == "local" else wanted, package or installed.package or there.package)


def _ask(known: Answers, modules: Sequence[RootModule]) -> Answers:
    from ..workspace.scaffold import Answers

    if not sys.stdin.isatty():
        raise UsageError("init asks, and nobody is at a terminal", "Say --yes, and what it would ask by options.")
    typer.echo(f"Terraform root modules: {', '.join(module.path for module in modules)}", err=True)
    approvers = typer.prompt("Who approves (GitLab logins, blanks between)", ", ".join(known.approvers), err=True)
    return Answers(
        gitlab=typer.prompt("GitLab", known.gitlab or "https://gitlab.com", err=True),
        project=typer.prompt("Its project", known.project, err=True),
        approvers=tuple(approvers.replace(",", " ").split()),
        channel=typer.prompt("Slack channel (empty: none)", known.channel, show_default=False, err=True),
    )


def _write(root: Path, found: Sequence[Draft]) -> None:
    """Write what is missing, runbook.yml last: an init that was stopped is simply repeated."""
    from ..adapters.atomic import write_atomic

    missing = [draft for draft in found if draft.missing(root)]
    _check(root, missing)
    for draft in missing:
        path = root / draft.path
        there = path.read_bytes() if draft.appended and path.exists() else b""
        write_atomic(path, there + draft.text.encode("utf-8", "surrogateescape"))
        typer.echo(f"{'appended' if there else 'wrote':<9} {draft.path:<32} {draft.purpose}")
    for draft in found:
        if draft not in missing and not draft.appended:
            typer.echo(f"{'kept':<9} {draft.path:<32} it was there")
    for line in _to_do(root, found):
        typer.echo(line, err=True)


def _check(root: Path, missing: Sequence[Draft]) -> None:
    """Refuse before anything is written: a way out of the repository, or a runbook.yml that would not be read."""
    from ..repository import CONFIG_NAME
    from ..workspace.scaffold import parse

    for draft in missing:
        if not (root / draft.path).resolve().is_relative_to(root):
            raise UsageError(f"{draft.path} leads out of {root}", "Remove the link, then start init again.")
        if draft.path == CONFIG_NAME:
            parse(draft.text)


def _to_do(root: Path, found: Sequence[Draft]) -> list[str]:
    from ..workspace.pipeline_file import BESIDE, EACH, PIPELINE, to_be_reconciled
    from ..workspace.scaffold import ignored_locks, known_component

    lines = []
    written = {draft.path for draft in found}
    if BESIDE in written:
        theirs = (root / PIPELINE).read_text(encoding="utf-8", errors="replace")
        if BESIDE not in theirs:
            lines.append(f"There is a {PIPELINE} already: add `include: [{{local: /{BESIDE}}}]` to it.")
        lines += to_be_reconciled(theirs, several=EACH in written)
    lines += [
        f"{line} ignores the provider lock file, which has to be committed: take it out."
        for line in ignored_locks(root)
    ]
    if not known_component(root).package:
        lines.append("The pipeline's jobs need an image that has runbook, or the input package: what pip installs.")
    return [*lines, "Commit these files; `runbook doctor` says what is left to do."]


def _compare(root: Path, found: Sequence[Draft], modules: Sequence[RootModule]) -> int:
    """Show what this version would write otherwise; 1 if there is something."""
    from ..workspace.scaffold import unnamed

    told = [line for draft in found for line in _difference(root, draft)]
    told += [f"runbook.yml: no stack lies in {module.path}" for module in unnamed(root, modules)]
    typer.echo("\n".join(told) if told else "this version would write nothing else")
    return int(bool(told))


def _difference(root: Path, draft: Draft) -> list[str]:
    if draft.missing(root):
        lines = draft.text.strip().splitlines()[1:] if draft.appended else []
        return [f"{draft.path}: would get {len(lines)} lines", *lines] if lines else [f"{draft.path}: is not there"]
    if draft.appended:
        return []
    text = (root / draft.path).read_text(encoding="utf-8", errors="replace")
    if draft.edited:
        return [] if draft.line in text else [f"{draft.path}: would include {draft.line}"]
    there = text.splitlines()
    wanted = draft.text.splitlines()
    return list(difflib.unified_diff(there, wanted, draft.path, f"{draft.path} of this version", lineterm="", n=1))
