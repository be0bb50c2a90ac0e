"""`runbook check`: the policies alone, without notebook or network."""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ..adapters.named_file import write_output
from ..errors import ConfigError, StoreError, UsageError
from ..models.compliance import ComparedWith, ComplianceReport, Scope
from ..models.config import ComplianceConfig
from ..packaged import packaged
from ..repository import find_repository
from .inputs import Mask, read_bounded, read_whole_plan

if TYPE_CHECKING:
    from ..domain.rules import RuleChanges
    from ..workspace.policy_gate import PolicyFiles, PolicyGate

__all__ = ["register"]


# What a plan changes it says itself. Files have no before here: that is the compliance step's.


class Format(StrEnum):
    """How the answer is written."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    CODEQUALITY = "codequality"
    MARKDOWN = "markdown"
    TEXT = "text"


_KINDS: Final = {
    **dict.fromkeys((Format.JSON, Format.SARIF, Format.CODEQUALITY), "json"),
    Format.JUNIT: "xml",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(_check)


def _check(  # noqa: PLR0913, PLR0917 - a command has as many parameters as options
    plan: Annotated[Path | None, typer.Option(help="A plan as `terraform show -json` writes it; - for stdin.")] = None,
    hcl: Annotated[
        Path | None, typer.Option(help="A folder of Terraform files; with --plan only to find lines.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="The files of all stacks of runbook.yml.")] = False,
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
    if plan:
        gc.disable()  # a plan makes a million objects, none of them in a cycle, in a process that ends with the answer
    files, stacks = _policy_files(policies, waivers)
    if explain:
        from .policy_explanation import explain_policy

        sys.stdout.write(explain_policy(files, explain))
        return
    if self_test:
        from .policy_tests import run_policy_tests

        answer, passed = run_policy_tests(files)
        sys.stdout.write(answer)
        raise typer.Exit(0 if passed else 1)
    report, mask = _judge(files, Request(plan, hcl, scope, tuple(sarif or ()), stacks, every))
    _write(report, form, output, mask)
    if report.outcome.stops:
        raise typer.Exit(1)


@dataclass(frozen=True)
class Request:
    """What is to be judged; `stacks` are folders of Terraform files in which the lines of findings are looked for."""

    plan: Path | None
    hcl: Path | None
    scope: Scope
    sarif: tuple[Path, ...]
    stacks: tuple[Path, ...]
    every: bool = False


def _policy_files(policies: Path | None, waivers: Path | None) -> tuple[PolicyFiles, tuple[Path, ...]]:
    """The options over runbook.yml over the pack that comes with the program; and the repository's stacks."""
    from ..workspace.policy_gate import PolicyFiles

    if waivers and not waivers.is_file():
        raise ConfigError(f"{waivers}: no such file of waivers", "Name another one with --waivers.")
    stacks: tuple[Path, ...] = ()
    try:
        repository = find_repository()
    except ConfigError:
        found = PolicyFiles(packaged("policies"), None, ComplianceConfig(), Path.cwd())
    else:
        config = repository.load()
        found = PolicyFiles.of_repository(repository.root, config.compliance)
        stacks = tuple(repository.root / stack.path for stack in config.stacks.values())
    if policies:
        # Waivers go with the policies that they are of.
        beside = policies / "waivers.yml"
        # So do those that are enabled.
        if found.policies.resolve() != policies.resolve():
            found = replace(found, config=found.config.model_copy(update={"enable": ()}))
        found = replace(found, policies=policies, waivers=beside if beside.is_file() else None)
    return (replace(found, waivers=waivers) if waivers else found), stacks


def _judge(files: PolicyFiles, request: Request) -> tuple[ComplianceReport, Mask]:
    """The report, and what masks all that the plan calls sensitive."""
    from ..workspace.policy_gate import PolicyGate

    if request.every and (request.plan or request.hcl):
        raise UsageError("--all is the files of all stacks", "Leave --plan and --hcl away, or --all.")
    if request.plan is None and request.hcl is None and not request.every:
        raise UsageError("there is nothing to check", "Give --plan FILE, --hcl DIR or --all.")
    gate = PolicyGate.open(files, datetime.now(UTC).date())
    mask = Mask()
    if request.every:
        report = _judge_all(gate, request)
    elif request.plan is None:
        report = _judge_one(gate, _read_folder(request.hcl or Path()), request)
    else:
        from ..domain.rules import rules_from_plan

        plan, mask = read_whole_plan(read_bounded(request.plan))
        report = _judge_one(gate, rules_from_plan(plan), request)
    if request.plan is None:
        compared = ComparedWith(problem="files are judged as they are", everything=True)
        report = report.model_copy(update={"compared_with": compared})
    for path in request.sarif:
        report = gate.with_scanner(report, read_bounded(path), str(path))
    return report, mask


def _judge_one(gate: PolicyGate, changes: RuleChanges, request: Request) -> ComplianceReport:
    # Without a runbook.yml it is asked in the folder where the plan was made.
    folders = (request.hcl,) if request.hcl else request.stacks or (Path.cwd(),)
    return gate.judge(changes, request.scope, folders, early=request.plan is None)


def _judge_all(gate: PolicyGate, request: Request) -> ComplianceReport:
    from .all_stacks import judge_all

    repository = find_repository()
    return judge_all(gate, repository.root, repository.load(), request.scope)


def _read_folder(folder: Path) -> RuleChanges:
    from ..adapters.hcl import read_hcl
    from ..domain.rules import hcl_changes
    from .progress import Progress

    with Progress("read") as progress:
        module = read_hcl(folder, progress=progress)
    product = _product(folder) if module.doubtful else ""
    return hcl_changes(read_hcl(folder, product=product) if product else module)


def _product(folder: Path) -> str:
    """Who reads the files of this repository, as runbook.yml and PATH say; empty for a folder that lies elsewhere."""
    from ..adapters.terraform_binary import product_named
    from ..settings import Settings

    try:
        if not folder.resolve().is_relative_to(find_repository().root):
            return ""
    except ConfigError:
        return ""
    return product_named(Settings.load().terraform_binary, os.environ)


def _write(report: ComplianceReport, form: Format, output: Path | None, mask: Mask) -> None:
    """Write the answer to stdout, or to a file whole or not at all."""
    from ..report.formats import render

    text = mask(render(report, str(form)), _KINDS.get(form, ""))
    if output is None:
        sys.stdout.write(text)
        return
    remedy = "Name a file in a folder that exists."
    if not output.parent.is_dir():
        raise UsageError(f"{output}: can't be written: there is no folder {output.parent}", remedy)
    try:
        write_output(output, text.encode())
    except StoreError as error:
        raise UsageError(error.message, remedy) from error
    sys.stderr.write(f"{report.sentence}\n")
