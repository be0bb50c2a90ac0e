"""What is read as a plan, and what is refused with a clear line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from compliance_samples import change, plan_of, values

from runbook_lib.domain.plan import parse_plan, refuse_incomplete, summarise, why_incomplete
from runbook_lib.errors import InputError

WHOLE = json.dumps(plan_of(change(["create"], None, values())))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no JSON, or cut short"),
        (WHOLE[: len(WHOLE) // 2], "cut short"),
        ("[]", "no JSON object but a list"),
        ("{}", "no format_version"),
        ('{"format_version": "2.0", "resource_changes": []}', "only 1.x is understood"),
        ('{"format_version": "0.2", "resource_changes": []}', "only 1.x is understood"),
        ('{"format_version": 1, "resource_changes": []}', "no format_version"),
        ('{"format_version": "1.0", "values": {}}', "a state, not a plan"),
        ('{"format_version": "1.0"}', "resource_changes is missing"),
        ('{"format_version": "1.2", "format_version": "1.2", "resource_changes": []}', "stands twice"),
        ('{"format_version": "1.2", "resource_changes": [], "x": NaN}', "NaN"),
        ('{"format_version": "1.2", "resource_changes": [], "x": 1e999}', "too large"),
        (
            '{"format_version": "1.2", "resource_changes": [], "x": ' + "[" * 100_000 + "]" * 100_000 + "}",
            "nested too deeply",
        ),
        ('{"format_version": "1.2", "resource_changes": {}}', "resource_changes is no list but an object"),
        ('{"format_version": "1.2", "resource_changes": [3]}', "resource_changes[0] is no object"),
        ('{"format_version": "1.2", "resource_changes": [{"address": "a.b"}]}', "has no change"),
        ('{"format_version": "1.2", "errored": true, "resource_changes": []}', "ended this plan with an error"),
        (json.dumps(plan_of(change(["explode"]))), "unknown actions"),
        ("PK\x03\x04", "is no JSON"),
    ],
)
def test_what_is_no_whole_plan_is_refused(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_plan(text)
    assert says in caught.value.message
    assert caught.value.remedy


def test_plan_file_itself_gets_the_hint_to_show_it() -> None:
    with pytest.raises(InputError) as caught:
        parse_plan("PK\x03\x04")
    assert "terraform show -json" in caught.value.remedy


def test_text_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(InputError, match="not UTF-8"):
        parse_plan(b"\xff\xfe{}")


def test_replacement_counts_as_create_and_delete() -> None:
    summary = summarise(parse_plan(plan_of(change(["delete", "create"], values(), values()))))
    assert (summary.create, summary.delete, summary.replace, summary.changes) == (1, 1, 1, 2)


def test_every_action_is_counted_and_its_addresses_are_named() -> None:
    kinds = (["create"], ["update"], ["delete"], ["forget"], ["create", "forget"], ["create", "delete"], ["no-op"])
    changes = [change(actions, values(), values(), address=f"a.{i}") for i, actions in enumerate(kinds)]
    summary = summarise(parse_plan(plan_of(*changes)))
    assert (summary.create, summary.update, summary.delete) == (3, 1, 2)
    assert (summary.replace, summary.forget, summary.import_, summary.move) == (1, 2, 0, 0)
    assert summary.addresses == {
        "create": ("a.0", "a.4"),
        "update": ("a.1",),
        "delete": ("a.2",),
        "forget": ("a.3", "a.4"),
        "replace": ("a.5",),
    }


def test_a_resource_that_is_imported_and_moved_is_named_under_all_that_happens() -> None:
    entry = change(["update"], values(), values(), address="a.new", previous_address="a.old")
    entry["change"]["importing"] = {"id": "sgr-1"}
    addresses = summarise(parse_plan(plan_of(entry))).addresses
    assert addresses == {"update": ("a.new",), "import": ("a.new",), "move": ("a.new",)}


def test_a_resource_that_stays_where_it_was_is_not_moved() -> None:
    entry = change(["update"], values(), values(), address="a.b", previous_address="a.b")
    assert summarise(parse_plan(plan_of(entry))).move == 0


@pytest.mark.parametrize(
    ("value", "kind"),
    [({}, "an object"), ("x", "text"), (True, "a boolean"), (3, "a number"), (1.5, "a number")],
)
def test_what_stands_in_a_list_s_place_is_named(value: object, kind: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_plan({"format_version": "1.2", "resource_changes": value})
    assert caught.value.message == f"the plan's resource_changes is no list but {kind}"


def test_move_and_import_are_counted_beside_what_else_happens() -> None:
    moved = change(["no-op"], values(), values(), previous_address="aws_vpc_security_group_ingress_rule.old")
    imported = change(["update"], values(), values())
    imported["change"]["importing"] = {"id": "sgr-1"}
    summary = summarise(parse_plan(plan_of(moved, imported)))
    assert (summary.move, summary.import_, summary.update) == (1, 1, 1)
    assert summary.addresses["move"] == ("aws_vpc_security_group_ingress_rule.rule",)


def test_data_sources_are_not_counted() -> None:
    read = change(["read"], None, {}, address="data.aws_vpc.main", type="aws_vpc", mode="data")
    assert summarise(parse_plan(plan_of(read))).changes == 0


def test_deferred_changes_are_changes() -> None:
    deferred = [{"reason": "resource_config_unknown", "resource_change": change(["create"], None, values())}]
    assert len(parse_plan(plan_of(deferred_changes=deferred)).changes) == 1


def test_the_key_that_stands_twice_is_the_one_that_is_named() -> None:
    with pytest.raises(InputError, match="the key 'b' stands twice"):
        parse_plan('{"a": 1, "b": 2, "b": 3}')


SHOW = "Write it with `terraform show -json PLANFILE`."
NEWER = "Use a newer version of this program."
PLACE = "the plan's resource_changes[0] (a.b)"


def whole(entry: object = None, **fields: object) -> dict[str, object]:
    """A plan of one change."""
    usual = {"address": "a.b", "change": {"actions": ["create"]}}
    entry = {**usual, **entry} if isinstance(entry, dict) else usual if entry is None else entry
    return {"format_version": "1.2", "resource_changes": [entry], **fields}


@pytest.mark.parametrize(
    ("document", "says", "remedy"),
    [
        (3, "the plan is no JSON object but a number", SHOW),
        (None, "the plan is no JSON object but null", SHOW),
        ({}, "the plan has no format_version, so it is not Terraform's plan JSON", SHOW),
        (
            whole(format_version="0.2"),
            "the plan's format_version is '0.2'; only 1.x is understood",
            "Use Terraform 1.1 or later.",
        ),
        (
            whole(format_version="2." + "0" * 30),
            f"the plan's format_version is '2.{'0' * 18}'; only 1.x is understood",
            NEWER,
        ),
        ({"format_version": "1.2", "values": {}}, "this is a state, not a plan", SHOW),
        ({"format_version": "1.2"}, "this is no plan: resource_changes is missing", SHOW),
        (
            {"format_version": "1.2", "planned_values": {"root_module": {"resources": [{}]}}},
            "the plan plans resources and holds no resource_changes, so it is not whole",
            SHOW,
        ),
        (
            {"format_version": "1.2", "planned_values": {"root_module": {"child_modules": [{}]}}},
            "the plan plans resources and holds no resource_changes, so it is not whole",
            SHOW,
        ),
        (
            whole(errored=True),
            "Terraform ended this plan with an error, so it is not whole",
            "Make the plan succeed first.",
        ),
        (whole(prior_state=[]), "the plan's prior_state is no object but a list", SHOW),
        (whole(planned_values="x"), "the plan's planned_values is no object but text", SHOW),
        (whole(configuration=True), "the plan's configuration is no object but a boolean", SHOW),
        (whole(variables=3), "the plan's variables is no object but a number", SHOW),
        (whole(terraform_version={}), "the plan's terraform_version is no text but an object", SHOW),
        (whole(deferred_changes={}), "the plan's deferred_changes is no list but an object", SHOW),
        (whole(deferred_changes=[None]), "the plan's deferred_changes[0] is no object but null", SHOW),
        (whole(deferred_changes=[{}]), "the plan's deferred_changes[0] is no object but null", SHOW),
        (whole([]), "the plan's resource_changes[0] is no object but a list", SHOW),
        (whole({"address": ""}), "the plan's resource_changes[0] has no address", SHOW),
        (whole({"address": 3}), "the plan's resource_changes[0] has no address", SHOW),
        (
            whole({"address": "a.b\n- c" + "d" * 100}),
            "the plan's resource_changes[0] has control characters in its address: 'a.b\\n- c" + "d" * 71,
            SHOW,
        ),
        (whole({"change": []}), f"{PLACE} has no change", SHOW),
        (whole({"change": {}}), f"{PLACE} has no list of actions", SHOW),
        (whole({"change": {"actions": ["create", 1]}}), f"{PLACE} has no list of actions", SHOW),
        (whole({"change": {"actions": ["melt"]}}), f"{PLACE} has the unknown actions ['melt']", NEWER),
        (whole({"mode": "odd"}), f"{PLACE} has the unknown mode 'odd'", SHOW),
        (whole({"type": 3}), f"{PLACE} type is no text but a number", SHOW),
        (whole({"name": []}), "the plan's name is no text but a list", SHOW),
        (whole({"deposed": 3}), "the plan's deposed is no text but a number", SHOW),
        (whole({"previous_address": 3}), "the plan's previous_address is no text but a number", SHOW),
        (
            whole({"change": {"actions": ["create"], "before": "x"}}),
            "the plan's resource_changes[0]: before is no object but text",
            SHOW,
        ),
        (
            whole({"change": {"actions": ["create"], "after": []}}),
            "the plan's resource_changes[0]: after is no object but a list",
            SHOW,
        ),
        (
            whole({"change": {"actions": ["create"], "after_unknown": True}}),
            "the plan's resource_changes[0]: after_unknown is no object but a boolean",
            SHOW,
        ),
    ],
)
def test_what_is_wrong_with_a_plan_is_told_by_its_place_with_what_to_do(
    document: object, says: str, remedy: str
) -> None:
    with pytest.raises(InputError) as caught:
        parse_plan(document)  # type: ignore[arg-type]
    assert (caught.value.message, caught.value.remedy) == (says, remedy)


def test_every_part_of_a_plan_is_read() -> None:
    parts = {name: {name: "x"} for name in ("prior_state", "planned_values", "configuration", "variables")}
    entry = {
        "address": "aws_vpc.new", "type": "aws_vpc", "name": "new", "mode": "managed", "deposed": "0badcafe",
        "previous_address": "aws_vpc.old",
        "change": {
            "actions": ["update"], "before": {"a": 1}, "after": {"a": 2}, "after_unknown": {"b": True},
            "importing": {"id": "vpc-1"},
        },
    }  # fmt: skip
    plan = parse_plan(whole(entry, terraform_version="1.9.8", **parts))
    assert plan.terraform_version == "1.9.8"
    assert {name: getattr(plan, name) for name in parts} == parts
    (found,) = plan.changes
    assert (found.address, found.type, found.name, found.mode) == ("aws_vpc.new", "aws_vpc", "new", "managed")
    assert (found.deposed, found.previous_address, found.importing) == ("0badcafe", "aws_vpc.old", True)
    assert (found.actions, found.before, found.after, found.after_unknown) == (
        ("update",), {"a": 1}, {"a": 2}, {"b": True},
    )  # fmt: skip


def test_what_a_plan_leaves_out_is_empty_and_not_missing() -> None:
    plan = parse_plan(whole({"change": {"actions": ["create"], "after_unknown": False}}))
    assert (plan.terraform_version, plan.prior_state, plan.planned_values) == ("", {}, {})
    assert (plan.configuration, plan.variables) == ({}, {})
    (found,) = plan.changes
    assert (found.name, found.deposed, found.previous_address, found.importing) == ("", "", "", False)
    assert (found.before, found.after, found.after_unknown) == (None, None, {})


def test_a_plan_of_nothing_need_not_say_that_nothing_changes() -> None:
    assert parse_plan({"format_version": "1.2", "planned_values": {"root_module": {}}}).changes == ()
    assert parse_plan({"format_version": "1.2", "planned_values": {}, "resource_changes": None}).changes == ()
    assert parse_plan(whole(errored=False)).changes != ()


@pytest.mark.parametrize(
    ("address", "kind", "mode"),
    [
        ("aws_vpc.main", "aws_vpc", "managed"),
        ('module.m["a.b"].aws_vpc.main[0]', "aws_vpc", "managed"),
        ("data.aws_vpc.main", "aws_vpc", "data"),
        ("module.m.data.aws_vpc.main", "aws_vpc", "data"),
        ("module.data.aws_vpc.main", "aws_vpc", "managed"),
        ("alone", "", "managed"),
    ],
)
def test_type_and_mode_are_told_by_the_address_where_the_plan_does_not_say_them(
    address: str, kind: str, mode: str
) -> None:
    (found,) = parse_plan(whole({"address": address})).changes
    assert (found.type, found.mode) == (kind, mode)


def test_what_the_plan_says_of_type_and_mode_counts_more_than_the_address() -> None:
    (found,) = parse_plan(whole({"type": "c", "mode": "ephemeral"})).changes
    assert (found.type, found.mode) == ("c", "ephemeral")


def test_the_summary_names_the_terraform_that_planned() -> None:
    assert summarise(parse_plan(whole(terraform_version="1.9.8"))).terraform_version == "1.9.8"


def test_outputs_that_change_are_something_to_apply() -> None:
    changes = {"a": {"actions": ["no-op"]}, "b": {"actions": ["update"]}, "c": {"actions": ["create"]}, "d": None}
    document = {"format_version": "1.2", "resource_changes": [], "output_changes": changes}
    found = summarise(parse_plan(document))
    assert (found.outputs, found.changes, found.empty) == (3, 0, False)
    assert summarise(parse_plan({**document, "output_changes": {"a": {"actions": ["no-op"]}}})).empty


def invoked(**fields: Any) -> dict[str, Any]:
    return {"address": "action.aws_lambda_invoke.warm", "type": "aws_lambda_invoke", "name": "warm"} | fields


def test_actions_that_run_are_something_to_apply_though_no_resource_changes() -> None:
    trigger = {"triggering_resource_address": "aws_vpc.v", "action_trigger_event": "AfterCreate"}
    actions = [invoked(lifecycle_action_trigger=trigger), invoked(invoke_action_trigger={})]
    plan = parse_plan({"format_version": "1.2", "planned_values": {}, "action_invocations": actions})
    assert [(aside.action, aside.address, aside.note) for aside in plan.asides] == [
        ("invoke", "action.aws_lambda_invoke.warm", "AfterCreate of aws_vpc.v"),
        ("invoke", "action.aws_lambda_invoke.warm", ""),
    ]
    found = summarise(plan)
    assert (found.invoke, found.empty, found.addresses["invoke"]) == (2, False, ("action.aws_lambda_invoke.warm",) * 2)


@pytest.mark.parametrize("entry", [None, {}, {"address": "a\nb"}, {"address": 3}])
def test_an_action_that_can_not_be_read_is_refused_by_its_place(entry: Any) -> None:
    with pytest.raises(InputError, match=r"action_invocations\[0\]"):
        parse_plan(whole(action_invocations=[entry]))


def test_what_is_left_for_a_later_plan_is_counted_as_that_and_the_plan_is_not_whole() -> None:
    later = {"reason": "provider_config_unknown", "resource_change": change(["create"], None, values(), address="a.b")}
    plan = parse_plan(plan_of(deferred_changes=[later]))
    found = summarise(plan)
    assert (found.create, found.defer, found.empty, found.addresses) == (0, 1, False, {"defer": ("a.b",)})
    with pytest.raises(InputError) as caught:
        refuse_incomplete(plan)
    assert caught.value.message == (
        "the plan is not of the whole stack: it leaves for later a.b (provider config unknown)"
    )


@pytest.mark.parametrize(("count", "more"), [(2, ""), (5, ""), (7, " and 2 more")])
def test_of_much_that_is_left_for_later_the_first_five_are_named_and_the_rest_counted(count: int, more: str) -> None:
    later = [
        {"reason": "absent_prereq", "resource_change": change(["create"], None, values(), address=f"a.n{number}")}
        for number in range(count)
    ]
    named = "it leaves for later " + ", ".join(f"a.n{number} (absent prereq)" for number in range(min(count, 5)))
    assert why_incomplete(parse_plan(plan_of(deferred_changes=later))) == named + more


@pytest.mark.parametrize(
    ("parts", "whole_stack"),
    [
        ({"complete": False}, False),
        ({"deferred_action_invocations": [{"reason": "unknown", "action_invocation": {}}]}, False),
        ({"complete": True}, True),
        ({}, True),
    ],
)
def test_a_plan_of_a_part_of_the_stack_is_refused(parts: dict[str, Any], whole_stack: bool) -> None:
    plan = parse_plan(plan_of(**parts))
    assert plan.complete is whole_stack
    if whole_stack:
        assert refuse_incomplete(plan) is plan
    else:
        with pytest.raises(InputError, match="it leaves resources or actions out, as -target does"):
            refuse_incomplete(plan)


def test_what_was_changed_outside_and_checks_that_do_not_hold_are_told() -> None:
    def outside(address: str, kind: str, before: Any, after: Any) -> dict[str, Any]:
        return change(["update" if after else "delete"], before, after, address=address, type=kind)

    drift = [
        outside("aws_instance.web", "aws_instance", {"size": 1}, {"size": 2}),
        outside("aws_eip.web", "aws_eip", {"id": "e"}, None),
        outside("aws_security_group.web", "aws_security_group", {"ingress": []}, {"ingress": [{}]}),
    ]
    checks = [
        {"address": {"to_display": f"check.{status}"}, "status": status, "instances": []}
        for status in ("pass", "unknown", "fail", "error")
    ]
    checks[2]["instances"] = [{"problems": [{"message": "down"}]}]
    found = summarise(parse_plan(plan_of(resource_drift=drift, checks=checks)))
    assert (found.drift, found.addresses) == (2, {"drift": ("aws_instance.web", "aws_eip.web")})
    assert found.checks == ("check.fail: fail: down", "check.error: error")
    assert found.empty


def test_rules_that_a_resource_takes_away_are_counted_by_their_ids() -> None:
    kind = "aws_vpc_security_group_rules_exclusive"
    before, after = (
        {"security_group_id": "sg-1", "ingress_rule_ids": ids, "egress_rule_ids": []}
        for ids in (["sgr-1", "sgr-2"], ["sgr-1"])
    )
    found = summarise(parse_plan(plan_of(change(["update"], before, after, address=f"{kind}.x", type=kind))))
    assert (found.update, found.remove, found.addresses["remove"]) == (1, 1, (f"{kind}.x: sgr-2",))


@pytest.mark.parametrize(
    ("change", "lessened"),
    [
        ({"before": {"a": 1, "b": 2}, "after": {"a": 1}}, True),
        ({"before": {"a": 1}, "after": {}}, True),
        ({"before": {"a": 1}, "after": {"a": 2}}, False),
        ({"before": {"a": 1}, "after": {"b": 1}}, False),
        ({"before": ["a", "b", "c"], "after": ["a", "c"]}, True),
        ({"before": ["a", "b"], "after": []}, True),
        ({"before": ["a", "b"], "after": ["b", "a"]}, False),
        ({"before": ["a"], "after": ["a", "a"]}, False),
        # What has another form afterwards has not merely lost entries.
        ({"before": {"a": 1}, "after": ["a"]}, False),
        ({"before": ["a"], "after": {"a": 1}}, False),
        ({"before": {"a": 1}, "after": None}, False),
        ({"before": "ab", "after": "a"}, False),
        ({"before": None, "after": None}, False),
        ({"before": {"a": 1}, "after": {}, "after_unknown": True}, False),
        ({"before": {"a": 1}, "after": {}, "actions": ["delete"]}, False),
        ({"before": {}, "after": {}, "actions": ["create"]}, False),
    ],
)
def test_an_output_is_lessened_that_loses_entries_and_nothing_else(change: dict[str, Any], lessened: bool) -> None:
    plan = parse_plan(plan_of(output_changes={"list": {"actions": ["update"], "after_unknown": False, **change}}))
    assert (plan.outputs, plan.lessened) == (("list",), ("list",) if lessened else ())


def test_what_cannot_be_read_as_no_change_of_an_output_is_one() -> None:
    changes = {"kept": {"actions": ["no-op"]}, "odd": "no-op", "more": {"actions": ["no-op", "update"]}}
    plan = parse_plan(plan_of(output_changes=changes))
    assert (plan.outputs, plan.lessened) == (("odd", "more"), ())
