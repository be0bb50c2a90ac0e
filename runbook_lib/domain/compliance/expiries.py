"""Until when a rule may stand: predicates on what its tag says, which may be missing, unknown or no date at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from runbook_lib.models.base import Unknown
from runbook_lib.models.expiry import ends_at
from runbook_lib.models.policies import ExpiryMatch

from .logic import Truth, any_of

__all__ = ["ends_so"]

_Expires = str | Unknown | None


def ends_so(match: ExpiryMatch, today: date | None) -> Callable[[_Expires], Truth]:
    """Whether an end is as a policy objects to, looked at on a day; without one no day is near or far for certain."""

    def holds(expires: _Expires) -> Truth:
        found: list[Truth] = [_is_missing(expires)] if match.missing else []
        if match.within_days is not None:
            found.append(_is_within(expires, today, match.within_days))
        if match.beyond_days is not None:
            found.append(_is_beyond(expires, today, match.beyond_days))
        return any_of(found)

    return holds


def _is_missing(expires: _Expires) -> Truth:
    if isinstance(expires, Unknown):
        return None
    return expires is None or ends_at(expires) is None


def _is_within(expires: _Expires, today: date | None, days: int) -> Truth:
    if expires is None:
        return False
    end = None if isinstance(expires, Unknown) else ends_at(expires)
    # What says no time may mean any.
    return None if end is None or today is None else end <= _after(today, days)


def _is_beyond(expires: _Expires, today: date | None, days: int) -> Truth:
    if expires is None:
        return False
    end = None if isinstance(expires, Unknown) else ends_at(expires)
    if end is None:
        return None if isinstance(expires, Unknown) else True
    return None if today is None else end > _after(today, days)


def _after(today: date, days: int) -> datetime:
    """The end of the day that comes so many days after today."""
    start = datetime(today.year, today.month, today.day, tzinfo=UTC)
    try:
        return start + timedelta(days=days + 1)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
