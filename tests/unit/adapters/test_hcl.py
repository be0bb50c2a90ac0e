"""Terraform files read without Terraform: what is certain, UNKNOWN for the rest, and errors with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runbook_lib.adapters.hcl import read_hcl
from runbook_lib.adapters.hcl_index import index_blocks
from runbook_lib.errors import InputError
from runbook_lib.models.base import UNKNOWN

FIXTURES = Path(__file__).parents[2] / "fixtures/plans"


def one(folder: Path, text: str, **files: str) -> dict[str, Any]:
    (folder / "main.tf").write_text(f"{text}\n", encoding="utf-8")
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    (resource,) = read_hcl(folder, base=folder).resources
    return dict(resource.values)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("22", 22),
        ("-1", -1),
        ('"tcp"', "tcp"),
        ('"a ${var.name} b"', "a web b"),
        (r'"q \" $${x}"', 'q " ${x}'),
        ("var.name", "web"),
        ("local.ports[1]", 443),
        ('var.set ? "x" : "y"', UNKNOWN),
        ('var.unset == "x" ? 1 : 2', UNKNOWN),
        ('var.name == "web" ? 1 : 2', 1),
        ("var.missing", UNKNOWN),
        ("data.aws_vpc.v.cidr_block", UNKNOWN),
        ('concat(["a"], ["b"])', ["a", "b"]),
        ("[for p in local.ports : p + 1]", [81, 444]),
        ("{ for k, v in { a = 1, b = 2 } : k => v if v > 1 }", {"b": 2}),
        ('cidrsubnet("10.0.0.0/8", 8, 1)', "10.1.0.0/16"),
        ("timestamp()", UNKNOWN),
        ("local.cycle", UNKNOWN),
        ('join("-", ["a", var.unset])', UNKNOWN),
        ("null", None),
        ("!true || false", False),
        ("true", True),
        ("[1, var.unset]", [1, UNKNOWN]),
        ("(1 + 2) * 3", 9),
        ("var.name[0]", UNKNOWN),
        ("merge({ a = 1 }, { a = 2 })", {"a": 2}),
    ],
)
def test_expression_has_the_value_terraform_gives_it_or_none(tmp_path: Path, expression: str, value: Any) -> None:
    text = f"""
variable "name" {{ default = "web" }}
variable "unset" {{}}
variable "set" {{}}
locals {{
  ports = [80, 443]
  cycle = local.other
  other = local.cycle
}}
resource "aws_x" "x" {{
  v = {expression}
}}"""
    assert one(tmp_path, text)["v"] == value


def test_later_variable_files_win(tmp_path: Path) -> None:
    found = one(
        tmp_path,
        'variable "a" { type = number }\nvariable "b" { default = 1 }\n'
        'resource "aws_x" "x" {\n a = var.a\n b = var.b\n}',
        terraform__tfvars='a = "1"\nb = 2\n',
        z__auto__tfvars="a = 3\n",
    )
    assert found == {"a": 3, "b": 2}


def test_optional_attributes_get_their_defaults(tmp_path: Path) -> None:
    text = """
variable "rules" {
  type = list(object({ port = number, way = optional(string, "ingress"), note = optional(string) }))
  default = [{ port = "22" }]
}
resource "aws_x" "x" {
  rules = var.rules
}"""
    assert one(tmp_path, text)["rules"] == [{"port": 22, "way": "ingress", "note": None}]


def test_instances_of_for_each_and_count_are_known_by_their_keys(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'resource "aws_x" "a" {\n for_each = toset(["k"])\n v = each.key\n}\n'
        'resource "aws_x" "b" {\n count = 2\n v = count.index\n}\n'
        'resource "aws_x" "c" {\n for_each = data.aws_y.y.z\n v = each.value\n}\n'
    )
    found = {resource.address: resource.values["v"] for resource in read_hcl(tmp_path).resources}
    assert found == {'aws_x.a["k"]': "k", "aws_x.b[0]": 0, "aws_x.b[1]": 1, "aws_x.c[*]": UNKNOWN}


@pytest.mark.parametrize(
    ("collection", "keys"),
    [
        ('["443", "80"]', [0, 1]),
        ("[443, 80]", [0, 1]),
        ('toset(["443", "80"])', ["443", "80"]),
        ('{ web = "80", tls = "443" }', ["tls", "web"]),
    ],
)
def test_the_key_of_a_dynamic_block_is_a_list_s_index_a_set_s_item_and_a_map_s_key(
    tmp_path: Path, collection: str, keys: list[Any]
) -> None:
    block = f'dynamic "a" {{\n    for_each = {collection}\n    content {{\n      k = a.key\n    }}\n  }}'
    assert one(tmp_path, f'resource "aws_x" "x" {{\n  {block}\n}}')["a"] == [{"k": key} for key in keys]


@pytest.mark.parametrize(
    "written",
    ['for_each = [1]\n content = "x"', "for_each = [1]\n iterator = {}\n content {\n }",
     "for_each = [1]\n iterator = []\n content {\n }", "for_each = [1]\n iterator = a.b\n content {\n }"],
)  # fmt: skip
def test_a_dynamic_block_that_terraform_refuses_is_unknown(tmp_path: Path, written: str) -> None:
    assert one(tmp_path, f'resource "aws_x" "x" {{\n dynamic "a" {{\n {written}\n }}\n}}') == {"a": [UNKNOWN]}


def test_an_iterator_that_is_no_name_in_json_is_unknown(tmp_path: Path) -> None:
    block = '{"dynamic": {"a": {"for_each": [1], "iterator": "${x", "content": {}}}}'
    (tmp_path / "main.tf.json").write_text(f'{{"resource": {{"aws_x": {{"x": {block}}}}}}}')
    assert read_hcl(tmp_path).resources[0].values == {"a": [UNKNOWN]}


@pytest.mark.parametrize("written", ["lifecycle = 5", "lifecycle = []", 'dynamic = "x"'])
def test_an_attribute_in_the_place_of_a_block_of_terraform_s_own_is_none(tmp_path: Path, written: str) -> None:
    assert one(tmp_path, f'resource "aws_x" "x" {{\n a = 1\n {written}\n}}') == {"a": 1}


def test_dynamic_blocks_are_expanded_where_that_is_certain(tmp_path: Path) -> None:
    text = """
resource "aws_x" "x" {
  dynamic "a" {
    for_each = [1, 2]
    content { v = a.value }
  }
  dynamic "b" {
    for_each = data.aws_y.y.z
    content { v = b.value }
  }
}"""
    assert one(tmp_path, text) == {"a": [{"v": 1}, {"v": 2}], "b": [UNKNOWN]}


def test_resource_knows_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        '# first\n\n/* a\n b */ locals { x = "}" }\n\nresource "aws_x" "x" {\n v = <<EOT\n}\nEOT\n}\n'
    )
    (resource,) = read_hcl(tmp_path, base=tmp_path).resources
    assert (resource.source.file, resource.source.line) == ("main.tf", 6)
    assert index_blocks(tmp_path, tmp_path)[(), "aws_x.x"] == resource.source


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('locals {}\n\nresource "a" "b" {\n  x = = 1\n}\n', 4),
        ("x = 1\n", 1),
        ("locals {\n", 2),
        ("locals {}\n}\n", 2),
        ('a "b', 1),
    ],
)
def test_syntax_error_names_file_and_line(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "main.tf").write_text(text)
    with pytest.raises(InputError, match=rf"main\.tf, line {line}: "):
        read_hcl(tmp_path, base=tmp_path)


def test_module_from_elsewhere_is_named_as_unread(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('module "m" {\n  source = "terraform-aws-modules/vpc/aws"\n}\n')
    assert read_hcl(tmp_path).unread == ("module.m",)


def test_module_that_calls_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('module "m" {\n  source = "./."\n}\n')
    assert read_hcl(tmp_path).resources == ()


def test_json_syntax_is_read_alike(tmp_path: Path) -> None:
    (tmp_path / "main.tf.json").write_text(
        '{"resource": {"aws_x": {"x": {"v": "${1 + 1}", "w": "a \\"b\\""}}}, "locals": {}}'
    )
    (resource,) = read_hcl(tmp_path).resources
    assert resource.values == {"v": 2, "w": 'a "b"'}
