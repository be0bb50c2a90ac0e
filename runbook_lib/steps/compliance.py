"""The compliance step: the files judged before Terraform plans, early and without credentials."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ..adapters.git import read_tree
from ..adapters.hcl import read_hcl
from ..adapters.terraform import Terraform
from ..adapters.terraform_errors import Diagnostic
from ..adapters.terraform_folder import ensure_initialised
from ..adapters.terraform_folder import validate as validate_files
from ..domain.compliance import outcome_of
from ..domain.rules import RuleChanges, hcl_changes
from ..errors import InputError, TerraformError
from ..models.compliance import ComparedWith, ComplianceReport
from ..models.findings import Action, Finding, Severity, Source, Verdict
from ..models.hcl import HclModule
from ..models.rules import Rule
from ..report.result_view import ResultView
from ..repository import checkout_root
from ..workspace.base_commit import compared_files
from ..workspace.clients import terraform_client
from ..workspace.context import StepContext, open_step, recorded
from ..workspace.governance import before_change
from ..workspace.policy_reports import judge_changes, open_gate, write_reports
from ..workspace.preflight import Check, CheckResult, preflight

__all__ = ["Files", "check_ready", "decide", "judge", "start", "validate"]

SUFFIXES = (".tf", ".tf.json", ".tofu", ".tofu.json", ".tfvars", ".tfvars.json")


def start(run_id: str = "", stack: str = "") -> StepContext:
    """Begin the step."""
    return open_step("compliance", run_id, stack)


def check_ready(context: StepContext) -> tuple[CheckResult, ...]:
    """Ask for Terraform, the stack's files and the policies."""
    return preflight(
        context,
        Check("terraform", lambda: terraform_client(context.settings, context.run.stack).binary.version),
        Check("policies", lambda: str(open_gate(context))),
    )


@dataclass(frozen=True)
class Files:
    """What the stack's files are: Terraform's errors in them as `findings`, and the `changes` that they declare.

    `compared` is the commit to which those are changes.
    """

    findings: tuple[Finding, ...]
    changes: RuleChanges
    compared: ComparedWith = field(default_factory=ComparedWith)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every security-group rule that they declare."""
        return self.changes.after


@recorded
def validate(context: StepContext) -> Files:
    """Have Terraform check syntax and types, every error a finding that blocks; and read what the files declare."""
    context.uses_repository()
    terraform = terraform_client(context.settings, context.run.stack, print)
    with ThreadPoolExecutor(max_workers=1) as pool:
        # The files are read for the policies meanwhile: Terraform is busy loading its provider.
        reading = pool.submit(_declared, context, terraform.binary.product)
        findings = tuple(_finding(context, error) for error in _errors(terraform))
    # What is no valid Terraform is not judged any further: it declares nothing that could be believed.
    if findings:
        return Files(findings, RuleChanges(), _compared(context))
    changes, compared = reading.result()
    # Modules from elsewhere may have been laid down only meanwhile.
    if changes.unread:
        changes, compared = _declared(context, terraform.binary.product)
    print(compared.sentence)  # noqa: T201 - the notebook's own
    return Files(findings, changes, compared)


@recorded
def judge(context: StepContext, files: Files, scope: str = "changed") -> ComplianceReport:
    """Judge what the files declare; what only the plan can tell is unknown here, and warns."""
    return judge_changes(context, open_gate(context), files.changes, scope, files=files.compared)


@recorded
def decide(context: StepContext, files: Files, report: ComplianceReport) -> ResultView:
    """End the step, and write compliance.txt and its other forms: the first artifact."""
    findings = (*files.findings, *report.findings)
    whole = report.model_copy(update={"findings": findings, "outcome": outcome_of(findings)})
    write_reports(context, whole)
    context.metrics |= whole.checked.model_dump()
    return context.finish(whole.outcome, whole.sentence, findings)


def _errors(terraform: Terraform) -> tuple[Diagnostic, ...]:
    try:
        # Enough to validate, and it needs no credentials; the plan step makes the backend ready.
        ensure_initialised(terraform, backend=False)
    except TerraformError:
        # What is wrong in the files fails here already, but only `validate` says where; anything else is raised.
        errors = terraform.validate()
        if not any(error.file for error in errors):
            raise
        return errors
    errors, asked = validate_files(terraform)
    if not asked:
        print("Terraform found these files valid before: nothing in them has changed since.")  # noqa: T201 - the same
    return errors


def _declared(context: StepContext, product: str) -> tuple[RuleChanges, ComparedWith]:
    root = context.settings.root
    module = _read(context, root, product)
    compared = _compared(context)
    if not compared.commit:
        return hcl_changes(module), compared
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder).resolve()
        try:
            if not read_tree(root, compared.commit, SUFFIXES, base):
                return hcl_changes(module), _nothing(compared, "can't be read")
            # A stack that was not there before is new, all of it.
            there = (base / context.stack.path).is_dir()
            return hcl_changes(module, _read(context, base, product, module) if there else None), compared
        except InputError:
            # What was no valid Terraform before this change says nothing about it: all of it counts as changed.
            return hcl_changes(module), _nothing(compared, "holds no valid Terraform")


def _compared(context: StepContext) -> ComparedWith:
    return compared_files(context.settings, before_change(context).base, SUFFIXES)


def _nothing(compared: ComparedWith, why: str) -> ComparedWith:
    problem = f"{compared.commit[:12]} ({compared.how}) {why}"
    return compared.model_copy(update={"commit": "", "how": "", "problem": problem, "everything": True})


def _read(context: StepContext, root: Path, product: str, now: HclModule | None = None) -> HclModule:
    stack = root / context.stack.path
    files = [stack / name for name in context.stack.var_files]
    # What stood before called modules that nobody has laid down for it: those of now stand in their place, where the
    # call asks for the same version. Git holds neither.
    installed = (context.stack_dir, now.versions) if now else None
    return read_hcl(stack, var_files=files, base=root, installed=installed, product=product)


def _finding(context: StepContext, error: Diagnostic) -> Finding:
    path = f"{context.stack.path}/{error.file}" if error.file else context.stack.path
    root = context.settings.root
    top = checkout_root(root) or root
    file = (root / path).relative_to(top).as_posix() if (root / path).is_relative_to(top) else path
    return Finding(
        policy="terraform-valid",
        verdict=Verdict.FAILED,
        severity=Severity.HIGH,
        address=path,
        message=f"{error.summary}: {error.detail}" if error.detail else error.summary,
        remedy="Correct it there.",
        source=Source(file=file, line=error.line) if error.line else None,
        action=Action.BLOCK,
        tool="terraform",
    )
