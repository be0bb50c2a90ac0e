"""JSON that is refused, in the words that say why and what to do."""

from __future__ import annotations

import pytest

from runbook_lib.domain.fingerprint import fingerprint
from runbook_lib.domain.redaction import Redactor
from runbook_lib.domain.sensitive import masked_plan
from runbook_lib.domain.strict_json import DEEPEST, read_json, read_shown, refuse_deep
from runbook_lib.errors import InputError

AGAIN = "Write it again with `terraform show -json`."
AS_TEXT = "Keep such a value as one text, with Terraform's `jsonencode`."
ITSELF = "This is the plan file itself. Turn it into JSON with `terraform show -json FILE`."


@pytest.mark.parametrize(
    ("text", "says", "remedy"),
    [
        ("", "is no JSON, or cut short: Expecting value at line 1, column 1", AGAIN),
        ('{\n  "a" 1}', "is no JSON, or cut short: Expecting ':' delimiter at line 2, column 7", AGAIN),
        ("PK\x03\x04", "is no JSON, or cut short: Expecting value at line 1, column 1", ITSELF),
        (b"PK\x03\x04", "is no JSON, or cut short: Expecting value at line 1, column 1", ITSELF),
        ("P", "is no JSON, or cut short: Expecting value at line 1, column 1", AGAIN),
        (b"\xff{}", "is not UTF-8 text: invalid start byte at byte 0", AGAIN),
        (b"PK\xff", "is not UTF-8 text: invalid start byte at byte 2", ITSELF),
        ("[" * 100_000, "is nested too deeply: more than 150 levels", AS_TEXT),
        ("[" * 151 + "]" * 151, "is nested too deeply: more than 150 levels", AS_TEXT),
        ("[NaN]", "is no valid JSON: NaN is no JSON number", AGAIN),
        ("[-Infinity]", "is no valid JSON: -Infinity is no JSON number", AGAIN),
        ("[-1e999]", "is no valid JSON: the number -1e999 is too large", AGAIN),
        (f"[{'1' * 400}.0]", f"is no valid JSON: the number {'1' * 40} is too large", AGAIN),
        ('{"a": 1, "b": {"c": 1, "c": 1}}', "is no valid JSON: the key 'c' stands twice in one object", AGAIN),
        (
            f'{{"{"k" * 200}": 1, "{"k" * 200}": 1}}',
            f"is no valid JSON: the key '{'k' * 80}' stands twice in one object",
            AGAIN,
        ),
        ('"\\ud800"', "is no valid JSON: a surrogate stands alone", "Write it again."),
        ('"\\uDFFF"', "is no valid JSON: a surrogate stands alone", "Write it again."),
    ],
)
def test_what_is_no_json_is_refused_with_the_reason(text: str | bytes, says: str, remedy: str) -> None:
    for given, name in (((text, "the plan"), "the plan"), ((text,), "the input")):
        with pytest.raises(InputError) as caught:
            read_json(*given)
        assert (caught.value.message, caught.value.remedy) == (f"{name} {says}", remedy)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'\xef\xbb\xbf{"a": [1, 2.5, null, true]}', {"a": [1, 2.5, None, True]}),
        ('{"a": {"k": 1}, "b": {"k": 1}}', {"a": {"k": 1}, "b": {"k": 1}}),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ('"\\ue000"', "\ue000"),
        ("1e308", 1e308),
    ],
)
def test_what_is_json_is_read_as_it_is(text: str | bytes, value: object) -> None:
    assert read_json(text) == value


@pytest.mark.parametrize("depth", [DEEPEST + 1, 100_000])
def test_what_terraform_shows_is_refused_where_it_is_nested_too_deeply(depth: int) -> None:
    with pytest.raises(InputError) as caught:
        read_shown('{"a": ' * depth + "1" + "}" * depth, "the plan")
    assert caught.value.message == "the plan is nested too deeply: more than 150 levels"


def test_what_terraform_shows_is_else_read_as_it_is() -> None:
    # Its numbers may be larger than any of Python's, and are no mistake.
    assert read_shown('{"a": 1e999, "b": [[]]}', "the plan") == {"a": float("inf"), "b": [[]]}
    assert read_json("[" * DEEPEST + "]" * DEEPEST) is not None


def test_what_is_as_deep_as_is_allowed_can_be_walked_through_from_deep_within_a_kernel() -> None:
    value: object = "x"
    for _ in range(DEEPEST - 5):
        value = {"a": value}
    change = {"actions": ["create"], "before": None, "after": {"v": value}, "after_unknown": {"v": value}}
    entry = {"address": "aws_x.b", "mode": "managed", "type": "aws_x", "name": "b", "change": change}
    document = refuse_deep({"format_version": "1.2", "resource_changes": [entry]}, "the plan")

    def below(frames: int) -> None:
        if frames:
            below(frames - 1)
        else:
            masked, _ = masked_plan(document)
            fingerprint(Redactor().mask_tree(masked))

    below(200)
