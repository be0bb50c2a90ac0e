"""Drift over time: what is new or gone since the last look."""

from __future__ import annotations

from .base import Model, Outcome

__all__ = ["DriftEntry", "DriftNews"]


class DriftEntry(Model):
    """One difference, in a sentence; `key` stays the same for as long as the difference does."""

    key: str
    text: str


class DriftNews(Model):
    """What one look at a stack found, beside the look before. `issue` is the page of the stack's open or closed issue.

    With an outcome of `errored` nothing is known: `new`, `gone` and `same` are empty, and `summary` says why.
    """

    stack: str
    run_id: str
    outcome: Outcome
    summary: str
    new: tuple[DriftEntry, ...] = ()
    gone: tuple[DriftEntry, ...] = ()
    same: tuple[DriftEntry, ...] = ()
    issue: str = ""
    pipeline_url: str = ""

    @property
    def entries(self) -> tuple[DriftEntry, ...]:
        """All that differs now."""
        return (*self.same, *self.new)
