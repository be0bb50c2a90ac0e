"""Surroundings for what has no configuration: everything is an id, and all there is, is known."""

from __future__ import annotations

from runbook_lib.models.base import UNKNOWN, Unknown

from .declaration import Declaration
from .prefix_lists import PrefixLists

__all__ = ["Standalone"]


class Standalone:
    """Answers from prefix lists alone."""

    def __init__(self, lists: PrefixLists) -> None:
        self._lists = lists

    def refers_to(self, declaration: Declaration, attribute: str) -> tuple[str | Unknown, ...]:
        """Without a configuration nobody knows."""
        return (UNKNOWN,)

    def entries(self, prefix_list: str | Unknown) -> tuple[tuple[str, ...] | Unknown | None, ...]:
        """The networks of a list that was seen."""
        return self._lists.entries(prefix_list)

    def written(self, declaration: Declaration, attribute: str) -> bool:
        """Whatever is unknown may be anything."""
        return True
