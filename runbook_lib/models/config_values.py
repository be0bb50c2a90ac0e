"""Kinds of values that runbook.yml has in several places, and how a wrong one is said."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

__all__ = ["AWS_REGION", "Duration", "Region", "RepositoryPath", "RoleArn", "below_the_repository", "wrong"]

AWS_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _parse_duration(value: object) -> object:
    # People write 500ms, 30s, 15m, 4h, 2d; pydantic itself takes ISO 8601 and seconds.
    if isinstance(value, str) and value.endswith("ms") and value[:-2].isdigit():
        return timedelta(milliseconds=int(value[:-2]))
    if isinstance(value, str) and value[-1:] in _UNITS and value[:-1].isdigit():
        return timedelta(**{_UNITS[value[-1]]: int(value[:-1])})
    return value


# People write 30s, 15m, 4h, 2d.
Duration = Annotated[timedelta, BeforeValidator(_parse_duration), Field(gt=timedelta(0))]


def wrong(message: str, *at: str | int) -> PydanticCustomError:
    """An error of a validator; `at` leads from the model that is validated to the thing that is wrong."""
    return PydanticCustomError("runbook", "{message}", {"message": message, "at": at})


def _path(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts:
        raise wrong(f"{value} is no folder below the repository")
    return path.as_posix()


def _role(value: str) -> str:
    if value and not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", value):
        raise wrong(f"{value!r} is no ARN of a role, as arn:aws:iam::111122223333:role/plan is one")
    return value


def _region(value: str) -> str:
    if value and not AWS_REGION.fullmatch(value):
        raise wrong(f"{value!r} is no AWS region, as eu-west-1 is one")
    return value


RepositoryPath = Annotated[str, AfterValidator(_path)]
RoleArn = Annotated[str, AfterValidator(_role)]
Region = Annotated[str, AfterValidator(_region)]


def below_the_repository(value: tuple[str, ...]) -> tuple[str, ...]:
    """The paths, if none of them leads out of the repository."""
    for index, name in enumerate(value):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise wrong(f"{name} is no folder below the repository", index)
    return value
