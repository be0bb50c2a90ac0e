"""Names that secrets bear, values that are none, and words too common to be masked wherever they stand."""

from __future__ import annotations

import pytest

from runbook_lib.domain.redaction import MASK, Redactor
from runbook_lib.domain.secret_names import is_telling, may_be_secret, names_secret


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "admin_password",
        "DB_PASSWORD",
        "PGPASSWORD",
        "dbPassword",
        "userpassword",
        "MYSQL_PWD",
        "dbPwd",
        "secret",
        "client_secret",
        "clientSecret",
        "auth_token",
        "authToken",
        "tokens",
        "api_key",
        "apiKey",
        "x-api-key",
        "private_key",
        "privateKey",
        "AWS_SECRET_ACCESS_KEY",
        "access_key",
        "credentials",
        "passphrase",
        "var.db_password",
        "/prod/db/password",
        "app:password",
        "root passwd",
        "passwords",
        "secrets",
        "SecretString",
        "secret_string",
        "awsSecretString",
    ],
)
def test_a_name_says_that_its_value_is_a_secret(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "password_policy",
        "secret_name",
        "secret_arn",
        "token_endpoint",
        "NextToken",
        "nextToken",
        "next_token",
        "continuation_token",
        "creation_token",
        "IdempotencyToken",
        "PWD",
        "OLDPWD",
        "key",
        "key_name",
        "public_key",
        "kms_key_id",
        "password_length",
        "minimum_password_length",
        "tokenizer",
        "secretary",
        "secret_strings_file",
        "private_key_path",
        "manage_master_user_password_rotation",
        "description",
        "monkey",
    ],
)
def test_a_name_that_only_sounds_like_it_says_nothing(name: str) -> None:
    assert not names_secret(name)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "true",
        "False",
        "required",
        "optional",
        "none",
        "3",
        "4096",
        "0.5",
        MASK,
        "(sensitive value)",
        "string",
        "(known after apply)",
        "arn:aws:secretsmanager:eu-west-1:1:secret:db-AbCdEf",
        "sg-0123456789abcdef0",
        "i-01234567",
        "${var.db_password}",
        "${{ secrets.X }}",
        "{{resolve:secretsmanager:db}}",
        "$DB_PASSWORD",
        "var.db_password",
        "/prod/db/password",
        "module.db.password[0]",
    ],
)
def test_a_switch_a_number_an_id_and_a_reference_are_no_secrets(value: str) -> None:
    assert not may_be_secret(value)


@pytest.mark.parametrize(
    "value", ["hunter2", "test", "postgres", "$ecretPassw0rd", "pa${x}ss", "/9aBc/dEf", "1234567", "arn", "sg-x1"]
)
def test_whatever_else_has_such_a_name_may_be_one(value: str) -> None:
    assert may_be_secret(value)


@pytest.mark.parametrize(
    ("value", "telling"),
    [
        ("hunter22", True),
        ("S3cr3t", False),
        ("known-to-terraform-alone", True),
        ("correcthorsebattery", True),
        ("p@ssw0rd", True),
        ("test", False),
        ("true", False),
        ("postgres", False),
        ("password", False),
        ("us-east-1", False),
        ("db-prod", False),
        ("Changeme", False),
        ("a1b2", False),
        ("rotate it", False),
    ],
)
def test_only_what_is_no_common_word_is_masked_wherever_it_stands(value: str, telling: bool) -> None:
    assert is_telling(value) is telling


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Server=db;User=u;Pwd=abc123;", f"Server=db;User=u;Pwd={MASK};"),
        ("Password=hunter2;Server=db", f"Password={MASK};Server=db"),
        ('x = "Server=db; Password=hunter2"', f'x = "Server=db; Password={MASK}"'),
        ('~ password = "oldpw" -> "new"', f'~ password = "{MASK}" -> "{MASK}"'),
        ('~ "DB_PASSWORD" = "oldpw" -> "test"', f'~ "DB_PASSWORD" = "{MASK}" -> "{MASK}"'),
        ('+ password = null -> "abc"', f'+ password = null -> "{MASK}"'),
        ('│ var.db_password is "test"', f'│ var.db_password is "{MASK}"'),
    ],
)
def test_what_a_text_calls_a_secret_is_masked_however_short(text: str, masked: str) -> None:
    assert Redactor().mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "cd /tmp;PWD=/var/log; ls",
        "PWD=$HOME;x",
        '"NextToken": "AAAA1111"',
        'next_token = "AAAA1111"',
        'password = "${var.db_password}"',
        'http_tokens = "required"',
        '~ http_tokens = "optional" -> "required"',
        '~ secret = "arn:aws:x:y" -> "arn:aws:x:z"',
        '"secret": "arn:aws:secretsmanager:eu-west-1:1:secret:db"',
        'description = "rotate password weekly"',
        '~ description = "rotate password weekly" -> "rotate the token daily"',
        "the token is what it is; the password=reset link",
    ],
)
def test_a_text_that_only_speaks_of_secrets_stays(text: str) -> None:
    assert Redactor().mask(text) == text
