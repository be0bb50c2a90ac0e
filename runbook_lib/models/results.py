"""What a step leaves behind: the model of result.json."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from .base import Model, Outcome, Step
from .findings import Finding

__all__ = ["RESULT_MIME", "Artifact", "ErrorInfo", "InputFile", "StepResult"]

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


class StepResult(Model):
    """The outcome of one step, for the next step, for Slack, and for the auditor. Times are UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    schema_: Literal["runbook/step-result/v1"] = Field(default="runbook/step-result/v1", alias="schema")
    run_id: str
    step: Step
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
