"""What is not certain in files is the same as before only where it is written alike, with all that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook_lib.adapters.hcl import read_hcl

RULE = 'resource "aws_vpc_security_group_ingress_rule" "r" {{\n  description = "{0}"\n  cidr_ipv4 = {1}\n}}\n'
MODULE = 'module "m" {{\n  source = "./m"\n  network = {0}\n}}\n'
INNER = 'variable "network" {{}}\noutput "x" {{\n  value = {1}\n}}\n' + RULE.format("x", "var.network").replace(
    "{", "{{"
).replace("}", "}}")


def written(folder: Path, text: str, **files: str) -> list[str]:
    folder.mkdir(parents=True)
    for name, content in {"main": text, **files}.items():
        path = folder / f"{name.replace('__', '/')}.tf"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return [resource.written for resource in read_hcl(folder, base=folder).resources]


@pytest.mark.parametrize(
    ("before", "after", "alike"),
    [
        pytest.param(RULE.format("x", "var.a"), RULE.format("x", "var.a"), True, id="the same"),
        pytest.param(RULE.format("x", "var.a"), RULE.format("y", "var.a"), True, id="what is certain differs"),
        pytest.param(RULE.format("x", "var.a"), RULE.format("x", "( var.a )"), True, id="other spaces"),
        pytest.param(RULE.format("x", "var.a"), RULE.format("x", "var.b"), False, id="another name"),
        pytest.param(RULE.format("x", "local.a") + "locals {\n  a = var.a\n}\n",
                     RULE.format("x", "local.a") + "locals {\n  a = var.b\n}\n", False, id="a local value"),
        pytest.param(RULE.format("x", "local.a[0]") + "locals {\n  a = [var.a]\n  c = var.a\n}\n",
                     RULE.format("x", "local.a[0]") + "locals {\n  a = [var.a]\n  c = var.b\n}\n", True,
                     id="a local value that it does not name"),
        pytest.param(RULE.format("x", "data.http.a.body") + 'data "http" "a" {\n  url = "https://a"\n}\n',
                     RULE.format("x", "data.http.a.body") + 'data "http" "a" {\n  url = "https://b"\n}\n', False,
                     id="what is looked up"),
        pytest.param(RULE.format("x", "local.a") + "locals {\n  a = local.b\n  b = local.a\n}\n",
                     RULE.format("x", "local.a") + "locals {\n  a = local.b\n  b = local.a\n}\n", True, id="a circle"),
        pytest.param(RULE.format("x", '"10.0.0.0/8"'), RULE.format("x", '"0.0.0.0/0"'), True, id="all is certain"),
    ],
)  # fmt: skip
def test_what_is_written_otherwise_is_told_apart(tmp_path: Path, before: str, after: str, alike: bool) -> None:
    assert (written(tmp_path / "a", before) == written(tmp_path / "b", after)) is alike


@pytest.mark.parametrize(
    ("given", "value", "alike"),
    [("var.a", "var.network", True), ("var.b", "var.network", False), ("var.a", "aws_eip.x.public_ip", False)],
)
def test_what_goes_into_a_module_and_comes_out_of_it_is_followed(
    tmp_path: Path, given: str, value: str, alike: bool
) -> None:
    outer = MODULE + RULE.format("x", "module.m.x").replace("{", "{{").replace("}", "}}")
    (out, _) = written(tmp_path / "a", outer.format("var.a"), m__main=INNER.format("", "var.network"))
    (other, _) = written(tmp_path / "b", outer.format(given), m__main=INNER.format("", value))
    assert (out == other) is alike


def test_what_is_given_to_a_module_that_is_not_there_is_followed(tmp_path: Path) -> None:
    outer = MODULE + RULE.format("x", "module.m.x").replace("{", "{{").replace("}", "}}")
    assert written(tmp_path / "a", outer.format("var.a")) != written(tmp_path / "b", outer.format("var.b"))


def test_where_all_is_certain_there_is_nothing_to_tell_apart(tmp_path: Path) -> None:
    assert written(tmp_path / "a", RULE.format("x", '"10.0.0.0/8"')) == [""]
