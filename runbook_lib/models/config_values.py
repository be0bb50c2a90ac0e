"""Kinds of values that runbook.yml has in several places, and how a wrong one is said."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

__all__ = ["Duration", "below_the_repository", "wrong"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _parse_duration(value: object) -> object:
    # People write 30s, 15m, 4h, 2d; pydantic itself takes ISO 8601 and seconds.
    if isinstance(value, str) and value[-1:] in _UNITS and value[:-1].isdigit():
        return timedelta(**{_UNITS[value[-1]]: int(value[:-1])})
    return value


# People write 30s, 15m, 4h, 2d.
Duration = Annotated[timedelta, BeforeValidator(_parse_duration), Field(gt=timedelta(0))]


def wrong(message: str, *at: str | int) -> PydanticCustomError:
    """An error of a validator; `at` leads from the model that is validated to the thing that is wrong."""
    return PydanticCustomError("runbook", "{message}", {"message": message, "at": at})


def below_the_repository(value: tuple[str, ...]) -> tuple[str, ...]:
    """The paths, if none of them leads out of the repository."""
    for index, name in enumerate(value):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise wrong(f"{name} is no folder below the repository", index)
    return value
