"""When a stack may change."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from .base import Model

__all__ = ["ChangeWindow"]

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME: Final = r"^([01]\d|2[0-3]):[0-5]\d$"


class ChangeWindow(Model):
    """From one time of day to another, on some days, by the clocks of a place.

    One that ends before it begins goes over midnight, and belongs to the day on which it begins.
    """

    days: tuple[Day, ...] = Field(default=_DAYS, min_length=1)
    begins: str = Field(default="00:00", pattern=_TIME)
    ends: str = Field(default="24:00", pattern=rf"{_TIME}|^24:00$")
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, LookupError):
            # Not the library's words: they name a folder of this machine.
            raise ValueError(f"{value!r} is no time zone that this machine knows, as Europe/Vienna is") from None
        return value

    @model_validator(mode="after")
    def _some_time(self) -> ChangeWindow:
        if self.begins == self.ends:
            raise ValueError(f"begins and ends at {self.begins}: leave both out for the whole day")
        return self

    def holds(self, moment: datetime) -> bool:
        """Whether a moment, which has a zone, is in it."""
        there = moment.astimezone(ZoneInfo(self.timezone))
        now, today = f"{there:%H:%M}", there.weekday()
        if self.begins < self.ends:
            return _DAYS[today] in self.days and self.begins <= now < self.ends
        evening = _DAYS[today] in self.days and now >= self.begins
        return evening or (_DAYS[today - 1] in self.days and now < self.ends)

    def __str__(self) -> str:
        """`mon, tue 08:00-16:00 Europe/Vienna`."""
        days = "" if self.days == _DAYS else f"{', '.join(self.days)} "
        return f"{days}{self.begins}-{self.ends} {self.timezone}"
