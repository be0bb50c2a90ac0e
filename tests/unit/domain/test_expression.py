"""An expression of a policy: what it may see, and when nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.compliance.expression import compile_expression, evaluate
from runbook_lib.domain.rules import ResourceView
from runbook_lib.errors import ConfigError
from runbook_lib.models.base import UNKNOWN


def said(text: str, **values: Any) -> bool | None:
    return evaluate(text, ResourceView("aws_vpc.main", "aws_vpc", values, touched=True))


@pytest.mark.parametrize(
    ("text", "values", "truth"),
    [
        ("values.size > 3", {"size": 4}, True),
        ("values.size > 3", {"size": 3}, False),
        ('address == "aws_vpc.main" && type == "aws_vpc"', {}, True),
        ("parse_json(values.policy).a == 1", {"policy": '{"a": 1}'}, True),
        ("as_list(values.a) == [1] && as_list(values.b) == [1, 2]", {"a": 1, "b": [1, 2]}, True),
        ("is_world(values.n)", {"n": "0.0.0.0/0"}, True),
        ("is_world(values.n)", {"n": "0::/0"}, True),
        ("is_world(values.n)", {"n": ["0.0.0.0/1", "128.0.0.0/1"]}, True),
        # Each is a 256th of all addresses, which is no world; two of them are more.
        ("is_world(values.n)", {"n": ["11.0.0.0/8", ["", None]]}, False),
        ("is_world(values.n)", {"n": ["11.0.0.0/8", ["12.0.0.0/8"]]}, True),
        ("is_world(values.n)", {"n": "10.0.0.0/8"}, False),
        ("is_world(values.n)", {"n": []}, False),
        ("is_true(values.a) && is_true(values.b) && is_true(values.c)", {"a": True, "b": "true", "c": "1"}, True),
        ("is_true(values.a) || is_true(values.b) || is_true(values.c)", {"a": False, "b": "false", "c": None}, False),
        ("protocol_of(values.a) == 'tcp' && protocol_of(values.b) == 'tcp'", {"a": 6, "b": "06"}, True),
        ("protocol_of(values.a) == 'all' && protocol_of(values.b) == 'udp'", {"a": "-1", "b": "UDP"}, True),
        ("values.on == true", {"on": True}, True),
        ("values.big > 1.0", {"big": 2**63}, True),
        ("values.small < 1.0", {"small": -(2**63) - 1}, True),
        ("values.edge == -9223372036854775808", {"edge": -(2**63)}, True),
        ("values.edge == 9223372036854775807", {"edge": 2**63 - 1}, True),
        ("values.tags.a == 1", {"tags": {"a": 1}}, True),
        ("values.n % 2 == 1", {"n": 443}, True),
        ("values.n % 2 == 1", {"n": 2**63 - 1}, True),
        ("values.n % 2 == 0", {"n": -(2**63)}, True),
        ("values.n % 2 == 0", {"n": 0}, True),
        ("values.n == [1, 2]", {"n": (1, 2)}, True),
        ("values.n.a.b == [true, null, 'x']", {"n": {"a": {"b": [True, None, "x"]}}}, True),
    ],
)
def test_what_is_known_decides(text: str, values: dict[str, Any], truth: bool) -> None:
    assert said(text, **values) is truth


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param("values.size > 3", {}, id="not there"),
        pytest.param("values.size > 3", {"size": "large"}, id="of another kind"),
        pytest.param("values.size + 1", {"size": 3}, id="no yes or no"),
        pytest.param("values.n % 2 == 0", {"n": 2**63}, id="a remainder of what is too large to be a whole number"),
        pytest.param("parse_json(values.policy).a == 1", {"policy": "{"}, id="what is no JSON"),
        pytest.param("is_world(values.n)", {"n": ["0.0.0.0/0", "sg-1"]}, id="what is no network"),
        pytest.param("is_world(values.n)", {"n": 7}, id="no text at all"),
        pytest.param("is_true(values.n)", {"n": "yes"}, id="what is neither true nor false"),
        pytest.param("protocol_of(values.n) == 'tcp'", {"n": "http"}, id="what is no protocol"),
        pytest.param("protocol_of(values.n) == 'tcp'", {"n": None}, id="no protocol"),
        pytest.param("has(values.size)", {"size": UNKNOWN}, id="unknown"),
        pytest.param("has(values.tags)", {"tags": {"a": UNKNOWN}}, id="unknown further down"),
        pytest.param("has(values.list)", {"list": [{"a": UNKNOWN}]}, id="unknown in a list"),
        pytest.param("values.map(k, k).size() > 0", {"other": UNKNOWN}, id="all attributes, one of them unknown"),
    ],
)
def test_where_something_is_missing_nobody_can_tell(text: str, values: dict[str, Any]) -> None:
    assert said(text, **values) is None


def test_what_is_unknown_and_not_asked_for_does_not_matter() -> None:
    assert said("values.size > 3", size=4, other=UNKNOWN) is True
    assert said('values["size"] > 3', size=4, other=UNKNOWN) is True


def test_what_is_no_expression_is_told_in_one_line() -> None:
    with pytest.raises(ConfigError) as caught:
        compile_expression("values.size >")
    assert caught.value.message.startswith("this is no CEL expression: ")
    assert "\n" not in caught.value.message
    assert caught.value.remedy == "Correct the expression."
