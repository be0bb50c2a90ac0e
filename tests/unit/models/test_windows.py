"""When a stack may change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from runbook_lib.models.windows import ChangeWindow


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# 2026-11-27 is a Friday.
@pytest.mark.parametrize(
    ("window", "moment", "holds"),
    [
        ({}, "2026-11-29T03:00", True),
        ({"begins": "08:00", "ends": "16:00"}, "2026-11-27T08:00", True),
        ({"begins": "08:00", "ends": "16:00"}, "2026-11-27T15:59:59", True),
        ({"begins": "08:00", "ends": "16:00"}, "2026-11-27T16:00", False),
        ({"begins": "08:00", "ends": "16:00"}, "2026-11-27T07:59:59", False),
        ({"days": ["mon", "fri"]}, "2026-11-27T23:59", True),
        ({"days": ["mon", "fri"]}, "2026-11-28T00:00", False),
        ({"days": ["fri"], "begins": "22:00", "ends": "02:00"}, "2026-11-27T22:00", True),
        ({"days": ["fri"], "begins": "22:00", "ends": "02:00"}, "2026-11-28T01:59", True),
        ({"days": ["fri"], "begins": "22:00", "ends": "02:00"}, "2026-11-28T02:00", False),
        ({"days": ["fri"], "begins": "22:00", "ends": "02:00"}, "2026-11-27T01:00", False),
        ({"days": ["sun"], "begins": "22:00", "ends": "02:00"}, "2026-11-30T01:00", True),
        # An hour ahead of UTC in winter and two in summer.
        ({"begins": "08:00", "ends": "16:00", "timezone": "Europe/Vienna"}, "2026-11-27T15:30", False),
        ({"begins": "08:00", "ends": "16:00", "timezone": "Europe/Vienna"}, "2026-11-27T07:00", True),
        ({"begins": "08:00", "ends": "16:00", "timezone": "Europe/Vienna"}, "2026-07-03T06:00", True),
        # Friday evening in New York is Saturday by UTC.
        ({"days": ["fri"], "timezone": "America/New_York"}, "2026-11-28T03:00", True),
    ],
)
def test_a_window_holds_by_the_clocks_of_its_place(window: dict[str, object], moment: str, holds: bool) -> None:
    assert ChangeWindow.model_validate(window).holds(at(moment)) is holds


@pytest.mark.parametrize(
    ("window", "field", "said"),
    [
        ({"timezone": "Europe/Nowhere"}, "timezone", "'Europe/Nowhere' is no time zone that this machine knows"),
        ({"timezone": "../../etc/passwd"}, "timezone", "is no time zone that this machine knows"),
        ({"timezone": ""}, "timezone", "is no time zone that this machine knows"),
        ({"begins": "8:00"}, "begins", "String should match pattern"),
        ({"ends": "24:01"}, "ends", "String should match pattern"),
        ({"days": []}, "days", "at least 1 item"),
        ({"days": ["mon", "monday"]}, "days", "Input should be 'mon'"),
        ({"begins": "08:00", "ends": "08:00"}, "", "leave both out for the whole day"),
    ],
)
def test_what_is_no_window_is_refused_by_field(window: dict[str, object], field: str, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ChangeWindow.model_validate(window)
    (error,) = refused.value.errors()
    assert [str(at) for at in error["loc"]][:1] == ([field] if field else [])
    assert said in error["msg"]


def test_it_is_said_as_it_is_written() -> None:
    window = ChangeWindow(days=("mon", "tue"), begins="08:00", ends="16:00", timezone="Europe/Vienna")
    assert str(window) == "mon, tue 08:00-16:00 Europe/Vienna"
    assert str(ChangeWindow(begins="22:00")) == "22:00-24:00 UTC"
