"""What is said of resources other than rules: all that Terraform wants to change, and what was changed outside."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.drift import compare, concluded
from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.resource_drift import drifted, failed_checks
from runbook_lib.models.base import Outcome
from runbook_lib.models.verification import Difference, DifferenceKind

RULE = "aws_vpc_security_group_ingress_rule"


def entry(address: str, actions: list[str], before: Any, after: Any, **more: Any) -> dict[str, Any]:
    kind, name = address.split(".")
    change = {"actions": actions, "before": before, "after": after, "after_unknown": more}
    return {"address": address, "mode": "managed", "type": kind, "name": name, "change": change}


def found(*changes: Any, drift: Any = (), told: Any = (), **more: Any) -> list[Difference]:
    document = {"format_version": "1.2", "resource_changes": list(changes), "resource_drift": list(drift), **more}
    return list(drifted(parse_plan(document), told))


def test_where_terraform_wants_nothing_and_nothing_was_changed_there_is_nothing_to_say() -> None:
    same = {"name": "a"}
    assert found(entry("aws_instance.web", ["no-op"], same, same)) == []


@pytest.mark.parametrize(
    ("actions", "before", "after", "unknown", "fields"),
    [
        (["update"], {"a": 1, "b": 2}, {"a": 1, "b": 3}, {}, {"b": {"aws": 2, "repository": 3}}),
        (["update"], {"a": 1}, {}, {"a": True}, {"a": {"aws": 1, "repository": "known after apply"}}),
        (["create"], None, {"a": 1}, {}, {"": {"aws": "none", "repository": "there"}}),
        (["delete"], {"a": 1}, None, {}, {"": {"aws": "there", "repository": "none"}}),
        (["delete", "create"], {"a": 1}, {"a": 2}, {}, {"a": {"aws": 1, "repository": 2}}),
        (["forget"], {"a": 1}, None, {}, {"": {"aws": "there", "repository": "none"}}),
    ],
)
def test_whatever_terraform_wants_to_change_is_named_by_address_and_attribute(
    actions: list[str], before: Any, after: Any, unknown: dict[str, bool], fields: dict[str, Any]
) -> None:
    (difference,) = found(entry("aws_instance.web", actions, before, after, **unknown))
    assert (difference.kind, difference.address, difference.wanted) == (
        DifferenceKind.DRIFTED,
        "aws_instance.web",
        True,
    )
    assert (difference.action, difference.fields) == ("+".join(actions), fields)


def test_what_was_changed_outside_and_the_repository_says_nothing_of_is_told_and_wanted_by_nobody() -> None:
    (difference,) = found(drift=[entry("aws_instance.web", ["update"], {"state": "running"}, {"state": "stopped"})])
    assert (difference.action, difference.wanted) == ("changed outside", False)
    assert difference.fields == {"state": {"state": "running", "aws": "stopped"}}
    (difference,) = found(drift=[entry("aws_instance.web", ["delete"], {"a": 1}, None)])
    assert difference.action == "deleted outside"


@pytest.mark.parametrize("empty", [{}, [], ""], ids=repr)
def test_nothing_and_something_empty_are_the_same(empty: Any) -> None:
    assert found(drift=[entry("aws_instance.web", ["update"], {"tags": None}, {"tags": empty})]) == []
    (difference,) = found(
        drift=[entry("aws_instance.web", ["update"], {"n": 0, "tags": None}, {"n": 1, "tags": empty})]
    )
    assert list(difference.fields) == ["n"]
    assert len(found(drift=[entry("aws_instance.web", ["update"], {"monitoring": None}, {"monitoring": False})])) == 1


def test_a_group_that_is_told_to_be_gone_is_not_told_to_be_made_again() -> None:
    change = entry("aws_security_group.bare", ["create"], None, {"name": "bare"})
    drift = [entry("aws_security_group.bare", ["delete"], {"id": "sg-1", "name": "bare"}, None)]
    assert found(change, drift=drift, told=["sg-1"]) == []
    assert len(found(change, drift=drift, told=["sg-2"])) == 1


def test_a_prefix_list_s_entries_are_told_once() -> None:
    before, after = {"id": "pl-1", "entry": [], "version": 1}, {"id": "pl-1", "entry": [{"cidr": "::/0"}], "version": 2}
    drift = [entry("aws_ec2_managed_prefix_list.x", ["update"], before, after)]
    assert found(drift=drift, told=["pl-1"]) == []
    assert len(found(drift=drift, told=["pl-2"])) == 1


def test_what_terraform_puts_right_again_is_told_once() -> None:
    change = entry("aws_instance.web", ["update"], {"a": 2}, {"a": 1})
    drift = entry("aws_instance.web", ["update"], {"a": 1}, {"a": 2})
    (difference,) = found(change, drift=[drift])
    assert difference.fields == {"a": {"aws": 2, "repository": 1}}


def test_rules_that_a_group_s_resource_only_repeats_are_no_drift_and_its_tags_are() -> None:
    before, after = {"ingress": [], "tags": {}}, {"ingress": [{"from_port": 80}], "tags": {}}
    assert found(drift=[entry("aws_security_group.web", ["update"], before, after)]) == []
    changed = after | {"tags": {"Owner": "nobody"}}
    (difference,) = found(drift=[entry("aws_security_group.web", ["update"], before, changed)])
    assert list(difference.fields) == ["tags"]


def test_a_rule_is_told_as_a_rule_and_a_change_of_it_that_no_rule_shows_all_the_same() -> None:
    change = entry(f"{RULE}.web", ["update"], {"tags": {}}, {"tags": {"a": "b"}})
    assert found(change, told=[f"{RULE}.web"]) == []
    (difference,) = found(change)
    assert difference.fields == {"tags": {"aws": {}, "repository": {"a": "b"}}}
    inline = entry("aws_security_group.web", ["update"], {"ingress": []}, {"ingress": [{"from_port": 22}]})
    assert found(inline, told=["aws_security_group.web"]) == []
    assert len(found(inline)) == 1
    # A rule that only AWS has is in no resource of the repository, but in a group.
    inside = {"id": "sg-1", "ingress": [{"from_port": 22}]}
    assert found(entry("aws_security_group.web", ["update"], inside, {**inside, "ingress": []}), told=["sg-1"]) == []
    # What was changed in a rule outside of Terraform is found by asking AWS; its tags, which nothing else tells, here.
    before, after = {"from_port": 80, "tags": {"Owner": "web"}}, {"from_port": 81, "tags": {"Owner": "nobody"}}
    assert found(drift=[entry(f"{RULE}.web", ["update"], before, before | {"from_port": 81})]) == []
    (difference,) = found(drift=[entry(f"{RULE}.web", ["update"], before, after)])
    assert list(difference.fields) == ["tags"]


def test_a_rule_that_somebody_made_anew_with_the_same_content_opens_nothing_and_apply_would_fail_at_it() -> None:
    change = entry(f"{RULE}.web", ["create"], None, {"from_port": 80})
    document = {"format_version": "1.2", "resource_changes": [change]}
    (difference,) = drifted(parse_plan(document), (), {f"{RULE}.web": "sgr-2"})
    assert (difference.same_access, difference.blocks, difference.wanted) == (True, False, True)
    assert f'{{"import": [{{"to": "{RULE}.web", "id": "sgr-2"}}]}} in imports.tf.json.' in difference.hint
    (difference,) = drifted(parse_plan(document), (), {f"{RULE}.other": "sgr-2"})
    assert difference.blocks


def test_data_that_is_read_and_resources_that_only_move_are_nothing_to_do() -> None:
    moved = {**entry("aws_instance.web", ["no-op"], {"a": 1}, {"a": 1}), "previous_address": "aws_instance.old"}
    data = {**entry("aws_ami.this", ["read"], None, {"a": 1}), "mode": "data", "address": "data.aws_ami.this"}
    assert found(moved, data) == []


def test_an_output_that_changes_is_something_that_terraform_wants() -> None:
    (difference,) = found(output_changes={"url": {"actions": ["update"]}, "same": {"actions": ["no-op"]}})
    assert (difference.address, difference.wanted) == ("output.url", True)


def test_checks_that_do_not_hold_or_are_not_known_to_are_told() -> None:
    checks = [
        {"address": {"to_display": "check.health"}, "status": "fail",
         "instances": [{"problems": [{"message": "It is down."}]}]},
        {"address": {"to_display": "check.fine"}, "status": "pass"},
        {"address": {"to_display": "aws_instance.web"}, "status": "unknown"},
        "no check at all",
    ]  # fmt: skip
    plan = parse_plan({"format_version": "1.2", "resource_changes": [], "checks": checks})
    assert list(failed_checks(plan)) == [
        "check.health: fail: It is down.",
        "aws_instance.web: unknown",
        "a check: unknown",
    ]


@pytest.mark.parametrize(("wanted", "outcome"), [(True, Outcome.BLOCKED), (False, Outcome.WARNED)])
def test_what_terraform_wants_blocks_and_what_it_merely_saw_warns(wanted: bool, outcome: Outcome) -> None:
    nothing = compare((), (), ())
    entry_of = entry("aws_instance.a", ["update"], {"a": 1}, {"a": 2})
    differences = found(entry_of) if wanted else found(drift=[entry_of])
    assert concluded(nothing, differences).outcome is outcome
    assert concluded(nothing, [], []).outcome is Outcome.PASSED
    assert concluded(nothing, [], ["check.a: fail"]).outcome is Outcome.WARNED
