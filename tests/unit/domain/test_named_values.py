"""Secrets that nothing but a name gives away, in what Terraform writes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runbook_lib.domain.named_values import mask_event, mask_named, mask_named_learning, named_secrets_in
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
            {"secret_stringer": "x", "secret": json.dumps({"a": SECRET})},
            {"secret_stringer": "x", "secret": f'{{"a":"{MASK}"}}'},
        ),
        # What a secret's own text holds is nothing that is said about it: all of it is the secret.
        (
            {"secret": json.dumps({"value": SECRET, "note": "x", "in": [{"value": 1, "after": "y"}]})},
            {"secret": f'{{"value":"{MASK}","note":"{MASK}","in":[{{"value":1,"after":"{MASK}"}}]}}'},
        ),
        (
            {"secret": {"value": {"value": SECRET, "note": "x", "more": [{"value": 1, "b": "y"}]}, "note": "z"}},
            {"secret": {"value": {"value": MASK, "note": MASK, "more": [{"value": 1, "b": MASK}]}, "note": "z"}},
        ),
        ({"secrets": [{"value": SECRET, "note": "x"}]}, {"secrets": [{"value": MASK, "note": "x"}]}),
        ({"secret": {"é": json.dumps([SECRET, "é"])}}, {"secret": {"é": f'["{MASK}","{MASK}"]'}}),
        ({"é": json.dumps({"secret": SECRET, "é": "é"})}, {"é": f'{{"secret":"{MASK}","é":"é"}}'}),
        ({"list": [f"Server=db;Pwd={SECRET};", 1]}, {"list": [f"Server=db;Pwd={MASK};", 1]}),
        ({"text": f"{'x' * 300};Pwd={SECRET};"}, {"text": f"{'x' * 300};Pwd={MASK};"}),
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


def test_what_is_masked_is_learned_at_once_unless_it_is_a_common_word() -> None:
    document = {"db_password": "postgres", "api_token": SECRET, "secret": json.dumps({"a": "hunter33x"}), "b": 1}
    assert mask_named_learning(document) == (
        {"db_password": MASK, "api_token": MASK, "secret": f'{{"a":"{MASK}"}}', "b": 1},
        frozenset({SECRET, "hunter33x"}),
    )


@pytest.mark.parametrize("name", [
    *("name", "db_name", "id", "arn", "type", "user", "login", "email", "description", "path", "version", "source"),
    *("provider", "url", "uri", "endpoint", "host", "port", "region", "engine", "database", "status", "algorithm"),
    *("length", "policy", "alias", "constraint", "username", "hostname", "dbname", "references", "actions"),
    *("valueFrom", "value_from", "keyName", "roleId", "dbArn", "keyType", "filePath", "loginUrl", "keyVersion"),
])  # fmt: skip
def test_what_is_said_about_a_secret_is_none(name: str) -> None:
    document = {"secret": {name: "apple7x9y", "pin": SECRET}}
    assert mask_named(document) == {"secret": {name: "apple7x9y", "pin": MASK}}


@pytest.mark.parametrize(
    ("kind", "name", "keys"),
    [
        ("random_password", "token", ("result", "id", "hex", "dec", "b64_std", "b64_url", "base64")),
        ("terraform_data", "token", ("input", "output", "triggers_replace")),
        ("random_id", "suffix", ()),
        ("aws_instance", "token", ()),
    ],
)
def test_a_resource_that_is_there_for_one_secret_holds_it_in_these_attributes(
    kind: str, name: str, keys: tuple[str, ...]
) -> None:
    values = dict.fromkeys(
        (
            "result",
            "id",
            "hex",
            "dec",
            "b64_std",
            "b64_url",
            "base64",
            "input",
            "output",
            "triggers_replace",
            "keepers",
        ),
        "apple7x9y",
    )
    resource = {"type": kind, "name": name, "list": [{"values": values}, 1], "api_key": "apple7x9y"}
    masked = values | dict.fromkeys(keys, MASK)
    assert mask_named(resource) == resource | {"list": [{"values": masked}, 1], "api_key": MASK}


def test_a_message_of_an_event_without_a_secret_stays_and_of_one_with_it_loses_every_id() -> None:
    event = {"@message": "a [id=apple7x9y] b [id=apple7x9y] [id=other]", "change": {"token": "apple7x9y"}}
    assert mask_event(event) == {
        "@message": f"a [id={MASK}] b [id={MASK}] [id=other]",
        "change": {"token": MASK},
    }
    assert mask_event({"change": {"token": "apple7x9y"}}) == {"@message": "", "change": {"token": MASK}}
    assert mask_event({"change": {"region": "apple7x9y"}}) == {"change": {"region": "apple7x9y"}}
