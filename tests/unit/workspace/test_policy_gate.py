"""Judging inside a run: the repository's policies, and what other scanners left in the run folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from step_fakes import built_in

from runbook_lib.adapters.store import RunStore
from runbook_lib.domain.rules import RuleChanges
from runbook_lib.errors import InputError
from runbook_lib.models.base import Outcome
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace.context import StepContext
from runbook_lib.workspace.policy_gate import PolicyFiles, PolicyGate
from runbook_lib.workspace.policy_reports import judge_changes

NOW = datetime(2026, 11, 23, tzinfo=UTC)
POLICY = """policies:
  - id: no-resource
    title: Nothing is let in
    severity: high
    action: block
    on_unknown: block
    remedy: Remove it.
    rule: {direction: ingress}
"""
CONFIG = """version: 1
stacks: {access: {path: terraform/access, state: access}}
compliance: {scanners: {trivy: block}}
"""


@pytest.fixture
def context(tmp_path: Path) -> StepContext:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/own.yml").write_text(POLICY)
    (tmp_path / "terraform/access").mkdir(parents=True)
    (tmp_path / "terraform/access/main.tf").write_text("")
    (tmp_path / "runbook.yml").write_text(CONFIG)
    run = Run(run_id="r1", stack="access", created_at=NOW)
    store = RunStore(tmp_path / "outputs", "r1")
    store.write_json("run.json", run)
    settings = Settings.load(tmp_path)
    return StepContext(
        step=built_in("plan"), settings=settings, store=store, run=run, started_at=NOW, clock=lambda: NOW
    )


def empty_gate(context: StepContext) -> PolicyGate:
    """Without a policy: what other tools found decides alone."""
    config = context.settings.config.compliance
    return PolicyGate(PolicyFiles.of_repository(context.settings.root, config), (), (), NOW.date())


def sarif(tool: str) -> str:
    result = {"ruleId": "AVD-1", "level": "error", "message": {"text": "open"}}
    return json.dumps({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": tool}}, "results": [result]}]})


def test_another_scanners_finding_blocks_as_runbook_yml_says(context: StepContext) -> None:
    context.store.write_text("scanners/trivy.sarif", sarif("Trivy"))
    report = judge_changes(context, empty_gate(context), RuleChanges(), "changed")
    assert report.outcome is Outcome.BLOCKED
    assert [(finding.tool, finding.policy) for finding in report.findings] == [("trivy", "AVD-1")]


def test_scanner_that_runbook_yml_does_not_name_only_warns(context: StepContext) -> None:
    context.store.write_text("scanners/checkov.sarif", sarif("Checkov"))
    assert judge_changes(context, empty_gate(context), RuleChanges(), "changed").outcome is Outcome.WARNED


def test_own_report_is_not_read_back(context: StepContext) -> None:
    context.store.write_text("01_compliance/findings.sarif", sarif("runbook"))
    assert judge_changes(context, empty_gate(context), RuleChanges(), "changed").outcome is Outcome.PASSED


def test_broken_sarif_is_an_error_and_no_pass(context: StepContext) -> None:
    context.store.write_text("trivy.sarif", '{"runs": [')
    with pytest.raises(InputError, match=r"trivy\.sarif"):
        judge_changes(context, empty_gate(context), RuleChanges(), "changed")
