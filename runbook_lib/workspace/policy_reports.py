"""A step's verdict: the policy gate opened for its run, other tools' findings merged, the reports written."""

from __future__ import annotations

from ..domain.rules import RuleChanges
from ..models.compliance import ComparedWith, ComplianceReport, Scope
from ..report.formats import render
from .context import StepContext
from .governance import before_change
from .policy_gate import PolicyFiles, PolicyGate

__all__ = ["judge_changes", "open_gate", "policy_files", "write_reports"]

# The report's forms by file name: for a person, for programs, and for GitLab's merge request.
REPORTS = {
    "compliance.txt": "text",
    "findings.json": "json",
    "findings.sarif": "sarif",
    "junit.xml": "junit",
    "gl-code-quality.json": "codequality",
}


def policy_files(context: StepContext) -> PolicyFiles:
    """The repository's policies and waivers."""
    return PolicyFiles.of_repository(context.settings.root, context.settings.config.compliance)


def open_gate(context: StepContext) -> PolicyGate:
    """The gate as it is now, together with the one before the change; ConfigError if something in it is wrong."""
    before = before_change(context)
    context.metrics["compared_with"] = before.base.compared.sentence
    return PolicyGate.open(policy_files(context), context.clock().date()).after(before.gate)


def judge_changes(
    context: StepContext, gate: PolicyGate, changes: RuleChanges, scope: str, *, files: ComparedWith | None = None
) -> ComplianceReport:
    """Judge what a plan changes or, with `files`, what the stack's files do, and what other tools left as SARIF.

    `files` is what those were compared with. A plan says itself what it changes; what it is judged by was compared.
    """
    report = gate.judge(changes, Scope(scope), (context.stack_dir,), early=files is not None)
    for path in sorted(context.store.dir.rglob("*.sarif")):
        if path.name not in REPORTS:
            context.uses(path)
            text = context.store.read_text(path.relative_to(context.store.dir).as_posix())
            report = gate.with_scanner(report, text, path.name)
    compared = files or before_change(context).base.compared
    return report.model_copy(update={"compared_with": compared})


def write_reports(context: StepContext, report: ComplianceReport) -> None:
    """Write the report in all its forms into the step's folder."""
    if report.compared_with:
        context.metrics["compared_with"] = report.compared_with.sentence
    for name, form in REPORTS.items():
        context.store.write_text(context.file(name), render(report, form))
