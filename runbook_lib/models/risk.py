"""How risky a change is, in one word, and why."""

from __future__ import annotations

from enum import StrEnum

from .base import Model

__all__ = ["Risk", "RiskLevel", "RiskReason"]


class RiskLevel(StrEnum):
    """From what nobody need look at to what nobody should approve alone."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for none to 4 for critical."""
        return list(RiskLevel).index(self)


class RiskReason(Model):
    """One thing that makes a change risky, as a sentence without its full stop."""

    level: RiskLevel
    text: str


class Risk(Model):
    """The highest level of the reasons, which come worst first; none without a reason."""

    level: RiskLevel = RiskLevel.NONE
    reasons: tuple[RiskReason, ...] = ()
