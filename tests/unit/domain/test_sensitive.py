"""What Terraform calls sensitive, in plans and states."""

from __future__ import annotations

import json
from typing import Any

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
