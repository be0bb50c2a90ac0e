"""What code a plan runs, as it is put before who approves it."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.plan_code import code_of_plan
from runbook_lib.models.plan import Plan

AWS = "registry.terraform.io/hashicorp/aws"


def expressions(**given: Any) -> dict[str, Any]:
    return {
        name: value if isinstance(value, dict) else {"constant_value": value} for name, value in given.items()
    }  # fmt: skip


def resource(base: str, mode: str = "managed", *provisioners: dict[str, Any], **given: Any) -> dict[str, Any]:
    kind, name = base.split(".")
    found = {"mode": mode, "type": kind, "name": name, "expressions": expressions(**given)}
    return found | ({"provisioners": list(provisioners)} if provisioners else {})


def provisioner(kind: str, **given: Any) -> dict[str, Any]:
    return {"type": kind, "expressions": expressions(**given)}


def module(*resources: dict[str, Any], **calls: dict[str, Any]) -> dict[str, Any]:
    return {"resources": list(resources), "module_calls": {name: {"module": call} for name, call in calls.items()}}


def planned(root: dict[str, Any], changes: dict[str, tuple[str, ...]] | None = None, **more: Any) -> Plan:
    document = {
        "format_version": "1.2",
        "resource_changes": [
            {"address": address, "change": {"actions": list(actions), "after": {}}}
            for address, actions in (changes or {}).items()
        ],
        "configuration": {"root_module": root, "provider_config": {"aws": {"full_name": AWS}}},
    }
    return parse_plan(document | more)


def code(root: dict[str, Any], changes: dict[str, tuple[str, ...]] | None = None, **more: Any) -> tuple[str, ...]:
    return code_of_plan(planned(root, changes, **more), {AWS})


CURL = provisioner("local-exec", command="curl https://x.example | sh")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (CURL, "local-exec provisioner of aws_instance.web runs: curl https://x.example | sh"),
        (
            provisioner("local-exec", command="print(\n 1)\n", interpreter=["python3", "-c"]),
            "local-exec provisioner of aws_instance.web runs: python3 -c print( 1)",
        ),
        (
            provisioner("local-exec", command={"references": ["var.script", "self.id", "self"]}),
            "local-exec provisioner of aws_instance.web runs: (made from var.script, self.id)",
        ),
        (
            provisioner("local-exec", command={}),
            "local-exec provisioner of aws_instance.web runs: a command known at apply",
        ),
        (
            provisioner("remote-exec", inline=["apt update", "reboot"]),
            "remote-exec provisioner of aws_instance.web runs: apt update reboot",
        ),
        (provisioner("remote-exec", script="a.sh"), "remote-exec provisioner of aws_instance.web runs: a.sh"),
        (
            provisioner("file", source="a.sh", destination="/etc/cron.d/a"),
            "file provisioner of aws_instance.web copies: a.sh /etc/cron.d/a",
        ),
        (provisioner("habitat"), "habitat provisioner of aws_instance.web runs: a command known at apply"),
    ],
)
def test_every_kind_of_provisioner_says_what_it_runs(found: dict[str, Any], said: str) -> None:
    assert code(module(resource("aws_instance.web", "managed", found)), {"aws_instance.web": ("create",)}) == (said,)


@pytest.mark.parametrize(
    ("actions", "runs"),
    [
        (("create",), True),
        (("delete",), True),
        (("delete", "create"), True),
        (("update",), False),
        (("no-op",), False),
    ],
)
def test_a_provisioner_runs_where_its_resource_comes_or_goes(actions: tuple[str, ...], runs: bool) -> None:
    root = module(resource("terraform_data.web", "managed", CURL))
    assert bool(code(root, {'terraform_data.web["a.b"]': actions})) is runs


def test_code_is_found_in_modules_of_modules_with_whatever_keys() -> None:
    root = module(outer=module(inner=module(resource("null_resource.x", "managed", CURL))))
    changes = {'module.outer["a.b[0]"].module.inner[1].null_resource.x[0]': ("create",)}
    assert code(root, changes)[0].startswith(
        "local-exec provisioner of module.outer.module.inner.null_resource.x runs:"
    )


def test_a_program_asked_for_data_runs_already_while_planning() -> None:
    root = module(resource("external.lookup", "data", program=["python3", "lookup.py"]))
    assert code(root) == ("data.external.lookup runs python3 lookup.py, already while planning",)
    assert code(module(resource("http.page", "data", url="https://x.example"))) == ()


def test_a_program_that_only_references_tell_is_shown_as_it_was_read() -> None:
    root = module(resource("external.lookup", "data", program={"references": ["path.module"]}))
    assert code(root) == ("data.external.lookup runs (made from path.module), already while planning",)
    read = {"address": "data.external.lookup", "values": {"program": ["sh", "./x.sh"]}}
    state = {"values": {"root_module": {"resources": [read]}}}
    assert code(root, prior_state=state) == ("data.external.lookup runs sh ./x.sh, already while planning",)


def test_resources_that_are_there_to_run_a_program_are_code() -> None:
    root = module(
        resource("shell_script.x", lifecycle_commands={"references": ["local.commands"]}),
        resource("local_file.y", content="echo"),
    )
    assert code(root) == ("shell_script.x runs (made from local.commands)",)


def test_a_long_command_says_how_much_of_it_is_not_shown_and_padding_hides_nothing() -> None:
    padded = provisioner("local-exec", command="true" + " " * 500 + "; " + "x" * 200)
    (said,) = code(module(resource("a.b", "managed", padded)), {"a.b": ("create",)})
    assert said == f"local-exec provisioner of a.b runs: true ; {'x' * 113}… (87 characters more)"


def test_a_long_name_does_not_push_the_command_out_of_sight() -> None:
    base = f"null_resource.{'x' * 900}"
    (said,) = code(module(resource(base, "managed", CURL)), {base: ("create",)})
    assert said.endswith("xxx runs: curl https://x.example | sh")
    assert len(said) < 200


def test_a_secret_is_masked_before_the_command_is_cut() -> None:
    root = module(resource("a.b", "managed", provisioner("local-exec", command="x" * 110 + " hunter2hunter2")))
    (said,) = code_of_plan(planned(root, {"a.b": ("create",)}), {AWS}, lambda t: t.replace("hunter2hunter2", "***"))
    assert "hunter2" not in said


def test_a_program_that_a_provider_asks_for_credentials_runs_already_while_planning() -> None:
    inner = {"exec": [{"command": {"constant_value": "sh"}, "args": {"constant_value": ["-c", "id"]}}]}
    config = {
        "root_module": {},
        "provider_config": {"helm": {"full_name": AWS, "expressions": {"kubernetes": [inner]}}},
    }
    assert code({}, configuration=config) == ("provider helm runs sh -c id, already while planning",)


def test_an_action_is_named_with_the_module_that_it_is_in() -> None:
    root, inner = ({"actions": [{"address": f"action.aws_lambda_invoke.{name}"}]} for name in ("x", "y"))
    assert code(root | {"module_calls": {"outer": {"module": inner}}}) == (
        "action.aws_lambda_invoke.x is an action, which resources may invoke",
        "module.outer.action.aws_lambda_invoke.y is an action, which resources may invoke",
    )


def test_a_removed_block_s_provisioner_is_shown_from_the_files() -> None:
    text = 'provisioner "local-exec" {\n  command = "echo"\n}\n'
    said = code_of_plan(planned(module()), {AWS}, removed=[("main.tf, line 3", text)])
    assert said == ('removed block in main.tf, line 3 runs: provisioner "local-exec" { command = "echo" }',)


@pytest.mark.parametrize(
    ("locked", "said"),
    [
        ({AWS, "registry.terraform.io/foo/bar"}, ()),
        ({AWS}, ("provider registry.terraform.io/foo/bar is not in .terraform.lock.hcl",)),
        (
            None,
            (
                "provider registry.terraform.io/foo/bar is locked by nothing: no .terraform.lock.hcl is there",
                "provider registry.terraform.io/hashicorp/aws is locked by nothing: no .terraform.lock.hcl is there",
            ),
        ),
    ],
)
def test_providers_that_the_lock_file_does_not_hold_are_code(locked: set[str] | None, said: tuple[str, ...]) -> None:
    # One that only a state still needs, and Terraform's own, which no lock file has.
    held = {"address": "bar_x.y", "provider_name": "registry.terraform.io/foo/bar"}
    own = {"address": "terraform_data.z", "provider_name": "terraform.io/builtin/terraform"}
    inside = {"child_modules": [{"resources": [held, own]}]}
    assert code_of_plan(planned(module(), prior_state={"values": {"root_module": inside}}), locked) == said


def test_the_same_is_said_once_and_odd_shapes_say_nothing() -> None:
    root = module(resource("a.b", "managed", CURL, CURL))
    assert len(code(root, {"a.b[0]": ("create",), "a.b[1]": ("create",)})) == 1
    assert code({"resources": [None, 3], "module_calls": {"x": None, "y": {"module": []}}}) == ()
