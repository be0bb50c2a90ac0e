"""What of a stack's drift is new, gone, or as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from runbook_lib.models.drift import DriftEntry
from runbook_lib.models.verification import Difference

__all__ = ["drift_key", "sort_news"]

# How a difference is judged and worded may change while it stays the same difference.
_NOT_WHAT_IT_IS = {"hint", "name", "blocks", "same_access", "accepted", "wanted"}
# Where places differ on it, the fields say so.
_LEFT_OUT: Any = {**dict.fromkeys(_NOT_WHAT_IT_IS, True), "rule": {"expires"}}


def drift_key(difference: Difference) -> str:
    """What tells a difference from every other, as long as both sides stay as they are."""
    return hashlib.sha256(difference.model_dump_json(exclude=_LEFT_OUT).encode()).hexdigest()[:16]


def sort_news(
    before: Iterable[DriftEntry], now: Iterable[DriftEntry]
) -> tuple[tuple[DriftEntry, ...], tuple[DriftEntry, ...], tuple[DriftEntry, ...]]:
    """What is new, what is gone, and what is as it was; each once, in the order given."""
    old, new = ({entry.key: entry for entry in entries} for entries in (before, now))
    return (
        tuple(entry for key, entry in new.items() if key not in old),
        tuple(entry for key, entry in old.items() if key not in new),
        tuple(entry for key, entry in new.items() if key in old),
    )
