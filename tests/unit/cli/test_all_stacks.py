"""`--all`: every stack at once, none of them seeing what another one set."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from runbook_lib.cli.main import app
from runbook_lib.errors import UsageError
from runbook_lib.workspace.doctor import Diagnosis, Level

ROOT = Path(__file__).parents[3]
RULE = """resource "aws_vpc_security_group_ingress_rule" "ssh" {{
  security_group_id = "sg-1"
  ip_protocol       = "tcp"
  from_port         = {port}
  to_port           = {port}
  cidr_ipv4         = "0.0.0.0/0"
}}
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two stacks: one opens SSH to the world, and the other nothing."""
    stacks = "{open: {path: open, region: eu-west-1}, shut: {path: shut, environment: {TF_VAR_ONLY: shut}}}"
    (tmp_path / "runbook.yml").write_text(
        f"version: 1\nstacks: {stacks}\ncompliance: {{policies: {ROOT / 'policies'}}}\n"
    )
    for name, text in (("open", RULE.format(port=22)), ("shut", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.tf").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AWS_REGION", raising=False)
    return tmp_path


def checked(*options: str) -> Any:
    return CliRunner().invoke(app, ["check", "--all", *options])


def test_the_files_of_all_stacks_are_judged_and_each_finding_names_its_stack(repository: Path) -> None:
    done = checked("--format", "json")
    assert done.exit_code == 1, done.output
    report = json.loads(done.stdout)
    failed = [one for one in report["findings"] if one["verdict"] == "failed"]
    assert failed
    assert {one["address"] for one in failed} == {"open: aws_vpc_security_group_ingress_rule.ssh"}
    assert {one["source"]["file"] for one in failed} == {"open/main.tf"}
    (repository / "shut/main.tf").write_text(RULE.format(port=3389))
    stacks = {one["address"].partition(":")[0] for one in json.loads(checked("--format", "json").stdout)["findings"]}
    assert stacks == {"open", "shut"}


def test_all_that_is_well_everywhere_passes(repository: Path) -> None:
    (repository / "open/main.tf").write_text("")
    done = checked()
    assert done.exit_code == 0, done.output
    assert "Compliance passed" in done.stdout


def test_a_stack_that_can_t_be_read_is_named(repository: Path) -> None:
    (repository / "shut/main.tf").unlink()
    assert "shut" in str(checked().exception.message)


def test_a_waiver_is_in_force_where_one_stack_uses_it(repository: Path, tmp_path: Path) -> None:
    first = next(
        one for one in json.loads(checked("--format", "json").stdout)["findings"] if one["verdict"] == "failed"
    )
    waivers = tmp_path / "w.yml"
    waivers.write_text(
        f"waivers:\n  - policy: {first['policy']}\n    address: '*'\n    owner: o@example.org\n"
        "    reason: A test of it.\n    expires: 2026-12-31\n"
    )
    report = json.loads(checked("--format", "json", "--waivers", str(waivers)).stdout)
    assert [(one["state"], one["findings"]) for one in report["waivers"]] == [("in_force", 1)]


@pytest.mark.parametrize("options", [["check", "--all", "--hcl", "."], ["doctor", "--all", "--stack", "open"]])
def test_all_excludes_what_names_one(repository: Path, options: list[str]) -> None:
    assert isinstance(CliRunner().invoke(app, options).exception, UsageError)


# Where none is named and none is the default it is all of them.
@pytest.mark.parametrize("options", [["--all"], []])
def test_doctor_says_once_what_is_the_same_for_several_stacks(
    repository: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    seen = []

    def examine(settings: object, stack: str) -> tuple[Diagnosis, ...]:
        seen.append((stack, os.environ.get("AWS_REGION"), os.environ.get("TF_VAR_ONLY")))
        os.environ["AWS_REGION"] = "eu-west-1"
        level = Level.MISSING if stack == "shut" else Level.OK
        return Diagnosis("git", Level.OK, "here"), Diagnosis(
            "state", level, "there", "Make it." if stack == "shut" else ""
        )

    monkeypatch.setattr("runbook_lib.workspace.doctor.examine", examine)
    done = CliRunner().invoke(app, ["doctor", *options])
    assert done.exit_code == 2
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["stack", "open"],
        ["ok", "git", "here"],
        ["ok", "state", "there"],
        ["stack", "shut"],
        ["missing", "state", "there"],
        ["hint:", "Make", "it."],
    ]
    # What one stack set is gone when the next is looked at.
    assert seen == [("open", None, None), ("shut", None, None)]
    assert "AWS_REGION" not in os.environ
