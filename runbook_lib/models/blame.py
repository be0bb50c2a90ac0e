"""Which run opened something: the answer of `runbook blame`."""

from __future__ import annotations

from enum import StrEnum

from .base import Model
from .rules import Rule

__all__ = ["Blame", "BlameAnswer", "BlameKind", "Live"]


class BlameKind(StrEnum):
    """What a run did to a rule."""

    OPENED = "opened"
    ALTERED = "altered"
    CLOSED = "closed"


class Live(StrEnum):
    """Whether AWS has the rule now."""

    THERE = "there"
    GONE = "gone"
    UNKNOWN = "unknown"


class Blame(Model):
    """One run that touched one rule. `applied` is `perhaps` where its apply did not end well.

    `live` says of the last word on a rule whether AWS has that rule now, `why` why that is not known; `evidence` is the
    verdict on the run's seals.
    """

    kind: BlameKind
    rule: Rule
    group: str
    said: str
    run_id: str
    stack: str
    at: str = ""
    commit: str = ""
    requester: str = ""
    author: str = ""
    approvers: str = ""
    applied: str = ""
    evidence: str = ""
    pipeline_url: str = ""
    live: Live = Live.UNKNOWN
    why: str = ""


class BlameAnswer(Model):
    """Everything found, the last run first; `unread` says which runs' plans could not be read, and why."""

    found: tuple[Blame, ...] = ()
    unread: tuple[str, ...] = ()
