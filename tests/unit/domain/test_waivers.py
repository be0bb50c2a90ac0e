"""Waivers hide what they name until their last day, and nothing else."""

from __future__ import annotations

from datetime import date

import pytest
from compliance_samples import network_rule, of_rules, pack

from runbook_lib.domain.compliance import combine, findings_from_sarif, judge
from runbook_lib.models.base import Outcome
from runbook_lib.models.compliance import ComplianceReport, Waiver, WaiverState
from runbook_lib.models.findings import Action

ADDRESS = 'module.m.aws_vpc_security_group_ingress_rule.r["22 from [any]"]'
TODAY = date(2026, 6, 1)
RULE = network_rule(source="0.0.0.0/0", address=ADDRESS)
SARIF = """{"runs": [{"tool": {"driver": {"name": "Checkov"}}, "results": [
  {"ruleId": "CKV_AWS_24", "level": "error", "message": {"text": "SSH"},
   "locations": [{"physicalLocation": {"artifactLocation": {"uri": "main.tf"}, "region": {"startLine": 7}}}]}]}]}"""


def waiver(address: str = ADDRESS, policy: str = "sg-world-ssh", expires: date = TODAY) -> Waiver:
    return Waiver(policy=policy, address=address, owner="ops", reason="CHG-1", expires=expires)


def report(*waivers: Waiver) -> ComplianceReport:
    ssh = [policy for policy in pack() if policy.id == "sg-world-ssh"]
    return judge(of_rules(RULE), ssh, waivers, today=TODAY)


@pytest.mark.parametrize("pattern", [ADDRESS, "*", "module.m.*", '*.r["22 from [*]"]', "*aws_vpc*rule.r*"])
def test_waiver_hides_the_finding_that_its_pattern_fits(pattern: str) -> None:
    found = report(waiver(pattern))
    assert (found.outcome, str(found.findings[0].verdict)) == (Outcome.PASSED, "waived")
    assert found.findings[0].waiver is not None
    assert found.waivers[0].state is WaiverState.IN_FORCE


@pytest.mark.parametrize(
    "pattern", ["module.m", 'module.m.aws_vpc_security_group_ingress_rule.r["2"]', "*.x", "[a-z]*"]
)
def test_waiver_for_another_address_is_unused(pattern: str) -> None:
    found = report(waiver(pattern))
    assert (found.outcome, found.waivers[0].state) == (Outcome.BLOCKED, WaiverState.UNUSED)


def test_expired_waiver_no_longer_hides_its_finding() -> None:
    found = report(waiver(expires=date(2026, 5, 31)))
    assert (found.outcome, found.waivers[0].state) == (Outcome.BLOCKED, WaiverState.EXPIRED)


def test_pattern_of_many_stars_takes_no_time() -> None:
    assert report(waiver("*a" * 40 + "*nothing")).outcome is Outcome.BLOCKED


def test_finding_of_another_tool_blocks_as_configured() -> None:
    found = findings_from_sarif(SARIF, "checkov.sarif", {"checkov": Action.BLOCK})
    merged = combine(report(waiver()), found, [waiver()], TODAY)
    assert (merged.outcome, merged.findings[-1].tool) == (Outcome.BLOCKED, "checkov")
    assert merged.findings[-1].source is not None
    assert merged.findings[-1].source.line == 7


def test_finding_of_another_tool_is_waived_under_its_tool_and_rule() -> None:
    waivers = [waiver(), waiver("main.tf", "checkov:CKV_AWS_24")]
    merged = combine(report(*waivers), findings_from_sarif(SARIF, "c", {"checkov": Action.BLOCK}), waivers, TODAY)
    assert merged.outcome is Outcome.PASSED
    assert [status.state for status in merged.waivers] == [WaiverState.IN_FORCE] * 2


def test_of_two_waivers_for_the_same_finding_each_has_its_own_state() -> None:
    over, lasting = (waiver("main.tf", "checkov:CKV_AWS_24", day) for day in (date(2026, 5, 31), TODAY))
    merged = combine(report(over, lasting), findings_from_sarif(SARIF, "c", {}), [over, lasting], TODAY)
    assert [(status.waiver, status.state) for status in merged.waivers] == [
        (over, WaiverState.EXPIRED), (lasting, WaiverState.IN_FORCE),
    ]  # fmt: skip
