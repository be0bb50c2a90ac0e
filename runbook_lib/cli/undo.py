"""`runbook undo`: the change that takes an applied run's change back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError

if TYPE_CHECKING:
    from ..settings import Settings
    from ..workspace.undo import Undone

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("undo")(undo)


def undo(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run that was applied.")],
    start: Annotated[
        bool,
        typer.Option(
            "--run", help="Check the branch out, push it to a GitLab that is asked who approves, start its run."
        ),
    ] = False,
    merge_request: Annotated[
        bool, typer.Option("--merge-request", help="Push the branch to origin, and open its merge request in GitLab.")
    ] = False,
) -> None:
    """Make a branch whose commit takes back what a run changed in its stack; it goes through every gate as any change.

    The files become what they were before the run, but for what others changed since, which stays and is shown. Without
    an option nothing is pushed, planned or applied, and the working tree is not touched.
    """
    from ..settings import Settings
    from ..workspace.undo import check_proposal, check_run, propose, undo_run

    if start and merge_request:
        raise UsageError("--run and --merge-request exclude each other", "A merge request's pipelines make its runs.")
    settings = Settings.load()
    if start:
        check_run(settings)
    if merge_request:
        check_proposal(settings)
    done = undo_run(settings, run)
    _show(done)
    if merge_request:
        typer.echo(f"Merge request: {propose(settings, done)}")
    elif start:
        _start(settings, done)
    else:
        typer.echo(f"Next: {_ways(settings, done)}")


def _show(done: Undone) -> None:
    run = done.run
    typer.echo(f"{done.branch} ({done.commit[:12]}) takes back what run {run.run_id} changed in {run.stack}:")
    for name in done.files:
        typer.echo(f"  {name}")
    for title, lines in (("Can't be taken back:", done.lost), ("Others changed since, which stays:", done.since)):
        if lines:
            typer.echo(title)
            for line in lines:
                typer.echo(f"  {line}")


def _start(settings: Settings, done: Undone) -> None:
    from ..adapters.git_undo import switch_to
    from ..runner.run import RunRequest
    from ..settings import Settings
    from ..workspace.undo import publish
    from .run import carry_out

    switch_to(settings.root, done.branch)
    pushed = " and pushed to origin" if publish(settings, done) else ""
    typer.echo(f"{done.branch} is checked out{pushed}; its run begins.", err=True)
    # runbook.yml is that of the branch from here on.
    carry_out(RunRequest(stack=done.run.stack), Settings.load())


def _ways(settings: Settings, done: Undone) -> str:
    if settings.gitlab_project:
        return (
            f"git push origin {done.branch}, and open a merge request (--merge-request does both):"
            " its plan says what it would do now."
        )
    return f"git switch {done.branch} && runbook run --stack {done.run.stack} (--run does both)"
