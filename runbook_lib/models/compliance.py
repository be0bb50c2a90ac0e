"""Waivers, and what judging a change against the policies comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Final, Literal

from pydantic import Field, field_validator

from .base import Model, Outcome
from .findings import Action, Finding, Severity
from .policies import Policy, PolicyFile

__all__ = [
    "NOT_JUDGED",
    "Checked",
    "ComparedWith",
    "ComplianceReport",
    "JudgeOptions",
    "Policy",
    "PolicyFile",
    "Scope",
    "Waiver",
    "WaiverFile",
    "WaiverState",
    "WaiverStatus",
]


class Scope(StrEnum):
    """Whether only what the change adds or alters is judged, or everything that will stand afterwards."""

    CHANGED = "changed"
    ALL = "all"


class Waiver(Model):
    """A finding that somebody answers for until a day. `address` may hold `*`, which stands for any characters."""

    policy: str = Field(min_length=1)
    address: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    expires: date

    @field_validator("expires", mode="before")
    @classmethod
    def _day(cls, value: object) -> object:
        if isinstance(value, bool | int | float):
            raise ValueError("a day is expected, as 2026-12-31")
        return value


class WaiverFile(Model):
    """All of waivers.yml."""

    waivers: tuple[Waiver, ...] = ()


class WaiverState(StrEnum):
    """What became of a waiver in one judgement."""

    IN_FORCE = "in_force"
    EXPIRED = "expired"
    UNUSED = "unused"


class WaiverStatus(Model):
    """One waiver, its state, and how many findings it hides."""

    waiver: Waiver
    state: WaiverState
    findings: int = 0


class JudgeOptions(Model):
    """What a repository decides otherwise than the pack.

    `early` says that Terraform has not resolved anything yet (HCL): what is unknown then can only warn, since the plan
    decides.
    """

    scope: Scope = Scope.CHANGED
    severities: Mapping[str, Severity] = {}
    actions: Mapping[str, Action] = {}
    early: bool = False


_NAMED: Final = 3
# What is told of the judging itself; a waiver may name it like a policy.
NOT_JUDGED: Final = ("file-in-doubt", "module-not-read", "type-not-judged")


class Checked(Model):
    """How much was judged: `resources` are those of which some policy looked at what they are."""

    resources: int = 0
    rules: int = 0
    policies: int = 0


class ComparedWith(Model):
    """The commit that what is judged was compared with, and how that was chosen; without one, why there is none.

    `everything`: nothing could be compared, so that all counts as new. `uncommitted` are judged files that differ from
    the commit checked out.
    """

    commit: str = ""
    how: str = ""
    problem: str = ""
    everything: bool = False
    uncommitted: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """As `Compared with 4dc7a7c0ffee (the commit last applied).`, with what there is to know of it."""
        found = (
            f"{self.commit[:12]} ({self.how})"
            if self.commit
            else f"no commit: {self.problem or 'nothing is known of one'}"
        )
        told = [f"Compared with {found}."]
        if self.everything:
            told.append("All that the files declare is judged as new.")
        if self.uncommitted:
            more = len(self.uncommitted) - _NAMED
            named = ", ".join(self.uncommitted[:_NAMED]) + (f" and {more} more" if more > 0 else "")
            told.append(f"Judged as they are, though no commit holds them so: {named}.")
        return " ".join(told)


class ComplianceReport(Model):
    """The verdict on a change: the model of findings.json and of `runbook check --format json`."""

    outcome: Literal[Outcome.PASSED, Outcome.WARNED, Outcome.BLOCKED]
    checked: Checked
    findings: tuple[Finding, ...] = ()
    waivers: tuple[WaiverStatus, ...] = ()
    compared_with: ComparedWith | None = None

    @property
    def sentence(self) -> str:
        """The verdict in one line, as `Compliance blocked: 2 failed, 1 waived, in 3 rules under 11 policies`."""
        counts = Counter(str(finding.verdict) for finding in self.findings)
        told = ", ".join(
            f"{counts[verdict]} {verdict}" for verdict in ("failed", "unknown", "waived") if counts[verdict]
        )
        checked = f"{_count(self.checked.rules, 'rule')} under {_count(self.checked.policies, 'policy')}"
        return f"Compliance {self.outcome}: {told or 'nothing found'}, in {checked}."


def _count(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
