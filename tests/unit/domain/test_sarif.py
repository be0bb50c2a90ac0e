"""What other scanners found: each result with place, severity and remedy, and what is no finding left out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runbook_lib.domain.compliance import findings_from_sarif
from runbook_lib.errors import InputError
from runbook_lib.models.findings import Action, Finding, Severity, Source, Verdict

RULE = {"id": "AVD-1", "helpUri": "https://example.org/avd-1", "defaultConfiguration": {"level": "error"}}


def sarif(*results: Any, **driver: Any) -> str:
    tool = {"driver": {"name": " Trivy ", "rules": [{"id": "AVD-0"}, RULE], **driver}}
    return json.dumps({"version": "2.1.0", "runs": [{"tool": tool, "results": list(results)}]})


def found(*results: Any, **driver: Any) -> tuple[Finding, ...]:
    return findings_from_sarif(sarif(*results, **driver), "trivy.sarif", {"trivy": Action.BLOCK})


def one(**changes: Any) -> Finding:
    (finding,) = found({"ruleId": "AVD-1", "message": {"text": " Open to all. "}, **changes})
    return finding


def at(file: Any = "main.tf", line: Any = 7, *names: Any) -> dict[str, Any]:
    physical = {"artifactLocation": {"uri": file}, "region": {"startLine": line}}
    return {"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": name} for name in names]}


def test_a_result_is_a_failed_finding_with_all_that_the_tool_says() -> None:
    assert one(level="note", locations=[at("main.tf", 7, "aws_security_group.web")]) == Finding(
        policy="AVD-1",
        verdict=Verdict.FAILED,
        severity=Severity.LOW,
        address="aws_security_group.web",
        message="Open to all.",
        remedy="See https://example.org/avd-1",
        source=Source(file="main.tf", line=7),
        action=Action.BLOCK,
        tool="trivy",
    )


@pytest.mark.parametrize(
    ("level", "severity"), [("error", Severity.HIGH), ("warning", Severity.MEDIUM), ("note", Severity.LOW)]
)
def test_the_result_s_own_level_is_its_severity(level: str, severity: Severity) -> None:
    assert one(level=level).severity is severity


def test_without_a_level_the_rule_s_own_counts_and_without_that_it_is_a_warning() -> None:
    assert one().severity is Severity.HIGH
    assert one(ruleId="AVD-0").severity is Severity.MEDIUM
    assert one(level="terrible").severity is Severity.MEDIUM


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "pass"},
        {"kind": "informational"},
        {"kind": "notApplicable", "level": "none"},
        {"level": "none"},
        {"suppressions": [{"kind": "inSource"}]},
        {"suppressions": [{"kind": "external", "status": "accepted"}, {"kind": "inSource"}]},
    ],
)
def test_what_passed_or_was_suppressed_there_is_no_finding(changes: dict[str, Any]) -> None:
    assert found({"ruleId": "AVD-1", **changes}) == ()


@pytest.mark.parametrize("changes", [{"kind": "fail"}, {"level": "error"}, {"suppressions": []}])
def test_what_failed_and_was_not_suppressed_is_one(changes: dict[str, Any]) -> None:
    assert len(found({"ruleId": "AVD-1", **changes})) == 1


@pytest.mark.parametrize("status", ["rejected", "underReview", []])
def test_what_is_suppressed_without_everybody_s_consent_is_a_finding(status: Any) -> None:
    suppressions = [{"kind": "external", "status": "accepted"}, {"kind": "external", "status": status}]
    assert one(suppressions=suppressions).verdict is Verdict.FAILED


@pytest.mark.parametrize("kind", ["open", "review", "another", []])
def test_what_the_tool_could_not_decide_is_unknown(kind: Any) -> None:
    expected = Verdict.UNKNOWN if kind else Verdict.FAILED
    level = "none" if kind else "error"
    assert (one(kind=kind, level=level).verdict, one(kind=kind, level=level).action) == (expected, Action.BLOCK)


def of_run(**fields: Any) -> tuple[Finding, ...]:
    run = {"tool": {"driver": {"name": "trivy"}}, **fields}
    return findings_from_sarif(json.dumps({"runs": [run]}), "trivy.sarif", {"trivy": Action.BLOCK})


FAILED = {"invocations": [{"executionSuccessful": True}, {"executionSuccessful": False, "exitCode": 139}]}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"results": [], **FAILED}, id="it failed"),
        pytest.param({"results": None}, id="the results are null"),
        pytest.param({}, id="no results"),
        pytest.param(FAILED, id="both"),
    ],
)
def test_a_run_that_did_not_end_well_is_unknown(fields: dict[str, Any]) -> None:
    (finding,) = of_run(**fields)
    assert (finding.policy, finding.verdict, finding.action) == ("unfinished", Verdict.UNKNOWN, Action.BLOCK)
    assert finding.message == "trivy did not end well: what it would have found is not known"


def test_what_a_run_found_before_it_failed_is_told_too() -> None:
    assert [each.policy for each in of_run(results=[{"ruleId": "AVD-1"}], **FAILED)] == ["unfinished", "AVD-1"]


def test_a_run_that_ended_well_and_found_nothing_is_no_finding() -> None:
    assert of_run(results=[], invocations=[{"executionSuccessful": True}, {}, 7]) == ()


def test_results_that_are_no_list_are_refused() -> None:
    with pytest.raises(InputError, match="the results of trivy are no list"):
        of_run(results={"0": {"ruleId": "AVD-1"}})


def test_a_tool_that_runbook_yml_does_not_name_only_warns() -> None:
    (finding,) = found({"ruleId": "AVD-1"}, name="Checkov")
    assert (finding.tool, finding.action) == ("checkov", Action.WARN)


def test_what_says_little_is_told_with_what_there_is() -> None:
    (finding,) = found({}, name=None)
    assert (finding.policy, finding.tool, finding.message) == ("unnamed", "unknown tool", "unnamed")
    assert finding.remedy == "See what unknown tool says of unnamed."
    assert (finding.address, finding.source) == ("", None)


@pytest.mark.parametrize(
    ("locations", "expected"),
    [
        pytest.param([at("main.tf", 7)], (Source(file="main.tf", line=7), "main.tf"), id="a file alone"),
        pytest.param([at("main.tf", None)], (Source(file="main.tf", line=1), "main.tf"), id="no line"),
        pytest.param([at("main.tf", 0)], (Source(file="main.tf", line=1), "main.tf"), id="line 0"),
        pytest.param([at("main.tf", True)], (Source(file="main.tf", line=1), "main.tf"), id="a line that is none"),
        pytest.param([at("main.tf", 1)], (Source(file="main.tf", line=1), "main.tf"), id="line 1"),
        pytest.param([at(None, 7, None, "a.b")], (None, "a.b"), id="a name alone"),
        pytest.param([at(None, 7), at("b.tf", 2)], (Source(file="b.tf", line=2), "b.tf"), id="the second has one"),
        pytest.param([at("a.tf", 1), at("b.tf", 2)], (Source(file="a.tf", line=1), "a.tf"), id="the first counts"),
        pytest.param("nowhere", (None, ""), id="no list"),
    ],
)
def test_a_finding_is_where_the_tool_says(locations: Any, expected: tuple[Source | None, str]) -> None:
    finding = one(locations=locations)
    assert (finding.source, finding.address) == expected


@pytest.mark.parametrize("text", ["[]", "{}", '{"runs": {}}'])
def test_what_has_no_runs_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        findings_from_sarif(text, "trivy.sarif", {})
    assert caught.value.message == "trivy.sarif is no SARIF: it has no runs"
    assert caught.value.remedy == "Let the tool write SARIF 2.1.0 again, or remove the file."
