"""A finding is led to the line in which its resource is written, or to the call of the module that holds it."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from runbook_lib.domain.compliance import lines_found, locate, named_below
from runbook_lib.models.base import Outcome
from runbook_lib.models.compliance import Checked, ComplianceReport
from runbook_lib.models.findings import Finding, Severity, Source, Verdict

INDEX = {
    ((), "aws_vpc.main"): Source(file="main.tf", line=1),
    ((), "module.a"): Source(file="main.tf", line=9),
    (("a",), "aws_vpc.inner"): Source(file="a/main.tf", line=3),
    (("a",), "module.b"): Source(file="a/main.tf", line=7),
}


def located(address: str, **changes: object) -> Source | None:
    finding = Finding(policy="p", verdict=Verdict.FAILED, severity=Severity.LOW, address=address, message="m")
    report = ComplianceReport(
        outcome=Outcome.BLOCKED, checked=Checked(rules=1), findings=(finding.model_copy(update=changes),)
    )
    found = locate(report, INDEX)
    assert (found.outcome, found.checked) == (report.outcome, report.checked)
    return found.findings[0].source


@pytest.mark.parametrize(
    ("address", "place"),
    [
        pytest.param('aws_vpc.main["a"]', ("main.tf", 1), id="in the stack"),
        pytest.param("aws_vpc.main (deposed 4dc7a7)", ("main.tf", 1), id="what is left of one that was replaced"),
        pytest.param("module.a[0].aws_vpc.inner", ("a/main.tf", 3), id="in a module"),
        pytest.param("module.a.module.b.aws_vpc.far", ("a/main.tf", 7), id="in a module of a module from elsewhere"),
        pytest.param(
            "module.a.module.c.module.d.aws_vpc.x", ("main.tf", 9), id="where only the outermost call is known"
        ),
    ],
)
def test_a_finding_has_the_nearest_line(address: str, place: tuple[str, int]) -> None:
    assert located(address) == Source(file=place[0], line=place[1])


@pytest.mark.parametrize("address", ["aws_vpc.other", "module.z.aws_vpc.main"])
def test_what_is_written_nowhere_has_no_line(address: str) -> None:
    assert located(address) is None


def test_another_tool_s_finding_stays_where_the_tool_says() -> None:
    own = Source(file="b.tf", line=4)
    assert located("aws_vpc.main", source=own) == own
    assert located("aws_vpc.main", tool="trivy") is None


def test_the_addresses_that_a_stack_writes_are_counted() -> None:
    assert lines_found(["aws_vpc.main", 'module.a["x"].aws_vpc.inner', "aws_vpc.other"], INDEX) == 2


@pytest.mark.parametrize(
    ("named", "shown"),
    [
        ("/repository/a b/main.tf", "a b/main.tf"),
        ("file:///repository/a%20b/main.tf", "a b/main.tf"),
        ("main.tf", "main.tf"),
        ("/elsewhere/main.tf", "/elsewhere/main.tf"),
        ("/repository-2/main.tf", "/repository-2/main.tf"),
    ],
)
def test_a_whole_path_is_named_as_the_repository_names_it(named: str, shown: str) -> None:
    finding = Finding(policy="p", verdict=Verdict.FAILED, severity=Severity.LOW, address="a", message="m")
    placed = finding.model_copy(update={"source": Source(file=named, line=3)})
    assert named_below(placed, PurePosixPath("/repository")).source == Source(file=shown, line=3)
    assert named_below(finding, PurePosixPath("/repository")) == finding
