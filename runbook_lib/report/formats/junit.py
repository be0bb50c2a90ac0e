"""JUnit XML, a test case for each finding, and one that passes for the rest."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable

from runbook_lib.models.compliance import ComplianceReport
from runbook_lib.models.findings import Action, Finding, Verdict

__all__ = ["to_junit"]


def to_junit(report: ComplianceReport) -> str:
    """Findings that block are failures; those that only warn, and the waived ones, are skipped tests with a message.

    GitLab keeps one of several test cases with the same suite, class and name, and shows a failure's text alone: each
    case has a name of its own, and the text says what was found.
    """
    cases = [_case(finding) for finding in report.findings]
    _name_apart(cases)
    failures = sum(case.find("failure") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    whole = ET.Element("testcase", {"classname": "compliance", "name": report.sentence})
    counts = {"tests": str(len(cases) + 1), "failures": str(failures), "errors": "0", "skipped": str(skipped)}
    root = ET.Element("testsuites", {"name": "compliance", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": "compliance", **counts})
    if report.compared_with:
        properties = ET.SubElement(suite, "properties")
        ET.SubElement(properties, "property", name="compared_with", value=_clean(report.compared_with.sentence))
    suite.extend([whole, *cases])
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _case(finding: Finding) -> ET.Element:
    policy = finding.policy if finding.tool == "runbook" else f"{finding.tool}:{finding.policy}"
    case = ET.Element("testcase", classname=_clean(policy), name=_clean(finding.address))
    if finding.source:
        case.set("file", _clean(finding.source.file))
        case.set("line", str(finding.source.line))
    if finding.verdict is Verdict.WAIVED and finding.waiver:
        told = f"waived by {finding.waiver.owner} until {finding.waiver.expires}: {finding.waiver.reason}"
        ET.SubElement(case, "skipped", message=_clean(told))
    elif finding.action is Action.BLOCK:
        node = ET.SubElement(case, "failure", message=_clean(finding.message), type=str(finding.verdict))
        node.text = _clean(f"{finding.message}\n\n{finding.remedy}".strip())
    else:
        ET.SubElement(case, "skipped", message=_clean(f"{finding.verdict}, which only warns: {finding.message}"))
    return case


def _name_apart(cases: Iterable[ET.Element]) -> None:
    taken: Counter[tuple[str, str]] = Counter()
    for case in cases:
        key = case.get("classname", ""), case.get("name", "")
        taken[key] += 1
        if taken[key] > 1:
            case.set("name", f"{key[1]} (finding {taken[key]})")


def _clean(text: str) -> str:
    # XML 1.0 has no place for most control characters, nor for lone surrogates.
    return "".join(
        c if c in "\t\n" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff" else "?" for c in text
    )
