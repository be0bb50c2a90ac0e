"""Another team's repository: two stacks, one state in S3 and one in GitLab, and nothing of ours."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
ORDERS = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
  backend "s3" {
    bucket       = "pay-states"
    key          = "orders.tfstate"
    region       = "us-east-1"
    use_lockfile = true
    profile      = "pay-production"
  }
}
provider "aws" {
  region  = "us-east-1"
  profile = "pay-production"
}
resource "aws_vpc" "main" {
  cidr_block = "10.7.0.0/16"
}
resource "aws_subnet" "public" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.7.1.0/24"
}
resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}
resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.main.id
  }
}
resource "aws_route_table_association" "public" {
  subnet_id      = aws_subnet.public.id
  route_table_id = aws_route_table.public.id
}
module "group" {
  source = "../modules/group"
  vpc_id = aws_vpc.main.id
}
resource "aws_network_interface" "api" {
  subnet_id       = aws_subnet.public.id
  security_groups = [module.group.id]
}
resource "aws_eip" "api" {
  network_interface = aws_network_interface.api.id
}
output "api_group_id" {
  value = module.group.id
}
"""
GROUP = """
variable "vpc_id" {}
resource "aws_security_group" "api" {
  name   = "api"
  vpc_id = var.vpc_id
}
output "id" {
  value = aws_security_group.api.id
}
"""
SHOP = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
  backend "http" {}
}
provider "aws" {
  region = "us-east-1"
}
data "terraform_remote_state" "orders" {
  backend = "s3"
  config = {
    bucket = "pay-states"
    key    = "orders.tfstate"
    region = "us-east-1"
  }
}
resource "aws_vpc_security_group_ingress_rule" "api" {
  security_group_id = data.terraform_remote_state.orders.outputs.api_group_id
  ip_protocol       = "tcp"
  from_port         = 8081
  to_port           = 8081
  cidr_ipv4         = "198.51.100.0/28"
  description       = "Our partner's shop"
}
"""
# Whatever its command does, it would be done on this machine.
ALERTS = """
resource "terraform_data" "alert" {
  provisioner "local-exec" {
    command = "touch reached-what-is-real"
  }
}
"""
SERVICES = """
services:
  - name: api
    group: {stack: orders, output: api_group_id}
    url: http://{address}:8081/health
    contains: '"ok"'
"""
FILES = {
    "infra/orders/main.tf": ORDERS,
    "infra/modules/group/main.tf": GROUP,
    "infra/web shop/main.tf": SHOP,
    "infra/alerts/main.tf": ALERTS,
}
RULE = "infra/web shop/main.tf"
Ended = subprocess.CompletedProcess[str]


def unpacked_wheel(folder: Path) -> Path:
    """The package as it is handed out, without the checkout that it was made from."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def wheel_of(package: Path) -> Path:
    """The wheel that was unpacked there."""
    (wheel,) = package.parent.glob("*.whl")
    return wheel


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Riley", "-c", "user.email=riley@example.com"]
    done = subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@dataclass
class Team:
    """Commands of the installed package, in the team's repository, with no home to write into."""

    root: Path
    package: Path
    variables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def clone(cls, folder: Path, package: Path) -> Team:
        """A shallow clone, in a folder with a blank in its name."""
        source = folder / "source"
        for name, text in FILES.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_text(text)
        git(folder, "init", "--quiet", "--initial-branch=main", str(source))
        for message in ("one", "two"):
            git(source, "add", "--all")
            git(source, "commit", "--quiet", "--allow-empty", "--message", message)
        root = folder / "pay ments"
        git(folder, "clone", "--quiet", "--depth", "1", f"file://{source}", str(root))
        return cls(root, package)

    def runbook(self, *arguments: str, folder: Path | None = None, timeout: int = 280, **variables: str) -> Ended:
        """Run a command to its end."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RUNBOOK_", "CI_"))}
        mirror = os.environ.get("RUNBOOK_PROVIDER_MIRROR")
        own = {"PYTHONPATH": str(self.package), "HOME": "/dev/null/nobody"} | (
            {"RUNBOOK_PROVIDER_MIRROR": mirror} if mirror else {}
        )
        return subprocess.run(
            [sys.executable, "-P", "-m", "runbook_lib.cli", *arguments],
            cwd=folder or self.root,
            env={**kept, **own, **self.variables, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def enter(self, user: str) -> dict[str, str]:
        """The variables that `lab env` gives a shell of that user."""
        done = self.runbook("lab", "env", "--user", user)
        assert done.returncode == 0, done.stderr
        shown = subprocess.run(
            ["sh", "-c", f"{done.stdout}\nenv -0"], env={}, capture_output=True, text=True, check=True
        )
        return dict(line.split("=", 1) for line in shown.stdout.split("\0") if line)
