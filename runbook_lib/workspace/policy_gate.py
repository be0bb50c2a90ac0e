"""Judging by the repository's policies: what the compliance step does to the files and the plan step to the plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from ..adapters.hcl_blocks import index_blocks
from ..adapters.policies import check_policy_ids, load_policies, load_waivers, policy_sha256
from ..domain.compliance import combine, findings_from_sarif, judge, locate
from ..domain.rules import RuleChanges
from ..models.compliance import ComplianceReport, JudgeOptions, Policy, Scope, Waiver
from ..models.findings import Finding
from ..report.formats import render
from ..settings import Settings
from .context import StepContext

__all__ = ["Rulebook", "judge_changes", "policy_digest", "rulebook", "write_reports"]


Rulebook = tuple[Sequence[Policy], Sequence[Waiver]]

# The report's forms by file name: for a person, for programs, and for GitLab's merge request.
REPORTS = {
    "compliance.txt": "text",
    "findings.json": "json",
    "findings.sarif": "sarif",
    "junit.xml": "junit",
    "gl-code-quality.json": "codequality",
}


def policy_digest(context: StepContext) -> str:
    """The digest of the policies and waivers in force."""
    return policy_sha256(*_places(context.settings))


def rulebook(settings: Settings, today: date) -> Rulebook:
    """Policies and waivers; ConfigError if one of them, or what runbook.yml says of them, is wrong."""
    config = settings.config.compliance
    folder, waivers = _places(settings)
    policies = load_policies(folder)
    check_policy_ids([*config.severities, *config.actions], policies, "runbook.yml: compliance")
    found = load_waivers(waivers, policies, today, config.max_waiver_days) if waivers.is_file() else ()
    return policies, found


def judge_changes(
    context: StepContext, changes: RuleChanges, rules: Rulebook, scope: str, *, early: bool = False
) -> ComplianceReport:
    """Judge as runbook.yml says; `early` where Terraform has resolved nothing yet."""
    config, today = context.settings.config.compliance, context.clock().date()
    policies, waivers = rules
    options = JudgeOptions(scope=Scope(scope), severities=config.severities, actions=config.actions, early=early)
    report = judge(changes, policies, waivers, options, today)
    report = locate(report, index_blocks(context.stack_dir, context.settings.root))
    return combine(report, _scanner_findings(context), waivers, today)


def write_reports(context: StepContext, report: ComplianceReport) -> None:
    """Write the report in all its forms into the step's folder."""
    for name, form in REPORTS.items():
        context.store.write_text(context.file(name), render(report, form))


def _scanner_findings(context: StepContext) -> Iterator[Finding]:
    """What other tools left as SARIF anywhere in the run folder; our own reports are not read back."""
    for path in sorted(context.store.dir.rglob("*.sarif")):
        if path.name != "findings.sarif":
            context.uses(path)
            text = context.store.read_text(path.relative_to(context.store.dir).as_posix())
            yield from findings_from_sarif(text, path.name, context.settings.config.compliance.scanners)


def _places(settings: Settings) -> tuple[Path, Path]:
    config = settings.config.compliance
    return settings.root / config.policies, settings.root / config.waivers
