"""Stacks unlike our own: group and rules in one, a second region, a state that no GitLab keeps."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from base import Base

from runbook_lib.adapters.terraform import Terraform
from runbook_lib.cli.working_copy import point_at_lab
from runbook_lib.lab.addresses import LabAddresses
from runbook_lib.settings import Settings
from runbook_lib.workspace.clients import terraform_client

CONFIG = "version: 1\nstacks:\n  payments: {path: stack, state: payments}\n"
FILES = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {}
provider "aws" {
  alias  = "far"
  region = "us-east-1"
}
variable "port" {}
data "aws_vpc" "main" {
  tags = { Stack = "network" }
}
resource "aws_security_group" "worker" {
  name   = "payments-worker"
  vpc_id = data.aws_vpc.main.id
}
resource "aws_security_group_rule" "metrics" {
  type              = "ingress"
  security_group_id = aws_security_group.worker.id
  protocol          = "tcp"
  from_port         = var.port
  to_port           = var.port
  cidr_blocks       = ["10.0.0.0/8"]
}
resource "aws_vpc_security_group_egress_rule" "out" {
  security_group_id = aws_security_group.worker.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}
resource "aws_security_group" "inline" {
  name   = "payments-inline"
  vpc_id = data.aws_vpc.main.id
  dynamic "ingress" {
    for_each = [8443]
    content {
      protocol    = "tcp"
      from_port   = ingress.value
      to_port     = ingress.value
      cidr_blocks = ["10.0.0.0/8"]
    }
  }
}
resource "aws_vpc" "far" {
  provider   = aws.far
  cidr_block = "10.9.0.0/16"
}
resource "aws_security_group" "far" {
  provider = aws.far
  name     = "payments-far"
  vpc_id   = aws_vpc.far.id
}
resource "aws_vpc_security_group_ingress_rule" "far" {
  provider          = aws.far
  security_group_id = aws_security_group.far.id
  ip_protocol       = "tcp"
  from_port         = 5432
  to_port           = 5432
  cidr_ipv4         = "10.0.0.0/8"
}
"""


class OtherStack:
    """A repository of another team on the lab, its state in a file beside its files."""

    def __init__(self, root: Path, lab: LabAddresses, settings: Settings, files: str = FILES) -> None:
        self.root = root
        (root / "stack").mkdir(parents=True)
        (root / "runbook.yml").write_text(CONFIG)
        point_at_lab(root / "runbook.yml", lab)
        (root / "stack/main.tf").write_text(files)
        configuration = settings.outputs / ".terraform-cli/terraform.rc"
        self.environment = {
            **os.environ,
            **lab.environment(),
            "RUNBOOK_ROOT": str(root),
            "RUNBOOK_OUTPUTS": str(root / "outputs"),
            **({"TF_CLI_CONFIG_FILE": str(configuration)} if configuration.is_file() else {}),
        }
        self._lab = lab

    def write_port(self, port: int) -> None:
        (self.root / "stack/port.auto.tfvars").write_text(f"port = {port}\n")

    def terraform(self) -> Terraform:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            return terraform_client(Settings.load(self.root), "payments")

    def apply(self, port: int) -> None:
        self.write_port(port)
        self.terraform().run("apply", "-auto-approve", "-input=false", "-no-color")

    def runbook(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "runbook_lib.cli", *arguments]
        return subprocess.run(
            command, env=self.environment, cwd=self.root, capture_output=True, text=True, timeout=240, check=False
        )

    def verify(self) -> tuple[int, dict[str, Any]]:
        done = self.runbook("verify", "--format", "json")
        assert done.returncode in {0, 1}, done.stderr
        return done.returncode, json.loads(done.stdout)

    def ec2(self, region: str) -> Any:
        credentials = self._lab.credentials
        return boto3.client(
            "ec2",
            endpoint_url=self._lab.aws_url,
            region_name=region,
            aws_access_key_id=credentials.aws_key,
            aws_secret_access_key=credentials.aws_secret,
        )

    def group(self, region: str, name: str) -> str:
        filters = [{"Name": "group-name", "Values": [name]}]
        (found,) = self.ec2(region).describe_security_groups(Filters=filters)["SecurityGroups"]
        return str(found["GroupId"])


@pytest.fixture(scope="module")
def stack(session_base: Base, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherStack]:
    session_base.restore()
    made = OtherStack(tmp_path_factory.mktemp("payments") / "repository", session_base.lab, settings)
    terraform = made.terraform()
    terraform.init()
    made.apply(9100)
    # The group's own record in the state keeps the rules that it had before this: they are no declaration.
    made.apply(9101)
    yield made
    terraform.run("destroy", "-auto-approve", "-input=false", "-no-color")


def test_group_and_rules_in_one_stack_and_a_second_region_agree_after_an_apply(stack: OtherStack) -> None:
    status, found = stack.verify()
    assert (status, found["outcome"], found["differences"], found["in_sync"]) == (0, "passed", [], 4)


def test_what_the_repository_wants_and_nobody_applied_is_told(stack: OtherStack) -> None:
    stack.write_port(9200)
    status, found = stack.verify()
    stack.write_port(9101)
    assert status == 1
    assert [(each["kind"], each["fields"]["from_port"]) for each in found["differences"]] == [
        ("changed", {"repository": 9200, "state": 9101, "aws": 9101})
    ]


@pytest.mark.parametrize(
    ("region", "name", "direction"),
    [
        ("eu-west-1", "payments-worker", "ingress"),
        ("eu-west-1", "payments-inline", "egress"),
        ("us-east-1", "payments-far", "ingress"),
    ],
)
def test_what_somebody_opens_by_hand_is_found_where_it_is(
    stack: OtherStack, region: str, name: str, direction: str
) -> None:
    ec2, group = stack.ec2(region), stack.group(region, name)
    open_, close = (getattr(ec2, f"{verb}_security_group_{direction}") for verb in ("authorize", "revoke"))
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    open_(GroupId=group, IpPermissions=[permission])
    try:
        status, found = stack.verify()
    finally:
        close(GroupId=group, IpPermissions=[permission])
    assert status == 1
    assert [(each["kind"], each["name"], each["rule"]["from_port"]) for each in found["differences"]] == [
        ("unmanaged", name, 22)
    ]


def test_what_somebody_changes_by_hand_in_any_other_resource_is_told_with_its_attribute(stack: OtherStack) -> None:
    ec2 = stack.ec2("us-east-1")
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.9.0.0/16"]}])["Vpcs"]
    tag = {"Key": "Owner", "Value": "nobody"}
    ec2.create_tags(Resources=[vpc["VpcId"]], Tags=[tag])
    try:
        status, found = stack.verify()
    finally:
        ec2.delete_tags(Resources=[vpc["VpcId"]], Tags=[tag])
    assert status == 1
    ((kind, address, wanted),) = [(each["kind"], each["address"], each["wanted"]) for each in found["differences"]]
    assert (kind, address, wanted) == ("drifted", "aws_vpc.far", True)
    assert found["differences"][0]["fields"]["tags"]["aws"] == {"Owner": "nobody"}


def test_a_stack_without_any_group_has_nothing_to_compare_and_passes(
    session_base: Base, settings: Settings, tmp_path: Path
) -> None:
    stack = OtherStack(tmp_path / "repository", session_base.lab, settings, 'output "name" {\n  value = "nothing"\n}\n')
    terraform = stack.terraform()
    terraform.init()
    terraform.run("apply", "-auto-approve", "-input=false", "-no-color")
    status, found = stack.verify()
    assert (status, found["outcome"], found["in_sync"], found["differences"]) == (0, "passed", 0, [])


def test_the_workspace_that_a_stack_names_is_planned_and_verified(
    session_base: Base, settings: Settings, tmp_path: Path
) -> None:
    text = 'output "name" {\n  value = terraform.workspace\n}\n'
    stack = OtherStack(tmp_path / "repository", session_base.lab, settings, text)
    shutil.copytree(settings.root / "policies", stack.root / "policies")
    config = stack.root / "runbook.yml"
    config.write_text(config.read_text().replace("state: payments", "workspace: prod"))
    terraform = stack.terraform()
    terraform.init()
    terraform.run("apply", "-auto-approve", "-input=false", "-no-color")
    assert (stack.root / "stack/terraform.tfstate.d/prod/terraform.tfstate").is_file()
    status, found = stack.verify()
    assert (status, found["outcome"], found["differences"]) == (0, "passed", [])
    ended = stack.runbook("run", "compliance", "plan", "--run-id", "again")
    assert ended.returncode == 0, ended.stderr
    summary = json.loads((stack.root / "outputs/again/02_plan/summary.json").read_text())
    assert (summary["outputs"], summary["create"]) == (0, 0)
