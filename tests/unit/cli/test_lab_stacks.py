"""What the lab makes of another team's stacks: nothing real may be reached from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runbook_lib.adapters.terraform_backend import backend_type
from runbook_lib.cli.lab_stacks import buckets, override_backend, profiles, regions, unfit

AWS = 'provider "registry.terraform.io/hashicorp/aws" {\n  version = "5.100.0"\n}\n'


def write(folder: Path, text: str, lock: str = AWS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.tf").write_text(text)
    (folder / ".terraform.lock.hcl").write_text(lock)
    return folder


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('terraform {\n  backend "http" {}\n}\n', ""),
        ('terraform {\n  backend "s3" {\n    bucket = "states"\n  }\n}\n', ""),
        ("locals {}\n", ""),
        ('terraform {\n  backend "gcs" {\n    bucket = "states"\n  }\n}\n', "gcs"),
        ('terraform {\n  cloud {\n    organization = "pay"\n  }\n}\n', "cloud"),
        ('terraform {\n  backend "http" {\n    address = "https://states.example.com/x"\n  }\n}\n', "http elsewhere"),
        # A file of the person's own, which the lab would overwrite.
        ('terraform {\n  backend "local" {\n    path = "/srv/states/x.tfstate"\n  }\n}\n', "local"),
    ],
)
def test_a_backend_that_the_lab_does_not_have_gives_way_to_gitlab(tmp_path: Path, text: str, told: str) -> None:
    folder = write(tmp_path, text)
    before = backend_type(folder)
    assert override_backend(folder) == told
    assert backend_type(folder) == ("http" if told else before)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('provider "aws" {\n  region = "eu-west-1"\n}\n', ""),
        (
            'provider "aws" {\n  endpoints {\n    ec2 = "https://ec2.example.com"\n  }\n}\n',
            "an address of AWS of its own",
        ),
        ('terraform {\n  backend "s3" {\n    endpoint = "https://s3.example.com"\n  }\n}\n', "an address of AWS"),
        ('resource "null_resource" "x" {\n  provisioner "local-exec" {\n    command = "x"\n  }\n}\n', "local-exec"),
        ('# provisioner "local-exec"\nlocals {}\n', ""),
    ],
)
def test_what_would_reach_the_real_world_is_left_out(tmp_path: Path, text: str, why: str) -> None:
    found = unfit(write(tmp_path, text))
    assert why in found
    assert bool(found) == bool(why)


@pytest.mark.parametrize(
    "address",
    ["hashicorp/google", "hashicorp/kubernetes", "integrations/github", "hashicorp/external", "else/aws"],
)
def test_a_provider_with_nothing_in_its_place_is_named(tmp_path: Path, address: str) -> None:
    lock = f'{AWS}provider "registry.terraform.io/{address}" {{\n  version = "1.0.0"\n}}\n'
    assert unfit(write(tmp_path, "locals {}\n", lock)).endswith(f"provider {address}")


def test_a_module_is_looked_at_as_the_stack_is(tmp_path: Path) -> None:
    stack = write(tmp_path / "stack", 'module "m" {\n  source = "../m"\n}\n')
    write(tmp_path / "m", 'resource "null_resource" "x" {\n  provisioner "remote-exec" {\n  }\n}\n')
    (stack / ".terraform/modules").mkdir(parents=True)
    listed = {"Modules": [{"Key": "", "Dir": "."}, {"Key": "m", "Dir": "../m"}]}
    (stack / ".terraform/modules/modules.json").write_text(json.dumps(listed))
    assert "remote-exec" in unfit(stack)


def test_buckets_profiles_and_regions_are_found_where_they_are_named(tmp_path: Path) -> None:
    text = """
terraform {
  backend "s3" {
    bucket         = "states"
    key            = "a"
    region         = "us-east-1"
    profile        = "prod"
    dynamodb_table = "locks"
  }
}
data "terraform_remote_state" "b" {
  backend = "s3"
  config = {
    bucket = "others"
    region = "eu-west-3"
  }
}
resource "aws_s3_bucket" "c" {
  bucket = "not-for-states"
}
"""
    folder = write(tmp_path, text)
    assert sorted(buckets(folder)) == [("others", "eu-west-3", ""), ("states", "us-east-1", "locks")]
    assert profiles(folder) == {"prod"}
    assert regions(folder) == {"us-east-1", "eu-west-3"}
