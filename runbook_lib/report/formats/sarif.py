"""SARIF 2.1.0, one run for each tool."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

from runbook_lib import __version__
from runbook_lib.models.compliance import ComplianceReport
from runbook_lib.models.findings import Finding, Severity, Verdict

__all__ = ["fingerprint", "to_sarif"]

_LEVELS: Final = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}
# What GitHub and GitLab sort by.
_SCORES: Final = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.0", Severity.LOW: "2.0"}


def to_sarif(report: ComplianceReport) -> str:
    """Every finding; a waived one carries its suppression, an unknown one says so in its properties."""
    tools = ["runbook", *sorted({f.tool for f in report.findings} - {"runbook"})]
    runs = [_run(tool, [f for f in report.findings if f.tool == tool]) for tool in tools]
    if report.compared_with:
        told = {"sentence": report.compared_with.sentence, **report.compared_with.model_dump(mode="json")}
        runs[0]["properties"] = {"comparedWith": told}
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": runs,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def fingerprint(finding: Finding) -> str:
    """What stays the same of a finding from one run to the next."""
    rule = finding.rule.model_dump_json() if finding.rule else finding.message
    where = f"{finding.source.file}:{finding.source.line}" if finding.source and finding.tool != "runbook" else ""
    text = "\0".join((finding.tool, finding.policy, finding.address, rule, where))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _run(tool: str, findings: list[Finding]) -> dict[str, Any]:
    rules = {finding.policy: finding for finding in findings}
    indexes = {policy: index for index, policy in enumerate(rules)}
    driver: dict[str, Any] = {"name": tool, "rules": [_rule(finding) for finding in rules.values()]}
    if tool == "runbook":
        driver["version"] = __version__
    return {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": list(_results(findings, indexes)),
    }


def _rule(finding: Finding) -> dict[str, Any]:
    tags = [f"{control.framework} {control.version} {control.id}" for control in finding.controls]
    rule: dict[str, Any] = {
        "id": finding.policy,
        "shortDescription": {"text": finding.message.partition(":")[0] or finding.policy},
        "defaultConfiguration": {"level": _LEVELS[finding.severity]},
        "properties": {"security-severity": _SCORES[finding.severity], "tags": ["security", *tags]},
    }
    if finding.remedy:
        rule["help"] = {"text": finding.remedy}
    return rule


def _results(findings: Iterable[Finding], indexes: dict[str, int]) -> Iterable[dict[str, Any]]:
    for finding in findings:
        result: dict[str, Any] = {
            "ruleId": finding.policy,
            "ruleIndex": indexes[finding.policy],
            "level": _LEVELS[finding.severity],
            "message": {"text": f"{finding.address}: {finding.message} {finding.remedy}".strip()},
            "locations": [_location(finding)],
            "partialFingerprints": {"runbook/v1": fingerprint(finding)},
            "properties": {"verdict": str(finding.verdict), "action": str(finding.action)},
        }
        if finding.verdict is Verdict.WAIVED and finding.waiver:
            waiver = finding.waiver
            why = f"{waiver.reason} ({waiver.owner}, until {waiver.expires})"
            result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
        yield result


def _location(finding: Finding) -> dict[str, Any]:
    location: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": finding.address, "kind": "resource"}]}
    if finding.source:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": quote(finding.source.file)},
            "region": {"startLine": finding.source.line},
        }
    return location
