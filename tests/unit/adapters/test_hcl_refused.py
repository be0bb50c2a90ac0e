"""`try` and `can` go on only where Terraform refuses for certain, and stay only where it takes everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runbook_lib.adapters.hcl import read_hcl
from runbook_lib.models.base import UNKNOWN

VARIABLES = """
variable "rule" {
  default = { port = 22, note = null, nets = ["10.0.0.0/8"] }
}
variable "unset" {}
"""


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('try(coalesce(null, ""), 22)', 22),
        ("try(coalesce([]...), 22)", 22),
        ("try(coalesce(null, var.unset), 22)", UNKNOWN),
        ("try(var.rule.port, 443)", 22),
        ("try(var.rule.to_port, var.rule.port)", 22),
        ("try(var.rule.note, 1)", None),
        ("try(var.rule.note.more, 1)", 1),
        ("try(var.rule.nets[0], 1)", "10.0.0.0/8"),
        ("try(var.rule.nets[1], 1)", 1),
        ("try(var.unset.port, 443)", UNKNOWN),
        ("try(data.aws_x.y.z, 443)", UNKNOWN),
        ("try({ a = var.unset.x, b = 1 }.b, 2)", UNKNOWN),
        ("try(true || var.unset, false)", UNKNOWN),
        ("try(tobool(0), var.rule.port)", UNKNOWN),
        ("try(true ? 1 : coalesce(null), 2)", UNKNOWN),
        ('true ? "a" : coalesce(null)', "a"),
        ("try(var.rule.to_port, var.rule.a, coalesce(null))", UNKNOWN),
        ("can(var.rule.to_port)", False),
        ("can(var.rule.port)", True),
        ("can(var.unset)", UNKNOWN),
        ("coalesce(null)", UNKNOWN),
        ('"${coalesce(null)}"', UNKNOWN),
        ("[for r in [var.rule] : try(r.to_port, r.port)]", [22]),
    ],
)
def test_fallback_is_taken_only_where_that_is_certain(tmp_path: Path, expression: str, value: Any) -> None:
    (tmp_path / "main.tf").write_text(f'{VARIABLES}\nresource "aws_x" "x" {{\n  v = {expression}\n}}\n')
    (resource,) = read_hcl(tmp_path).resources
    assert resource.values["v"] == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('true ? [{ port = 22, net = "a" }] : []', [{"port": 22, "net": "a"}]),
        ('true ? { a = { port = 22, net = "a" } } : {}', {"a": {"port": 22, "net": "a"}}),
        ("true ? [1] : var.unset", UNKNOWN),
        ('true ? ["a"] : var.unset', ["a"]),
        ('true ? { a = 1 } : { b = "x" }', UNKNOWN),
        ('tomap({ a = { b = 1 }, c = { d = "x" } })', UNKNOWN),
        ('tolist([[1], ["a"]])', UNKNOWN),
        ("tolist([[1], [2, 3]])", [[1], [2, 3]]),
    ],
)
def test_collections_that_terraform_would_convert_are_unknown(tmp_path: Path, expression: str, value: Any) -> None:
    (tmp_path / "main.tf").write_text(f'{VARIABLES}\nresource "aws_x" "x" {{\n  v = {expression}\n}}\n')
    (resource,) = read_hcl(tmp_path).resources
    assert resource.values["v"] == value
