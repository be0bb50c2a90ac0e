"""Secrets that nothing but a name gives away, in what Terraform writes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runbook_lib.domain.named_values import mask_event, mask_named, named_secrets_in
from runbook_lib.domain.redaction import MASK
from runbook_lib.domain.sensitive import mask_plan, plan_secrets, state_secrets

SECRET = "hunter22x"


@pytest.mark.parametrize(
    ("document", "masked"),
    [
        ({"password": SECRET}, {"password": MASK}),
        ({"tags": {"ApiKey": SECRET, "Name": "web"}}, {"tags": {"ApiKey": MASK, "Name": "web"}}),
        ([{"name": "DB_PASSWORD", "value": SECRET}], [{"name": "DB_PASSWORD", "value": MASK}]),
        ([{"Key": "token", "Value": SECRET}], [{"Key": "token", "Value": MASK}]),
        (
            {"name": {"constant_value": "token"}, "value": {"constant_value": SECRET}},
            {"name": {"constant_value": "token"}, "value": {"constant_value": MASK}},
        ),
        ({"db_passwords": [SECRET, "x"]}, {"db_passwords": [MASK, MASK]}),
        ({"passwords": {"alice": SECRET, "user": "u"}}, {"passwords": {"alice": MASK, "user": "u"}}),
        (
            {"admin_password": {"value": SECRET, "type": "string"}},
            {"admin_password": {"value": MASK, "type": "string"}},
        ),
        (
            {"secret": {"value": {"a": {"b": [SECRET], "arn": "x"}}}},
            {"secret": {"value": {"a": {"b": [MASK], "arn": "x"}}}},
        ),
        (
            {"db_password": {"actions": ["create"], "before": None, "after": SECRET, "after_sensitive": False}},
            {"db_password": {"actions": ["create"], "before": None, "after": MASK, "after_sensitive": False}},
        ),
        (
            {"db_password": {"default": SECRET, "description": "the password"}},
            {"db_password": {"default": MASK, "description": "the password"}},
        ),
        (
            {"secret": {"expression": {"constant_value": {"key": SECRET}}}},
            {"secret": {"expression": {"constant_value": {"key": MASK}}}},
        ),
        ({"uri": f"Server=db;Pwd={SECRET};"}, {"uri": f"Server=db;Pwd={MASK};"}),
        (
            {"container_definitions": json.dumps([{"environment": [{"name": "API_KEY", "value": SECRET}]}])},
            {"container_definitions": f'[{{"environment":[{{"name":"API_KEY","value":"{MASK}"}}]}}]'},
        ),
        (
            {"secret_string": "x", "secret": json.dumps({"a": SECRET})},
            {"secret_string": "x", "secret": f'{{"a":"{MASK}"}}'},
        ),
        (
            {"type": "random_string", "name": "db_password", "values": {"id": SECRET, "result": SECRET, "length": 9}},
            {"type": "random_string", "name": "db_password", "values": {"id": MASK, "result": MASK, "length": 9}},
        ),
        (
            {"type": "terraform_data", "name": "token", "change": {"after": {"id": "u", "input": SECRET}}},
            {"type": "terraform_data", "name": "token", "change": {"after": {"id": "u", "input": MASK}}},
        ),
        (
            {"name": "/prod/db/password", "insecure_value": SECRET},
            {"name": "/prod/db/password", "insecure_value": MASK},
        ),
    ],
)
def test_what_a_name_calls_a_secret_is_masked_and_learned(document: Any, masked: Any) -> None:
    assert mask_named(document) == masked
    assert named_secrets_in(document) == {SECRET}


@pytest.mark.parametrize(
    "document",
    [
        {"password_policy": "strict", "secret_name": "db-secret-1", "token_endpoint": "https://x.example/token1"},
        {"secret_arn": "arn:aws:x", "secret": "arn:aws:secretsmanager:eu-west-1:1:secret:db-1"},
        {"NextToken": "AAAA1111BBBB", "creation_token": "files-2024x"},
        {"password": True, "token": 42, "secret": None, "api_key": "", "http_tokens": "required"},
        {"password": "${var.db_password}", "admin_password": {"references": ["var.db_password"]}},
        {"admin_password": {"expression": {"references": ["random_password.x1.result", "random_password.x1"]}}},
        {"after_sensitive": {"password": True}, "after_unknown": {"password": True}},
        {"description": "rotate password weekly", "ingress": [{"description": "password=reset page"}]},
        {
            "module_calls": {
                "secret": {"source": "./modules/secret1", "expressions": {"a": {"constant_value": "bcd123"}}}
            }
        },
        {"secret": [{"secret_name": "tls-2024x", "items": [{"key": "crt", "path": "a/b1"}]}]},
        {"secrets": [{"name": "DB_PASSWORD", "valueFrom": "prod-db-1x"}]},
        {"name": "DB_PASSWORD", "type": "SECRETS_MANAGER", "value": "prod/db1:password"},
        {"type": "aws_db_instance", "name": "secret", "values": {"id": "db-prod-77x", "result": "abc123x"}},
        {"policy": json.dumps({"Statement": [{"Action": "secretsmanager:GetSecretValue", "Resource": "*"}]}, indent=1)},
        {"outputs": {"db_password": {"type": "string", "sensitive": False, "value": None}}},
        {"text": "[not json", "more": "{"},
    ],
)
def test_what_only_sounds_like_a_secret_stays_as_it_is(document: Any) -> None:
    assert mask_named(document) == document
    assert named_secrets_in(document) == set()


def test_a_common_word_is_masked_where_it_is_the_secret_and_not_learned() -> None:
    document = {"db_password": "postgres", "engine": "postgres"}
    assert mask_named(document) == {"db_password": MASK, "engine": "postgres"}
    assert named_secrets_in(document) == set()


def test_a_resource_s_id_that_is_its_value_is_masked_in_an_event_and_its_message() -> None:
    def created(name: str, value: str) -> dict[str, Any]:
        resource = {"addr": f"random_string.{name}", "resource_type": "random_string", "resource_name": name}
        hook = {"resource": resource, "action": "create", "id_key": "id", "id_value": value}
        return {"@message": f"random_string.{name}: Creation complete after 0s [id={value}]", "hook": hook}

    masked = mask_event(created("token", "abcd"))
    assert masked["@message"].endswith(f"[id={MASK}]")
    assert masked["hook"]["id_value"] == MASK
    assert masked["hook"]["resource"]["addr"] == "random_string.token"
    assert mask_event(created("suffix", "abcd")) == created("suffix", "abcd")


def test_a_plan_and_a_state_give_them_away_nowhere() -> None:
    plan = {
        "variables": {"db_password": {"value": SECRET}},
        "configuration": {"root_module": {"variables": {"db_password": {"default": SECRET}}}},
        "output_changes": {"admin_password": {"actions": ["create"], "after": SECRET, "after_sensitive": False}},
        "planned_values": {
            "root_module": {"resources": [{"address": "a.b", "values": {"env": {"API_TOKEN": SECRET}}}]}
        },
        "resource_changes": [{"address": "a.b", "change": {"actions": ["create"], "after": {"password": SECRET}}}],
    }
    assert plan_secrets(plan) == {SECRET}
    assert SECRET not in json.dumps(mask_plan(plan))
    assert json.loads(json.dumps(mask_plan(plan)).replace(MASK, SECRET)) == plan
    state = {
        "outputs": {"admin_password": {"value": "other22x", "type": "string"}},
        "resources": [{"type": "a", "name": "b", "instances": [{"attributes": {"env": {"API_TOKEN": SECRET}}}]}],
    }
    assert state_secrets(state) == {SECRET, "other22x"}
