"""What a tag says of a rule's end: a day to its end, a moment, or nothing that anybody could read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.expiry import ends_at, is_over, is_temporary, is_unreadable


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2026-12-31", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2028-02-29", datetime(2028, 3, 1, tzinfo=UTC)),
        ("2026-12-31T18:00:00Z", datetime(2026, 12, 31, 18, tzinfo=UTC)),
        ("2026-12-31T18:00:00+01:00", datetime(2026, 12, 31, 17, tzinfo=UTC)),
        ("2026-12-31T18:00:00-08:30", datetime(2027, 1, 1, 2, 30, tzinfo=UTC)),
        ("2026-12-31T18:00:00.123456789Z", datetime(2026, 12, 31, 18, 0, 0, 123456, tzinfo=UTC)),
        ("2026-12-31T18:00:00.5Z", datetime(2026, 12, 31, 18, 0, 0, 500000, tzinfo=UTC)),
        ("9999-12-31", datetime.max.replace(tzinfo=UTC)),
        ("9999-12-31T23:00:00-05:00", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_a_day_counts_to_its_end_and_a_moment_is_itself(text: str, end: datetime) -> None:
    assert ends_at(text) == end
    assert is_temporary(text)
    assert not is_unreadable(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "never", "31.12.2026", "2026-02-30", "2026-13-01", "20261231", "2026-W53-4", "2026-12-31 18:00:00Z",
        "2026-12-31T18:00:00", "2026-12-31T18:00Z", "2026-12-31t18:00:00z", "2026-12-31T24:00:00Z",
        "2026-12-31T18:00:60Z",
        "2026-12-31T18:00:00+24:00", " 2026-12-31", "2026-12-31\n", "2026-12-31Z", "\uff12026-12-31", "1e9", "unknown",
    ],
)  # fmt: skip
def test_what_is_neither_says_no_end_and_is_not_taken_for_one(text: str) -> None:
    assert ends_at(text) is None
    assert is_unreadable(text)
    assert not is_over(text, datetime.max.replace(tzinfo=UTC))


def test_it_is_over_from_its_end_on() -> None:
    assert not is_over("2026-12-31", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert is_over("2026-12-31", datetime(2027, 1, 1, tzinfo=UTC))
    assert not is_over(None, datetime.max.replace(tzinfo=UTC))
    assert not is_over(UNKNOWN, datetime.max.replace(tzinfo=UTC))
