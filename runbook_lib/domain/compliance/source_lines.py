"""Where in the repository the resource of a finding is written."""

from __future__ import annotations

from collections.abc import Mapping

from runbook_lib.models.compliance import ComplianceReport
from runbook_lib.models.findings import Source

from ..rules.addresses import parse_address

__all__ = ["locate"]


def locate(report: ComplianceReport, index: Mapping[tuple[tuple[str, ...], str], Source]) -> ComplianceReport:
    """The report with file and line; what lies in a module from elsewhere gets the line that calls the module."""
    findings = tuple(
        finding
        if finding.source or finding.tool != "runbook"
        else finding.model_copy(update={"source": _source(finding.address, index)})
        for finding in report.findings
    )
    return report.model_copy(update={"findings": findings})


def _source(address: str, index: Mapping[tuple[tuple[str, ...], str], Source]) -> Source | None:
    parsed = parse_address(address)
    names = parsed.path
    found = index.get((names, parsed.base))
    for depth in range(len(names), 0, -1):
        found = found or index.get((names[: depth - 1], f"module.{names[depth - 1]}"))
    return found
