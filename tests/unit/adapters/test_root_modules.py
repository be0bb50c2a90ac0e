"""Root modules as a repository's files show them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from runbook_lib.adapters.root_modules import RootModule, find_root_modules

ROOT = Path(__file__).parents[3]


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_our_own_repository_has_its_two_stacks() -> None:
    found = [module for module in find_root_modules(ROOT) if module.path.startswith("terraform/")]
    assert [(module.path, module.backend) for module in found] == [
        ("terraform/access", "http"),
        ("terraform/network", "http"),
    ]


def test_a_module_that_is_called_is_none_and_one_that_names_a_backend_always_is(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a/main.tf": 'module "b" {\n  source = "../b"\n}\nmodule "c" {\n  source = "../c/"\n}\n',
            "b/main.tf": "locals {}\n",
            "c/main.tf": 'terraform {\n  backend "s3" {}\n}\n',
            "modules/d/main.tf": "locals {}\n",
            "modules/e/main.tf.json": '{"terraform": {"backend": {"gcs": {}}}}',
            "f/main.tf": 'terraform {\n  # backend "s3" {}\n}\n',
            ".terraform/modules/g/main.tf": 'terraform {\n  backend "s3" {}\n}\n',
        },
    )
    assert [(module.path, module.backend) for module in find_root_modules(tmp_path)] == [
        ("a", "local"),
        ("c", "s3"),
        ("f", "local"),
        ("modules/e", "gcs"),
    ]


def test_a_module_is_called_in_one_line_in_json_and_by_a_link_as_well(tmp_path: Path) -> None:
    text = 'module "b" { source = "../b" }\nmodule "d" {\n  source = "../link"\n}\n# module "e" { source = "../e" }\n'
    called = '{"module": {"c": {"source": "../c", "n": 1}}}'
    names = ("b", "c", "d", "e")
    write(
        tmp_path, {"a/main.tf": text, "a/more.tf.json": called} | {f"{name}/main.tf": "locals {}\n" for name in names}
    )
    (tmp_path / "link").symlink_to("d")
    assert [module.path for module in find_root_modules(tmp_path)] == ["a", "e"]


@pytest.mark.parametrize(
    ("files", "region"),
    [
        ({"terraform.tfvars": 'r = "eu-west-1"\n'}, "eu-west-1"),
        ({"terraform.tfvars": 'other_r = "eu-west-1"\n# r = "eu-west-2"\n'}, "us-west-2"),
        ({"terraform.tfvars.json": '{"a": 1, "r": "eu-west-1"}'}, "eu-west-1"),
        ({"terraform.tfvars": 'r = "eu-west-1"\n', "b.auto.tfvars": 'r = "eu-west-3"\n'}, "eu-west-3"),
        # Which of them is read, or whether one is, is not known yet.
        ({"prod.tfvars": 'r = "eu-west-1"\n'}, ""),
        ({"prod.tfvars": 'size = "small"\n'}, "us-west-2"),
    ],
)
def test_the_region_is_that_of_the_files_with_variables(tmp_path: Path, files: dict[str, str], region: str) -> None:
    text = 'provider "aws" {\n  region = var.r\n}\nvariable "r" {\n  default = "us-west-2"\n}\n'
    write(tmp_path, {"main.tf": text} | files)
    assert find_root_modules(tmp_path)[0].region == region


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ('provider "aws" {\n  region = "eu-north-1"\n}\n', "eu-north-1"),
        ('provider "aws" { region = "eu-north-1" }\n', "eu-north-1"),
        ('provider "aws" {\n  region = var.r\n}\nvariable "r" {\n  default = "us-west-2"\n}\n', "us-west-2"),
        ('provider "aws" {\n  region = var.r\n}\nvariable "r" {}\n', ""),
        ('provider "aws" {\n  region = local.r\n}\n', ""),
        ('provider "aws" {\n  # region = "eu-north-1"\n}\n', ""),
        ('provider "aws" {\n  alias  = "far"\n  region = "us-east-1"\n}\n', ""),
    ],
)
def test_the_region_is_what_the_files_say_in_so_many_words(tmp_path: Path, text: str, region: str) -> None:
    write(tmp_path, {"main.tf": text})
    assert find_root_modules(tmp_path) == (RootModule(".", "local", region),)


def test_variable_files_that_terraform_reads_by_itself_are_not_listed(tmp_path: Path) -> None:
    names = ("terraform.tfvars", "a.auto.tfvars", "prod.tfvars", "envs/test.tfvars")
    write(tmp_path, {"main.tf": "locals {}\n"} | dict.fromkeys(names, "x = 1\n"))
    assert find_root_modules(tmp_path)[0].var_files == ("envs/test.tfvars", "prod.tfvars")


def test_what_git_ignores_is_not_looked_at_and_what_is_not_committed_yet_is(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    write(tmp_path, {".gitignore": "build/\n", "build/main.tf": "locals {}\n", "net work/main.tf": "locals {}\n"})
    assert [module.path for module in find_root_modules(tmp_path)] == ["net work"]


def test_a_file_that_cannot_be_read_hides_nothing_but_what_it_says(tmp_path: Path) -> None:
    write(tmp_path, {"a/ok.tf": 'provider "aws" {\n  region = "eu-west-3"\n}\n', "b/main.tf": "}}}{{{ ="})
    (tmp_path / "a/broken.tf").write_bytes("locals {}".encode("utf-16"))
    assert [(module.path, module.region) for module in find_root_modules(tmp_path)] == [("a", "eu-west-3"), ("b", "")]
