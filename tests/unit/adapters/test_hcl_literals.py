"""Written-out variables: read quickly as the grammar reads them, or left to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.adapters import hcl
from runbook_lib.adapters.hcl import read_hcl
from runbook_lib.adapters.hcl_expression import convert
from runbook_lib.adapters.hcl_literals import read_literals
from runbook_lib.adapters.hcl_parse import parse_text
from runbook_lib.adapters.hcl_scope import ModuleScope
from runbook_lib.adapters.hcl_values import evaluate
from runbook_lib.errors import InputError


def by_grammar(text: str) -> Any:
    try:
        data = parse_text(text, "x.tfvars", 1)
    except InputError:
        return None
    scope = ModuleScope()
    return {key: evaluate(convert(value), scope, {}) for key, value in data.items() if not key.startswith("__")}


def shape(value: Any) -> Any:
    """With the kind of each number, in which 1 and true differ."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    return [shape(part) for part in value] if isinstance(value, list) else (type(value).__name__, value)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("# nothing\n\n", {}),
        ('a = "b" # why\nb=true\r\nc = null', {"a": "b", "b": True, "c": None}),
        ("a = -1\nb = 1.5\nc = 1.0\nd = -1.0\ne = 0", {"a": -1, "b": 1.5, "c": 1, "d": -1, "e": 0}),
        ('a = "x\\n\\"y\\\\ é $x 5%"', {"a": 'x\n"y\\ é $x 5%'}),
        ("a = [1,\n // c\n 2 ,\n]\nb = []", {"a": [1, 2], "b": []}),
        ('a = "\uf900e\u0301" # as one', {"a": "\u8c48\u00e9"}),
        ('a = {\n\n b = 1 # c\n "d e" : [{}]\n 3 = 4, true = 5 }', {"a": {"b": 1, "d e": [{}], "3": 4, "true": 5}}),
    ],
)
def test_what_is_written_out_is_read_as_the_grammar_reads_it(text: str, values: dict[str, Any]) -> None:
    assert shape(read_literals(text)) == shape(values) == shape(by_grammar(text))


@pytest.mark.parametrize(
    "text",
    [
        "a = 1\na = 2", "a = { b = 1, b = 2 }", 'a = "${b}"', 'a = "$${b}"', 'a = "%{ if b }%{ endif }"', "a = b",
        "a = 1 + 2", "a = <<EOT\nx\nEOT\n", "a = 1 /* c */", "a {\n}", "a = [1 2]", "a = 1 b = 2",
        "a = { b = 1 c = 2 }", "a =\n1", "a = 01", "a = 1e3", "a = 99999999999999999999", "a = [,]", "a = {,}",
        "a = { b\n = 1 }",
        'a = "\\u00e9"', "a = (1)", '"a" = 1', "a = { (b) = 1 }", "a = { 1.5 = 2 }", "a = { -1 = 2 }", "a = foo()",
        "a = [for x in [] : x]", "é = 1", "a = [", "a = 1]", "a", "a = ", "a: 1", "a = 1.", "a = 1x", "a = truex",
        'a = "b', "a = " + "[" * 200 + "]" * 200, "a.b = 1", "a = 1 : 2",
    ],
)  # fmt: skip
def test_whatever_else_there_is_is_left_to_the_grammar(text: str) -> None:
    assert read_literals(text) is None


# What begins with two of them python-hcl2 keeps for itself.
names = st.from_regex(r"_?[a-zA-Z][a-zA-Z0-9_-]{0,5}", fullmatch=True)
pieces = st.one_of(
    names,
    st.sampled_from(
        [*"={}[],:\n\"'\\$%#/*-. ", "\r\n", "${", "true", "null", "\\n", '"a"', '"b c"', "//", "= {\n", "= [\n"]
    ),
    st.integers(-100, 100).map(str),
    st.floats(-100, 100, allow_nan=False).map(lambda number: f"{number:.3f}"),
)
values = st.recursive(
    st.one_of(
        st.sampled_from(["true", "false", "null"]),
        st.integers(-(10**14), 10**14).map(str),
        st.text(
            st.characters(codec="utf-8", exclude_characters='"\\$%\r\n', exclude_categories=("Cc", "Cs", "Zl", "Zp"))
        ).map(lambda text: f'"{text}"'),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[\n{', '.join(items)}\n]"),
        st.dictionaries(names, inner, max_size=3).map(
            lambda pairs: "{\n" + "\n".join(f"{key} = {value}" for key, value in pairs.items()) + "\n}"
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(names, values, max_size=3))
def test_any_file_of_plain_values_is_read_and_alike(variables: dict[str, str]) -> None:
    text = "".join(f"{name} = {value}\n" for name, value in variables.items())
    found = read_literals(text)
    assert found is not None
    assert shape(found) == shape(by_grammar(text))


@settings(max_examples=300, deadline=None)
@given(st.lists(pieces, max_size=9).map(lambda parts: "a = " + "".join(parts)))
def test_no_text_is_read_otherwise_than_by_the_grammar(text: str) -> None:
    found = read_literals(text)
    assert found is None or shape(found) == shape(by_grammar(text))


def test_a_large_map_never_meets_the_grammar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "main.tf").write_text(
        'variable "rules" {}\nresource "aws_x" "x" {\n for_each = var.rules\n v = each.value.port\n}\n'
    )
    entries = "".join(f'  "r{number}" = {{ port = {number} }}\n' for number in range(3000))
    (tmp_path / "terraform.tfvars").write_text(f"rules = {{\n{entries}}}\n")
    asked: list[str] = []

    def parse(text: str, file: str, line: int) -> dict[str, Any]:
        asked.append(file)
        return parse_text(text, file, line)

    monkeypatch.setattr(hcl, "parse_text", parse)
    assert len(read_hcl(tmp_path, base=tmp_path).resources) == 3000
    assert asked == []
    (tmp_path / "terraform.tfvars").write_text("rules = {}\nother = 1 + 2\n")
    read_hcl(tmp_path, base=tmp_path)
    assert asked == ["terraform.tfvars"]
