"""Rules with an end in Terraform's files: dropped once it has come, and unknown where only the plan can tell."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook_lib.adapters.hcl import read_hcl
from runbook_lib.adapters.hcl_expression import parse_expression
from runbook_lib.adapters.hcl_scope import ModuleScope
from runbook_lib.adapters.hcl_values import evaluate
from runbook_lib.domain.rules import rules_from_hcl
from runbook_lib.models.base import UNKNOWN

ACCESS = Path(__file__).parents[3] / "terraform/access"


def value(text: str) -> object:
    return evaluate(parse_expression(text), ModuleScope(), {})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('timecmp("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00")', 0),
        ('timecmp("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z")', -1),
        ('timecmp("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z")', 1),
        ('timecmp("2026-01-02", "2026-01-01T00:00:00Z")', UNKNOWN),
        ('timecmp(timestamp(), "2026-01-01T00:00:00Z")', UNKNOWN),
        ('timecmp("2026-01-01T00:00:00Z")', UNKNOWN),
        ('timecmp(plantimestamp(), "2020-01-01T00:00:00Z")', 1),
        ('timecmp("2020-01-01T00:00:00Z", plantimestamp())', -1),
        ('timecmp(plantimestamp(), "9990-01-01T00:00:00Z") < 0', True),
        ('timecmp(plantimestamp(), "soon")', UNKNOWN),
        ("plantimestamp()", UNKNOWN),
        ('timecmp(timeadd(plantimestamp(), "24h"), "2020-01-01T00:00:00Z")', UNKNOWN),
        ('timeadd("2026-12-31T00:00:00Z", "24h")', "2027-01-01T00:00:00Z"),
        ('timeadd("2026-12-31T00:00:00+01:00", "-1h30m")', "2026-12-30T22:30:00+01:00"),
        ('timeadd("2026-12-31T00:00:00.5Z", "10s")', "2026-12-31T00:00:10Z"),
        ('timeadd("2026-12-31T00:00:00Z", "1d")', UNKNOWN),
        ('timeadd("2026-12-31T00:00:00Z", "1.5h")', UNKNOWN),
        ('timeadd("2026-12-31", "24h")', UNKNOWN),
        ('timeadd("9999-12-31T00:00:00Z", "24h")', UNKNOWN),
        # The other side of a condition is of one type with what is chosen, whatever it comes to.
        ('true ? true : timecmp(plantimestamp(), "soon") < 0', True),
        ('true ? 1 : timecmp(plantimestamp(), "soon") < 0', UNKNOWN),
    ],
)
def test_a_time_is_what_terraform_makes_of_it_or_unknown(text: str, found: object) -> None:
    assert value(text) == found
    assert type(value(text)) is type(found)


def test_the_time_of_the_plan_is_near_and_no_more_is_said_of_it() -> None:
    soon = datetime.now(UTC) + timedelta(minutes=10)
    assert value(f'timecmp(plantimestamp(), "{soon:%Y-%m-%dT%H:%M:%SZ}")') is UNKNOWN


def access(folder: Path, *ends: str) -> dict[str, object]:
    """Our own stack with a rule for each of these ends; the ends by address."""
    stack = folder / "access"
    shutil.copytree(ACCESS, stack, ignore=shutil.ignore_patterns(".terraform*"))
    rules = "".join(
        f'{{ group = "admin", protocol = "tcp", from_port = {port}, to_port = {port}, cidr_ipv4 = "10.20.0.0/16", '
        f'description = "x", {f"expires = {end}" if end else ""} }},\n'
        for port, end in enumerate(ends, 1)
    )
    (stack / "rules.auto.tfvars").write_text(f"rules = [\n{rules}]\n")
    found = rules_from_hcl(read_hcl(stack))
    return {rule.address.rpartition("tcp ")[2].rstrip('"]'): rule.expires for rule in found}


def test_our_stack_is_read_without_what_has_expired(tmp_path: Path) -> None:
    ends = ('"9990-12-31"', '"2020-12-31"', "", "null", '"9990-12-31T00:00:00Z"', '"2020-12-31T00:00:00Z"')
    assert access(tmp_path, *ends) == {"1": "9990-12-31", "3": None, "4": None, "5": "9990-12-31T00:00:00Z"}


def test_of_an_end_that_is_no_date_nothing_is_concluded(tmp_path: Path) -> None:
    found = access(tmp_path, '"31.12.2026"', "")
    assert set(found.values()) == {UNKNOWN}
