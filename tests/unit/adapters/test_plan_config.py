"""The provisioners that a plan's JSON leaves out, found in the configuration that the plan file carries."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from runbook_lib.adapters.plan_config import removed_provisioners
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
