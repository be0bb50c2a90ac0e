"""Which clouds there are, and which types of resources declare rules: a cloud's own file says how each is read."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Final

from runbook_lib.models.rules import Rule

from .aws import AWS
from .declaration import Cloud, Declaration, Reader, Surroundings

__all__ = ["CLOUDS", "GROUP_TYPES", "RULE_TYPES", "TAGGED_TYPES", "build_rules", "is_id"]

CLOUDS: Final[dict[str, Cloud]] = {cloud.name: cloud for cloud in (AWS,)}
_READERS: Final[dict[str, Reader]] = {type_: read for cloud in CLOUDS.values() for type_, read in cloud.readers.items()}
RULE_TYPES: Final[Set[str]] = _READERS.keys()
GROUP_TYPES: Final[frozenset[str]] = frozenset().union(*(cloud.groups for cloud in CLOUDS.values()))
TAGGED_TYPES: Final[frozenset[str]] = frozenset().union(*(cloud.tagged for cloud in CLOUDS.values()))


def build_rules(declaration: Declaration, around: Surroundings) -> Iterator[Rule]:
    """Every rule that one resource declares, one for each source."""
    return _READERS[declaration.type](declaration, around)


def is_id(text: str) -> bool:
    """Whether this is an id that some cloud gave a group or a prefix list, not Terraform's address of it."""
    return any(text.startswith(cloud.ids) for cloud in CLOUDS.values())
