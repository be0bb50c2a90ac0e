"""What Terraform reads otherwise than one file after the other: overrides, JSON's freedoms, escapes, comments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.adapters.hcl import read_hcl
from runbook_lib.adapters.hcl_index import index_blocks
from runbook_lib.errors import InputError

BLOCK = 'resource "aws_x" "x" {\n v = 1\n w = 2\n rule { p = 22 }\n rule { p = 23 }\n}\n'


def values(folder: Path, **files: str) -> dict[str, Any]:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    (resource,) = read_hcl(folder, base=folder).resources
    return dict(resource.values)


@pytest.mark.parametrize(
    ("override", "result"),
    [
        ("v = 3", {"v": 3, "w": 2, "rule": [{"p": 22}, {"p": 23}]}),
        ("rule { p = 80 }", {"v": 1, "w": 2, "rule": [{"p": 80}]}),
        (
            'dynamic "rule" {\n for_each = [80]\n content { p = rule.value }\n}',
            {"v": 1, "w": 2, "rule": [{"p": 80}]},
        ),
    ],
)
@pytest.mark.parametrize("name", ["override__tf", "a_override__tf"])
def test_override_file_replaces_attributes_and_blocks(
    tmp_path: Path, name: str, override: str, result: dict[str, Any]
) -> None:
    text = f'resource "aws_x" "x" {{\n {override}\n}}\n'
    assert values(tmp_path, main__tf=BLOCK, **{name: text}) == result
    assert index_blocks(tmp_path, tmp_path)[(), "aws_x.x"].file == "main.tf"


def test_override_file_replaces_dynamic_blocks_too(tmp_path: Path) -> None:
    dynamic = 'resource "aws_x" "x" {\n dynamic "rule" {\n for_each = [1, 2]\n content { p = rule.value }\n }\n}\n'
    text = 'resource "aws_x" "x" {\n rule { p = 80 }\n}\n'
    assert values(tmp_path, main__tf=dynamic, override__tf=text) == {"rule": [{"p": 80}]}


def test_override_file_replaces_a_default_and_keeps_the_type(tmp_path: Path) -> None:
    text = 'variable "p" {\n type = number\n default = 1\n}\nresource "aws_x" "x" {\n v = var.p\n}\n'
    assert values(tmp_path, main__tf=text, override__tf='variable "p" {\n default = "22"\n}\n') == {"v": 22}


def test_file_that_is_hidden_is_no_part_of_the_module(tmp_path: Path) -> None:
    assert values(tmp_path, main__tf='resource "aws_x" "x" {\n}\n', __hidden__tf=BLOCK) == {}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (r'"\u0030.0.0.0/\U00000030"', "0.0.0.0/0"),
        ('/* "a" */ "b"', "b"),
        ('"b" /* and\n no more */', "b"),
        ('"/* b */"', "/* b */"),
    ],
)
def test_escapes_and_comments_are_read_as_terraform_does(tmp_path: Path, expression: str, value: Any) -> None:
    assert values(tmp_path, main__tf=f'resource "aws_x" "x" {{\n v = {expression}\n}}\n') == {"v": value}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("[{ b = [1, 2] }, { b = [3] }].*.b[0]", [1, 2]),
        ("[{ b = [1, 2] }, { b = [3] }][*].b[0]", [1, 3]),
        ("[{ b = { c = 4 } }].*.b.c[0]", 4),
    ],
)
def test_index_after_a_splat_of_attributes_is_taken_of_the_whole_list(
    tmp_path: Path, expression: str, value: Any
) -> None:
    assert values(tmp_path, main__tf=f'resource "aws_x" "x" {{\n v = {expression}\n}}\n') == {"v": value}


def test_index_after_a_splat_names_the_instance(tmp_path: Path) -> None:
    text = 'resource "aws_x" "x" {\n v = aws_security_group.g.*.id[1]\n}\n'
    (tmp_path / "main.tf").write_text(text)
    (resource,) = read_hcl(tmp_path).resources
    assert resource.references == {"v": ("aws_security_group.g[1]",)}


@pytest.mark.parametrize(("interpolation", "text"), [("${~ 22 }", "a22 b\n"), ("${ 22 ~}", "a 22b\n")])
def test_text_loses_the_blanks_beside_a_strip_marker(tmp_path: Path, interpolation: str, text: str) -> None:
    written = f'resource "aws_x" "x" {{\n v = <<EOT\na {interpolation} b\nEOT\n}}\n'
    assert values(tmp_path, main__tf=written) == {"v": text}


def test_null_for_a_variable_that_takes_none_gives_its_default(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m/main.tf").write_text(
        'variable "a" {\n default = 1\n nullable = false\n}\nvariable "b" {\n default = 1\n}\n'
        'resource "aws_x" "x" {\n a = var.a\n b = var.b\n}\n'
    )
    call = 'module "m" {\n source = "./m"\n a = null\n b = null\n}\n'
    assert values(tmp_path, main__tf=call) == {"a": 1, "b": None}


def test_text_in_json_variables_is_no_template(tmp_path: Path) -> None:
    text = 'variable "c" {}\nresource "aws_x" "x" {\n v = var.c\n}\n'
    assert values(tmp_path, main__tf=text, x__auto__tfvars__json='{"c": "0.0.0.0/0 ${x}"}') == {"v": "0.0.0.0/0 ${x}"}


@pytest.mark.parametrize("listed", [True, False])
def test_json_may_write_a_block_as_an_object_or_a_list(tmp_path: Path, *, listed: bool) -> None:
    def many(part: Any) -> Any:
        return [part] if listed else part

    dynamic = many({"ingress": many({"for_each": [22], "content": many({"p": "${ingress.value}"})})})
    body = {"egress": many({"p": 1}), "dynamic": dynamic}
    found = values(tmp_path, main__tf__json=json.dumps({"resource": {"aws_x": {"x": body}}}))
    assert found == {"egress": [{"p": 1}], "ingress": [{"p": 22}]}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("main.tf", 'resource "aws_x" "x\ny" {\n}\n'),
        ("main.tf.json", '{"resource": {"aws_x": {"x\\ny": {}}}}'),
        ("terraform.tfvars.json", '{"a": 1, "a": 2}'),
        ("main.tf.json", '{"resource": {"aws_x": {"x": {"v": NaN}}}}'),
        ("main.tf.json", '{"resource": {"aws_x": {"x": {"v": "\\ud800"}}}}'),
        ("terraform.tfvars.json", "[]"),
    ],
)
def test_file_that_could_be_read_in_two_ways_is_refused_in_one_line(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "first.tf").write_text("locals {}\n")
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        read_hcl(tmp_path, base=tmp_path)
    assert "\n" not in caught.value.message


def test_key_with_a_line_break_is_escaped_in_the_address(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('resource "aws_x" "x" {\n for_each = { "a\\n\\"b" = 1 }\n}\n')
    (resource,) = read_hcl(tmp_path).resources
    assert resource.address == 'aws_x.x["a\\n\\"b"]'
