"""Temporary access whose end is near, has come, or can't be read."""

from __future__ import annotations

from enum import StrEnum

from .base import Model

__all__ = ["Ending", "EndingKind", "StackEndings"]


class EndingKind(StrEnum):
    """What is so of a rule's end; the worst first."""

    EXPIRED = "expired"
    UNREADABLE = "unreadable"
    ENDS = "ends"


class Ending(Model):
    """One rule of a stack's state, and when it ends; `key` stays the same for as long as rule, end and kind do.

    `expires` is what its tag says, `said` all of it in a sentence without its full stop. `written` is what the stack's
    files say otherwise; `approvers` are those of the last run that opened or altered it, where a run folder here tells.
    """

    key: str
    kind: EndingKind
    stack: str
    group: str
    address: str
    expires: str
    said: str
    written: str = ""
    approvers: str = ""
    run_id: str = ""

    @property
    def sentence(self) -> str:
        """All that is known of it."""
        parts = [self.said, self.written]
        parts.append(f"approved by {self.approvers} (run {self.run_id})" if self.approvers else "")
        return "; ".join(part for part in parts if part)


class StackEndings(Model):
    """What one look at a stack found; `new` are those that were not told before. With a `problem` nothing is known."""

    stack: str
    endings: tuple[Ending, ...] = ()
    new: tuple[Ending, ...] = ()
    issue: str = ""
    problem: str = ""
