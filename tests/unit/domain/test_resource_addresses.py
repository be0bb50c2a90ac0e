"""Terraform's addresses and references, taken apart at the dots that are no part of a key."""

from __future__ import annotations

import pytest

from runbook_lib.domain.rules.addresses import parse_address, split_reference


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", [("a", "")]),
        ("aws_vpc.main.id", [("aws_vpc", ""), ("main", ""), ("id", "")]),
        ("aws_vpc.main[0].id", [("aws_vpc", ""), ("main", "[0]"), ("id", "")]),
        ('a.b["c.d"]', [("a", ""), ("b", '["c.d"]')]),
        ('a.b["c]d"].e', [("a", ""), ("b", '["c]d"]'), ("e", "")]),
        ('a.b["c[d"].e', [("a", ""), ("b", '["c[d"]'), ("e", "")]),
        (r'a.b["c\"].d"].e', [("a", ""), ("b", r'["c\"].d"]'), ("e", "")]),
        (r'a.b["c\\"].d', [("a", ""), ("b", r'["c\\"]'), ("d", "")]),
        ('a.b[c["d.e"]].f', [("a", ""), ("b", '[c["d.e"]]'), ("f", "")]),
        ("a.b[each.key].c", [("a", ""), ("b", "[each.key]"), ("c", "")]),
        ('a"b.c[0]', [('a"b', ""), ("c", "[0]")]),
    ],
)
def test_a_reference_has_parts_and_keys(text: str, parts: list[tuple[str, str]]) -> None:
    assert split_reference(text) == parts


@pytest.mark.parametrize(
    ("address", "modules", "base", "key"),
    [
        ("aws_vpc.main", (), "aws_vpc.main", ""),
        ('aws_vpc.main["a.b"]', (), "aws_vpc.main", '["a.b"]'),
        ("data.aws_vpc.main[0]", (), "data.aws_vpc.main", "[0]"),
        ("module.a.aws_vpc.main", (("a", ""),), "aws_vpc.main", ""),
        ('module.a["x.y"].module.b[0].aws_vpc.main[1]', (("a", '["x.y"]'), ("b", "[0]")), "aws_vpc.main", "[1]"),
        ("module.a.data.aws_vpc.main", (("a", ""),), "data.aws_vpc.main", ""),
        ("module.a", (), "module.a", ""),
        ("aws_vpc.module", (), "aws_vpc.module", ""),
    ],
)
def test_an_address_has_modules_a_base_and_a_key(
    address: str, modules: tuple[tuple[str, str], ...], base: str, key: str
) -> None:
    found = parse_address(address)
    assert (found.modules, found.base, found.key) == (modules, base, key)
    assert found.path == tuple(name for name, _ in modules)
