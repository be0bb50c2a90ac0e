"""Which values a name makes secrets, by where they stand, how long they are and what they are made of."""

from __future__ import annotations

import pytest

from runbook_lib.domain.secret_patterns import Part
from runbook_lib.domain.secret_values import NamedValues


def found(text: str) -> list[str]:
    part = Part(text, 0, len(text), len(text))
    # One place may be found by several ways.
    return [text[begin:end] for begin, end in sorted(set(NamedValues().spans(part)))]


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        # What a plan changes: the old one, the new one, or both.
        ('password = "old-1" -> "new-2"', ["old-1", "new-2"]),
        ('password = null -> "new-2"', ["new-2"]),
        ('password = "old-1" -> null', ["old-1"]),
        ('password = "old-1" -> (known after apply)', ["old-1"]),
        ('password = "true" -> "new-2"', ["new-2"]),
        ('password = "old-1" -> "false"', ["old-1"]),
        ('password = (sensitive value) -> "new-2"', ["new-2"]),
        ('password = "true1" -> null', ["true1"]),
        ('username = "old-1" -> "new-2"', []),
        # In quotes, of which the last may lack: then it ends with its line, a tag, or what closes around it.
        ('password = "hunter2"', ["hunter2"]),
        (r"\"password\": \"hunter2\"", ["hunter2"]),
        ("password = 'hunter2'", ["hunter2"]),
        ("password = &quot;hunter2&quot;", ["hunter2"]),
        ('password = "hunter2', ["hunter2"]),
        ('password = "hunter2\nmore', ["hunter2"]),
        ('password = "hunter2 }),;] \\', ["hunter2"]),
        ("password = 'hunter2\" more", ["hunter2"]),
        ("password = 'hunter2<br>", ["hunter2"]),
        ('password = ""', []),
        ('password = "true"', []),
        ('password = "[MASKED]"', []),
        # An option's value. What may be a word is taken of none but a password, and of that if it is no word.
        ("tool --password hunter2", ["hunter2"]),
        ("tool --password h2nte6", ["h2nte6"]),
        ("tool --password h2nt6", []),
        ("tool --password swordfish", []),
        ("tool --password sword-fi", ["sword-fi"]),
        ("tool --password sword-f", []),
        ("tool --api-token sword-fish", []),
        ('tool --api-token "sword-fish"', ["sword-fish"]),
        ("tool password hunter2", []),
        # What token alone names may be a word of a text.
        ('tool --token "word"', []),
        ('tool --token "swordfish-1"', ["swordfish-1"]),
        ('tool --api-token "word"', ["word"]),
        ("tool --token=abcd", ["abcd"]),
        ("tool --token=abc", []),
        # A parameter of an address.
        ("/x?token=abcd", ["abcd"]),
        ("/x?token=abc", []),
        ("/x?a=b&token=abcd", ["abcd"]),
        ("/x?a=b&amp;token=abcd", ["abcd"]),
        ("/x;token=abcd", ["abcd"]),
        ("/x,token=abcd", []),
        # A part of a connection string, unless it is an argument's name.
        ("host=db password=swordfish", ["swordfish"]),
        ("password=swordfish host=db", ["swordfish"]),
        (f"host={' ' * 155}password=swordfish", ["swordfish"]),
        (f"host={' ' * 156}password=swordfish", []),
        (f"password=swordfish{' ' * 155}host=", ["swordfish"]),
        (f"password=swordfish{' ' * 156}host=", []),
        ("connect(host=db, password=swordfish)", []),
        ("connect(host=db, password=swordfish, port=1)", []),
        ("connect(host=db, password=hunter2x)", ["hunter2x"]),
        ("connect(host=db, password=h2nte6)", ["h2nte6"]),
        ("connect(host=db, password=h2nt6)", []),
        ("connect(host=db, password=sword-fish)", ["sword-fish"]),
        ("Server=db;Pwd=abcdef", ["abcdef"]),
        ("Pwd=abcdef", []),
        ("Pwd: hunter2", []),
        # A variable: a password of any length, and else what is no short word.
        ("DB_PASSWORD=abc", ["abc"]),
        ("API_TOKEN=abcdef", ["abcdef"]),
        ("API_TOKEN=abcde", []),
        ("password=hunter2", ["hunter2"]),
        ("password=swordfish", []),
        ("f(password=hunter2)", []),
        ("f(password=hunter-2)", ["hunter-2"]),
    ],
)  # fmt: skip
def test_what_is_given_to_a_name_is_its_secret_if_it_can_be_one(text: str, secrets: list[str]) -> None:
    assert found(text) == secrets


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("password:hunter2", ["hunter2"]),
        ("password:h2nte6", ["h2nte6"]),
        ("password:h2nte", []),
        ("password:swordfish", []),
        ("token:hunter2x", []),
        # A header.
        ("X-Api-Token: abcdefgh", ["abcdefgh"]),
        ("X-Api-Token: abcdefg", []),
        ('"x-api-token": abcdefgh', []),
        # A line of settings: a password alone on it may be a word.
        ("password: swordfish", ["swordfish"]),
        ("password: swordfish # a note", ["swordfish"]),
        ("password: swordfish \\", ["swordfish"]),
        ("password: swordfish\nuser: it", ["swordfish"]),
        ("password: swordfish is wrong", []),
        ("  - password: swordfish", ["swordfish"]),
        ("the password: swordfish", []),
        ("the password: hunter2", ["hunter2"]),
        ("password = swordfish", []),
        ("password = hunter2", ["hunter2"]),
        ("password = h2nte6", ["h2nte6"]),
        ("password = h2nte", []),
        ("the password: h2nte6", ["h2nte6"]),
        ("the password: h2nte", []),
        ("my password = hunter2", []),
        ("my password = hunter2hunte", ["hunter2hunte"]),
        ("my password = hunter2hunt", []),
        *((f"{before}token = abcdefg8", ["abcdefg8"])
          for before in ("", "export ", "set ", "ENV ", "ARG ", "+ ", "~ ", "- ", "  ", "text\n")),
        ("the token = abcdefg8", []),
        ("the token = abcdefgh1234", ["abcdefgh1234"]),
        ("the token = abcdefgh123", []),
        ("token = abcdef8", []),
        ("token = abcdefg8;", []),
        ("token = abcdefg8\\", ["abcdefg8"]),
        ("token = swordfish", []),
        ("token = swordfish!", ["swordfish!"]),
        # What names another value is none.
        ("token = module.abc1.def2", []),
        ("token = my_token1", []),
    ],
)  # fmt: skip
def test_what_stands_on_a_line_without_quotes_is_a_secret_if_it_is_no_word(text: str, secrets: list[str]) -> None:
    assert found(text) == secrets


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        *((f'{of}db_password is "a b c"', ["a b c"])
          for of in ("var.", "local.", "data.", "module.", "each.", "self.")),
        ('my.db_password is "a b c"', []),
        ('var.db_password is "a b c', []),
        ("wrong password 'abcd'", ["abcd"]),
        ("wrong password 'abc'", []),
        ("wrong password 'ab cd'", []),
        (r"wrong password \"abcd\"", ["abcd"]),
        (r"wrong password \"abc\"", []),
        ("bad token 'abcdefg8'", ["abcdefg8"]),
        ("bad token 'abcdef8'", []),
        ("bad token 'abcdefgh'", []),
        ("password is hunter2x", ["hunter2x"]),
        ("password was hunter2x", ["hunter2x"]),
        ("password is hunter2", []),
        ("password has hunter2x", []),
        # A failed command is told as a list of its arguments.
        ("['tool', '--password', 'hunter2', 'x']", ["hunter2"]),
        (r"[\"tool\", \"--api-token\", \"hunter2\"]", ["hunter2"]),
        ("['tool', '--password', '--tls1.2']", []),
        ("option('--password', 'db_password1')", []),
        ("option('--token', 'token')", []),
        ("['password', 'hunter2']", []),
    ],
)  # fmt: skip
def test_what_a_message_tells_of_a_secret_is_one(text: str, secrets: list[str]) -> None:
    assert found(text) == secrets


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("<password>abc</password>", ["abc"]),
        ("<password>true</password>", []),
        ("password>abc</password>", []),
        *((f'"password": {{"{inner}": "abc"}}', ["abc"])
          for inner in ("value", "default", "insecure_value", "plaintext", "data")),
        ('"password": {"about": "abc"}', []),
        ('password = { default = "abc" }', ["abc"]),
        ('variable "password" { default = "abc" }', ["abc"]),
        ('variable "username" { default = "abc" }', []),
        ("password: {\n  value: abc\n}", ["abc"]),
        ("password: {\n  value: a b c \n}", ["a b c"]),
        ("password: { value: abc }", []),
        ("password: {\n  value: module.a.b\n}", []),
        ("password: {\n  value: true\n}", []),
        # What something is called stands before its value, or after it, in one object.
        *((f"{called}: DB_PASSWORD\nvalue: abc\n", ["abc"]) for called in ("name", "key", "variable", "label", "type")),
        ("title: DB_PASSWORD\nvalue: abc\n", []),
        ("name: /DB_PASSWORD\nvalue: abc\n", ["abc"]),
        ("name : DB_PASSWORD\nvalue : abc\n", ["abc"]),
        ("NAME: DB_PASSWORD\nVALUE: abc\n", ["abc"]),
        ("nameX: DB_PASSWORD\nvalue: abc\n", []),
        ("name DB_PASSWORD\nvalue: abc\n", []),
        (f"name:{' ' * 43}DB_PASSWORD\nvalue: abc\n", ["abc"]),
        (f"name:{' ' * 44}DB_PASSWORD\nvalue: abc\n", []),
        ("name=&quot;DB_PASSWORD&quot; value=&quot;abc&quot;", ["abc"]),
        ("&quot;name&quot;: &quot;DB_PASSWORD&quot;, &quot;value&quot;: &quot;abc&quot;", ["abc"]),
        (r"\"name\": \"DB_PASSWORD\", \"value\": \"abc\"", ["abc"]),
        # Of a long object what is near: before its name, and after it.
        (f"name: DB_PASSWORD{' ' * 276}\nvalue: 'abc'", ["abc"]),
        ("name: DB_USER\nvalue: abc\n", []),
        ('{"value": "abc", "name": "DB_PASSWORD"}', ["abc"]),
        ('{"value": "abc"}, {"name": "DB_PASSWORD"}', []),
        ('{"name": "DB_PASSWORD"}, {"value": "abc"}', []),
        ('{"value": "no-1", "inner": {"value": "abc", "name": "DB_PASSWORD"}}', ["abc"]),
        ('<add key="DB_PASSWORD" value="abc"/>', ["abc"]),
    ],
)  # fmt: skip
def test_what_stands_beside_or_within_what_bears_the_name_is_its_value(text: str, secrets: list[str]) -> None:
    assert found(text) == secrets


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("{'user': ['me', 'you'], 'password': ['hunter2x', 'orange7x']}", ["hunter2x", "orange7x"]),
        ('"db_passwords": [\n    "hunter2x",\n    "orange7x"\n  ]', ["hunter2x", "orange7x"]),
        (r'{\"passwords\": [\"hunter2x\"]}', ["hunter2x"]),
        ("passwords = ('hunter2x', )", ["hunter2x"]),
        ("api_keys = ['hunter2x', 12, 'orange7x']", ["hunter2x"]),
        # What is said of passwords, names of secrets and pieces of texts.
        ('{"password": ["This field is required.", "required", "min:8"]}', []),
        ('"secrets": ["prod/db-1"]', []),
        ("tokens = ['hunter2x']", []),
        ("passwords = [${var.db_password}]", []),
        ('passwords = ["${var.db_password}"]', []),
        ("usernames = ['hunter2x']", []),
    ],
)  # fmt: skip
def test_what_stands_in_a_list_of_passwords_is_one_if_it_can_be_nothing_else(text: str, secrets: list[str]) -> None:
    assert found(text) == secrets


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("password: |\n  hunter2\n  and more\nuser: me\n", ["hunter2", "and more"]),
        ("db:\n  password: >-  # old\n    correct horse\n\n    battery\n  user: me", ["correct horse", "battery"]),
        ("- 'password': |2+\r\n    abc\r\n- name: x\r\n", ["abc"]),
        ("token: |\n  eyJabc123def456\nx: y", ["eyJabc123def456"]),
        ("+   password: |\n+     hunter2\n+   user: me", ["hunter2"]),
        (f"password: |\n  {'a1' * 4000}\n", ["a1" * 4000]),
        # Nothing stands below it, or what stands there says where the secret is.
        ("- password: |\n  next: y\n", []),
        ("  password: |\n  other: |\n", []),
        ("password: |\n  {{ .Values.password }}\nx: y", []),
        ("password: |\n  ${var.password}\n", []),
        ("token: |\n  a word\n  or more\n", []),
        ("| password: |\n|   name: |\n", []),
        ("the password: |\n  hunter2\n", []),
        ("description: |\n  hunter2\n", []),
    ],
)
def test_what_yaml_has_below_a_name_is_its_value(text: str, secrets: list[str]) -> None:
    assert found(text) == secrets


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ('passwords = {\n  alice = "hunter2x"\n  + bob   = "orange7x"\n}', ["hunter2x", "orange7x"]),
        ('{"api_keys": {"alice": "hunter2x", "bob": "word", "eve": "orange7x"}}', ["hunter2x", "orange7x"]),
        ("passwords:\n  alice: hunter2x\n  'bob': 'orange7x'\nuser: hunter2x", ["hunter2x", "orange7x"]),
        # What is required of one, or said of them.
        ("password:\n  type: string\n  pattern: ^[a-z0-9]{8,}$\n", []),
        ('"password": {"type": "string", "pattern": "^[a-z0-9]{8}$"}', []),
        ("passwords:\n  policy: at least 8 letters\n  rotation: 90days\n", []),
        ("passwords:\n  alice: ${var.alice}\n  bob: module.x.password_1\n", []),
        ('tokens = { alice = "hunter2x" }', []),
    ],
)
def test_what_stands_in_a_map_of_passwords_is_one_if_it_can_be_nothing_else(text: str, secrets: list[str]) -> None:
    assert found(text) == secrets


def test_each_of_many_is_found() -> None:
    text = 'password = "abc-1"\nx\nDB_PASSWORD=abc-2\nexport API_TOKEN=abcdef-3\n<secret>abc-4</secret>'
    assert found(text) == ["abc-1", "abc-2", "abcdef-3", "abc-4"]
