"""Repository against state against AWS."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from .base import Model, Outcome
from .rules import Rule

__all__ = ["Difference", "DifferenceKind", "Verification"]


class DifferenceKind(StrEnum):
    """Where a rule is and where it is missing."""

    CHANGED = "changed"
    MISSING = "missing"
    UNMANAGED = "unmanaged"
    STATE_ONLY = "state_only"
    REPOSITORY_ONLY = "repository_only"
    DRIFTED = "drifted"


class Difference(Model):
    """One rule on which the three do not agree; `fields` maps a field to its value by place (state, aws…).

    Without a rule it is the group itself. `name` is the group's, where it is known.
    Of any other resource (`drifted`) `address` is Terraform's and `action` what Terraform wants to do or what was done
    outside; its `fields` are attributes. `wanted` says that Terraform wants to change something.
    `hint` is what to do, where that is known.
    """

    kind: DifferenceKind
    group: str
    rule: Rule | None
    fields: dict[str, dict[str, Any]] = {}
    name: str = ""
    address: str = ""
    action: str = ""
    wanted: bool = False
    hint: str = ""


class Verification(Model):
    """The model of verification.json. `other_stacks` counts the rules that other stacks keep in the same groups.

    `checks` says, one sentence each, which of Terraform's own checks are not known to hold.
    """

    outcome: Outcome
    in_sync: int
    differences: tuple[Difference, ...] = ()
    other_stacks: int = 0
    checks: tuple[str, ...] = ()
