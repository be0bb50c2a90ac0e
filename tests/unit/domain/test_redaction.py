"""Secrets in all their forms."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.slack import SlackDetector
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.domain.masked_stream import StreamMask
from runbook_lib.domain.redaction import MASK, WITHHELD, Redactor, mask_sensitive, sensitive_values

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


# Every way of writing changes something in it.
ODD = 'Ain\'t "so" & b\\cé/d'


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(r"""Ain't "so" & b\cé/d""", id="as it is"),
        pytest.param(r"""Ain&#x27;t &quot;so&quot; &amp; b\cé/d""", id="HTML"),
        pytest.param(r"""Ain't "so" &amp; b\cé/d""", id="HTML between tags"),
        pytest.param(r"""Ain&#39;t &#34;so&#34; &amp; b\cé/d""", id="Jinja"),
        pytest.param(r"""Ain&apos;t &quot;so&quot; &amp; b\cé/d""", id="XML"),
        pytest.param(r"""Ain't \"so\" & b\\c\u00e9/d""", id="JSON"),
        pytest.param(r"""Ain't \"so\" & b\\cé/d""", id="JSON with all letters"),
        pytest.param(r"""Ain't \\\"so\\\" & b\\\\c\\u00e9/d""", id="JSON in JSON"),
        pytest.param(r"""Ain\'t "so" & b\\cé/d""", id="Python"),
        pytest.param("Ain%27t%20%22so%22%20%26%20b%5Cc%C3%A9/d", id="the path of a URL"),
        pytest.param("Ain%27t%20%22so%22%20%26%20b%5Cc%C3%A9%2Fd", id="a part of a URL"),
        pytest.param("Ain%27t+%22so%22+%26+b%5Cc%C3%A9%2Fd", id="a form"),
        pytest.param("ain%27t%20%22so%22%20%26%20b%5cc%c3%a9%2fd", id="a URL in small letters"),
        pytest.param("41696e27742022736f22202620625c63c3a92f64", id="hex"),
        pytest.param("41696E27742022736F22202620625C63C3A92F64", id="hex in capitals"),
    ],
)
def test_a_value_is_masked_whole_in_each_form_that_it_is_written_in(form: str) -> None:
    assert Redactor({"TOKEN": ODD}).mask(f"before {form} after") == f"before {MASK} after"


@pytest.mark.parametrize("before", [b"", b"u", b"us"])
def test_a_value_is_masked_in_the_base64_of_urls(before: bytes) -> None:
    value = "~~~???>>>n0t-a-word"
    encoded = base64.urlsafe_b64encode(before + value.encode() + b":").decode()
    assert {"-", "_"} & set(encoded)
    masked = Redactor({"TOKEN": value}).mask(encoded)
    assert MASK in masked
    assert len(masked) - len(MASK) <= 8


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
    stream = StreamMask(Redactor({"TOKEN": SECRET}))
    said, rest = "", text
    for cut in cuts:
        said, rest = said + stream.feed(rest[:cut]), rest[cut:]
    said += stream.feed(rest) + stream.flush()
    assert said == f"one {MASK} two\nthree {MASK} four\n{MASK}"


def test_of_an_endless_line_the_last_8192_characters_stay_where_a_secret_may_begin() -> None:
    stream = StreamMask(Redactor({"TOKEN": SECRET}))
    assert stream.feed("x" * 16_383) == ""
    assert stream.feed("x") == "x" * 8192
    assert stream.feed("x" * 8191) == ""
    # Twice as many again: the secret's beginning is the end of what stays.
    assert stream.feed(SECRET[:5]) == "x" * 8196
    assert stream.feed(f"{SECRET[5:]} y\n") == f"{'x' * 8187}{MASK} y\n"
    assert stream.flush() == ""


def test_endless_line_leaves_the_stream_without_its_secret() -> None:
    stream = StreamMask(Redactor({"TOKEN": SECRET}))
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


@pytest.mark.parametrize("key", ["value", "default", "before", "after"])
def test_what_stands_for_a_secret_inside_a_tree_is_masked_and_what_is_said_of_it_is_not(key: str) -> None:
    told = {"type": "string", "sensitive": False, "note": "swordfish"}
    assert Redactor().mask_tree({"db_password": told | {key: "swordfish"}}) == {"db_password": told | {key: MASK}}
    assert Redactor().mask_tree({"region": told | {key: "swordfish"}}) == {"region": told | {key: "swordfish"}}
    # By itself the word could be a piece of a text.
    assert Redactor().mask_tree({"token": {key: "apple"}}) == {"token": {key: MASK}}


KNOWN = "swordfish7swordfish7"
# Nothing but characters that base64 has, as many as there are in whole groups.
LONG = "word " * 60 + KNOWN


@pytest.mark.parametrize(
    ("mime", "text"),
    [
        ("text/plain", LONG),
        ("text/x-log; charset=utf-8", LONG),
        ("application/atom+xml", LONG),
        ("application/json", LONG),
        ("application/vnd.example+json", LONG),
        ("application/javascript", LONG),
        ("application/x-python", LONG),
        ("image/svg+xml", LONG),
        # It says that it is a picture, and does not begin like one.
        ("image/png", LONG),
        ("image/jpeg", LONG),
        ("image/gif", LONG),
        ("application/pdf", LONG),
        # Too short to be anything but a text, of four times 63 characters and three spaces.
        ("application/octet-stream", "   " + "word" * 58 + KNOWN),
        # It begins like a picture, and is no base64.
        ("image/png", f"iVBORw0KGgo= and {KNOWN}."),
    ],
)
def test_a_text_of_whatever_kind_is_masked_though_it_could_be_base64(mime: str, text: str) -> None:
    assert Redactor({"TOKEN": KNOWN}).mask_output(mime, text) == text.replace(KNOWN, MASK)


@pytest.mark.parametrize(
    ("mime", "text"),
    [
        ("application/octet-stream", LONG),
        ("audio/ogg", LONG),
        ("application/octet-stream", "    " + "word" * 58 + KNOWN),
        ("image/png", f"iVBORw0KGgoA{KNOWN}"),
        ("image/png; a=b", f"\n iVBORw0KGgoA\n{KNOWN}\n"),
        ("image/jpeg", f"/9j/{KNOWN}"),
        ("image/gif", f"R0lGODlh{KNOWN}"),
        ("application/pdf", f"JVBERi0x{KNOWN}"),
        ("image/webp", f"UklGRiQA{KNOWN}"),
        ("image/bmp", f"Qk02{KNOWN}"),
        ("image/tiff", f"SUkqAAgA{KNOWN}"),
        ("image/tiff", f"TU0AKgAA{KNOWN}"),
    ],
)
def test_what_is_no_text_stays_as_it_is(mime: str, text: str) -> None:
    assert Redactor({"TOKEN": KNOWN}).mask_output(mime, text) == text


@pytest.mark.parametrize(
    ("mime", "shown", "masked"),
    [
        pytest.param(
            "text/plain",
            ["a swordfish7", "swordfish7 é\n", "b\n"],
            f"a {MASK} é\nb\n",
            id="lines are read as one text",
        ),
        pytest.param("text/html", ["<b>swordfish7", "swordfish7</b>"], f"<b>{MASK}</b>", id="lines of a page"),
        pytest.param(
            "image/png", [f"iVBORw0KGgoA{KNOWN}\n", "AAAA\n"], f"iVBORw0KGgoA{KNOWN}\nAAAA\n", id="of a picture"
        ),
        pytest.param("text/plain", [KNOWN, 1, None], [MASK, 1, None], id="a list of something else"),
        pytest.param("application/json", [KNOWN, "b"], [MASK, "b"], id="a list in JSON"),
        pytest.param(
            "application/vnd.x+json; charset=utf-8",
            {"password": "é", "b": KNOWN},
            {"password": MASK, "b": MASK},
            id="a map",
        ),
        pytest.param(
            "application/json",
            '{"password": "apple pie", "é": [1,"b"]}',
            f'{{"password": "{MASK}", "é": [1, "b"]}}',
            id="JSON as a text",
        ),
        pytest.param("application/json", '[1,"b", {"é":2}]', '[1,"b", {"é":2}]', id="JSON that holds none"),
        pytest.param("application/json", f'"{KNOWN}"', f'"{MASK}"', id="one text in JSON"),
        pytest.param("application/json", f'{{"a": {KNOWN}', f'{{"a": {MASK}', id="JSON that is cut off"),
        pytest.param(
            "image/svg+xml; a=b", f"<text>{KNOWN[:9]}<b/>{KNOWN[9:]}</text>", f"<text>{MASK}<b/></text>", id="markup"
        ),
    ],
)
def test_an_output_is_masked_as_what_it_is(mime: str, shown: object, masked: object) -> None:
    assert Redactor({"TOKEN": KNOWN}).mask_output(mime, shown) == masked


@pytest.mark.parametrize(
    ("node", "kept"),
    [
        ({"dtype": "f8", "bdata": KNOWN, "data": "x"}, True),
        ({"bdata": KNOWN}, False),
        ({"dtype": "f8", "data": KNOWN}, False),
        ({"encoding": "base64", "path": ["value"], "data": KNOWN, "bdata": "x"}, True),
        ({"encoding": "base64", "data": KNOWN}, False),
        ({"encoding": "utf-8", "path": ["value"], "data": KNOWN}, False),
        ({"path": ["value"], "data": KNOWN}, False),
        ({"encoding": "base64", "path": ["value"], "bdata": KNOWN}, False),
        ({"dtype": "f8", "bdata": "x", "encoding": "base64", "path": KNOWN, "data": "x"}, False),
    ],
)
def test_numbers_and_files_of_a_widget_stay_and_a_text_beside_them_does_not(
    node: dict[str, object], kept: bool
) -> None:
    masked = node if kept else {key: MASK if value == KNOWN else value for key, value in node.items()}
    assert Redactor({"TOKEN": KNOWN}).mask_tree([node]) == [masked]


def test_what_a_neighbour_names_is_masked_in_a_tree_and_what_docker_keeps_is_where_it_names_a_user() -> None:
    encoded = base64.b64encode(b"admin:hunter2").decode()
    tree = [
        {"name": "DB_PASSWORD", "value": "apple"}, {"name": "REGION", "value": "apple"}, {"token": "apple"},
        {"auth": encoded}, {"auth": "disabled"}, {"author": encoded}, (KNOWN, 1, True, None),
    ]  # fmt: skip
    assert Redactor({"TOKEN": KNOWN}).mask_tree(tree) == [
        {"name": "DB_PASSWORD", "value": MASK}, {"name": "REGION", "value": "apple"}, {"token": "apple"},
        {"auth": MASK}, {"auth": "disabled"}, {"author": encoded}, [MASK, 1, True, None],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "masked"),
    [
        ("db_password", "apple pie", MASK),
        ("region", "apple pie", "apple pie"),
        ("region", {"api_key": "apple", "zone": 3}, {"api_key": MASK, "zone": 3}),
        # The name itself goes, and the value is still found by it.
        (KNOWN, f"{KNOWN} b", f"{MASK} b"),
    ],
)
def test_a_named_value_is_masked_by_its_name(name: str, value: object, masked: object) -> None:
    assert Redactor({"TOKEN": KNOWN}).mask_name(name, value) == masked


def test_secrets_that_touch_are_masked_each_and_those_that_overlap_as_one() -> None:
    redactor = Redactor(
        {"FIRST": "the-first-7x", "SECOND": "second-7x-one", "THIRD": "7xsecond", "INSIDE": "the-first"}
    )
    assert redactor.mask("a the-first-7xsecond-7x-one b") == f"a {MASK} b"
    assert redactor.mask("a the-first-7xthe-first-7x b") == f"a {MASK}{MASK} b"


def test_a_tree_has_the_time_of_one_text_which_is_looked_at_once_in_many_characters() -> None:
    asked: list[float] = []

    def clock() -> float:
        asked.append(float(len(asked)))
        return asked[-1]

    text = "x" * 65_536  # half of the characters after which the clock is asked
    assert Redactor(finders=(), bound=1, clock=clock).mask_tree({"a": [text] * 5, "b": [text]}) == {
        "a": [text] * 5,
        "b": [WITHHELD],
    }
    assert asked == [0, 1, 2]
    # The next one's time begins anew.
    redactor = Redactor(finders=(), bound=1, clock=clock)
    assert [redactor.mask(text * 4), redactor.mask(text * 4)] == [text * 4] * 2


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


UNMARKED = "aZ3kQ9mB7xW1rT5yU8pL2sD6fG0hJ4cV7nM1bX9q"  # neither a slash nor a plus


@pytest.mark.parametrize("begin", ["AKIA", "ASIA"])
@pytest.mark.parametrize(("apart", "masked"), [(1, True), (140, True), (141, False)])
def test_forty_random_characters_are_a_key_where_its_id_stands_in_the_160_before(
    begin: str, apart: int, masked: bool
) -> None:
    text = f"{begin}IOSFODNN7EXAMPLE{' ' * apart}{UNMARKED}"
    assert Redactor({}).mask(text) == f"{MASK}{' ' * apart}{MASK if masked else UNMARKED}"


@pytest.mark.parametrize(("length", "spaces", "masked"), [(60, 1, False), (60, 6, False), (59, 1, True), (60, 7, True)])
def test_the_last_line_of_base64_is_no_key(length: int, spaces: int, masked: bool) -> None:
    text = f"{'A' * length}{' ' * spaces}{UNMARKED[:-1]}/"
    assert Redactor({}).mask(text) == (f"{'A' * length}{' ' * spaces}{MASK}" if masked else text)


def test_a_secret_that_ends_with_its_line_leaves_the_stream_at_once() -> None:
    stream = StreamMask(Redactor({"LINES": "the first line of it\nand the second\n"}))
    assert stream.feed("before\nthe first line of it\nand the second\n") == f"before\n{MASK}"
    assert stream.feed("after\n") == "after\n"
    assert stream.flush() == ""


def test_a_line_leaves_the_stream_when_it_ends_and_the_rest_waits() -> None:
    stream = StreamMask(Redactor({}))
    assert stream.feed("one") == ""
    assert stream.feed(" line\nthe ne") == "one line\n"
    assert stream.feed("xt\n") == "the next\n"
    assert stream.feed("the last") == ""
    assert stream.flush() == "the last"
    assert stream.flush() == ""


def test_a_key_waits_in_the_stream_for_its_end() -> None:
    stream = StreamMask(Redactor({}))
    first, *others = KEY.splitlines(keepends=True)
    assert stream.feed(f"before\n{first}") == "before\n"
    masked = "".join(stream.feed(line) for line in (*others, "after\n")) + stream.flush()
    assert masked.endswith("after\n")
    assert MASK in masked
    assert others[0].strip() not in masked


def _body(lines: int, width: int) -> list[str]:
    """Lines as a key has them, no two alike."""
    return [base64.b64encode(hashlib.sha512(str(n).encode()).digest()).decode()[:width] for n in range(lines)]


@pytest.mark.parametrize(
    ("before", "body", "after"),
    [
        # More than is ever held, than a text is looked through for, and than a line says of the next.
        (["-----BEGIN RSA PRIVATE KEY-----"], _body(300, 64), ["-----END RSA PRIVATE KEY-----"]),
        (["-----BEGIN RSA PRIVATE KEY-----"], _body(1100, 64), ["-----END RSA PRIVATE KEY-----"]),
        (
            ["-----BEGIN PGP PRIVATE KEY BLOCK-----", "Version: 2", ""],
            _body(400, 64),
            ["-----END PGP PRIVATE KEY BLOCK-----"],
        ),
        # Nothing says where these end.
        (["-----BEGIN EC PRIVATE KEY-----"], _body(400, 64), []),
        ([], [f"LS0tLS1CRUdJTiBSU0Eg{_body(1, 56)[0]}", *_body(61, 76)[1:]], []),
        (["Private-Lines: 45"], _body(45, 64), ["Private-MAC: 1"]),
    ],
    ids=["key", "long key", "PGP", "without end", "in base64", "PuTTY"],
)
@pytest.mark.parametrize("size", [0, 7, 1000, 8192, 100_000], ids=["lines", "7", "1000", "8192", "at once"])
def test_a_long_key_leaves_the_stream_masked_to_its_last_line(
    before: list[str], body: list[str], after: list[str], size: int
) -> None:
    text = "\n".join(["It begins", *before, *body, *after, "- and goes on.", ""])
    pieces = [text[at : at + size] for at in range(0, len(text), size)] if size else text.splitlines(keepends=True)
    stream = StreamMask(Redactor({}))
    said = "".join(stream.feed(piece) for piece in pieces) + stream.flush()
    assert said.startswith("It begins\n")
    # Of a key without end the next word may be the rest.
    assert said.endswith(" goes on.\n")
    assert [line for line in body if line[:12] in said or line[-12:] in said] == []


def test_what_follows_a_long_key_in_a_stream_is_shown() -> None:
    stream = StreamMask(Redactor({}))
    key = ["-----BEGIN RSA PRIVATE KEY-----", *_body(400, 64), "-----END RSA PRIVATE KEY-----"]
    for line in key:
        stream.feed(f"{line}\n")
    assert [stream.feed(f"{word}\n") for word in ("PASSED", "one", "two")] == ["PASSED\n", "one\n", "two\n"]


def test_a_key_that_never_ends_hides_no_more_than_the_one_word_that_may_be_its_rest() -> None:
    stream = StreamMask(Redactor({}))
    for line in ("-----BEGIN RSA PRIVATE KEY-----", *_body(1100, 64)):
        stream.feed(f"{line}\n")
    said = "".join(stream.feed(f"{word}\n") for word in ("REST", "FAILED", "one", "two", "three")) + stream.flush()
    assert said.endswith("FAILED\none\ntwo\nthree\n")
    assert "REST" not in said


def test_text_before_a_key_of_a_stream_is_no_key() -> None:
    stream = StreamMask(Redactor({}))
    assert stream.feed("-----END OF REPORT-----\nnext\n") == "-----END OF REPORT-----\nnext\n"


def test_an_end_that_may_begin_a_secret_is_not_shown_yet() -> None:
    stream = StreamMask(Redactor({"TOKEN": SECRET}))
    stream.feed(f"the secret is {SECRET[:12]}")
    assert stream.peek() == "the secret is "
    assert stream.flush() == f"the secret is {SECRET[:12]}"


@pytest.mark.parametrize(("begun", "shown"), [("p4ss", ""), ("p4s", "p4s"), (SECRET[:-1], ""), (SECRET, MASK)])
def test_four_characters_of_a_value_are_its_beginning(begun: str, shown: str) -> None:
    stream = StreamMask(Redactor({"TOKEN": SECRET}))
    stream.feed(begun)
    assert stream.peek() == shown


def test_of_two_values_that_an_end_may_begin_the_longer_is_left_out() -> None:
    stream = StreamMask(Redactor({"SHORT": "wxyz7-short", "LONG": "abcdwxyz7-and-much-longer"}))
    stream.feed("so: abcdwxyz")
    assert stream.peek() == "so: "
    # Which of the values is the longer one says nothing of their beginnings.
    stream = StreamMask(Redactor({"SHORT": "abcdwxyz7", "LONG": "wxyz7-and-much-longer"}))
    stream.feed("so: abcdwxyz")
    assert stream.peek() == "so: "


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
    redactor = Redactor(
        {"SHORT": "hunt3r", "LONGER": "hunt3r+", "LONG": "secret-value", "LONGEST": "secret-value-more"}
    )
    assert redactor.mask("secret-value-more hunt3r+ hunt3r") == f"{MASK} {MASK} {MASK}"


@pytest.mark.parametrize("begin", ['{"auth_token": "', "password='", '\\"api_token\\": \\"', "# secret = '"])
def test_a_quoted_value_that_never_ends_goes_on_to_the_end_of_its_line(begin: str) -> None:
    # Each backslash could be read in two ways: sixty of them would outlast any patience.
    assert Redactor({}).mask(begin + "ab\\c" * 60 + "\nnext") == f"{begin}{MASK}\nnext"


def test_a_value_of_short_lines_does_not_leave_the_stream_line_by_line() -> None:
    value = "user: alex\npin: 77\nend\n"
    for beginning in ("", "all is well\n", "user: alex\n"):
        stream = StreamMask(Redactor({"CONFIG": value}))
        shown = "".join(stream.feed(line) for line in f"{beginning}{value}done\n".splitlines(keepends=True))
        assert shown + stream.flush() == f"{beginning}{MASK}done\n"


def test_a_line_with_which_no_value_goes_on_leaves_with_the_next_one() -> None:
    stream = StreamMask(Redactor({"CONFIG": "user: alex\npin: 77\nend\n"}))
    assert stream.feed("user: alex\n") == ""
    assert stream.feed("is here\n") == "user: alex\nis here\n"
    assert stream.feed("user: alex\n") == ""
    assert stream.flush() == "user: alex\n"


def test_two_names_that_are_secrets_both_stay_and_hide_no_other_s_value() -> None:
    tokens = [f"glpat-{letter * 20}" for letter in "ab"]
    masked = Redactor({}).mask_tree({"db_password": {tokens[0]: 1, tokens[1]: 2, "value": "swordfish"}})
    assert masked == {"db_password": {MASK: 1, f"{MASK} 1": 2, "value": MASK}}
    assert len(Redactor({}).mask_tree(dict.fromkeys([f"{MASK} 2", *tokens], "x"))) == 3


@pytest.mark.parametrize("form", ["Sword%2fFish%267", "Sword/Fish%267", "Sword%2FFish%267"])
def test_a_value_is_known_in_an_address_whose_codes_are_small(form: str) -> None:
    assert Redactor({"TOKEN": "Sword/Fish&7"}).mask(f"https://x.example/?p={form}!") == f"https://x.example/?p={MASK}!"


def test_the_longest_beginning_of_any_value_is_held() -> None:
    twice, other = "same line\nsame line\nend\n", "same line\nand another that is longer than the first one is\n"
    stream = StreamMask(Redactor({"TWICE": twice, "OTHER": other}))
    shown = "".join(stream.feed(line) for line in f"{twice}done\n".splitlines(keepends=True))
    assert shown + stream.flush() == f"{MASK}done\n"


def test_a_value_whose_lines_are_the_same_is_held_from_its_first_one_on() -> None:
    stream = StreamMask(Redactor({"PINS": "pin: 1\npin: 1\npin: 1\nend\n"}))
    assert stream.feed("all is well\npin: 1\n") == "all is well\n"
    assert stream.feed("no\nall is well so far\npin: 1\npin: 1\n") == "pin: 1\nno\nall is well so far\n"
    assert stream.feed("pin: 1\nend\nand on\n") == f"{MASK}and on\n"


@pytest.mark.parametrize(("line", "held"), [("abc\n", True), ("ab\n", False)])
def test_a_line_of_four_characters_is_the_beginning_of_a_value(line: str, held: bool) -> None:
    stream = StreamMask(Redactor({"LINES": f"{line}7x\nend\n"}))
    assert stream.feed(line) == ("" if held else line)


def test_who_is_hurried_goes_on_with_what_it_is_given() -> None:
    stream = StreamMask(Redactor({}))
    stream.feed("the beginning ")
    stream.hurry(Redactor({"TOKEN": SECRET}))
    assert stream.feed(f"{SECRET}\n") == f"the beginning {MASK}\n"
    assert stream.peek() == ""


@pytest.mark.parametrize("before", ["", "all is well\n", "word " * 300 + "\n"])
def test_a_line_that_has_left_still_says_what_the_next_one_is(before: str) -> None:
    stream = StreamMask(Redactor({}))
    assert stream.feed(f"{before}password:\n") == f"{before}password:\n"
    assert stream.feed('  "swordfish7"\n') == f'  "{MASK}"\n'


@pytest.mark.parametrize("before", ["", "hello\n"])
def test_a_token_in_which_an_endless_line_would_be_cut_waits_for_its_end(before: str) -> None:
    stream = StreamMask(Redactor({}))
    assert stream.feed(before) == before
    # 16,384 characters, whose half is in the token.
    line = f"{'x' * 8100} glpat-{'a' * 100} {'y' * 8176}"
    assert stream.feed(line) == f"{'x' * 8100} "
    assert stream.flush() == f"{MASK} {'y' * 8176}"


def test_what_aws_answers_when_it_is_asked_for_a_secret_is_masked() -> None:
    answers = [
        {"ARN": "arn:aws:secretsmanager:eu-west-1:1:secret:db", "SecretString": "orange7x"},
        {"Parameter": {"Name": "/prod/db", "Type": "SecureString", "Value": "orange7x"}},
        {"Parameter": {"Name": "/prod/db", "Type": "String", "Value": "eu-west-1"}},
    ]
    assert Redactor().mask_tree(answers) == [
        {"ARN": "arn:aws:secretsmanager:eu-west-1:1:secret:db", "SecretString": MASK},
        {"Parameter": {"Name": "/prod/db", "Type": "SecureString", "Value": MASK}},
        {"Parameter": {"Name": "/prod/db", "Type": "String", "Value": "eu-west-1"}},
    ]


def test_each_of_a_list_of_passwords_is_masked() -> None:
    frame = {
        "user": ["me1234567"],
        "password": ["orange7x", "required", None, {"note": "orange7x"}],
        "tokens": ["a1b2"],
    }
    masked = [MASK, "required", None, {"note": "orange7x"}]
    assert Redactor().mask_tree(frame) == {"user": ["me1234567"], "password": masked, "tokens": ["a1b2"]}


def test_each_in_a_map_of_passwords_is_masked_and_nothing_that_is_required_of_one() -> None:
    users = {"alice": "orange7x", "bob": "required", "more": {"eve": "orange7x"}}
    asked = {"type": "string", "pattern": "orange7x"}
    assert Redactor().mask_tree({"passwords": users, "password": asked}) == {
        "passwords": users | {"alice": MASK},
        "password": asked,
    }


def test_a_block_of_yaml_is_masked_though_its_lines_come_one_by_one() -> None:
    stream = StreamMask(Redactor())
    shown = [stream.feed(line) for line in ("password: |\n", "  hunter2\n", "  and more\n", "user: me\n")]
    assert "".join([*shown, stream.flush()]) == f"password: |\n  {MASK}\n  {MASK}\nuser: me\n"
