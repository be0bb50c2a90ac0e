"""A resource that declares rules, and what reading it may ask of everything around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from runbook_lib.models.base import Unknown
from runbook_lib.models.rules import Rule

__all__ = ["Declaration", "Reader", "Surroundings"]


@dataclass(frozen=True, slots=True)
class Declaration:
    """One resource that holds rules, as it stands at one time; `values` with UNKNOWN where nothing is known."""

    address: str
    type: str
    values: Mapping[str, Any]


class Surroundings(Protocol):
    """What a rule must ask of the rest of its plan, state or module."""

    def refers_to(self, declaration: Declaration, attribute: str) -> tuple[str | Unknown, ...]:
        """The addresses that an unknown id can be, UNKNOWN among them if there may be others."""

    def entries(self, prefix_list: str | Unknown) -> tuple[tuple[str, ...] | Unknown | None, ...]:
        """The networks of a prefix list, by id or address, and UNKNOWN besides if there may be more."""

    def written(self, declaration: Declaration, attribute: str) -> bool:
        """Whether the configuration sets the attribute, or may set it."""


# Gives every rule that one resource declares, one for each source.
Reader = Callable[[Declaration, Surroundings], Iterator[Rule]]
