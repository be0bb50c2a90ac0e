"""Whatever Terraform takes is read, with the values that Terraform gives; what it refuses is refused at its line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.adapters.hcl import read_hcl
from runbook_lib.errors import InputError
from runbook_lib.models.base import UNKNOWN

MODULES = Path(__file__).parents[2] / "fixtures/hcl_syntax"
EXPECTED: dict[str, dict[str, Any]] = json.loads((MODULES / "expected.json").read_text(encoding="utf-8"))
# By module, the values that the files alone do not make certain to us.
IN_DOUBT = {
    "data_blocks.tf": ["."],
    "namespaced_functions.tf": ["{\n  a = 1\n}", 2, "A"],
    "numbers_in_text.tf": ["a100"],
    "operators.tf": [2.5],
    "text_conversions.tf": [2],
}
TEXT = """locals {
  a = <<-E
    x
      y ${"z"}
  E
}
resource "terraform_data" "x" {
  input = [local.a, { b = 1 }]
}"""


def read(folder: Path, content: bytes, name: str = "main.tf") -> dict[str, Any]:
    (folder / name).write_bytes(content)
    return {resource.address: resource.values.get("input") for resource in read_hcl(folder, base=folder).resources}


def in_doubt(ours: Any, theirs: Any) -> Iterator[Any]:
    """What Terraform says where we say nothing; the rest must be the same."""
    if ours is UNKNOWN:
        yield theirs
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for one, other in zip(ours, theirs, strict=True):
            yield from in_doubt(one, other)
    elif isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
        for key, one in ours.items():
            yield from in_doubt(one, theirs[key])
    else:
        assert json.dumps(ours) == json.dumps(theirs)


def test_enough_modules_are_held_against_terraform() -> None:
    named = {path.name for path in MODULES.iterdir() if path.name.endswith((".tf", ".tf.json"))}
    assert named == EXPECTED.keys()
    assert len(named) >= 60


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_module_is_read_as_terraform_reads_it(tmp_path: Path, name: str) -> None:
    module = MODULES / name
    if module.with_suffix(".tfvars").is_file():
        shutil.copy(module.with_suffix(".tfvars"), tmp_path / "terraform.tfvars")
    found = read(tmp_path, module.read_bytes(), f"main{''.join(module.suffixes)}")
    assert found.keys() == EXPECTED[name].keys()
    doubts = [doubt for address, value in found.items() for doubt in in_doubt(value, EXPECTED[name][address])]
    assert doubts == IN_DOUBT.get(name, [])


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (TEXT.encode(), "x\n  y z\n"),
        (TEXT.replace("\n", "\r\n").encode(), "x\r\n  y z\r\n"),
        (b"\xef\xbb\xbf" + TEXT.encode(), "x\n  y z\n"),
        (b"# Gr\xf6\xdfe, and \xff\n" + TEXT.encode(), "x\n  y z\n"),
        (f"{TEXT} # the end".encode(), "x\n  y z\n"),
    ],
    ids=["no line end", "CR LF", "byte-order mark", "a comment in Latin 1", "a comment at the end"],
)
def test_file_is_read_however_it_was_saved(tmp_path: Path, content: bytes, text: str) -> None:
    assert read(tmp_path, content) == {"terraform_data.x": [text, {"b": 1}]}


@pytest.mark.parametrize(
    ("content", "name", "line"),
    [
        (b"\xff\xfe" + "locals {}\n".encode("utf-16-le"), "main.tf", 1),
        (b"\xfe\xff" + "locals {}\n".encode("utf-16-be"), "main.tf", 1),
        (b"\xff\xfe" + "{}\n".encode("utf-16-le"), "main.tf.json", 1),
        (b"\xef\xbb\xbf{}\n", "main.tf.json", 1),
        (b"\xff\xfe" + "a = 1\n".encode("utf-16-le"), "x.auto.tfvars", 1),
        (b'locals {\n  a = 1\n  b = "\xe4"\n}\n', "main.tf", 3),
        (b"locals {\n  a = 1\n  \xe4 = 2\n}\n", "main.tf", 3),
        ("locals {\n  a = 1\n}\n\ufefflocals {\n}\n".encode(), "main.tf", 4),
    ],
)
def test_encoding_that_terraform_refuses_is_refused_at_its_line(
    tmp_path: Path, content: bytes, name: str, line: int
) -> None:
    (tmp_path / "other.tf").write_text("locals {}\n")
    with pytest.raises(InputError, match=rf"^{name}, line {line}: "):
        read(tmp_path, content, name)


@pytest.mark.parametrize(
    "invalid",
    [
        "a = = 1", "a = [1,, 2]", "a = {,}", 'a = "x" "y"', "a = 1 b = 2", "a = 1; b = 2", "a: 1", "a.b = 1", '"a" = 1',
        "a =\n1", "a = x...", "a = f(x..., y)", "a = 1.", "a = .5", "a = 0x10", "a = 1.5.5", "a = x.0.1", "a = +1",
        "a = (1\n+ 2", "a = 1\n+ 2", 'a = "${}"', 'a = "${~}"', 'a = "%{ if b }c"', 'a = "%{ endif }"', 'a = "%{ b }"',
        r'a = "\q"', r'a = "\u12"', r'a = "\ud800"', "a = 'x'", "a = a => b", "a = {for = 1}", "a = [for]",
        "a = b\u00a0",
        "a² = 1", "€ = 1", "a = [for x in y : x...]", "a = {a = 1\n, b = 2}", "a = {a = 1 b = 2}", "b { a = 1, c = 2 }",
        "b { c { } }", "b 1 {\n}", 'b "x${y}" {\n}', "a = f(x)(y)", "a = a::b", "a = <<EOT x\nEOT", "a = 1\f", "a = ٣",
    ],
)  # fmt: skip
def test_invalid_syntax_is_refused_at_its_own_line(tmp_path: Path, invalid: str) -> None:
    text = f'locals {{\n  q = 1\n}}\n\nresource "a" "b" {{\n  x = [\n    1,\n  ]\n  {invalid}\n  z = 2\n}}\n'
    with pytest.raises(InputError, match=r"^main\.tf, line (?:9|10|11|12): ") as caught:
        read(tmp_path, text.encode())
    within_brackets = invalid in {"a = (1\n+ 2"}
    two_lines = invalid in {"a =\n1", "a = 1\n+ 2", "a = {a = 1\n, b = 2}"}
    assert within_brackets or two_lines or "line 9:" in caught.value.message


def test_twice_the_same_attribute_is_refused_at_the_second(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^main\.tf, line 4: a is set twice"):
        read(tmp_path, b'resource "a" "b" {\n  a = 1\n  c {}\n  a = 2\n}\n')


def test_label_in_disguise_is_the_label(tmp_path: Path) -> None:
    text = rb'resource "aws_security_gr\u006fup" "x" {' + b"\n  name = 1\n}\n"
    assert list(read(tmp_path, text)) == ["aws_security_group.x"]


def test_header_with_comments_is_a_header(tmp_path: Path) -> None:
    text = b'resource /* of */ "aws_x" /* the */ "x" /* net */ {\n  name = 1\n}\n'
    assert list(read(tmp_path, text)) == ["aws_x.x"]


def test_expression_that_nobody_takes_apart_is_unknown_alone(tmp_path: Path) -> None:
    deep = "(" * 200 + "1" + ")" * 200
    found = read(
        tmp_path, f'resource "a_x" "b" {{\n  input = [{deep}]\n}}\nresource "a_x" "c" {{\n  input = 1\n}}\n'.encode()
    )
    assert found == {"a_x.b": UNKNOWN, "a_x.c": 1}


@pytest.mark.parametrize("named", ["all", "[tags, ingress[0].cidr_blocks]", '["tags", "ingress"]'])
def test_ignored_attributes_are_found_in_every_way_to_write_them(tmp_path: Path, named: str) -> None:
    text = f"tags = 1\n  ingress = 2\n  lifecycle {{\n    ignore_changes = {named}\n  }}"
    (tmp_path / "main.tf").write_text(f'resource "aws_x" "x" {{\n  {text}\n}}\n')
    (resource,) = read_hcl(tmp_path).resources
    assert resource.values == {"tags": UNKNOWN, "ingress": UNKNOWN}


def test_json_that_repeats_a_block_has_both(tmp_path: Path) -> None:
    text = b'{"resource": {"aws_x": {"x": {"ingress": {"p": 1}, "ingress": [{"p": 2}], "v": 1, "v": 2}}}}'
    (tmp_path / "main.tf.json").write_bytes(text)
    (resource,) = read_hcl(tmp_path).resources
    assert resource.values == {"ingress": [{"p": 1}, {"p": 2}], "v": UNKNOWN}
