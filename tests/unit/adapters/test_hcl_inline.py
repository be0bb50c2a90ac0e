"""Which groups write rules themselves, in every way in which files can say it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runbook_lib.adapters.hcl_inline import read_inline_blocks

TYPES = frozenset({"aws_security_group"})
WEB = "aws_security_group.web"


def group(body: str, name: str = "web") -> str:
    return f'resource "aws_security_group" "{name}" {{\n  name = "x"\n{body}}}\n'


@pytest.mark.parametrize(
    ("body", "ingress", "egress"),
    [
        ("", False, False),
        ("  ingress {\n    from_port = 1\n  }\n", True, False),
        ("  egress = []\n", False, True),
        ('  dynamic "ingress" {\n    for_each = []\n    content {\n    }\n  }\n', True, False),
        ("  dynamic ingress {\n  }\n  egress{ from_port = 1 }\n", True, True),
        ('  description = "no ingress { here"\n', False, False),
        ("  tags = { a = aws_x.ingress.id }\n", False, False),
    ],
)
def test_a_block_an_attribute_and_a_dynamic_block_are_seen(
    tmp_path: Path, body: str, ingress: bool, egress: bool
) -> None:
    (tmp_path / "main.tf").write_text(group(body))
    found = read_inline_blocks(tmp_path, TYPES)
    assert (found.written((), WEB, "ingress"), found.written((), WEB, "egress")) == (ingress, egress)


def test_an_override_adds_to_what_the_resource_writes(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(group(""))
    (tmp_path / "override.tf").write_text(group("  egress = []\n"))
    assert read_inline_blocks(tmp_path, TYPES).written((), WEB, "egress")


@pytest.mark.parametrize("body", [{"ingress": []}, [{"name": "x", "dynamic": {"ingress": {"for_each": []}}}]])
def test_json_files_are_read_too(tmp_path: Path, body: object) -> None:
    document = {"resource": {"aws_security_group": {"web": body}}}
    (tmp_path / "main.tf.json").write_text(json.dumps(document))
    found = read_inline_blocks(tmp_path, TYPES)
    assert (found.written((), WEB, "ingress"), found.written((), WEB, "egress")) == (True, False)


def test_modules_are_found_where_init_laid_them(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('module "front" {\n  source = "acme/group/aws"\n}\n')
    inner = tmp_path / ".terraform/modules/front"
    inner.mkdir(parents=True)
    (inner / "main.tf").write_text(group("  egress = []\n"))
    listed = {"Modules": [{"Key": "", "Dir": "."}, {"Key": "front", "Dir": ".terraform/modules/front"}]}
    (tmp_path / ".terraform/modules/modules.json").write_text(json.dumps(listed))
    found = read_inline_blocks(tmp_path, TYPES)
    assert (found.written(("front",), WEB, "ingress"), found.written(("front",), WEB, "egress")) == (False, True)


@pytest.mark.parametrize("content", ["", "{not json", '{"Modules": [{"Key": "front"}]}'])
def test_of_a_module_that_is_not_there_anything_may_be(tmp_path: Path, content: str) -> None:
    (tmp_path / "main.tf").write_text('module "front" {\n  source = "acme/group/aws"\n}\n')
    (tmp_path / ".terraform/modules").mkdir(parents=True)
    (tmp_path / ".terraform/modules/modules.json").write_text(content)
    assert read_inline_blocks(tmp_path, TYPES).written(("front",), WEB, "ingress")


def test_of_a_resource_that_the_files_do_not_have_anything_may_be(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(group(""))
    assert read_inline_blocks(tmp_path, TYPES).written((), "aws_security_group.gone", "ingress")
