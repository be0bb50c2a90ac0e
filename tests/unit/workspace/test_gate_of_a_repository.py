"""The gate as runbook.yml opens it: its policies, its waivers, and what it decides otherwise than the pack."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.domain.rules import RuleChanges
from runbook_lib.errors import ConfigError
from runbook_lib.models.base import Outcome
from runbook_lib.models.compliance import ComplianceReport, Scope
from runbook_lib.models.config import ComplianceConfig
from runbook_lib.models.findings import Severity, Source, Verdict
from runbook_lib.models.rules import Direction, Rule
from runbook_lib.packaged import packaged
from runbook_lib.workspace.policy_gate import PolicyFiles, PolicyGate

TODAY = date(2026, 11, 23)
POLICY = """policies:
  - id: nothing-in
    title: Nothing is let in
    severity: high
    action: block
    on_unknown: block
    remedy: Remove it.
    rule: {direction: ingress}
"""
WAIVER = """waivers:
  - {policy: nothing-in, address: "rule.*", owner: sam, reason: Known., expires: %s}
"""
RULE = Rule(
    direction=Direction.INGRESS, protocol="tcp", from_port=80, to_port=80, source="10.0.0.0/8", address="rule.a"
)
ADDED = RuleChanges(after=(RULE,), touched=frozenset({0}), resources=1)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/own.yml").write_text(POLICY)
    return tmp_path


def gate(root: Path, today: date = TODAY, **config: Any) -> PolicyGate:
    return PolicyGate.open(PolicyFiles.of_repository(root, ComplianceConfig(**config)), today)


def judged(opened: PolicyGate, folders: tuple[Path, ...] = (), **more: Any) -> ComplianceReport:
    return opened.judge(more.pop("changes", ADDED), more.pop("scope", Scope.CHANGED), folders, **more)


def test_the_policies_of_the_repository_judge(files: Path) -> None:
    report = judged(gate(files))
    assert (report.outcome, [finding.policy for finding in report.findings]) == (Outcome.BLOCKED, ["nothing-in"])
    assert str(gate(files)) == "1 policies, 0 waivers"


def test_runbook_yml_has_the_last_word_on_severity_and_action(files: Path) -> None:
    report = judged(gate(files, severities={"nothing-in": "low"}, actions={"nothing-in": "warn"}))
    assert (report.outcome, report.findings[0].severity) == (Outcome.WARNED, Severity.LOW)


@pytest.mark.parametrize("field", ["severities", "actions"])
def test_a_policy_that_runbook_yml_speaks_of_must_exist(files: Path, field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        gate(files, **{field: {"nothing-inn": "low" if field == "severities" else "warn"}})
    assert caught.value.message == f"runbook.yml: compliance.{field}: there is no policy 'nothing-inn'"
    assert caught.value.remedy == "Did you mean 'nothing-in'?"


def test_a_waiver_hides_its_finding_until_its_day(files: Path) -> None:
    (files / "policies/waivers.yml").write_text(WAIVER % "2026-12-01")
    opened = gate(files)
    assert str(opened) == "1 policies, 1 waivers"
    report = judged(opened)
    assert (report.outcome, report.findings[0].verdict) == (Outcome.PASSED, Verdict.WAIVED)
    later = judged(gate(files, today=date(2026, 12, 2)))
    assert (later.outcome, later.findings[0].verdict) == (Outcome.BLOCKED, Verdict.FAILED)


def test_a_waiver_may_not_last_longer_than_runbook_yml_allows(files: Path) -> None:
    (files / "policies/waivers.yml").write_text(WAIVER % "2026-12-01")
    with pytest.raises(ConfigError, match="more than 7 days from now"):
        gate(files, max_waiver_days=7)


def test_waivers_lie_where_runbook_yml_says(files: Path) -> None:
    (files / "ours.yml").write_text(WAIVER % "2026-12-01")
    assert str(gate(files, waivers="ours.yml")) == "1 policies, 1 waivers"


def test_a_finding_has_the_line_where_its_rule_is_written(files: Path) -> None:
    kind = "aws_vpc_security_group_ingress_rule"
    stack = files / "terraform"
    stack.mkdir()
    (stack / "main.tf").write_text(f'\nresource "{kind}" "a" {{\n}}\n')
    changes = RuleChanges(
        after=(RULE.model_copy(update={"address": f"{kind}.a"}),), touched=frozenset({0}), resources=1
    )
    (finding,) = judged(gate(files), (files / "gone", stack), changes=changes).findings
    assert finding.source == Source(file="terraform/main.tf", line=2)


def test_what_did_not_change_is_judged_only_when_all_is_asked_for(files: Path) -> None:
    standing = RuleChanges(before=(RULE,), after=(RULE,), touched=frozenset(), resources=1)
    assert judged(gate(files), changes=standing).outcome is Outcome.PASSED
    assert judged(gate(files), changes=standing, scope=Scope.ALL).outcome is Outcome.BLOCKED


def test_what_is_unknown_early_only_warns(files: Path) -> None:
    unknown = RuleChanges(
        after=(Rule.model_validate({**RULE.model_dump(), "direction": "unknown"}),), touched=frozenset({0}), resources=1
    )
    assert judged(gate(files), changes=unknown).outcome is Outcome.BLOCKED
    assert judged(gate(files), changes=unknown, early=True).outcome is Outcome.WARNED


def test_the_digest_is_another_with_every_change_of_policies_or_waivers(files: Path) -> None:
    found = PolicyFiles.of_repository(files, ComplianceConfig())
    digests = [found.digest]
    (files / "policies/waivers.yml").write_text(WAIVER % "2026-12-01")
    digests.append(found.digest)
    digests.append(PolicyFiles.of_repository(files, ComplianceConfig()).digest)
    (files / "policies/own.yml").write_text(POLICY + "# more\n")
    digests.append(found.digest)
    assert digests[1] == digests[2]
    assert len(set(digests)) == 3


def test_an_optional_policy_judges_only_where_it_is_named(files: Path) -> None:
    (files / "policies/own.yml").write_text(POLICY.replace("severity: high", "optional: true\n    severity: high"))
    assert judged(gate(files)).outcome is Outcome.PASSED
    assert judged(gate(files, enable=("nothing-in",))).outcome is Outcome.BLOCKED
    with pytest.raises(ConfigError, match=r"compliance\.enable: there is no policy 'nothing-out'"):
        gate(files, enable=("nothing-out",))


def test_a_repository_without_policies_is_judged_by_the_pack_unless_it_names_a_folder_of_its_own(
    tmp_path: Path,
) -> None:
    default = PolicyFiles.of_repository(tmp_path, ComplianceConfig())
    assert (default.policies, default.waivers) == (packaged("policies"), None)
    named = PolicyFiles.of_repository(tmp_path, ComplianceConfig(policies="ours"))
    assert named.policies == tmp_path / "ours"
    (tmp_path / "policies").mkdir()
    assert PolicyFiles.of_repository(tmp_path, ComplianceConfig()).policies == tmp_path / "policies"


def test_the_digest_is_another_with_what_runbook_yml_decides(files: Path) -> None:
    configs = (
        ComplianceConfig(),
        ComplianceConfig(actions={"nothing-in": "warn"}),
        ComplianceConfig(max_waiver_days=7),
    )
    assert len({PolicyFiles.of_repository(files, config).digest for config in configs}) == 3


KIND = "aws_vpc_security_group_ingress_rule"


@pytest.mark.parametrize(
    ("stacks", "line"),
    [
        ({"one": "ab", "two": "a"}, "one/main.tf"),
        ({"one": "a", "two": "ab"}, "two/main.tf"),
        # Two that write as much of it: no line is better than one in another stack's file.
        ({"one": "ab", "two": "ab"}, ""),
        ({"one": "ab"}, "one/main.tf"),
        ({}, ""),
    ],
)
def test_the_line_is_of_the_stack_that_writes_the_most_of_the_change(
    files: Path, stacks: dict[str, str], line: str
) -> None:
    for name, resources in stacks.items():
        (files / name).mkdir()
        (files / name / "main.tf").write_text(
            "".join(f'resource "{KIND}" "{resource}" {{\n}}\n' for resource in resources)
        )
    rules = tuple(RULE.model_copy(update={"address": f"{KIND}.{name}"}) for name in "ab")
    changes = RuleChanges(after=rules, touched=frozenset({0, 1}), resources=2)
    found = judged(gate(files), tuple(files / name for name in stacks), changes=changes).findings
    assert [finding.source for finding in found] == (
        [Source(file=line, line=1), Source(file=line, line=3)] if line else [None, None]
    )


def test_what_another_scanner_found_blocks_by_what_stood_before_as_well(files: Path) -> None:
    result = {"ruleId": "AVD-1", "level": "error", "message": {"text": "open"}}
    sarif = json.dumps({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "Trivy"}}, "results": [result]}]})
    before, now = gate(files, scanners={"trivy": "block"}), gate(files)
    nothing = RuleChanges()

    def outcome(opened: PolicyGate) -> Outcome:
        return opened.with_scanner(judged(opened, changes=nothing), sarif, "trivy.sarif").outcome

    assert outcome(now) is Outcome.WARNED
    assert outcome(before) is Outcome.BLOCKED
    assert outcome(now.after(before)) is Outcome.BLOCKED
    assert outcome(now.after(None)) is Outcome.WARNED
