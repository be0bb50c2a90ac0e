"""A compliance report in the formats that people, editors, scanners and GitLab read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from runbook_lib.models.compliance import ComplianceReport

from .gitlab import to_codequality
from .junit import to_junit
from .sarif import to_sarif
from .text import to_markdown, to_table, to_text

__all__ = ["FORMATS", "render", "to_codequality", "to_junit", "to_markdown", "to_sarif", "to_table", "to_text"]


def _json(report: ComplianceReport) -> str:
    return report.model_dump_json(indent=2) + "\n"


FORMATS: Final[dict[str, Callable[[ComplianceReport], str]]] = {
    "table": to_table,
    "json": _json,
    "sarif": to_sarif,
    "junit": to_junit,
    "codequality": to_codequality,
    "markdown": to_markdown,
    "text": to_text,
}


def render(report: ComplianceReport, name: str) -> str:
    """The report in one of FORMATS."""
    return FORMATS[name](report)
