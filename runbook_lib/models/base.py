"""What all models share: frozen, and strict about names."""

from __future__ import annotations

from enum import Enum, StrEnum
from functools import cache
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict

__all__ = ["UNKNOWN", "Model", "Outcome", "Unknown"]


class Unknown(Enum):
    """The one value of a field that only Terraform's apply, or nobody, knows. Serialised as the word `unknown`."""

    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return "unknown"

    __str__ = __repr__


UNKNOWN: Final = Unknown.UNKNOWN


class Model(BaseModel):
    """A value that crosses a boundary: immutable, and no field is taken that is not declared."""

    # A model is built when it is first used: most processes use a few of them.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def trusted(cls, **values: Any) -> Self:
        """One with these values, which nothing checks: all of its fields, in their order, of the right types.

        For the ten thousand rules of a large plan: it takes a quarter of the time of `model_construct`.
        """
        made = cls.__new__(cls)
        set_attribute = object.__setattr__
        set_attribute(made, "__dict__", values)
        set_attribute(made, "__pydantic_fields_set__", _fields_of(cls))
        set_attribute(made, "__pydantic_extra__", None)
        set_attribute(made, "__pydantic_private__", None)
        return made


@cache
def _fields_of(model: type[BaseModel]) -> set[str]:
    # One for all of them: a set each takes more memory than what it is of.
    return set(model.model_fields)


class Outcome(StrEnum):
    """How a step, or a run, ended."""

    PASSED = "passed"
    WARNED = "warned"
    BLOCKED = "blocked"
    ERRORED = "errored"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"

    @property
    def stops(self) -> bool:
        """Whether the steps after this one must not run."""
        return self in {Outcome.BLOCKED, Outcome.ERRORED, Outcome.INTERRUPTED}
