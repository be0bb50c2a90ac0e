"""Repository against state against AWS."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any

from pydantic import Field, model_validator

from .base import Model, Outcome
from .findings import WaiverReference
from .rules import Rule

__all__ = ["AcceptedDifference", "Carrier", "Difference", "DifferenceKind", "Verification"]


class DifferenceKind(StrEnum):
    """Where a rule is and where it is missing; `expired` is one that is there though its end has come."""

    CHANGED = "changed"
    MISSING = "missing"
    UNMANAGED = "unmanaged"
    STATE_ONLY = "state_only"
    REPOSITORY_ONLY = "repository_only"
    DRIFTED = "drifted"
    EXPIRED = "expired"

    @property
    def words(self) -> str:
        """As it is said: `state only`, `expired, still open`."""
        return "expired, still open" if self is DifferenceKind.EXPIRED else self.value.replace("_", " ")


class Carrier(Model):
    """A network interface that carries a group, as the cloud has it.

    `ids` are all by which a state may know it (the interface's own, its instance's, its balancer's); `by_service` says
    that a service of the cloud made it, whose own id a state may know and the interface does not tell.
    """

    group: str
    id: str
    kind: str
    name: str = ""
    ids: frozenset[str] = frozenset()
    by_service: bool = False


class Difference(Model):
    """One rule on which the three do not agree; `fields` maps a field to its value by place (state, aws…).

    Without a rule it is what `subject` says, or else the group itself. `name` is the group's, where it is known.
    Of any other resource (`drifted`) `address` is Terraform's and `action` what Terraform wants to do or what was done
    outside; its `fields` are attributes. `wanted` says that Terraform wants to change something.
    `hint` is what to do, where that is known. What does not block is told as a warning: `same_access` says that other
    rules in the cloud let the same through, and `accepted` who answers for a difference that is known.
    """

    kind: DifferenceKind
    group: str
    rule: Rule | None
    fields: dict[str, dict[str, Any]] = {}
    name: str = ""
    subject: str = ""
    address: str = ""
    action: str = ""
    wanted: bool = False
    hint: str = ""
    blocks: bool = True
    same_access: bool = False
    accepted: WaiverReference | None = None


class AcceptedDifference(Model):
    """A difference that somebody answers for until a day, as a waiver does for a finding. Each `*` fits any characters.

    `where` is the group (id or name) or Terraform's address; `what` the rule or other thing in the words of the table;
    of a resource that drifted, `attributes` are those that may differ.
    """

    kind: DifferenceKind
    where: str = Field(min_length=1)
    what: str = "*"
    attributes: tuple[str, ...] = ()
    owner: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    expires: date

    @model_validator(mode="after")
    def _drift_by_attribute(self) -> AcceptedDifference:
        if (self.kind is DifferenceKind.DRIFTED) != bool(self.attributes):
            raise ValueError("attributes are named for `kind: drifted`, and for no other")
        return self


class Verification(Model):
    """The model of verification.json. `other_stacks` counts the rules that other stacks keep in the same groups.

    `checks` says, one sentence each, which of Terraform's own checks are not known to hold.
    """

    outcome: Outcome
    in_sync: int
    differences: tuple[Difference, ...] = ()
    other_stacks: int = 0
    checks: tuple[str, ...] = ()
