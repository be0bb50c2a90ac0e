"""The lab refuses the blocks that Slack refuses, at the very limit."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.lab.slack.errors import SlackRefusal
from runbook_lib.lab.slack.limits import check_blocks

DIVIDER = {"type": "divider"}


def text(length: int, kind: str = "mrkdwn") -> dict[str, Any]:
    return {"type": kind, "text": "x" * length}


def section(length: int) -> dict[str, Any]:
    return {"type": "section", "text": text(length)}


def header(length: int) -> dict[str, Any]:
    return {"type": "header", "text": text(length, "plain_text")}


def with_fields(count: int, length: int) -> dict[str, Any]:
    return {"type": "section", "fields": [text(length) for _ in range(count)]}


def with_button(**values: Any) -> dict[str, Any]:
    return {"type": "actions", "elements": [{"type": "button", "text": text(5, "plain_text"), **values}]}


AT_THE_LIMIT = {
    "50 blocks": [DIVIDER] * 50,
    "section of 3,000": [section(3000)],
    "header of 150": [header(150)],
    "10 fields": [with_fields(10, 100)],
    "field of 2,000": [with_fields(1, 2000)],
    "button label of 75": [with_button(text=text(75, "plain_text"))],
    "button value of 2,000": [with_button(value="x" * 2000)],
    "button address of 3,000": [with_button(url="https://" + "x" * 2992)],
    "context of 10": [{"type": "context", "elements": [text(5)] * 10}],
}
PAST_THE_LIMIT = {
    "51 blocks": ([DIVIDER] * 51, "/blocks"),
    "section of 3,001": ([section(3001)], "/blocks/0/text/text"),
    "empty section": ([section(0)], "/blocks/0/text/text"),
    "section of nothing": ([{"type": "section"}], "/blocks/0"),
    "header of 151": ([header(151)], "/blocks/0/text/text"),
    "header in mrkdwn": ([{"type": "header", "text": text(5)}], "/blocks/0/text/type"),
    "11 fields": ([with_fields(11, 10)], "/blocks/0/fields"),
    "field of 2,001": ([with_fields(1, 2001)], "/blocks/0/fields/0/text"),
    "button label of 76": ([with_button(text=text(76, "plain_text"))], "/blocks/0/elements/0/text/text"),
    "button value of 2,001": ([with_button(value="x" * 2001)], "/blocks/0/elements/0/value"),
    "button address of 3,001": ([with_button(url="https://" + "x" * 2993)], "/blocks/0/elements/0/url"),
    "button address of a script": ([with_button(url="javascript:alert(1)")], "/blocks/0/elements/0/url"),
    "button in purple": ([with_button(style="purple")], "/blocks/0/elements/0/style"),
    "context of 11": ([{"type": "context", "elements": [text(5)] * 11}], "/blocks/0/elements"),
    "unknown block": ([{"type": "hologram"}], "/blocks/0/type"),
    "block that is no object": (["section"], "/blocks/0/type"),
    "same block_id twice": ([DIVIDER | {"block_id": "a"}, DIVIDER | {"block_id": "a"}], "/blocks/1/block_id"),
    "blocks that are no list": ({"type": "divider"}, "/blocks"),
}


@pytest.mark.parametrize("case", AT_THE_LIMIT)
def test_block_at_the_limit_is_taken(case: str) -> None:
    assert check_blocks(AT_THE_LIMIT[case]) == AT_THE_LIMIT[case]


@pytest.mark.parametrize("case", PAST_THE_LIMIT)
def test_block_past_the_limit_is_refused_with_its_place(case: str) -> None:
    blocks, place = PAST_THE_LIMIT[case]
    with pytest.raises(SlackRefusal) as caught:
        check_blocks(blocks)
    assert caught.value.code == "invalid_blocks"
    assert any(f"[json-pointer:{place}" in detail for detail in caught.value.body["errors"])


def test_blocks_that_are_long_together_are_refused() -> None:
    assert check_blocks([section(3000)] * 4)
    with pytest.raises(SlackRefusal) as caught:
        check_blocks([section(3000)] * 5)
    assert caught.value.code == "msg_blocks_too_long"
