"""What all models share: frozen, and strict about names."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Final

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
