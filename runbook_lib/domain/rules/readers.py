"""Which types of resources declare rules, and how each is read: a cloud's own file has its readers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from runbook_lib.models.rules import Rule

from . import aws_resources
from .declaration import Declaration, Reader, Surroundings

__all__ = ["RULE_TYPES", "build_rules"]

_READERS: Final[Mapping[str, Reader]] = {**aws_resources.READERS}
RULE_TYPES: Final = frozenset(_READERS)


def build_rules(declaration: Declaration, around: Surroundings) -> Iterator[Rule]:
    """Every rule that one resource declares, one for each source."""
    return _READERS[declaration.type](declaration, around)
