"""Texts with a secret, and texts that only look like it: each was labelled before it was tried."""

from __future__ import annotations

import pytest
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.openai import OpenAIDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.domain.redaction import FINDERS, MASK, Redactor
from runbook_lib.domain.secret_patterns import SecretPattern
from runbook_lib.domain.secret_places import Commands

RANDOM = "aZ3kQ9mB7xW1rT5yU8pL2sD6fG0hJ4cV7nM1bX9qE5wR3tY8"
HEX = "9f86d081884c7d659a2feaa0c55ad015"

# A text, and the part of it that is the secret.
CAUGHT = [
    # Azure
    (f"AccountName=acc;AccountKey={RANDOM}{RANDOM[:38]}==;Suffix=core.windows.net", f"{RANDOM}{RANDOM[:38]}=="),
    (f"Endpoint=sb://x.servicebus.windows.net/;KeyName=Root;SharedAccessKey={RANDOM[:43]}=", f"{RANDOM[:43]}="),
    (f"https://acc.blob.core.windows.net/c/f.txt?sv=2022-11-02&sr=b&sig={RANDOM[:43]}%3D", f"{RANDOM[:43]}%3D"),
    (f"client: Ab18Q~{RANDOM[:34]}", f"Ab18Q~{RANDOM[:34]}"),
    (f"ARM_CLIENT_SECRET={RANDOM[:30]}", RANDOM[:30]),
    (f'"clientSecret": "{RANDOM[:30]}"', RANDOM[:30]),
    # AWS, as its commands and boto3 answer
    ('{"Name": "prod", "SecretString": "orange7x", "VersionStages": []}', "orange7x"),
    ("{'Name': 'prod', 'SecretString': 'orange7x'}", "orange7x"),
    ('  secret_string = "orange7x"', "orange7x"),
    ('{"Name": "/prod/db", "Type": "SecureString", "Value": "orange7x"}', "orange7x"),
    ("{'Name': '/prod/db', 'Type': 'SecureString', 'Value': 'or\"ange7x'}", 'or"ange7x'),
    ('"Type": "SecureString",\n        "Value": "a\\"orange7x",', 'a\\"orange7x'),
    ("  Type: SecureString\n  Value: orange7x\n", "orange7x"),
    # Google
    (f"maps?key=AIza{RANDOM[:35]}", f"AIza{RANDOM[:35]}"),
    (f"got ya29.{RANDOM}", f"ya29.{RANDOM}"),
    (f"GOCSPX-{RANDOM[:28]}", f"GOCSPX-{RANDOM[:28]}"),
    (
        '{"private_key": "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEF\\n-----END PRIVATE KEY-----\\n"}',
        "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQEF\\n-----END PRIVATE KEY-----\\n",
    ),
    # Package registries
    (f"//registry.npmjs.org/:_authToken=npm_{RANDOM[:36]}", f"npm_{RANDOM[:36]}"),
    ("//npm.example.com/:_authToken=0b1c2d3e-aaaa-bbbb-cccc-0123456789ab", "0b1c2d3e-aaaa-bbbb-cccc-0123456789ab"),
    (f"pypi-AgEIcHlwaS5vcmc{RANDOM}{RANDOM}", f"pypi-AgEIcHlwaS5vcmc{RANDOM}{RANDOM}"),
    # Services
    (f"stripe.api_key = 'sk_live_{RANDOM[:24]}'", f"sk_live_{RANDOM[:24]}"),
    (f"rk_live_{RANDOM[:24]}", f"rk_live_{RANDOM[:24]}"),
    (f"sk-{RANDOM[:20]}T3BlbkFJ{RANDOM[20:40]}", f"sk-{RANDOM[:20]}T3BlbkFJ{RANDOM[20:40]}"),
    (f"key sk-proj-{RANDOM}", f"sk-proj-{RANDOM}"),
    (f"login(token='hf_{RANDOM[:34]}')", f"hf_{RANDOM[:34]}"),
    (f"SG.{RANDOM[:22]}.{RANDOM[:43]}", f"SG.{RANDOM[:22]}.{RANDOM[:43]}"),
    (f"vault login hvs.{RANDOM}", f"hvs.{RANDOM}"),
    (f"hvb.{RANDOM}{RANDOM}", f"hvb.{RANDOM}{RANDOM}"),
    (f'token = "{RANDOM[:14]}.atlasv1.{RANDOM}{RANDOM[:12]}"', f"{RANDOM[:14]}.atlasv1.{RANDOM}{RANDOM[:12]}"),
    (f"dckr_pat_{RANDOM[:27]}", f"dckr_pat_{RANDOM[:27]}"),
    # GitLab
    *[
        (f"the {kind}-{RANDOM[:20]} there", f"{kind}-{RANDOM[:20]}")
        for kind in ("glpat", "glrt", "gldt", "glcbt", "glptt", "glft", "glsoat", "glimt", "glagent", "gloas")
    ],
    # Files of settings
    ("machine gitlab.example.com login me password hunter2", "hunter2"),
    ("machine gitlab.example.com\n  login me\n  password hunter2\n", "hunter2"),
    ("default login anonymous password swordfish", "swordfish"),
    ('{"auths": {"registry.example.com": {"auth": "YWRtaW46aHVudGVyMg=="}}}', "YWRtaW46aHVudGVyMg=="),
    ("password: hunter2", "hunter2"),
    ("db:\n  user: app\n  password: swordfish\n", "swordfish"),
    ("  db_password: 'it is a long one'", "it is a long one"),
    ("- name: DB_PASSWORD\n  value: hunter2\n", "hunter2"),
    ("aws_secret_access_key = abcdefgh12345678ijklmnop", "abcdefgh12345678ijklmnop"),
    ("[client]\npassword = hunter2\n", "hunter2"),
    ("export GITLAB_TOKEN=abcdef123456", "abcdef123456"),
    ("DB_PASS=hunter2", "hunter2"),
    ("MYSQL_PWD=hunter2", "hunter2"),
    # Connection strings
    ("Server=db;Database=x;Uid=app;Pwd=hunter2;", "hunter2"),
    ("Driver={ODBC Driver 18 for SQL Server};Server=db;UID=sa;PWD={hun;ter}}2};Encrypt=yes", "{hun;ter}}2}"),
    ("DRIVER={PostgreSQL};SERVER=db;UID=app;PWD=hunter2", "hunter2"),
    ("host=db port=5432 dbname=app user=app password=swordfish sslmode=require", "swordfish"),
    ("host=db user=app password='a b c' dbname=x", "a b c"),
    ("jdbc:postgresql://db/app?user=app&password=swordfish", "swordfish"),
    ("Data Source=db;User ID=sa;Password=hun ter2;Pooling=False", "hun ter2"),
    ("<server><password>hunter2</password></server>", "hunter2"),
    # Pairs
    ('[{"name": "DB_PASSWORD", "value": "hunter2"}]', "hunter2"),
    ('[{"value": "hunter2", "name": "DB_PASSWORD"}]', "hunter2"),
    ('{\n  "name": "API_TOKEN",\n  "type": "env",\n  "value": "swordfish"\n}', "swordfish"),
    ('environment { name = "DB_PASSWORD" value = "hunter2" }', "hunter2"),
    ('environment {\n  value = "hunter2"\n  name  = "DB_PASSWORD"\n}', "hunter2"),
    ('<add key="DbPassword" value="hunter2"/>', "hunter2"),
    ('{"db_password": {"sensitive": false, "type": "string", "value": "swordfish"}}', "swordfish"),
    ('variable "db_password" {\n  type    = string\n  default = "swordfish"\n}', "swordfish"),
    # Plans
    ('  ~ password = "oldpw" -> (known after apply)', "oldpw"),
    ('  ~ db_token            = "old-token-1" -> null', "old-token-1"),
    ('  + password = "swordfish"', "swordfish"),
    ('~ "API_KEY" = null -> "swordfish"', "swordfish"),
    # Addresses
    ("https://user:hunter2@host/x", "hunter2"),
    ("postgres://app:p@ssw0rd@db.example.com/app", "p@ssw0rd"),
    ("postgres://app:p/a/ss@db.example.com/app", "p/a/ss"),
    ("'postgres://app:pa'ss@db.example.com/app'", "pa'ss"),
    ("postgres://app:a@b/c'd@db.example.com:5432/app", "a@b/c'd"),
    ("redis://:hunter2@cache:6379/0", "hunter2"),
    ("git clone https://oauth2:abcdef123456@gitlab.example.com/g/p.git", "abcdef123456"),
    ("amqp://guest:x1@rabbit", "x1"),
    # Commands
    ("curl -u admin:hunter2 https://example.com", "hunter2"),
    ("curl -sSLu 'admin:hunter 2' https://example.com".replace(" 2'", "2'"), "hunter2"),
    ("curl --user 'admin:hunter 2' https://example.com", "hunter 2"),
    ("curl --user admin:hunter2 https://example.com", "hunter2"),
    ("mysql -u root -phunter2 app", "hunter2"),
    ("mysqldump -h db -u root -p'hunter2 x' app", "hunter2 x"),
    ("sshpass -p hunter2 ssh host", "hunter2"),
    ("docker login -u me -p hunter2 registry.example.com", "hunter2"),
    ("tool --password hunter2 --verbose", "hunter2"),
    ('tool --api-key "swordfish" x', "swordfish"),
    # Messages
    ("ValueError: wrong password 'hunter2' for app", "hunter2"),
    ('Error: var.db_password is "test"', "test"),
    ("RuntimeError: login failed, password=hunter2, user=app", "hunter2"),
    ("AuthError: password: hunter2x was refused", "hunter2x"),
    ("Authorization: Basic YWRtaW46aHVudGVyMg==", "YWRtaW46aHVudGVyMg=="),
    ("{'Authorization': 'Bearer abcdefghij0123456789'}", "abcdefghij0123456789"),
    ("X-Vault-Token: swordfish-1", "swordfish-1"),
    # Code
    ("password: str = 'swordfish'", "swordfish"),
    ("password: swordfish1\n\n='other'", "swordfish1"),
    ("os.environ['DB_PASSWORD'] = 'swordfish'", "swordfish"),
    ("connect(host='db', password='test')", "test"),
    ('password = """swordfish"""', "swordfish"),
    ('{"token": "abc123def', "abc123def"),
    ("dbPassword := \"swordfish\"", "swordfish"),
]  # fmt: skip

FALSE_ALARMS = [
    '{"token": "apple"}',
    '{"tokens": ["the", "quick"], "token": "##ing"}',
    "[{'token': 'The', 'pos': 'DET'}, {'token': ',', 'pos': 'PUNCT'}]",
    '{"NextToken": "AAAA1111BBBB2222"}',
    "NextToken='eyJNYXJrZXIiOiBudWxsLCAiYm90byJ9'",
    'next_page_token: "CAUQAA"',
    "nextPageToken = 'CAUQAA1234567890'",
    "pad_token='[PAD]'",
    "tokenizer.pad_token = '[PAD]'",
    "eos_token='<|endoftext|>', unk_token='<unk>'",
    "{'bos_token': '<s>', 'mask_token': '[MASK]'}",
    'special_tokens_map = {"sep_token": "[SEP]"}',
    "max_tokens=4096 n_tokens: 512",
    'password = "${var.db_password}"',
    "password = var.db_password",
    "password = random_password.db.result",
    'url = "postgres://app:${var.db_password}@db/app"',
    "password: {{ vault_db_password }}",
    'password: "{{ lookup(\'env\', \'DB_PASSWORD\') }}"',
    "password: ${DB_PASSWORD}",
    "DB_PASSWORD=$DB_PASSWORD",
    "PASSWORD=${PASSWORD}",
    "TOKEN=$(cat token.txt)",
    "--token=<token>",
    "f'https://{user}:{password}@host/'",
    'conn = connect(f"postgres://{user}:{password}@{host}/app")',
    "v1_token = self.get_token(version=1)",
    "<td>password</td><td>required</td>",
    "password = os.environ['DB_PASSWORD']",
    "password = getpass.getpass('Password: ')",
    "connect(user=user, password=password, token=token1)",
    "self.api_key = api_key",
    "token = tokens[0]",
    "secret_name = 'prod-db-1'",
    '{"Name": "/prod/db", "Type": "String", "Value": "orange7x"}',
    'type  = "SecureString"\n  value = random_password.db.result',
    "secret_string = client.get_secret_value(SecretId='prod')",
    '"secret": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"',
    'resource "aws_secretsmanager_secret" "db_password" {\n  name = "prod/db"\n}',
    "commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "550e8400-e29b-41d4-a716-446655440000",
    "aZ3kQ9mB7xW1rT5yU8pL2sD6fG0hJ4cV7nM1bX9q",
    f"run {RANDOM[:32]} of {RANDOM}",
    "id: V1StGXR8_Z5jdHi6B-myT 01ARZ3NDEKTSV4RRFFQ69G5FAV",
    'integrity sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==',
    "h1:abc+DEF/ghiJKLmnoPQRstuVWXyz0123456789abcdE=",
    "/home/Me/Projects/App2/src/Main/Java/Foo.java",
    "Users/Alice/Projects/App2/src/Main/Foo12",
    "Content-Type: multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
    "--===============7330845974216740156==\nContent-Transfer-Encoding: base64\n",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA\nWjR9awAAAABJRU5ErkJggg/AAx3kQ9mB7xW1rT5y\n",
    "<img src='data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ'>",
    "https://registry.npmjs.org:443/@types/node",
    "http://localhost:8888/files/@me/x",
    "docker://alpine:3.18@sha256:9f86d081884c7d659a2feaa0c55ad015",
    "ssh://git@gitlab.example.com:22/g/p.git",
    "curl -u $USER:$TOKEN https://example.com",
    "curl -U http://proxy:3128 https://example.com --user-agent Mozilla/5.0:x",
    "mysql -u root -p app",
    "mysql -h db -p$DB_PASSWORD",
    "docker run -p 8080:80 mysql:8.0",
    "the password is required, the token is optional",
    "Enter your password: ",
    "password: required",
    "description: rotate the password=reset link weekly",
    "Access denied for user 'app'@'db' (using password: YES)",
    "Unexpected token '<' in JSON at position 0",
    "SyntaxError: invalid token ';'",
    "tokens: 12, secret count = 3, keyed by name",
    "key = 'prod-key-2024a' public_key = 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ'",
    '{"key": "value1234", "keys": ["a1b2c3d4e5"]}',
    '[{"name": "DB_USER", "value": "app12345"}, {"name": "REGION", "value": "eu-west-1"}]',
    '{"name": "DB_PASSWORD", "valueFrom": "prod/db"}',
    "sk-loading-spinner-wrapper-of-the-page task-runner-with-a-long-name",
    "hf_hub_download(repo_id='x') npm_config_registry=https://registry.npmjs.org",
    "machine learning and its password policies; login here, password there",
    "Authorization: required",
    "headers = {'Authorization': f'Bearer {token}'}",
    "if '-----BEGIN PRIVATE KEY-----' in text: print('a key')",
    "PWD=/var/log OLDPWD=/tmp",
    "password = (sensitive value)",
    'password = "********"',
    "api_key: your-api-key-here",
    '"http_tokens": "required"',
    "s.replace('a', 'b').split() s.abcdefghijklmnopqrstuvwx",
    "passed=12 failed=0 bypass=x12345",
    "1e-10 0.123456789012345678901234567890 -3.14",
]  # fmt: skip


@pytest.mark.parametrize(("text", "secret"), CAUGHT)
def test_the_secret_is_masked_and_nothing_else(text: str, secret: str) -> None:
    assert text.count(secret) == 1
    masked = Redactor().mask(text)
    assert secret not in masked
    if secret.startswith("-----BEGIN"):
        assert "MIIE" not in masked
    else:
        assert masked == text.replace(secret, MASK)


@pytest.mark.parametrize("text", FALSE_ALARMS)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    assert Redactor().mask(text) == text


def test_each_is_masked_in_the_midst_of_others() -> None:
    text = "\n".join(text for text, _ in CAUGHT) + "\n"
    masked = Redactor().mask(text)
    assert [secret for _, secret in CAUGHT if len(secret) > 7 and secret in masked] == []


def test_there_are_enough_of_both() -> None:
    assert len(CAUGHT) >= 60
    assert len(FALSE_ALARMS) >= 60


COMMANDS = [
    ("curl", "-u app:{}"), ("curl", "--user=app:{}"), ("curl", "--proxy-user 'app:{}'"), ("curl", "-sU app:{}"),
    ("mysql", "-p{}"), ("mariadb", "-p{}"), ("sshpass", "-p {}"), ("redis-cli", "-a {}"), ("docker login", "-p {}"),
    ("az login", "-p {}"), ("sqlcmd", "-P {}"), ("ldapsearch", "-w {}"), ("openssl", "-passin pass:{}"),
    ("smbclient", "-U app%{}"),
]  # fmt: skip


@pytest.mark.parametrize(("program", "option"), COMMANDS)
def test_a_program_takes_its_password_and_what_is_only_called_like_it_does_not(program: str, option: str) -> None:
    given = f"{option.format('orange7x')} end"
    masked = f"{option.format(MASK)} end"
    for before, after in (("", " -h db "), ("$ ", " "), ("/bin/", " -v \\\n "), ("(", " -q;x ")):
        text = f"{before}{program}{after}"
        assert Redactor(finders=[Commands()]).mask(f"{text}{given}") == f"{text}{masked}"
    # One more name, or the end of the command before it.
    for before, after in (
        *((letter, " ") for letter in "a7_-."),
        *(("", f"{sign} ") for sign in "_.:="),
        *(("", f" a{sign} ") for sign in ("\n", "|", "; ")),
        ("", f" {'x' * 512} "),
    ):
        text = f"{before}{program}{after}{given}"
        assert Redactor(finders=[Commands()]).mask(text) == text


def test_each_call_of_a_program_has_its_own_password() -> None:
    text = "mysql -p{0} a\nmysqldump -p{0} -p{0} b\nmysql -p b; curl -u a:{0} x"
    assert Redactor(finders=[Commands()]).mask(text.format("orange7x")) == text.format(MASK)


def test_a_port_given_like_a_password_is_none() -> None:
    text = "mysql -p:3306 sshpass -p :x docker login -p$TOKEN redis-cli -a :x7y8z9"
    assert Redactor(finders=[Commands()]).mask(text) == text.replace(":x7y8z9", MASK)


PATTERNS = [finder for finder in FINDERS if isinstance(finder, SecretPattern)]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_each_pattern_finds_its_example_and_leaves_the_other(pattern: SecretPattern) -> None:
    only = Redactor(finders=[pattern])
    assert MASK in only.mask(pattern.caught)
    assert MASK in only.mask(f"see {pattern.caught}\n")
    assert only.mask(pattern.left) == pattern.left


KNOWN = [
    *(AzureStorageKeyDetector, GitHubTokenDetector, GitLabTokenDetector, MailchimpDetector, OpenAIDetector),
    *(PypiTokenDetector, SendGridDetector, SquareOAuthDetector, StripeDetector),
]


@pytest.mark.parametrize("detector", KNOWN)
@given(data=st.data())
def test_whatever_fits_a_pattern_of_detect_secrets_is_masked(detector: type, data: st.DataObject) -> None:
    regex = data.draw(st.sampled_from(list(detector.denylist)))  # type: ignore[attr-defined]
    token = data.draw(st.from_regex(regex, fullmatch=True))
    masked = Redactor().mask(f"x {token} y")
    if detector is OpenAIDetector and masked != f"x {MASK} y":
        assert not any(map(str.isdigit, token))  # made up of letters alone, as no key is
        return
    assert MASK in masked
    assert token not in masked
