"""The two stacks by Terraform's own means; no AWS is asked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from runbook_lib.adapters.terraform import Terraform
from runbook_lib.adapters.terraform_binary import cli_configuration, find_binary
from runbook_lib.cli.lab_base import BASE_RULES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Terraform]:
    folder = tmp_path_factory.mktemp("stacks")
    environment = {**os.environ, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "AWS_REGION": "eu-west-1"}
    environment |= cli_configuration(folder, os.environ.get("RUNBOOK_PROVIDER_MIRROR", ""), environment)
    binary = find_binary(os.environ.get("RUNBOOK_TERRAFORM", ""), "1.5.0", environment)
    made = {}
    for name in ("network", "access"):
        shutil.copytree(ROOT / "terraform" / name, folder / name, ignore=shutil.ignore_patterns(".terraform*"))
        made[name] = Terraform(folder / name, binary, environment)
        made[name].init("-backend=false")
    return made


@pytest.mark.parametrize("name", ["network", "access"])
def test_a_stack_is_valid_and_formatted(stacks: dict[str, Terraform], name: str) -> None:
    assert stacks[name].validate() == ()
    assert stacks[name].run("fmt", "-check", "-recursive", "-diff").stdout == ""


def test_the_rules_variable_takes_what_is_right_and_refuses_what_is_wrong(stacks: dict[str, Terraform]) -> None:
    done = stacks["access"].run("test", "-no-color", check=False)
    assert done.status == 0, done.stdout + done.stderr
    assert "0 failed" in done.stdout


def test_no_stack_configures_an_endpoint_or_a_credential() -> None:
    text = "\n".join(path.read_text() for path in (ROOT / "terraform").rglob("*.tf"))
    words = ("endpoint", "access_key", "secret_key", "skip_", "s3_use_path_style", "remote_state")
    assert [line for line in text.splitlines() if any(f"{word}" in line.split("#")[0] for word in words)] == [
        '    http_endpoint = "enabled"'
    ] * 2


def test_the_lab_begins_with_the_committed_rules_and_their_mistake() -> None:
    assert BASE_RULES.read_text() == (ROOT / "terraform/access/rules.auto.tfvars").read_text()
    assert "= 8000" in BASE_RULES.read_text()
