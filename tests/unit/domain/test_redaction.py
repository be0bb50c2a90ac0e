"""Secrets in all their forms."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.slack import SlackDetector
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.domain.redaction import MASK, Redactor, mask_sensitive, sensitive_values

SECRET = 'p4ss/w&rd "with" <marks>'


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps(SECRET),
        repr(SECRET),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        html.escape(SECRET),
        html.escape(SECRET).replace("&quot;", "&#34;"),
        json.dumps(json.dumps(SECRET)),
        SECRET.encode().hex(),
    ],
)
def test_known_value_is_masked_in_every_form(form: str) -> None:
    masked = Redactor({"TOKEN": SECRET}).mask(f"before {form} after")
    assert MASK in masked
    assert "w&rd" not in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")


@given(st.binary(max_size=7), st.binary(max_size=7))
def test_known_value_is_masked_at_any_place_inside_base64(before: bytes, after: bytes) -> None:
    encoded = base64.b64encode(before + SECRET.encode() + after).decode()
    masked = Redactor({"TOKEN": SECRET}).mask(encoded)
    assert MASK in masked
    # Between the characters that depend on the neighbours nothing of it is left.
    assert len(masked) - len(MASK) <= len(base64.b64encode(before + after)) + 8


TOKENS = (
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "glpat-abcdefghij0123456789",
    "glpat-Abc.01.1a2b3c4d5e6f7g8h9i0jklmn",
    "glcbt-64_abcdefghij0123456789",
    "xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx",
    "xapp-1-A0123456789-1234567890123-0123456789abcdef",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLWhlcmU",
)


@pytest.mark.parametrize("token", TOKENS)
def test_token_that_nobody_told_of_is_known_by_its_shape(token: str) -> None:
    assert Redactor().mask(f"token {token} here") == f"token {MASK} here"


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("around", ["x={}", "{}.", "a\\n{}\\nb", "%3D{}%20", "?t={}&x", "<td>{}</td>", "key={},"])
def test_token_is_known_in_whatever_text_it_stands(token: str, around: str) -> None:
    assert token not in Redactor().mask(around.format(token))


@pytest.mark.parametrize("value", ["False", "None", "${TOKEN}"])
def test_colour_before_what_is_no_secret_stays_whole(value: str) -> None:
    text = f"password=\x1b[38;5;28;01m{value}\x1b[39;00m,"
    assert Redactor().mask(text) == text


def test_colour_before_a_secret_stays_whole() -> None:
    assert (
        Redactor().mask("password=\x1b[38;5;28m'hunter2-and-more'\x1b[39m") == f"password=\x1b[38;5;28m'{MASK}'\x1b[39m"
    )


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("code", ["\x1b[31m", "\x1b(B\x1b[m", "\x1b]8;;http://host\x1b\\"])
def test_token_broken_up_by_a_terminals_codes_is_masked(token: str, code: str) -> None:
    half = len(token) // 2
    masked = Redactor().mask(f"a {token[:half]}{code}{token[half:]} b")
    assert masked == f"a {MASK} b"


KEY = "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n".format(
    "\n".join(
        ("MIIEpAIBAAKCAQEA0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    )
)


@pytest.mark.parametrize(
    "text",
    [KEY, repr(KEY), json.dumps([KEY]), html.escape(KEY), KEY[:90], repr(KEY.split("\n")), KEY.replace("\n", "\n  ")],
)
def test_private_key_is_masked_whole_though_its_last_line_looks_like_another_token(text: str) -> None:
    masked = Redactor().mask(text)
    assert "MIIEpAIB" not in masked
    assert "wJalr" not in masked


def test_text_after_a_key_that_was_cut_off_stays() -> None:
    cut = Redactor().mask(KEY[:90] + "</pre><p>more text")
    assert cut == f"-----BEGIN RSA PRIVATE KEY-----{MASK}</pre><p>more text"
    assert Redactor().mask(cut + KEY) == cut + Redactor().mask(KEY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:hunter2@host/x", f"https://user:{MASK}@host/x"),
        ("https://hooks.slack.com/services/T0/B0/abcdefghijklmnopqrst", f"https://hooks.slack.com/services/{MASK}"),
        ("Authorization: Bearer abcdefghijklmnop.qrst", f"Authorization: Bearer {MASK}"),
        ("password = 'swordfish'", f"password = '{MASK}'"),
        ('{"db_password": "swordfish"}', f'{{"db_password": "{MASK}"}}'),
        ('{\\"password\\": \\"swordfish\\"}', f'{{\\"password\\": \\"{MASK}\\"}}'),
        ('"password":"sword\\"fish"', f'"password":"{MASK}"'),
        ("&quot;auth_token&quot;: &quot;swordfish&quot;", f"&quot;auth_token&quot;: &quot;{MASK}&quot;"),
        ("export DB_PASSWORD=swordfish", f"export DB_PASSWORD={MASK}"),
        (
            "curl --token=swordfish 'http://host/?private_token=swordfish&x=1'",
            f"curl --token={MASK} 'http://host/?private_token={MASK}&x=1'",
        ),
        ("PRIVATE-TOKEN: swordfish", f"PRIVATE-TOKEN: {MASK}"),
        ("db:\n  password: sw0rdfish\n", f"db:\n  password: {MASK}\n"),
        ("hooks.slack.com%2Fservices%2FT0%2FB0%2Fabcdefghijklmnopqrst", f"hooks.slack.com%2Fservices%2F{MASK}"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nabc\ndef\n-----END RSA PRIVATE KEY-----",
            f"-----BEGIN RSA PRIVATE KEY-----{MASK}-----END RSA PRIVATE KEY-----",
        ),
    ],
)
def test_secret_is_masked_where_its_surroundings_give_it_away(text: str, expected: str) -> None:
    assert Redactor().mask(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "sg-0123456789abcdef0 arn:aws:ec2:eu-west-1:123456789012:security-group/sg-0123456789abcdef0",
        "tokens: 12, secret count = 3, keyed by name",
        "TOKEN=$CI_JOB_TOKEN PASSWORD= --token=<token> token = var.gitlab_token next_token: None",
        'data.aws_secretsmanager_secret.db resource "aws_secretsmanager_secret" "password" {',
        "password = (sensitive value), secret: false, 550e8400-e29b-41d4-a716-446655440000",
        "if '-----BEGIN PRIVATE KEY-----' in text: print('a key')",
        "h1:abc+DEF/ghiJKLmnoPQRstuVWXyz0123456789abcdE= key_name = 'prod-key'",
        "02_plan/notebook.ipynb outputs/20260101T000000Z-ab12",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor().mask(text) == text


@pytest.mark.parametrize("value", ["test", "password", "postgres", "true", "admin", "db-prod", "us-east-1", "12345"])
def test_short_value_and_common_word_are_masked_only_where_a_name_says_so(value: str) -> None:
    redactor = Redactor({"PASSWORD": value})
    text = f"{value} service_{value}s {value}/unit {value}.py '{value}'"
    assert redactor.mask(text) == text
    assert redactor.mask(f"password='{value}'") in {f"password='{MASK}'", "password='true'", "password='12345'"}


def test_short_value_that_is_no_word_is_masked_where_it_stands_alone() -> None:
    redactor = Redactor({"PASSWORD": "hunt3r2"})
    assert redactor.mask("hunt3r2 xhunt3r2 hunt3r2.py") == f"{MASK} xhunt3r2 hunt3r2.py"


@pytest.mark.parametrize("plugin", [AWSKeyDetector(), GitLabTokenDetector(), SlackDetector()])
def test_every_token_that_detect_secrets_knows_is_masked(plugin: object) -> None:
    samples = {
        "AWSKeyDetector": ["AKIA1234567890ABCDEF", "ASIA1234567890ABCDEF"],
        "GitLabTokenDetector": ["glpat-" + "a1" * 10, "gldt-" + "b2" * 10, "glrt-" + "c3" * 10, "glptt-" + "d4" * 20],
        "SlackDetector": ["xoxp-523423-234243-234233-e039d02840a0b9379c"],
    }[type(plugin).__name__]
    for sample in samples:
        assert list(plugin.analyze_string(sample)), sample  # type: ignore[attr-defined]
        assert sample not in Redactor().mask(f"x {sample} y")


@given(st.lists(st.integers(min_value=1, max_value=40), max_size=30))
def test_stream_masks_a_secret_wherever_it_is_cut(cuts: list[int]) -> None:
    text = f"one {SECRET} two\nthree glpat-abcdefghij0123456789 four\n{SECRET}"
    stream = Redactor({"TOKEN": SECRET}).stream()
    said, rest = "", text
    for cut in cuts:
        said, rest = said + stream.feed(rest[:cut]), rest[cut:]
    said += stream.feed(rest) + stream.flush()
    assert said == f"one {MASK} two\nthree {MASK} four\n{MASK}"


def test_endless_line_leaves_the_stream_without_its_secret() -> None:
    stream = Redactor({"TOKEN": SECRET}).stream()
    said = "".join(stream.feed("x" * 3000 + (SECRET if n == 7 else "")) for n in range(20)) + stream.flush()
    assert said.count("x") == 60_000
    assert said.count(MASK) == 1
    assert SECRET not in said


def test_secret_broken_up_by_colours_is_masked() -> None:
    text = f"\x1b[31m{SECRET[:6]}\x1b[0m{SECRET[6:]}\x1b[0m"
    assert Redactor({"TOKEN": SECRET}).mask(text) == f"\x1b[31m{MASK}\x1b[0m"


def test_sensitive_map_masks_what_it_marks_and_nothing_else() -> None:
    document = {"user": "admin", "password": "swordfish", "tags": [{"a": "x", "b": "y"}, {"a": "z"}], "none": None}
    sensitive = {"password": True, "tags": [{"b": True}], "none": True, "absent": True}
    assert mask_sensitive(document, sensitive) == {
        "user": "admin",
        "password": MASK,
        "tags": [{"a": "x", "b": MASK}, {"a": "z"}],
        "none": None,
    }
    assert sensitive_values(document, sensitive) == {"swordfish", "y"}


def test_value_is_masked_by_its_name_at_any_depth_of_a_tree() -> None:
    tree = {"a": [{"api_key": "swordfish", "name": "db"}], "password": None}
    assert Redactor().mask_tree(tree) == {"a": [{"api_key": MASK, "name": "db"}], "password": None}


def test_redactor_shows_no_secret_of_its_own() -> None:
    assert SECRET not in repr(Redactor({"TOKEN": SECRET}))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Aa1" * 13 + "B", id="a pattern"),
        pytest.param("0123456789abcdef0123456789abcdef01234567", id="a commit"),
        pytest.param("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCD", id="no small letter"),
    ],
)
def test_forty_characters_that_are_not_random_are_no_key(text: str) -> None:
    assert Redactor({}).mask(text) == text


def test_a_line_leaves_the_stream_when_it_ends_and_the_rest_waits() -> None:
    stream = Redactor({}).stream()
    assert stream.feed("one") == ""
    assert stream.feed(" line\nthe ne") == "one line\n"
    assert stream.feed("xt\n") == "the next\n"
    assert stream.feed("the last") == ""
    assert stream.flush() == "the last"
    assert stream.flush() == ""


def test_a_key_waits_in_the_stream_for_its_end() -> None:
    stream = Redactor({}).stream()
    first, *others = KEY.splitlines(keepends=True)
    assert stream.feed(f"before\n{first}") == "before\n"
    masked = "".join(stream.feed(line) for line in (*others, "after\n")) + stream.flush()
    assert masked.endswith("after\n")
    assert MASK in masked
    assert others[0].strip() not in masked


def test_text_before_a_key_of_a_stream_is_no_key() -> None:
    stream = Redactor({}).stream()
    assert stream.feed("-----END OF REPORT-----\nnext\n") == "-----END OF REPORT-----\nnext\n"


def test_an_end_that_may_begin_a_secret_is_not_shown_yet() -> None:
    stream = Redactor({"TOKEN": SECRET}).stream()
    stream.feed(f"the secret is {SECRET[:12]}")
    assert stream.peek() == "the secret is "
    assert stream.flush() == f"the secret is {SECRET[:12]}"


def test_each_long_line_of_a_value_is_masked_and_its_header_is_not() -> None:
    value = "-----BEGIN CERTIFICATE-----\nfirst line of it all\nshort\n-----END CERTIFICATE-----"
    redactor = Redactor({"CERTIFICATE": value})
    assert redactor.mask("a first line of it all b") == f"a {MASK} b"
    assert redactor.mask("-----BEGIN CERTIFICATE-----") == "-----BEGIN CERTIFICATE-----"
    assert redactor.mask("it is short") == "it is short"


@pytest.mark.parametrize("form", [json.dumps(SECRET), json.dumps(json.dumps(SECRET)[1:-1]), repr(SECRET)])
def test_of_a_quoted_value_nothing_but_the_quotes_is_left(form: str) -> None:
    assert Redactor({"TOKEN": SECRET}).mask(form) == f"{form[0]}{MASK}{form[-1]}"


def test_what_is_learned_later_does_not_take_the_place_of_what_was_known() -> None:
    redactor = Redactor({"FIRST": "the-first-secret"})
    redactor.add(["the-second-secret", "tiny", "x"])
    assert redactor.mask("the-first-secret the-second-secret tiny x") == f"{MASK} {MASK} tiny x"
    assert repr(redactor).startswith("Redactor(2 values, ")


def test_the_longer_of_two_values_is_masked_whole() -> None:
    redactor = Redactor({"SHORT": "abcd", "LONGER": "abcd+ef", "LONG": "secret-value", "LONGEST": "secret-value-more"})
    assert redactor.mask("secret-value-more abcd+ef") == f"{MASK} {MASK}"


@pytest.mark.parametrize("begin", ['{"auth_token": "', "password='", '\\"api_token\\": \\"', "# secret = '"])
def test_a_quoted_value_that_never_ends_goes_on_to_the_end_of_its_line(begin: str) -> None:
    # Each backslash could be read in two ways: sixty of them would outlast any patience.
    assert Redactor({}).mask(begin + "ab\\c" * 60 + "\nnext") == f"{begin}{MASK}\nnext"
