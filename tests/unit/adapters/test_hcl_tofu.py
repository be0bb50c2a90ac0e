"""Which files are read: OpenTofu has some of its own, which Terraform leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib.adapters.hcl import read_hcl
from runbook_lib.adapters.hcl_inline import read_inline_blocks


def block(name: str, value: int) -> str:
    return f'resource "aws_x" "{name}" {{\n  v = {value}\n}}\n'


def found(folder: Path, product: str) -> dict[str, tuple[str, object]]:
    module = read_hcl(folder, base=folder, product=product)
    return {resource.address: (resource.source.file, resource.values["v"]) for resource in module.resources}


@pytest.mark.parametrize(
    ("product", "result"),
    [
        ("OpenTofu", {"aws_x.a": ("main.tofu", 2), "aws_x.b": ("b.tf", 3), "aws_x.c": ("c.tofu", 4)}),
        ("", {"aws_x.a": ("main.tofu", 2), "aws_x.b": ("b.tf", 3), "aws_x.c": ("c.tofu", 4)}),
        ("Terraform", {"aws_x.a": ("main.tf", 1), "aws_x.b": ("b.tf", 3)}),
    ],
)
def test_tofu_file_stands_in_place_of_its_namesake(
    tmp_path: Path, product: str, result: dict[str, tuple[str, object]]
) -> None:
    for name, text in {"main.tf": block("a", 1), "main.tofu": block("a", 2), "b.tf": block("b", 3)}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "c.tofu").write_text(block("c", 4))
    assert found(tmp_path, product) == result


def test_json_shadows_json_alone(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(block("a", 1))
    (tmp_path / "main.tf.json").write_text('{"resource": {"aws_x": {"b": {"v": 1}}}}')
    (tmp_path / "main.tofu.json").write_text('{"resource": {"aws_x": {"b": {"v": 2}}}}')
    assert found(tmp_path, "OpenTofu") == {"aws_x.a": ("main.tf", 1), "aws_x.b": ("main.tofu.json", 2)}


@pytest.mark.parametrize(
    ("files", "doubtful"),
    [
        (("main.tf", "main.tofu"), ("main.tofu",)),
        (("main.tf", "more.tofu"), ()),
        (("main.tf", "x_override.tofu"), ("x_override.tofu",)),
        (("main.tofu",), ()),
    ],
)
def test_doubt_about_who_reads_the_files_is_told_unless_that_is_known(
    tmp_path: Path, files: tuple[str, ...], doubtful: tuple[str, ...]
) -> None:
    for name in files:
        (tmp_path / name).write_text(block("a" if "main" in name else "b", 1))
    assert read_hcl(tmp_path, base=tmp_path).doubtful == doubtful
    assert read_hcl(tmp_path, base=tmp_path, product="OpenTofu").doubtful == ()


def test_blocks_that_either_writes_are_written(tmp_path: Path) -> None:
    for name, attribute in {"main.tf": "ingress", "main.tofu": "egress"}.items():
        (tmp_path / name).write_text(f'resource "aws_security_group" "g" {{\n  {attribute} = []\n}}\n')
    inline = read_inline_blocks(tmp_path, frozenset({"aws_security_group"}))
    assert all(inline.written((), "aws_security_group.g", name) for name in ("ingress", "egress"))
