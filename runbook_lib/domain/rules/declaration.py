"""A resource that declares rules, what reading it may ask of everything around it, and the cloud that it is of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from runbook_lib.models.base import Unknown
from runbook_lib.models.rules import Rule

__all__ = ["Cloud", "Declaration", "Reader", "Surroundings"]


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


@dataclass(frozen=True)
class Cloud:
    """What a cloud's own file says of it; the adapter of the same name asks it what is there.

    `readers` are by the type of the resource that they read. `live_rules` makes rules of what the adapter found.
    `groups` are the types of resources that are groups themselves, and may hold rules in blocks of their own.
    `tagged` are the types of which each rule has tags of its own, which may say when it ends.
    `ids` are what the ids of groups and prefix lists begin with: what begins otherwise is an address of Terraform's.
    `rule_id` is where an item that the adapter found has the rule's own id, by which it can be imported.
    """

    name: str
    readers: Mapping[str, Reader]
    live_rules: Callable[[Iterable[Mapping[str, Any]]], tuple[Rule, ...]]
    ids: tuple[str, ...]
    groups: frozenset[str] = frozenset()
    rule_id: str = ""
    tagged: frozenset[str] = frozenset()
