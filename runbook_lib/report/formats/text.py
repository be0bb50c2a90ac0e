"""Compliance for people: the full report, a table for the terminal, and Markdown for a merge request."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator

from runbook_lib.models.compliance import ComplianceReport, WaiverState, WaiverStatus
from runbook_lib.models.findings import Control, Finding, Verdict
from runbook_lib.wording import effect

__all__ = ["clean", "to_markdown", "to_table", "to_text"]

_WIDTH = 110


def clean(text: str) -> str:
    """Text from outside without control characters, which could move a terminal's cursor or hide a line."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def to_text(report: ComplianceReport) -> str:
    """The report that a person reads: what was found, where, why it matters and what to do."""
    lines = [report.sentence, *_compared(report), ""]
    for finding in report.findings:
        lines += [*_finding_lines(finding), ""]
    lines += _waiver_lines(report.waivers)
    return "\n".join(lines).rstrip() + "\n"


def to_table(report: ComplianceReport) -> str:
    """One line a finding; addresses are never cut."""
    rows = [("VERDICT", "SEVERITY", "POLICY", "ADDRESS", "WHERE")]
    rows += [(str(f.verdict), str(f.severity), _policy(f), clean(f.address), _location(f)) for f in report.findings]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    table = [*lines, ""] if report.findings else []
    return "\n".join([*table, *_waiver_lines(report.waivers), *_compared(report), report.sentence]) + "\n"


def to_markdown(report: ComplianceReport) -> str:
    """A summary and a table, for a merge request or a job's page."""
    lines = [f"**{report.sentence}**", ""]
    lines += [line for told in _compared(report) for line in (_escape(told), "")]
    if report.findings:
        lines += ["| Verdict | Severity | Policy | Resource | What | Remedy |", "|---|---|---|---|---|---|"]
    for finding in report.findings:
        cells = (
            _waived(finding) or str(finding.verdict), str(finding.severity), f"`{_policy(finding)}`",
            _code(finding.address), _escape(finding.message), _escape(finding.remedy),
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    told = _waiver_lines(report.waivers)
    lines += ["", *(f"- {_escape(line)}" for line in told if line)] if told else []
    return "\n".join(lines).rstrip() + "\n"


def _compared(report: ComplianceReport) -> list[str]:
    return [clean(report.compared_with.sentence)] if report.compared_with else []


def _finding_lines(finding: Finding) -> Iterator[str]:
    head = f"{str(finding.verdict).upper()}  {finding.severity}  {_policy(finding)}"
    does = "hidden by a waiver" if finding.verdict is Verdict.WAIVED else effect(finding.action)
    yield f"{head}  ({does})"
    yield f"  {clean(finding.address)}{f'  ({_location(finding)})' if finding.source else ''}"
    yield from _wrapped("", finding.message)
    if finding.remedy:
        yield from _wrapped("To do: ", finding.remedy)
    if finding.waiver:
        yield from _wrapped("Waived: ", _waived(finding))
    if finding.controls:
        yield from _wrapped("Controls: ", "; ".join(_by_framework(finding.controls)))


def _wrapped(label: str, text: str) -> list[str]:
    wrap = textwrap.TextWrapper(_WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False)
    return wrap.wrap(label + clean(text))


def _by_framework(controls: Iterable[Control]) -> list[str]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for control in controls:
        found[control.framework, control.id].append(control.version)
    return [f"{framework} {control} ({', '.join(versions)})" for (framework, control), versions in found.items()]


def _waiver_lines(waivers: Iterable[WaiverStatus]) -> list[str]:
    words = {
        WaiverState.EXPIRED: "expired on {expires} and hides nothing",
        WaiverState.UNUSED: "hides nothing: remove it",
        WaiverState.IN_FORCE: "hides {findings} until {expires}",
    }
    lines = []
    for status in waivers:
        waiver = status.waiver
        number = f"{status.findings} finding{'' if status.findings == 1 else 's'}"
        what = words[status.state].format(expires=waiver.expires, findings=number)
        lines.append(
            clean(f"Waiver of {waiver.policy} at {waiver.address} by {waiver.owner} {what}. ({waiver.reason})")
        )
    return [*lines, ""] if lines else []


def _policy(finding: Finding) -> str:
    return clean(finding.policy if finding.tool == "runbook" else f"{finding.tool}:{finding.policy}")


def _location(finding: Finding) -> str:
    return clean(f"{finding.source.file}:{finding.source.line}") if finding.source else ""


def _waived(finding: Finding) -> str:
    waiver = finding.waiver
    return f"waived by {waiver.owner} until {waiver.expires}: {waiver.reason}" if waiver else ""


def _escape(text: str) -> str:
    # What comes from a plan must not become a link, a mention or markup in a merge request.
    special = set("\\`*_{}[]<>()#+!|@~")
    return "".join(f"\\{letter}" if letter in special else letter for letter in clean(text))


def _code(text: str) -> str:
    return f"`{clean(text).replace('`', chr(39)).replace('|', chr(92) + '|')}`"
