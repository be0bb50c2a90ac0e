"""Until when a rule may stand, as its tag `expires` says it: a day, or a moment of one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from .base import Unknown

__all__ = ["EXPIRES", "ends_at", "is_over", "is_temporary", "is_unreadable"]

# The tag by which any stack says so, and by which it is read from plan, state and cloud.
EXPIRES: Final = "expires"
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# RFC 3339 as Terraform takes it: in capitals, to the second, with a zone.
_MOMENT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_EVER: Final = datetime.max.replace(tzinfo=UTC)


def ends_at(text: str) -> datetime | None:
    """The first moment, in UTC, at which the rule may not stand any more; None for what is neither day nor moment.

    A day counts to its end in UTC; a moment (RFC 3339) is itself.
    """
    try:
        if _DAY.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(days=1)
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(_to_microseconds(text)).astimezone(UTC)
    except OverflowError:
        return _EVER
    except ValueError:  # the 30th of February
        return None
    return None


def is_temporary(expires: str | Unknown | None) -> bool:
    """Whether it is known to end at a time that can be read."""
    return isinstance(expires, str) and ends_at(expires) is not None


def is_unreadable(expires: str | Unknown | None) -> bool:
    """Whether there is something written that says no time."""
    return isinstance(expires, str) and ends_at(expires) is None


def is_over(expires: str | Unknown | None, now: datetime) -> bool:
    """Whether its end is known, and has come."""
    end = ends_at(expires) if isinstance(expires, str) else None
    return end is not None and end <= now


def _to_microseconds(text: str) -> str:
    return re.sub(r"\.(\d{1,6})\d*", lambda found: f".{found[1]:0<6}", text)
