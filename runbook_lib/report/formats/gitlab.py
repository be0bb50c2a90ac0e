"""GitLab's code quality report, which a merge request shows beside the changed line."""

from __future__ import annotations

import json
from typing import Final

from runbook_lib.models.compliance import ComplianceReport
from runbook_lib.models.findings import Severity, Verdict

from .sarif import fingerprint

__all__ = ["to_codequality"]

_SEVERITIES: Final = {
    Severity.CRITICAL: "blocker",
    Severity.HIGH: "critical",
    Severity.MEDIUM: "major",
    Severity.LOW: "minor",
}


def to_codequality(report: ComplianceReport) -> str:
    """The findings that no waiver hides. GitLab needs a file and a line: without a known block, the plan's own name."""
    seen: set[str] = set()
    entries = []
    for finding in report.findings:
        mark = fingerprint(finding)
        if finding.verdict is Verdict.WAIVED or mark in seen:
            continue
        seen.add(mark)
        source = finding.source
        entries.append(
            {
                "description": f"{finding.address}: {finding.message}. {finding.remedy}",
                "check_name": finding.policy if finding.tool == "runbook" else f"{finding.tool}:{finding.policy}",
                "fingerprint": mark,
                "severity": _SEVERITIES[finding.severity],
                "location": {
                    "path": source.file if source else "plan.json",
                    "lines": {"begin": source.line if source else 1},
                },
            }
        )
    return json.dumps(entries, indent=2, ensure_ascii=False) + "\n"
