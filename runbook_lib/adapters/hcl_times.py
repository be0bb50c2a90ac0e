"""Terraform's functions of time, as far as files alone decide them: the plan's own time is not told, but near."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from ..models.base import UNKNOWN
from ..models.expiry import ends_at

__all__ = ["compare_times", "compare_with_plan", "shift_time"]

# The plan is made soon after its files are read, and by a clock that may be another.
_MARGIN: Final = timedelta(hours=1)
_PART: Final = re.compile(r"(\d{1,6})(h|m|s)", re.ASCII)
_DURATION: Final = re.compile(r"(-?)((?:\d{1,6}[hms])+)", re.ASCII)
_UNITS: Final = {"h": "hours", "m": "minutes", "s": "seconds"}


def compare_times(left: Any, right: Any) -> Any:
    """-1, 0 or 1 as `timecmp` has it; UNKNOWN where one is no time that is certain."""
    one, other = _moment(left), _moment(right)
    return UNKNOWN if one is None or other is None else (one > other) - (one < other)


def compare_with_plan(time: Any) -> Any:
    """-1 or 1 as `timecmp(plantimestamp(), time)` will have it; UNKNOWN within an hour of now."""
    moment, now = _moment(time), datetime.now(UTC)
    if moment is None or abs(moment - now) < _MARGIN:
        return UNKNOWN
    return 1 if now > moment else -1


def shift_time(time: Any, duration: Any) -> Any:
    """A time so much later, as `timeadd` writes it; UNKNOWN where either is not certain."""
    moment, parts = _moment(time), _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if moment is None or parts is None or not isinstance(time, str):
        return UNKNOWN
    length = timedelta(**_summed(parts[2])) * (-1 if parts[1] else 1)
    try:
        moved = moment.astimezone(_zone(time)) + length
    except OverflowError:
        return UNKNOWN
    return moved.isoformat(timespec="seconds").replace("+00:00", "Z")


def _moment(time: Any) -> datetime | None:
    return ends_at(time) if isinstance(time, str) and "T" in time else None


def _zone(time: str) -> timezone:
    if time.endswith("Z"):
        return UTC
    offset = timedelta(hours=int(time[-5:-3]), minutes=int(time[-2:]))
    return timezone(-offset if time[-6] == "-" else offset)


def _summed(text: str) -> dict[str, int]:
    found = dict.fromkeys(_UNITS.values(), 0)
    for number, unit in _PART.findall(text):
        found[_UNITS[unit]] += int(number)
    return found
