"""What a stack is made from, found in the ways in which Terraform's files name it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib.adapters.stack_files import FoundFiles, StatePlace, read_stack_files


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def read(root: Path, text: str, name: str = "main.tf", **more: str) -> FoundFiles:
    (root / "live/web").mkdir(parents=True, exist_ok=True)
    (root / "live/web" / name).write_text(text)
    return read_stack_files(write(root, **more), "live/web")


def paths(found: FoundFiles) -> set[str]:
    return {str(path) for path in found.paths} - {"live/web", "live/web/main.tf", "live/web/main.tf.json"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('module "vm" {\n  source = "../../modules/vm"\n}\n', "modules/vm"),
        ('locals { names = yamldecode(file("../../shared/names.yml")) }\n', "shared/names.yml"),
        ('locals { names = jsondecode(file("${path.module}/../../shared/names.json")) }\n', "shared/names.json"),
        ('locals { names = file("${path.root}/../../shared/names.txt") }\n', "shared/names.txt"),
        # The rest of the name is only known to Terraform: any file of the folder may be meant.
        ('locals { names = file("${path.module}/../../shared/${var.env}.json") }\n', "shared"),
        ('locals { names = fileset("../../shared", "*.json") }\n', "shared"),
        ('locals { names = file("../../shared/${var.env}/names.json") }\n', "shared"),
    ],
)
def test_what_the_files_of_a_stack_name_is_read(tmp_path: Path, text: str, wanted: str) -> None:
    assert wanted in paths(read(tmp_path, text))


def test_modules_of_modules_are_read_and_what_they_read(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        'module "vm" {\n  source = "../../modules/vm"\n}\n',
        modules__vm__main_tf="",
    )
    (tmp_path / "modules/vm/main.tf").write_text(
        'module "disk" {\n  source = "../disk"\n}\nlocals { x = file("${path.module}/../../shared/x.json") }\n'
    )
    write(tmp_path, **{"modules__disk__variables.tf": 'module "back" {\n  source = "../vm"\n}\n'})
    found = read_stack_files(tmp_path, "live/web")
    assert {"modules/vm", "modules/disk", "shared/x.json"} <= paths(found)


def test_json_is_read_too(tmp_path: Path) -> None:
    assert "modules/vm" in paths(read(tmp_path, '{"module": {"vm": {"source": "../../modules/vm"}}}', "main.tf.json"))


def test_a_file_that_is_shared_by_a_link_is_read_where_it_lies(tmp_path: Path) -> None:
    write(tmp_path, shared__versions="terraform {}\n")
    (tmp_path / "shared/versions").rename(tmp_path / "shared/versions.tf")
    (tmp_path / "live/web").mkdir(parents=True)
    (tmp_path / "live/web/versions.tf").symlink_to("../../shared/versions.tf")
    assert "shared/versions.tf" in paths(read(tmp_path, ""))


def test_variable_files_and_what_runbook_yml_adds_are_read(tmp_path: Path) -> None:
    read(tmp_path, "")
    found = read_stack_files(tmp_path, "live/web", ["../../shared/prod.tfvars"], ["policies/web"])
    assert {"shared/prod.tfvars", "policies/web"} <= paths(found)


def test_nothing_outside_of_the_repository_is_looked_at(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    (secret / "main.tf").write_text('module "x" {\n  source = "./never"\n}\n')
    found = read(root, 'module "out" {\n  source = "../../../elsewhere"\n}\n')
    assert paths(found) == set()


@pytest.mark.parametrize(
    ("backend", "remote", "same"),
    [
        (
            'backend "s3" {\n bucket = "b"\n key = "web.tfstate"\n}',
            'config = {\n bucket = "b"\n key = "web.tfstate"\n}',
            True,
        ),
        ('backend "s3" {\n key = "web.tfstate"\n}', 'config = {\n bucket = var.b\n key = "web.tfstate"\n}', True),
        ('backend "gcs" {\n prefix = "web"\n}', 'config = {\n prefix = "web"\n}', True),
        (
            'backend "s3" {\n bucket = "b"\n key = "web.tfstate"\n}',
            'config = {\n bucket = "b"\n key = "db.tfstate"\n}',
            False,
        ),
    ],
)
def test_the_place_of_a_state_is_found_where_it_is_kept_and_where_it_is_read(
    tmp_path: Path, backend: str, remote: str, same: bool
) -> None:
    keeps = read(tmp_path / "one", f"terraform {{\n {backend}\n}}\n")
    reads = read(tmp_path / "two", f'data "terraform_remote_state" "x" {{\n backend = "any"\n {remote}\n}}\n')
    assert (keeps.own in reads.remote) is same


def test_a_module_that_reads_a_state_reads_it_for_the_stack(tmp_path: Path) -> None:
    read(tmp_path, 'module "net" {\n  source = "../../modules/net"\n}\n')
    text = 'data "terraform_remote_state" "x" {\n  config = {\n    key = "net.tfstate"\n  }\n}\n'
    write(tmp_path, **{"modules__net__main.tf": text})
    assert read_stack_files(tmp_path, "live/web").remote == (StatePlace(frozenset({"net.tfstate"})),)


def test_a_circle_of_links_and_a_folder_that_is_not_there_end_nothing(tmp_path: Path) -> None:
    (tmp_path / "live/web").mkdir(parents=True)
    (tmp_path / "live/web/loop").symlink_to("loop")
    found = read(tmp_path, 'module "a" {\n  source = "./loop"\n}\nmodule "b" {\n  source = "../../gone"\n}\n')
    assert "gone" in paths(found)
    assert read_stack_files(tmp_path, "live/nowhere").paths


def test_links_that_lead_to_what_is_read_are_read_as_well(tmp_path: Path) -> None:
    write(tmp_path, **{"vendor__vpc-1__main.tf": "", "shared__eu.json": "", "shared__init.sh": ""})
    write(
        tmp_path,
        **{"live__web__main.tf": 'module "v" {\n  source = "../../modules/vpc"\n}\n# "../../shared/now.json"\n'},
    )
    for link, end in {
        "modules": "vendor/now",
        "vendor/now": "v1",
        "vendor/v1/vpc": "../vpc-1",
        "shared/now.json": "eu.json",
        "live/web/init.sh": "../../shared/init.sh",
        "prod": "live",
    }.items():
        (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / link).symlink_to(end)
    assert paths(read_stack_files(tmp_path, "prod/web")) == {
        *("prod", "modules", "vendor/now", "vendor/v1/vpc", "vendor/vpc-1", "vendor/vpc-1/main.tf"),
        *("shared/now.json", "shared/eu.json", "live/web/init.sh", "shared/init.sh"),
    }
