"""What Terraform calls sensitive, in plans and states."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runbook_lib.domain.redaction import MASK, mask_sensitive, sensitive_values, strings_in
from runbook_lib.domain.sensitive import mask_plan, plan_secrets, state_secrets

SECRETS = ("of-a-variable", "before-it", "after-it", "of-an-output", "in-a-module", "of-the-prior-state", "drifted-to")


def plan() -> dict[str, Any]:
    variable, before, after, output, module, prior, drift = SECRETS
    resource = {
        "address": "x.y",
        "values": {"user": "admin", "password": module},
        "sensitive_values": {"password": True},
    }
    held = {
        "address": "x.z",
        "values": {"keys": [{"k": prior}, {"k": "plain"}]},
        "sensitive_values": {"keys": [{"k": True}]},
    }
    return {
        "format_version": "1.2",
        "variables": {"v": {"value": variable}, "w": {"value": "plain"}},
        "configuration": {"root_module": {"variables": {"v": {"sensitive": True}, "w": {}}}},
        "resource_changes": [
            {
                "address": "x.y",
                "change": {
                    "before": {"user": "admin", "password": before},
                    "after": {"user": "admin", "password": after},
                    "before_sensitive": {"password": True},
                    "after_sensitive": {"password": True},
                },
            }
        ],
        "resource_drift": [{"address": "x.y", "change": {"after": {"p": drift}, "after_sensitive": {"p": True}}}],
        "output_changes": {"o": {"after": output, "after_sensitive": True}},
        "planned_values": {
            "outputs": {"o": {"value": output, "sensitive": True}},
            "root_module": {"child_modules": [{"resources": [resource]}]},
        },
        "prior_state": {"values": {"root_module": {"resources": [held]}}},
    }


def test_every_sensitive_text_of_a_plan_is_found_and_no_other() -> None:
    assert plan_secrets(plan()) == set(SECRETS)


def test_a_masked_plan_holds_none_of_them_and_all_the_rest() -> None:
    before, masked = json.dumps(plan()), json.dumps(mask_plan(plan()))
    assert [secret for secret in SECRETS if secret in masked] == []
    for plain in ("admin", "plain", "format_version", "x.z"):
        assert masked.count(plain) == before.count(plain)


def test_sensitive_outputs_and_attributes_of_a_state_are_found() -> None:
    state = {
        "version": 4,
        "outputs": {"o": {"value": {"a": ["deep-in-an-output"]}, "sensitive": True}, "p": {"value": "plain"}},
        "resources": [
            {
                "instances": [
                    {
                        "attributes": {
                            "user": "admin",
                            "password": "of-an-attribute",
                            "users": [{"key": "by-its-place"}],
                        },
                        "sensitive_attributes": [
                            [{"type": "get_attr", "value": "password"}],
                            [
                                {"type": "get_attr", "value": "users"},
                                {"type": "index", "value": {"value": 0, "type": "number"}},
                                {"type": "get_attr", "value": "key"},
                            ],
                            [{"type": "get_attr", "value": "gone"}],
                        ],
                    }
                ]
            }
        ],
    }
    assert state_secrets(state) == {"deep-in-an-output", "of-an-attribute", "by-its-place"}


def test_a_state_that_is_empty_or_odd_has_no_secrets() -> None:
    assert state_secrets({}) == set()
    assert (
        state_secrets({"outputs": None, "resources": [None, {"instances": [{"sensitive_attributes": "x"}]}]}) == set()
    )


def test_a_masked_plan_differs_in_the_secrets_and_in_nothing_else() -> None:
    wanted = json.dumps(plan())
    for secret in SECRETS:
        wanted = wanted.replace(secret, "[MASKED]")
    assert mask_plan(plan()) == json.loads(wanted)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"variables": {"v": {"value": "plain"}}},
        {"variables": {"v": {"value": "plain"}}, "configuration": None},
        {"variables": {"v": {"value": "plain"}}, "configuration": {"root_module": None}},
        {"variables": {"v": {"value": "plain"}}, "configuration": {"root_module": {"variables": None}}},
        {"variables": {"v": {"value": "plain"}}, "configuration": {"root_module": {"variables": {"v": None}}}},
        {"resource_changes": [{"address": "x.y", "change": {"actions": ["read"]}}]},
        {"resource_changes": [{"address": "x.y", "change": {"after": {"p": "plain"}}}]},
        {"resource_changes": [{"address": "x.y", "change": {"before": {"p": "plain"}, "before_sensitive": False}}]},
        {"output_changes": {"o": {"before": "plain", "after": "plain", "after_sensitive": False}}},
        {"planned_values": {"outputs": {"o": {"value": "plain"}}}},
        {"planned_values": {"root_module": {"resources": [{"values": {"p": "plain"}}]}}},
        {"prior_state": {"format_version": "1.0", "values": {"root_module": {}}}},
    ],
)
def test_a_plan_in_which_nothing_is_sensitive_stays_as_it_is(document: dict[str, Any]) -> None:
    assert mask_plan(document) == document
    assert plan_secrets(document) == set()


def test_what_is_null_in_a_plan_is_taken_for_nothing() -> None:
    nothing = dict.fromkeys(("resource_changes", "resource_drift", "output_changes", "variables", "planned_values"))
    masked = mask_plan({**nothing, "prior_state": None})
    assert masked == {
        "resource_changes": [], "resource_drift": [], "output_changes": {}, "variables": {}, "planned_values": {},
        "prior_state": None,
    }  # fmt: skip
    assert mask_plan({"prior_state": {"values": None, "serial": 3}}) == {"prior_state": {"values": {}, "serial": 3}}
    assert mask_plan({"resource_changes": [{"change": None}]}) == {"resource_changes": [{"change": {}}]}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (["password"], {"of-an-attribute"}),
        ([{"value": "password"}], {"of-an-attribute"}),
        ([{"value": "users"}, {"value": {"value": 1}}], {"second", "of-it"}),
        ([{"value": "users"}, {"value": 0}, {"value": "key"}], {"first"}),
        ([{"value": "users"}, {"value": {"value": 2}}], set()),
        ([{"value": "users"}, {"value": "key"}], set()),
        ([{"value": "nothing"}, {"value": "key"}], set()),
        ([{}], set()),
        ([], {"of-an-attribute", "first", "second", "of-it"}),
    ],
)
def test_a_path_of_a_state_is_followed_to_its_end(path: list[Any], found: set[str]) -> None:
    attributes = {
        "password": "of-an-attribute", "users": [{"key": "first"}, {"key": "second", "more": ["of-it"]}],
        "nothing": None,
    }  # fmt: skip
    instance = {"attributes": attributes, "sensitive_attributes": [path]}
    assert state_secrets({"resources": [{"instances": [instance]}]}) == found


def test_every_instance_of_every_resource_is_searched() -> None:
    def instance(text: str) -> dict[str, Any]:
        return {"attributes": {"p": text, "q": text.upper()}, "sensitive_attributes": [["p"], ["q"]]}

    resources = [
        {"instances": []}, {"instances": [{}, {"sensitive_attributes": None}, instance("a"), instance("b")]},
        {"instances": [instance("c")]},
    ]  # fmt: skip
    outputs = {"o": {"value": "plain"}, "p": {"value": "d", "sensitive": True}, "q": {"value": "e", "sensitive": True}}
    assert state_secrets({"resources": resources, "outputs": outputs}) == {*"abcABCde"}


@pytest.mark.parametrize(
    ("document", "marks", "masked", "secrets"),
    [
        ("x", True, MASK, {"x"}),
        ("x", False, "x", set()),
        ("x", None, "x", set()),
        ("x", {"a": True}, "x", set()),
        (None, True, None, set()),
        (3, True, MASK, set()),
        ({"a": ["x", {"k": "y"}], "b": "z"}, True, MASK, {"x", "y", "z"}),
        ({"a": {"b": "x", "c": "y"}}, {"a": True}, {"a": MASK}, {"x", "y"}),
        ({"a": {"b": "x", "c": "y"}}, {"a": {"b": True}}, {"a": {"b": MASK, "c": "y"}}, {"x"}),
        ({"a": "x"}, {"a": False, "gone": True}, {"a": "x"}, set()),
        ({"a": "x"}, [True], {"a": "x"}, set()),
        (["x", "y"], [False, True], ["x", MASK], {"y"}),
        (["x", "y"], [True], [MASK, "y"], {"x"}),
        (["x"], [True, True], [MASK], {"x"}),
        (["x", "y"], {"0": True}, ["x", "y"], set()),
        ([{"a": "x"}, {"a": "y"}], [{"a": True}, {}], [{"a": MASK}, {"a": "y"}], {"x"}),
    ],
)
def test_marks_fit_what_they_mark(document: Any, marks: Any, masked: Any, secrets: set[str]) -> None:
    assert mask_sensitive(document, marks) == masked
    assert sensitive_values(document, marks) == secrets


def test_every_text_of_a_tree_is_found_but_no_key_and_no_number() -> None:
    assert strings_in({"a": ["x", 1, None, {"b": "y", "c": [["z"]]}], "d": True}) == {"x", "y", "z"}
    assert strings_in(1) == strings_in(None) == set()


def test_what_is_left_for_later_and_what_actions_are_given_is_masked_as_well() -> None:
    later = {"change": {"actions": ["create"], "after": {"x": "hush-one"}, "after_sensitive": {"x": True}}}
    action = {"address": "action.a.b", "config_values": {"x": "hush-two"}, "config_sensitive": {"x": True}}
    other = {**action, "config_values": {"x": "hush-three"}}
    document = {
        "deferred_changes": [{"reason": "unknown", "resource_change": later}],
        "action_invocations": [action, {"address": "action.a.c"}],
        "deferred_action_invocations": [{"reason": "unknown", "action_invocation": other}],
    }
    assert plan_secrets(document) >= {"hush-one", "hush-two", "hush-three"}
    assert "hush" not in json.dumps(mask_plan(document))
    assert mask_plan(document)["action_invocations"][1] == {"address": "action.a.c"}
