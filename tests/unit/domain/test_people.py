"""Whom a commit names."""

from __future__ import annotations

import pytest

from runbook_lib.domain.people import addresses

NOBODY = "a co-author without an address"


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("fix\n\nCo-authored-by: Sam <sam@x.example>", ("sam@x.example",)),
        ("fix\r\n\r\n  CO-AUTHORED-BY : Sam <sam@x.example> \r\n", ("sam@x.example",)),
        ("Co-authored-by: A <B> <b@x.example>\nCo-authored-by:<c@x.example>\t", ("b@x.example", "c@x.example")),
        ("Co-authored-by: Sam", (NOBODY,)),
        ("Co-authored-by: Sam <sam@x.example> and more", (NOBODY,)),
        ("Co-authored-by:\n<next@x.example>", (NOBODY,)),
        ("Co-authored-by: open <sam@x.example\n>", (NOBODY,)),
        ("co-authored-by nobody, Reviewed-by: Kim <kim@x.example>", ()),
        ("fix" + "\n" * 200_000 + "Co-authored-by: Sam <sam@x.example>", ("sam@x.example",)),
        ("Co-authored-by: " + "<" * 50_000 + "x", (NOBODY,)),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else "",
)
def test_everybody_that_a_message_names_is_found_and_what_can_not_be_read_stands_for_somebody(
    message: str, named: tuple[str, ...]
) -> None:
    assert addresses("a@x.example", "a@x.example", message) == ("a@x.example", *named)
