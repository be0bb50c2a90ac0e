"""Who runs what: the model of run.json."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from .base import Model
from .steps import BUILT_IN, CHANGE, RunStep, find_step

__all__ = ["Run"]


class Run(Model):
    """One run of the runbook. Times are UTC; parameters by step, secrets masked.

    `requester` is who asked for the change and `author` who wrote the commit, as logins or, where no system vouches
    for one, as the local user's name prefixed with `local:`. `steps` are the runbook's as they were when the run began,
    without those that its stack leaves out; runs made before steps were recorded have the built-in ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    schema_: Literal["runbook/run/v1"] = Field(default="runbook/run/v1", alias="schema")
    run_id: str
    stack: str
    runbook: str = CHANGE
    steps: tuple[RunStep, ...] = tuple(step.recorded for step in BUILT_IN)
    commit: str = ""
    ref: str = ""
    dirty: bool = False
    requester: str = ""
    author: str = ""
    created_at: datetime
    pipeline_url: str = ""
    project: str = ""
    parameters: dict[str, dict[str, Any]] = {}
    tools: dict[str, str] = {}

    def title(self, name: str) -> str:
        """What the step is called in front of people."""
        step = find_step(self.steps, name)
        return step.title if step else name.replace("_", " ").capitalize()
