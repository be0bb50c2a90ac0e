"""What a step leaves behind: the model of result.json."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from .base import Model, Outcome
from .findings import Action, Finding, Severity, Verdict
from .steps import STEP_NAME

__all__ = ["RESULT_MIME", "Artifact", "ErrorInfo", "GivenFinding", "GivenOutcome", "InputFile", "StepResult"]

RESULT_MIME = "application/vnd.runbook.result+json"


class Artifact(Model):
    """A file that the step wrote; `path` is relative to the run folder, `bytes` its size."""

    path: str
    sha256: str
    bytes: int
    media_type: str


class InputFile(Model):
    """A file that the step read and whose change makes the step worth repeating.

    `path` is relative to the run folder, or to the repository when it starts with `repo:`.
    """

    path: str
    sha256: str


class ErrorInfo(Model):
    """The error that ended a step."""

    type: str
    message: str
    remedy: str = ""


class GivenFinding(Model):
    """A finding as a team's own step gives it: `blocks` says whether it stops the run or only warns."""

    message: str = Field(min_length=1)
    blocks: bool = False
    severity: Severity = Severity.MEDIUM
    address: str = ""
    remedy: str = ""
    policy: str = ""

    def finding(self, step: str) -> Finding:
        """The finding as everybody shows it; it bears the step's name where it names no policy."""
        return Finding(
            policy=self.policy or step,
            verdict=Verdict.FAILED,
            severity=self.severity,
            address=self.address,
            message=self.message,
            remedy=self.remedy,
            action=Action.BLOCK if self.blocks else Action.WARN,
            tool=step,
        )


class GivenOutcome(Model):
    """The model of outcome.json, by which a notebook in any language says how its step ended.

    Without `outcome` the findings decide.
    """

    outcome: Literal[Outcome.PASSED, Outcome.WARNED, Outcome.BLOCKED] | None = None
    summary: str = ""
    findings: tuple[GivenFinding, ...] = ()
    metrics: dict[str, Any] = {}

    @property
    def decided(self) -> Outcome:
        """What it comes to: a finding that blocks is never passed over."""
        found = Outcome.WARNED if self.findings else Outcome.PASSED
        found = Outcome.BLOCKED if any(finding.blocks for finding in self.findings) else found
        order = (Outcome.PASSED, Outcome.WARNED, Outcome.BLOCKED)
        return max(found, self.outcome or found, key=order.index)

    def said(self, title: str) -> str:
        """The summary in one line; without one, what the step of this title found."""
        first = self.findings[0].message if self.findings else "nothing to object to."
        more = f" (and {len(self.findings) - 1} more)" if len(self.findings) > 1 else ""
        return " ".join((self.summary or f"{title}: {first}{more}").split())[:300]


class StepResult(Model):
    """The outcome of one step, for the next step, for Slack, and for the auditor. Times are UTC.

    `ends` says that the run is at its end with this step, as there is nothing for those after it to do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    schema_: Literal["runbook/step-result/v1"] = Field(default="runbook/step-result/v1", alias="schema")
    run_id: str
    step: str = Field(pattern=STEP_NAME)
    stack: str
    outcome: Outcome
    summary: str
    started_at: datetime
    finished_at: datetime
    findings: tuple[Finding, ...] = ()
    metrics: dict[str, Any] = {}
    artifacts: tuple[Artifact, ...] = ()
    inputs: tuple[InputFile, ...] = ()
    error: ErrorInfo | None = None
    ends: bool = False
