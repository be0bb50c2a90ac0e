"""The provisioners that a plan's JSON leaves out, found in the configuration that the plan file carries."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from runbook_lib.adapters.plan_config import local_references, removed_provisioners
from runbook_lib.errors import InputError

REMOVED = """
removed%s{
  from = terraform_data.gone["}"]
  lifecycle {
    destroy = true
  }
  provisioner "local-exec" {
    when    = destroy
    command = "echo gone"
  }
}
"""


def plan(**files: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"tfconfig/m-{name}", text)
    return file.getvalue()


@pytest.mark.parametrize("between", [" ", "", "  /* { */ ", "\t"])
def test_a_removed_block_s_provisioner_is_found_however_it_is_written(between: str) -> None:
    ((place, text),) = removed_provisioners(plan(**{"/main.tf": "# one\n" + REMOVED % between}))
    assert place == "main.tf, line 3"
    assert "echo gone" in text


def test_it_is_found_in_modules_and_in_json() -> None:
    block = {"from": "a.b", "provisioner": {"local-exec": {"when": "destroy", "command": "echo"}}}
    found = removed_provisioners(plan(**{"m.n/x.tf": REMOVED % " ", "/y.tf.json": json.dumps({"removed": [block]})}))
    assert [place for place, _ in found] == ["m.n/x.tf, line 2", "y.tf.json"]
    assert "echo" in found[1][1]


@pytest.mark.parametrize(
    "text",
    [
        '{"removed": {"provisioner": {"local-exec": {}}}, "removed": {"from": "a.b"}}',
        '\ufeff{"\\u0072emoved": {"provisione\\u0072": {"local-exec": {}}}}',
        '{"removed": {"provisioner": {"local-exec": {}}}',
    ],
)
def test_json_hides_none_behind_a_second_key_an_escape_or_a_mistake(text: str) -> None:
    assert len(removed_provisioners(plan(**{"/main.tf.json": text}))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "removed {\n  from = a.b\n}\n",
        'resource "a" "removed" {\n  provisioner "local-exec" {\n  }\n}\n',
        '# removed\nresource "a" "b" {\n  provisioner "local-exec" {\n  }\n}\n',
    ],
)
def test_what_the_plan_s_json_holds_and_blocks_without_one_are_not_named(text: str) -> None:
    assert removed_provisioners(plan(**{"/main.tf": text})) == ()


def test_what_is_no_plan_is_refused() -> None:
    with pytest.raises(InputError, match="can't be read"):
        removed_provisioners(b"no zip")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("aws_security_group.web.id", ("aws_security_group.web.id",)),
        ('aws_security_group.web["a.b"].id', ('aws_security_group.web["a.b"].id',)),
        ("aws_security_group.web[var.key].id", ("aws_security_group.web.id",)),
        ('concat(aws_sg.a.*.id, aws_sg.b[*].id, [""])[0]', ("aws_sg.a", "aws_sg.b")),
        ("var.made ? aws_sg.a[0].id : var.id", ("var.made", "aws_sg.a[0].id", "var.id")),
        ("{ for k, m in module.db : k => m.group_id }", ("module.db", "m.group_id")),
        ('module.db["a"].ids["z"]', ('module.db["a"].ids["z"]',)),
        ('{ a = { b = ["${local.c}-x", data.aws_vpc.v.id] } }', ("local.c", "data.aws_vpc.v.id")),
        ('"none"', ()),
    ],
)
def test_what_a_local_value_refers_to_is_read_from_the_plan_file(written: str, expected: tuple[str, ...]) -> None:
    found = local_references(plan(**{"/main.tf": f"locals {{\n  it = {written}\n}}\n"}))
    references = found[()]["it"]
    # Longer names come with what they begin with or without: the longest says it all.
    assert set(expected) <= set(references)
    assert all(any(one.startswith(name) for one in expected) for name in references), references


def test_local_values_are_told_by_module_and_an_override_has_the_last_word() -> None:
    found = local_references(
        plan(**{
            "/a_override.tf": "locals { x = aws_sg.b.id }",
            "/main.tf": "# locals\nlocals { x = aws_sg.a.id }",
            "a.b/x.tf.json": json.dumps({"locals": {"y": "${aws_sg.c.id}", "z": {"k": "${local.y}"}}}),
            "c/empty.tf": "",
        })
    )  # fmt: skip
    assert found == {(): {"x": ("aws_sg.b.id",)}, ("a", "b"): {"y": ("aws_sg.c.id",), "z": ("local.y",)}}


def test_local_values_that_cannot_be_read_are_not_there() -> None:
    assert local_references(plan(**{"/main.tf": "locals { x = ) }", "/x.tf.json": '"locals'})) == {(): {}}
