"""A compliance report in its seven forms."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from runbook_lib.models.base import Outcome
from runbook_lib.models.compliance import (
    Checked,
    ComparedWith,
    ComplianceReport,
    Waiver,
    WaiverState,
    WaiverStatus,
)
from runbook_lib.models.findings import Action, Control, Finding, Severity, Source, Verdict, WaiverReference
from runbook_lib.report.formats import FORMATS, render

CONTROL = Control(framework="CIS AWS", version="3.0", id="5.2")
EVIL = 'module.m["`|<b>&\x1b[2J\n"]'


def finding(**fields: Any) -> Finding:
    usual: dict[str, Any] = {
        "policy": "sg-world-ssh", "verdict": Verdict.FAILED, "severity": Severity.CRITICAL, "address": "a.b",
        "message": "SSH is open to the world: tcp 22", "remedy": "Close it.", "controls": (CONTROL,),
        "source": Source(file="terraform/a b.tf", line=7),
    }  # fmt: skip
    return Finding(**{**usual, **fields})


WAIVED = finding(
    verdict=Verdict.WAIVED, address="a.c", waiver=WaiverReference(owner="ops", reason="CHG-1", expires="2026-12-31")
)
WARNING = finding(policy="CKV_1", tool="checkov", action=Action.WARN, severity=Severity.LOW, address=EVIL)
STATUS = WaiverStatus(
    waiver=Waiver(policy="p", address="*", owner="ops", reason="old", expires="2020-01-01"), state=WaiverState.EXPIRED
)
REPORT = ComplianceReport(
    outcome=Outcome.BLOCKED,
    checked=Checked(resources=2, rules=1, policies=11),
    findings=(finding(), WAIVED, WARNING),
    waivers=(STATUS,),
)
EMPTY = ComplianceReport(outcome=Outcome.PASSED, checked=Checked(policies=1))


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_tells_each_address_and_an_empty_report_too(form: str) -> None:
    text = render(REPORT, form)
    assert "sg-world-ssh" in text
    assert "a.b" in text
    assert "CKV_1" in text
    assert render(EMPTY, form).strip()


@pytest.mark.parametrize("form", ["text", "table", "markdown"])
def test_text_for_people_holds_no_control_character(form: str) -> None:
    assert "\x1b" not in render(REPORT, form)


def test_json_keeps_the_contract() -> None:
    data = json.loads(render(REPORT, "json"))
    assert (data["outcome"], data["checked"]) == ("blocked", {"resources": 2, "rules": 1, "policies": 11})
    first = data["findings"][0]
    assert {
        "policy",
        "verdict",
        "severity",
        "address",
        "rule",
        "message",
        "remedy",
        "controls",
        "source",
    } <= first.keys()
    assert first["controls"] == [{"framework": "CIS AWS", "version": "3.0", "id": "5.2"}]
    assert first["source"] == {"file": "terraform/a b.tf", "line": 7}


def test_report_for_people_says_what_to_do_and_who_answers_for_a_waiver() -> None:
    text = render(REPORT, "text")
    assert "To do: Close it." in text
    assert "waived by ops until 2026-12-31: CHG-1" in text
    assert "expired on 2020-01-01" in text
    assert "CIS AWS 5.2 (3.0)" in text


def test_sarif_has_a_run_for_each_tool_and_suppresses_the_waived() -> None:
    data = json.loads(render(REPORT, "sarif"))
    assert data["version"] == "2.1.0"
    assert [run["tool"]["driver"]["name"] for run in data["runs"]] == ["runbook", "checkov"]
    ours = data["runs"][0]["results"]
    place = ours[0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "terraform/a%20b.tf"}, "region": {"startLine": 7}}
    assert ["suppressions" in result for result in ours] == [False, True]


def test_code_quality_names_file_and_line_and_leaves_the_waived_out() -> None:
    entries = json.loads(render(REPORT, "codequality"))
    assert [entry["check_name"] for entry in entries] == ["sg-world-ssh", "checkov:CKV_1"]
    assert entries[0]["location"] == {"path": "terraform/a b.tf", "lines": {"begin": 7}}
    assert len({entry["fingerprint"] for entry in entries}) == 2


def test_junit_fails_what_blocks_and_skips_what_is_waived_or_warns() -> None:
    root = ET.fromstring(render(REPORT, "junit"))
    assert root.attrib | {"tests": "4", "failures": "1", "skipped": "2"} == root.attrib


def test_junit_keeps_each_of_two_findings_at_one_address_apart_and_says_what_was_found() -> None:
    both = (finding(message="SSH: tcp 22 from a"), finding(message="SSH: tcp 22 from b"))
    report = REPORT.model_copy(update={"findings": both})
    cases = ET.fromstring(render(report, "junit")).findall(".//testcase")
    # GitLab takes the first of several with one suite, class and name.
    assert len({(case.get("classname"), case.get("name")) for case in cases}) == len(cases) == 3
    texts = [node.text or "" for case in cases for node in case.findall("failure")]
    assert [text.split("\n\n") for text in texts] == [[f.message, f.remedy] for f in both]


def test_markdown_table_is_not_broken_by_an_address() -> None:
    rows = [line for line in render(REPORT, "markdown").splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(REPORT.findings)
    assert "<b>" not in rows[-1].replace('`module.m["\'\\|<b>&??2J?"]`', "") or "`" in rows[-1]


@pytest.mark.parametrize("form", ["table", "text", "json", "sarif", "junit", "markdown"])
def test_the_commit_that_was_compared_with_is_named(form: str) -> None:
    compared = ComparedWith(commit="4dc7a7c0ffee99", how="the commit last applied", uncommitted=("a_b.tf",))
    text = render(REPORT.model_copy(update={"compared_with": compared}), form).replace("\\", "")
    assert "4dc7a7c0ffee" in text
    assert "the commit last applied" in text
    assert "a_b.tf" in text
    assert "4dc7a7" not in render(REPORT, form)


def test_why_no_commit_was_compared_with_is_said_where_programs_look() -> None:
    compared = ComparedWith(problem="this clone is <shallow>", everything=True)
    report = REPORT.model_copy(update={"compared_with": compared})
    assert json.loads(render(report, "sarif"))["runs"][0]["properties"]["comparedWith"]["problem"] == compared.problem
    suite = ET.fromstring(render(report, "junit")).find("testsuite")
    assert suite is not None
    # JUnit's own order: properties, then cases.
    assert [child.tag for child in suite][:2] == ["properties", "testcase"]
    (told,) = suite.iter("property")
    assert (told.get("name"), told.get("value")) == ("compared_with", compared.sentence)
