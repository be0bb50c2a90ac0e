"""Validation, asked for again only when something that it looks at has changed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runbook_lib.adapters.terraform import Terraform
from runbook_lib.adapters.terraform_binary import TerraformBinary
from runbook_lib.adapters.terraform_folder import validate

ERROR = {"severity": "error", "summary": "Unsupported argument", "detail": "", "range": None}


@pytest.fixture
def terraform(tmp_path: Path) -> Terraform:
    """One that writes down how often it was asked, and answers what stands in the file `answer`."""
    script = tmp_path / "bin/terraform"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\necho asked >> {tmp_path}/calls\ncat {tmp_path}/answer\n")
    script.chmod(0o755)
    (tmp_path / "answer").write_text(json.dumps({"diagnostics": []}))
    stack = tmp_path / "stack"
    (stack / "templates").mkdir(parents=True)
    (stack / "main.tf").write_text("# one\n")
    (stack / "templates/user_data.tftpl").write_text("one\n")
    (stack / ".terraform.lock.hcl").write_text("provider 1\n")
    return Terraform(stack, TerraformBinary((str(script),), "1.11.4", "Terraform"), dict(os.environ))


def calls(terraform: Terraform) -> int:
    return len((terraform.directory.parent / "calls").read_text().splitlines())


def test_files_that_were_found_valid_are_not_validated_again(terraform: Terraform) -> None:
    assert validate(terraform) == ((), True)
    assert validate(terraform) == ((), False)
    assert calls(terraform) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda stack: (stack / "main.tf").write_text("# two\n"),
        lambda stack: (stack / "more.tf").write_text("# new\n"),
        lambda stack: (stack / "templates/user_data.tftpl").write_text("two\n"),
        lambda stack: (stack / "templates/user_data.tftpl").unlink(),
        lambda stack: (stack / ".terraform.lock.hcl").write_text("provider 2\n"),
    ],
    ids=["changed", "added", "read by an expression", "removed", "another provider"],
)
def test_any_change_of_what_is_looked_at_is_validated(terraform: Terraform, change: Callable[[Path], object]) -> None:
    validate(terraform)
    change(terraform.directory)
    assert validate(terraform)[1]


def test_another_terraform_validates_for_itself(terraform: Terraform) -> None:
    validate(terraform)
    newer = TerraformBinary(terraform.binary.command, "1.12.0", "Terraform")
    assert validate(Terraform(terraform.directory, newer, terraform.environment))[1]


def test_values_of_variables_and_states_are_not_looked_at(terraform: Terraform) -> None:
    validate(terraform)
    (terraform.directory / "rules.auto.tfvars").write_text("rules = []\n")
    (terraform.directory / "terraform.tfstate").write_text("{}")
    assert not validate(terraform)[1]


def test_files_with_an_error_are_validated_every_time(terraform: Terraform) -> None:
    (terraform.directory.parent / "answer").write_text(json.dumps({"diagnostics": [ERROR]}))
    for _ in range(2):
        errors, asked = validate(terraform)
        assert ([error.summary for error in errors], asked) == (["Unsupported argument"], True)


@pytest.mark.parametrize("text", ['module "m" { source = "../m" }', 'x = file("${path.module}/../x")'])
def test_what_may_read_files_elsewhere_is_validated_every_time(terraform: Terraform, text: str) -> None:
    (terraform.directory / "main.tf").write_text(text)
    validate(terraform)
    assert validate(terraform)[1]
    assert calls(terraform) == 2
