"""`runbook lab`: up, down, asked and entered."""

from __future__ import annotations

import difflib
import os
import shlex
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from ..errors import UsageError
from .extras import require

if TYPE_CHECKING:
    from ..lab.addresses import LabAddresses

__all__ = ["ended_lab", "lab_folder", "register"]

Folder = Annotated[
    Path | None,
    typer.Option("--dir", envvar="RUNBOOK_LAB_DIR", help="The lab's state folder; .lab beside runbook.yml by default."),
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="AWS, GitLab, Slack, the edge and the web front, on this machine.")
    group.command("up")(up)
    group.command("down")(down)
    group.command("status")(status)
    group.command("env")(env)
    group.command("push")(push)
    app.add_typer(group, name="lab")


def up(folder: Folder = None) -> None:
    """Start the lab and build what the repository here has with Terraform; where there is none, the demo's base."""
    from .places import here, story, tells_story

    require("lab")
    settings = here()
    if settings is None or tells_story(settings):
        from .demo_repository import Repository
        from .lab_base import lab_up

        settings = story(settings)
        lab = lab_up(settings, lab_folder(folder), _tell)
        Repository(settings, lab).follow()
    else:
        from .lab_world import world_up

        lab = world_up(settings, lab_folder(folder), _tell)
    _show(lab)
    place = f" --dir {shlex.quote(str(folder))}" if folder else ""
    typer.echo(f'Enter it with: eval "$(runbook lab env{place})"', err=True)


def _tell(line: str) -> None:
    typer.echo(f"lab: {line}", err=True)


def down(folder: Folder = None) -> None:
    """End the lab and everything that belongs to it."""
    from ..lab.process import stop_process

    lab = stop_process(lab_folder(folder))
    typer.echo(f"lab: process {lab.process.pid} ended" if lab else "lab: none was running", err=True)


def status(folder: Folder = None) -> None:
    """Show the addresses of the running lab, and whether something answers there."""
    _show(_running(folder))


def env(
    folder: Folder = None,
    user: Annotated[str, typer.Option(help="Whose token the shell has; who asks for changes if nobody is named.")] = "",
) -> None:
    """Print the exports that point a shell at the lab."""
    from ..lab.addresses import NOT_OURS

    lab = _running(folder)
    # The working copy's runbook.yml names the lab's GitLab: the repository's own would not be believed here.
    places = {"RUNBOOK_ROOT": str(lab.repository), "RUNBOOK_LAB_DIR": str(lab.folder)}
    variables = {**lab.environment(user or "riley"), **places} if _known(lab, user) else {}
    typer.echo(f"unset {' '.join(NOT_OURS)}")
    for name, value in variables.items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def push(folder: Folder = None) -> None:
    """Let the lab's GitLab know the last commit of the working copy; a commit there does so by itself."""
    from .demo_repository import Repository

    sha = Repository.of_lab(_running(folder)).push()
    typer.echo(f"lab: GitLab has {sha[:12]}", err=True)


def ended_lab() -> str:
    """What to do if the lab that this shell was pointed at is no more; empty if it runs, or none is meant."""
    from ..lab.statefile import find_lab

    folder = os.environ.get("RUNBOOK_LAB_DIR", "")
    if not folder:
        return ""
    lab = find_lab(Path(folder))
    if lab and lab.gitlab_url == os.environ.get("CI_SERVER_URL", lab.gitlab_url):
        return ""
    enter = f'eval "$(runbook lab env --dir {shlex.quote(folder)})"'
    return f"This shell is pointed at a lab that has ended: {'' if lab else 'runbook lab up, then '}{enter}"


def _known(lab: LabAddresses, user: str) -> bool:
    people = lab.credentials.gitlab
    if user and user not in people:
        close = difflib.get_close_matches(user, people, n=1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise UsageError(f"there is no {user!r} in this lab", f"{hint}There are {', '.join(sorted(people))}.")
    return True


def lab_folder(given: Path | None) -> Path:
    """The lab's state folder: as given, else .lab beside runbook.yml, else in the working folder."""
    from .places import top

    return given.resolve() if given is not None else top() / ".lab"


def _running(folder: Path | None) -> LabAddresses:
    from ..lab.process import running_lab

    return running_lab(lab_folder(folder))


def _show(lab: LabAddresses) -> None:
    places = {
        "page": (lab.slack_url, "the Slack channel and the pipeline"),
        "front": (lab.front_url, "the web front's public address, through the security groups"),
        "gitlab": (lab.gitlab_url, "GitLab"),
        "aws": (lab.aws_url, "AWS"),
        "control": (lab.control_url, "failures on order"),
    }
    typer.echo(f"lab {lab.phase}: process {lab.process.pid}, started {lab.started_at:%Y-%m-%d %H:%M:%S} UTC")
    for name, (url, meaning) in places.items():
        typer.echo(f"  {name:<8} {'up  ' if _listens(url) else 'down'} {url.rstrip('/') or '-':<24} {meaning}")


def _listens(url: str) -> bool:
    if not url:
        return False
    place = urlsplit(url)
    try:
        with socket.create_connection((str(place.hostname), int(place.port or 80)), timeout=2):
            return True
    except OSError:
        return False
