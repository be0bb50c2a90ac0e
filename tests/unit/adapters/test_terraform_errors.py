from __future__ import annotations

import pytest

from runbook_lib.adapters.terraform_errors import map_failure, parse_diagnostics
from runbook_lib.errors import ConfigError, StateLockedError, TerraformError

LOCKED = """╷
│ Error: Error acquiring the state lock
│
│ Error message: HTTP remote state already locked:
│ ID=6d1c7b2f-8f3a-0001-aaaa-000000000000
│ Lock Info:
│   ID:        6d1c7b2f-8f3a-0001-aaaa-000000000000
│   Path:
│   Operation: OperationTypeApply
│   Who:       sam@bastion
│   Version:   1.11.4
│   Created:   2026-11-23 01:02:03.000000004 +0000 UTC
│   Info:
╵
"""
TWO = """╷
│ Warning: Deprecated attribute
│
│   on main.tf line 3:
│
│ Use another.
╵
╷
│ Error: Unsupported argument
│
│   on main.tf line 12, in resource "aws_instance" "x":
│   12:   colour = "red"
│
│ An argument named "colour" is not expected here.
╵
╷
│ Error: Missing required argument
│
│   on main.tf line 9, in resource "aws_instance" "x":
│    9: resource "aws_instance" "x" {
│
│ The argument "ami" is required.
╵
"""


def test_held_lock_says_by_whom_and_since_when() -> None:
    error = map_failure("apply", 1, LOCKED)
    assert isinstance(error, StateLockedError)
    assert error.message == "the state is locked by sam@bastion since 2026-11-23 01:02:03.000000004 +0000 UTC (Apply)"
    assert error.remedy.count("`runbook state unlock 6d1c7b2f-8f3a-0001-aaaa-000000000000`") == 1


def test_first_error_is_named_with_file_and_line_and_warnings_are_not_errors() -> None:
    found = parse_diagnostics(TWO)
    assert [(item.file, item.line, item.summary) for item in found] == [
        ("main.tf", 12, "Unsupported argument"),
        ("main.tf", 9, "Missing required argument"),
    ]
    error = map_failure("plan", 1, TWO)
    assert error.message == (
        'main.tf, line 12: Unsupported argument: An argument named "colour" is not expected here. (and 1 more)'
    )


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("api error UnauthorizedOperation: You are not authorized", "permission"),
        ("Cannot assume IAM Role: AccessDenied: not authorized to perform: sts:AssumeRole", "trust policy"),
        ("No valid credential sources found", "credentials"),
        (
            "Saved plan is stale: the given plan file can no longer be applied; saved plan is stale",
            "new plan has to be approved",
        ),
        ("Failed to query available provider packages", "RUNBOOK_PROVIDER_MIRROR"),
        ("dial tcp 10.0.0.1:443: connect: connection refused", "reachable"),
        ("HTTP remote state endpoint requires auth", "TF_HTTP_PASSWORD"),
    ],
)
def test_known_failures_have_their_own_remedy(said: str, remedy: str) -> None:
    assert remedy in map_failure("plan", 1, f"Error: {said}\n\nmore\n").remedy


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("address argument is required", "gitlab.project in runbook.yml"),
        ("invalid AWS Region: ", "AWS_REGION"),
        ("No value for required variable", "tfvars"),
    ],
)
def test_what_is_only_not_set_is_no_failure_of_an_outside_system(said: str, remedy: str) -> None:
    error = map_failure("plan", 1, f"Error: {said}\n\nmore\n")
    assert isinstance(error, ConfigError)
    assert remedy in error.remedy


def test_output_without_any_frame_still_says_something() -> None:
    error = map_failure("init", 137, "Killed")
    assert type(error) is TerraformError
    assert error.message == "terraform init ended with status 137: Killed"
