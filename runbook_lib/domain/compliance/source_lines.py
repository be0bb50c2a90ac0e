"""Where in the repository the resource of a finding is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from urllib.parse import unquote, urlsplit

from runbook_lib.models.compliance import ComplianceReport
from runbook_lib.models.findings import Finding, Source

from ..rules.addresses import parse_address

__all__ = ["lines_found", "locate", "named_below"]

Index = Mapping[tuple[tuple[str, ...], str], Source]


def locate(report: ComplianceReport, index: Index) -> ComplianceReport:
    """The report with file and line; what lies in a module from elsewhere gets the line that calls the module."""
    findings = tuple(
        finding.model_copy(update={"source": source})
        if finding.source is None and finding.tool == "runbook" and (source := _source(finding.address, index))
        else finding
        for finding in report.findings
    )
    return report.model_copy(update={"findings": findings})


def lines_found(addresses: Iterable[str], index: Index) -> int:
    """How many of the addresses are written where the index is of."""
    return sum(_source(address, index) is not None for address in addresses)


def named_below(finding: Finding, top: PurePath) -> Finding:
    """The finding with its file named as the repository names it, which lies at `top`: tools also name whole paths."""
    if finding.source is None:
        return finding
    file = finding.source.file
    path = PurePath(unquote(urlsplit(file).path) if file.startswith("file:") else file)
    if not path.is_absolute() or not path.is_relative_to(top):
        return finding
    return finding.model_copy(
        update={"source": Source(file=path.relative_to(top).as_posix(), line=finding.source.line)}
    )


def _source(address: str, index: Index) -> Source | None:
    parsed = parse_address(address.partition(" (deposed ")[0])
    names = parsed.path
    found = index.get((names, parsed.base))
    for depth in range(len(names), 0, -1):
        found = found or index.get((names[: depth - 1], f"module.{names[depth - 1]}"))
    return found
