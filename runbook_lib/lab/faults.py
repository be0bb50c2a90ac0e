"""Failures on order: AWS that refuses, AWS that fails half way, a web front that is down."""

from __future__ import annotations

import threading
from typing import Literal

from pydantic import Field, field_validator

from ..models.base import Model

__all__ = ["AwsFault", "FaultOrder", "Faults"]


class AwsFault(Model):
    """Calls whose action begins with one of `actions` fail with `code`, once `after` of them have succeeded."""

    actions: tuple[str, ...] = ("Describe",)
    after: int = Field(default=0, ge=0)
    code: str = "UnauthorizedOperation"
    status: int = Field(default=403, ge=400, le=599)


# Refused at once by the provider; a server error would be tried again for minutes.
_DENY = AwsFault()
_HALF_WAY = AwsFault(actions=("AuthorizeSecurityGroup", "RevokeSecurityGroup", "ModifySecurityGroup"), after=1)


class FaultOrder(Model):
    """What is to fail from now on; absent things stay as they are, null heals them.

    `aws` may also be the word deny (reading is refused) or fail_after (the first change of a rule succeeds, the later
    ones are refused).
    """

    aws: AwsFault | None = None
    web: Literal["down"] | None = None

    @field_validator("aws", mode="before")
    @classmethod
    def _by_word(cls, value: object) -> object:
        return {"deny": _DENY, "fail_after": _HALF_WAY}.get(value, value) if isinstance(value, str) else value


class Faults:
    """The faults in force; asked from the threads of every server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._order = FaultOrder()
        self._seen = 0

    def give(self, order: FaultOrder) -> FaultOrder:
        """Put the order in force, what it does not name left as it was; gives all that is in force."""
        with self._lock:
            named = {name: getattr(order, name) for name in order.model_fields_set}
            if "aws" in named:
                self._seen = 0
            self._order = self._order.model_copy(update=named)
            return self._order

    @property
    def order(self) -> FaultOrder:
        """What is in force."""
        return self._order

    @property
    def web_down(self) -> bool:
        """Whether the web front answers nobody."""
        return self._order.web == "down"

    def strike(self, action: str) -> AwsFault | None:
        """The fault that this call of AWS meets."""
        fault = self._order.aws
        if fault is None or not action.startswith(fault.actions):
            return None
        with self._lock:
            self._seen += 1
            return fault if self._seen > fault.after else None
