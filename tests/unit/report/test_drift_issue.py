"""What a stack's issue says, and what the next look reads out of it."""

from __future__ import annotations

import pytest

from runbook_lib.models.base import Outcome
from runbook_lib.models.drift import DriftEntry, DriftNews
from runbook_lib.report.drift_issue import issue_body, news_note, remembered

HOSTILE = ["/close", "`\n/close @all", "--> <script>alert(1)</script> <!--", "a\u2028/assign @sam", "x" * 5000, "```"]


def news(*texts: str, **more: object) -> DriftNews:
    entries = tuple(DriftEntry(key=f"k{index}", text=text) for index, text in enumerate(texts))
    return DriftNews(stack="web", run_id="r1", outcome=Outcome.BLOCKED, summary="s", new=entries, **more)  # type: ignore[arg-type]


def test_what_was_remembered_is_read_again() -> None:
    told = news("unmanaged: web (sg-1): ingress tcp 22 from 0.0.0.0/0", *HOSTILE)
    found = remembered(issue_body(told, told.entries), "web")
    assert [entry.key for entry in found] == [entry.key for entry in told.entries]
    assert found[0] == told.entries[0]


def test_it_remembers_only_what_it_is_told_to() -> None:
    told = news("a", "b")
    assert remembered(issue_body(told, ()), "web") == ()


@pytest.mark.parametrize(
    "body",
    ["", "no memory", "<!-- runbook drift web !!! -->", "<!-- runbook drift web bm9uZQ== -->"],
)
def test_a_memory_that_somebody_took_away_or_spoilt_is_none(body: str) -> None:
    assert remembered(body, "web") == ()


def test_the_memory_of_another_stack_is_none() -> None:
    told = news("a")
    assert remembered(issue_body(told, told.entries), "db") == ()


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_a_difference_is_a_command_a_mention_or_a_page_to_gitlab(text: str) -> None:
    told = news(text, gone=(DriftEntry(key="g", text=text),))
    for body in (issue_body(told, told.entries), news_note(told)):
        lines = body.splitlines()
        assert not [line for line in lines if line.startswith("/")]
        shown = [line for line in lines if line.startswith("- ")]
        assert shown
        for line in shown:
            # One span of code, and nothing before or behind it.
            assert line.startswith("- `"), line
            assert line.endswith("`"), line
            assert line.count("`") == 2, line
            assert len(line) < 450


def test_many_differences_are_counted_and_all_remembered() -> None:
    told = news(*(f"rule {number}" for number in range(250)))
    body = issue_body(told, told.entries)
    assert "and 150 more" in body
    assert len(remembered(body, "web")) == 250
