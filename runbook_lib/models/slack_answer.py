"""What the listener signs: one answer that a person gave in Slack, and to what."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from .base import Model

__all__ = ["Asked", "SlackAnswer"]


class Asked(Model):
    """What a button asks about: the run, its stack, the commit and the plan. Kept in the button itself."""

    run_id: str = Field(max_length=100, pattern=r"^\S+$")
    stack: str = Field(max_length=200)
    commit: str = Field(pattern=r"^[0-9a-f]{40,64}$")
    plan_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class SlackAnswer(Model):
    """The signed content of one answer. `user` is Slack's id of who clicked, `project` where the run is, as an address.

    Whom that id stands for is said by runbook.yml where the answer is read, never by who signed it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    schema_: Literal["runbook/slack-answer/v1"] = Field(default="runbook/slack-answer/v1", alias="schema")
    project: str
    asked: Asked
    user: str
    approved: bool
    reason: str = ""
    at: datetime
    message: str = ""
