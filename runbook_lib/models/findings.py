"""What a policy, or another check, has to say about one resource."""

from __future__ import annotations

from enum import StrEnum

from .base import Model
from .rules import Rule

__all__ = ["Action", "Control", "Finding", "Severity", "Source", "Verdict", "WaiverReference"]


class Verdict(StrEnum):
    """What is known about one policy and one rule."""

    FAILED = "failed"
    UNKNOWN = "unknown"
    WAIVED = "waived"
    PASSED = "passed"


class Severity(StrEnum):
    """How bad a finding is."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Action(StrEnum):
    """What a finding does to the run: stops it, asks the approver to look, or only tells."""

    BLOCK = "block"
    APPROVE = "approve"
    WARN = "warn"


class Control(Model):
    """A requirement of a published framework, by version, since the numbers move between versions."""

    framework: str
    version: str
    id: str


class Source(Model):
    """Where in the repository the thing is written."""

    file: str
    line: int


class WaiverReference(Model):
    """Who accepted a finding, why, and until when (ISO date)."""

    owner: str
    reason: str
    expires: str


class Finding(Model):
    """One policy's verdict on one rule or resource. Passed verdicts are counted, not listed."""

    policy: str
    verdict: Verdict
    severity: Severity
    address: str
    rule: Rule | None = None
    message: str
    remedy: str = ""
    controls: tuple[Control, ...] = ()
    source: Source | None = None
    waiver: WaiverReference | None = None
    action: Action = Action.BLOCK
    tool: str = "runbook"
