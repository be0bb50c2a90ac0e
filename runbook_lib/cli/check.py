"""`runbook check`: the policies alone, without notebook or network."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..models.compliance import Scope

__all__ = ["register"]


class Format(StrEnum):
    """How the answer is written."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    CODEQUALITY = "codequality"
    MARKDOWN = "markdown"
    TEXT = "text"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(_check)


def _check(  # noqa: PLR0913, PLR0917 - a command has as many parameters as options
    plan: Annotated[Path | None, typer.Option(help="A plan as `terraform show -json` writes it; - for stdin.")] = None,
    hcl: Annotated[
        Path | None, typer.Option(help="A folder of Terraform files; with --plan only to find lines.")
    ] = None,
    policies: Annotated[Path | None, typer.Option(help="The folder of policies.")] = None,
    waivers: Annotated[Path | None, typer.Option(help="The file of waivers.")] = None,
    scope: Annotated[
        Scope, typer.Option(help="Judge what the plan changes, or all that stands after it.")
    ] = Scope.CHANGED,
    form: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.TABLE,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the answer to a file.")] = None,
    sarif: Annotated[list[Path] | None, typer.Option(help="Another tool's SARIF to merge; may be repeated.")] = None,
    explain: Annotated[str, typer.Option(help="Say what a policy means instead, with examples.")] = "",
    self_test: Annotated[bool, typer.Option("--self-test", help="Run the policies' own tests instead.")] = False,
) -> None:
    """Judge a plan or a folder of Terraform files against the policies."""
    from . import checking

    places = checking.find_places(policies, waivers)
    if explain:
        from .policy_explanation import explain_policy

        sys.stdout.write(explain_policy(places, explain))
        return
    if self_test:
        from .policy_tests import run_policy_tests

        answer, passed = run_policy_tests(places)
        sys.stdout.write(answer)
        raise typer.Exit(0 if passed else 1)
    request = checking.Request(plan=plan, hcl=hcl, scope=scope, sarif=tuple(sarif or ()))
    report = checking.check(places, request)
    checking.write(report, str(form), output)
    if report.outcome.stops:
        raise typer.Exit(1)
