"""A plan's fingerprint: what must not change it, and what must."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.domain.fingerprint import fingerprint
from runbook_lib.errors import InputError

PLANS = sorted((Path(__file__).parents[2] / "fixtures" / "plans").glob("*.json"))


def change(address: str, *actions: str, **given: Any) -> dict[str, Any]:
    told = {"before": None, "after": {"cidr_ipv4": "0.0.0.0/0"}, "after_unknown": {"id": True}, **given}
    kind, name = address.split(".")[-2:]
    told["actions"] = list(actions)
    return {"address": address, "mode": "managed", "type": kind, "name": name, "change": told}


def plan() -> dict[str, Any]:
    still = change("aws_instance.a", "no-op", before={"tags": {}}, after={"tags": {}}, after_unknown={})
    runs = {"type": "local-exec", "expressions": {"command": {"constant_value": "true"}}}
    made: dict[str, Any] = {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "timestamp": "2026-11-27T17:00:00Z",
        "variables": {"region": {"value": "eu-west-1"}, "ticket": {"value": "C-1"}},
        "planned_values": {},
        "prior_state": {"values": {"serial": 1}},
        "resource_changes": [change("aws_rule.a", "create"), change("aws_rule.b", "create"), still],
        "output_changes": {"id": {"actions": ["create"], "before": None, "after_unknown": True}},
        "configuration": {
            "provider_config": {
                "aws": {"version_constraint": "~> 5.0", "expressions": {"region": {"references": ["var.region"]}}}
            },
            "root_module": {"resources": [{"type": "aws_rule", "name": "a", "provisioners": [runs]}]},
        },
    }
    return made


def _at(document: dict[str, Any], path: str) -> tuple[Any, Any]:
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    for part in parents:
        document = document[part]  # type: ignore[index]
    return document, last


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def edit(document: dict[str, Any]) -> None:
        holder, last = _at(document, path)
        holder[last] = value

    return edit


def edited(edit: Callable[[dict[str, Any]], Any]) -> str:
    other = copy.deepcopy(plan())
    edit(other)
    assert other != plan()
    return fingerprint(other)


SAME: dict[str, Callable[[dict[str, Any]], Any]] = {
    "order": lambda p: p["resource_changes"].reverse(),
    "time": put("timestamp", "2027-01-01T00:00:00Z"),
    "versions": put("terraform_version", "1.12.0"),
    "constraint": put("configuration/provider_config/aws/version_constraint", "~> 6.0"),
    "prior state": put("prior_state", {"values": {"serial": 2}}),
    "what stays": put("resource_changes/2/change", {"actions": ["no-op"], "before": {"a": 1}, "after": {"a": 1}}),
    "less stays": lambda p: p["resource_changes"].pop(),
    "an output that stays": put("output_changes/other", {"actions": ["no-op"], "before": 1, "after": 1}),
    "why": put("resource_changes/0/action_reason", "replace_by_request"),
    "sensitivity": put("resource_changes/0/change/after_sensitive", {"cidr_ipv4": True}),
    "another variable": put("variables/ticket/value", "C-2"),
    "a provider's only configuration": put("configuration/root_module/resources/0/provider_config_key", "aws"),
    "through which account something else stays": lambda p: p["configuration"]["root_module"]["resources"].append(
        {"type": "aws_instance", "name": "a", "provider_config_key": "aws.prod"}
    ),
    "drift elsewhere": put("resource_drift", [change("aws_instance.z", "update", before={"a": 1})]),
}
OTHER: dict[str, Callable[[dict[str, Any]], Any]] = {
    "address": put("resource_changes/0/address", "aws_rule.c"),
    "after": put("resource_changes/0/change/after", {"cidr_ipv4": "10.0.0.0/8"}),
    "before": put("resource_changes/0/change/before", {"cidr_ipv4": "10.0.0.0/8"}),
    "null for absent": put("resource_changes/0/change/after/description", None),
    "unknown": put("resource_changes/0/change/after_unknown", {"id": True, "arn": True}),
    "actions": put("resource_changes/0/change/actions", ["delete", "create"]),
    "order of a replacement": put("resource_changes/0/change/actions", ["create", "delete"]),
    "fewer": lambda p: p["resource_changes"].pop(0),
    "twice": lambda p: p["resource_changes"].append(p["resource_changes"][0]),
    "import": put("resource_changes/2/change/importing", {"id": "i-1"}),
    "move": put("resource_changes/2/previous_address", "aws_instance.b"),
    "deposed": put("resource_changes/0/deposed", "12345678"),
    "provider": put("resource_changes/0/provider_name", "example.com/x/aws"),
    "output": put("output_changes/id/after", "sg-1"),
    "another output": put("output_changes/other", {"actions": ["delete"], "before": 1, "after": None}),
    "a region": put("variables/region/value", "us-east-1"),
    "an account": put("configuration/provider_config/aws/expressions/profile", {"constant_value": "prod"}),
    "another account of two": put("configuration/root_module/resources/0/provider_config_key", "aws.prod"),
    "a module's own provider": put("configuration/root_module/resources/0/provider_config_key", "module.a:aws"),
    "what a provisioner runs": put(
        "configuration/root_module/resources/0/provisioners/0/expressions/command/constant_value", "false"
    ),
    "not the whole stack": put("complete", False),
    "an action": put("action_invocations", [{"address": "action.x.y", "type": "x", "name": "y"}]),
    "left for later": put(
        "deferred_changes", [{"reason": "provider_config_unknown", "resource_change": change("aws_rule.d", "create")}]
    ),
}


@pytest.mark.parametrize("edit", SAME.values(), ids=SAME)
def test_what_does_not_change_the_effect_does_not_change_the_fingerprint(edit: Callable[[dict[str, Any]], Any]) -> None:
    assert edited(edit) == fingerprint(plan())


@pytest.mark.parametrize("edit", OTHER.values(), ids=OTHER)
def test_what_changes_the_effect_changes_the_fingerprint(edit: Callable[[dict[str, Any]], Any]) -> None:
    assert edited(edit) != fingerprint(plan())


def test_no_two_of_the_other_effects_have_the_same_fingerprint() -> None:
    assert len({edited(edit) for edit in OTHER.values()}) == len(OTHER)


def test_what_is_looked_up_or_left_for_later_through_another_account_is_another_effect() -> None:
    def through(key: str) -> str:
        looked_up = change("data.aws_ami.a", "read") | {"mode": "data"}
        later = {"reason": "absent_prerequisite", "resource_change": change("aws_rule.d", "create")}
        written = [{"mode": "data", "type": "aws_ami", "name": "a", "provider_config_key": key},
                   {"mode": "managed", "type": "aws_rule", "name": "d", "provider_config_key": key}]  # fmt: skip
        return fingerprint(
            plan()
            | {"resource_changes": [looked_up], "deferred_changes": [later]}
            | {"configuration": {"root_module": {"resources": written}}}
        )

    assert len({through(key) for key in ("aws", "aws.dev", "aws.prod")}) == 3


UNTOLD: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a value of words that the plan lacks": lambda p: p["resource_changes"][0]["change"]["after_unknown"].update(
        cidr_ipv4=True
    ),
    "a part of one": lambda p: p["resource_changes"][0]["change"]["after_unknown"].update(
        cidr_ipv4=[{"ip": False}, {"ip": True}]
    ),
    "a provider by a local value": put(
        "configuration/provider_config/aws/expressions/assume_role", [{"role_arn": {"references": ["local.role"]}}]
    ),
    "a module's provider by its own variable": put("configuration/provider_config/aws/module_address", "module.a"),
    "an action's value": put("action_invocations", [{"address": "action.x.y", "config_unknown": {"to": True}}]),
}


@pytest.mark.parametrize("edit", UNTOLD.values(), ids=UNTOLD)
def test_what_the_plan_does_not_hold_the_words_of_is_the_same_where_all_that_it_is_made_of_is(
    edit: Callable[[dict[str, Any]], Any],
) -> None:
    planned = plan()
    written = {"cidr_ipv4": {"references": ["aws_eip.a.public_ip", "aws_eip.a", "local.suffix"]}}
    planned["configuration"]["root_module"]["resources"][0]["expressions"] = written
    files = {"terraform/access/main.tf": "1" * 64}
    # Where all is told, nothing else counts.
    assert fingerprint(planned, files) == fingerprint(planned)
    edit(planned)
    found = fingerprint(planned, files)
    assert fingerprint(copy.deepcopy(planned), dict(files)) == found
    assert fingerprint(planned, {"terraform/access/main.tf": "2" * 64}) != found
    assert fingerprint(planned | {"variables": planned["variables"] | {"suffix": {"value": "/0"}}}, files) != found
    looked_up = {"values": {"root_module": {"resources": [{"address": "data.x.y", "values": {"id": "/0"}}]}}}
    assert fingerprint(planned | {"prior_state": looked_up}, files) != found
    # Who made it, and when, is none of it.
    assert fingerprint(planned | {"timestamp": "2027-01-01T00:00:00Z", "terraform_version": "1.12.0"}, files) == found


def test_what_a_provider_alone_tells_after_apply_makes_nothing_else_count() -> None:
    computed = plan()
    computed["configuration"]["root_module"]["resources"][0]["expressions"] = {"cidr_ipv4": {"constant_value": "a"}}
    computed["resource_changes"][0]["change"]["after_unknown"] = {"id": True, "arn": True, "tags_all": {}}
    assert fingerprint(computed, {"main.tf": "1"}) == fingerprint(computed, {"main.tf": "2"})


def test_the_digest_is_of_the_same_document_in_every_version() -> None:
    # Whoever approved one that another version made has approved this one: what is digested otherwise is of another
    # schema.
    found = plan() | {
        "complete": False,
        "deferred_changes": [{"reason": "absent_prerequisite", "resource_change": change("aws_rule.d", "create")}],
        "action_invocations": [{"address": "action.x.y"}, {"address": "action.x.a"}],
        "deferred_action_invocations": [{"reason": "deferred_prerequisite"}],
    }
    found["resource_changes"].reverse()
    found["resource_changes"][1] |= {"deposed": "12345678", "previous_address": None, "provider_name": "aws"}
    found["output_changes"]["id"]["after_sensitive"] = True

    def told(name: str) -> dict[str, Any]:
        does = {"before": None, "after": {"cidr_ipv4": "0.0.0.0/0"}, "after_unknown": {"id": True}}
        names = {"address": f"aws_rule.{name}", "mode": "managed", "name": name, "type": "aws_rule"}
        return names | {"change": does | {"actions": ["create"]}}

    document = {
        "schema": "runbook/fingerprint/v1",
        "complete": False,
        "changes": [told("a"), told("b") | {"deposed": "12345678", "provider_name": "aws"}],
        "deferred": [{"reason": "absent_prerequisite"} | told("d")],
        "actions": [{"address": "action.x.a"}, {"address": "action.x.y"}],
        "deferred_actions": [{"reason": "deferred_prerequisite"}],
        "outputs": {"id": {"actions": ["create"], "before": None, "after_unknown": True}},
        "provisioners": [
            {
                "address": ["aws_rule.a"],
                "provisioners": [{"type": "local-exec", "expressions": {"command": {"constant_value": "true"}}}],
            }
        ],
        "providers": {
            "configured": {"aws": {"expressions": {"region": {"references": ["var.region"]}}}},
            "variables": {"region": {"value": "eu-west-1"}},
        },
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    assert fingerprint(found) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_real_plans_have_a_fingerprint_of_their_own_whatever_their_order(path: Path) -> None:
    document = json.loads(path.read_text())
    told = fingerprint(document)
    assert re.fullmatch(r"[0-9a-f]{64}", told)
    document["resource_changes"] = list(reversed(document.get("resource_changes") or []))
    assert fingerprint(json.loads(json.dumps(document, sort_keys=True))) == told


@pytest.mark.parametrize(
    "broken",
    [{}, {"format_version": "1.2"}, {**plan(), "resource_changes": [{"address": "a.b"}]}, {**plan(), "errored": True}],
)
def test_what_is_no_whole_plan_has_none(broken: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        fingerprint(broken)


def test_a_number_that_is_none_is_refused() -> None:
    other = plan()
    other["resource_changes"][0]["change"]["after"] = {"ports": float("nan")}
    with pytest.raises(InputError, match="can't be digested"):
        fingerprint(other)
