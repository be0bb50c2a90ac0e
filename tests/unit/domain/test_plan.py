"""What is read as a plan, and what is refused with a clear line."""

from __future__ import annotations

import json

import pytest
from compliance_samples import change, plan_of, values

from runbook_lib.domain.plan import parse_plan, summarise
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
