"""What runbook.yml says of evidence: whose signature counts, and how long run folders are kept."""

from __future__ import annotations

from pydantic import Field

from .base import Model
from .config_values import Duration

__all__ = ["EvidenceConfig", "RetentionConfig"]


class RetentionConfig(Model):
    """How long run folders are kept, counted from when a run ended; without a term they are kept for good.

    `applied` is the term of runs whose change was carried out, or may have been, `others` that of all others. `newest`
    is how many runs of each stack are kept however old they are.
    """

    applied: Duration | None = None
    others: Duration | None = None
    newest: int = Field(default=20, ge=1)


class EvidenceConfig(Model):
    """Whose signature a run folder must bear: `key` is the public key's id, its PEM text, or a PEM file's path."""

    key: str = ""
    retention: RetentionConfig = Field(default_factory=RetentionConfig)
