"""Sources of decisions, one a file; what they have in common is here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...models.approval import ApprovalRequest, Decision

__all__ = ["ApprovalSource"]


class ApprovalSource(Protocol):
    """A system that knows who decided. It tells what it saw; whether that suffices is judged elsewhere."""

    def decisions(self, request: ApprovalRequest) -> Sequence[Decision]:
        """Every decision on this request so far. Raises AdapterError if the system can't be asked."""
        ...
