"""The model of runbook.yml: what a repository governs."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, field_validator, model_validator

from .base import Model, Step
from .findings import Action, Severity

__all__ = [
    "ApprovalConfig",
    "ComplianceConfig",
    "GitLabConfig",
    "GroupReference",
    "RunbookConfig",
    "ServiceConfig",
    "SlackConfig",
    "StackConfig",
    "StepConfig",
    "TerraformConfig",
]


class StackConfig(Model):
    """One Terraform root module and the name of its state in GitLab."""

    path: str
    state: str
    var_files: tuple[str, ...] = ()

    @property
    def plan_options(self) -> tuple[str, ...]:
        """What Terraform is told beside what it finds in the module's folder."""
        return tuple(f"-var-file={name}" for name in self.var_files)


class TerraformConfig(Model):
    """Which binary runs the plans, and the oldest version that will do."""

    binary: str = ""
    minimum: str = Field(default="1.5.0", pattern=r"^\d+(\.\d+){0,2}$")
    parallelism: int = Field(default=10, ge=1)
    lock_timeout: str = "30s"


class GitLabConfig(Model):
    """The GitLab that holds project, pipeline and state. The environment of a CI job overrides both."""

    url: str = "https://gitlab.com"
    project: str = ""


class SlackConfig(Model):
    """Where the messages go."""

    channel: str = ""


class ApprovalConfig(Model):
    """Who may approve, how many of them, for how long, and the pipeline's job that stands for it."""

    approvers: tuple[str, ...] = ()
    quorum: int = Field(default=1, ge=1)
    expires_after: timedelta = Field(default=timedelta(hours=4), gt=timedelta(0))
    job: str = "apply"

    @field_validator("expires_after", mode="before")
    @classmethod
    def _duration(cls, value: object) -> object:
        return _parse_duration(value)

    @model_validator(mode="after")
    def _quorum_can_be_reached(self) -> ApprovalConfig:
        if self.approvers and self.quorum > len(set(self.approvers)):
            raise ValueError(f"quorum is {self.quorum}, but only {len(set(self.approvers))} approvers are named")
        return self


class ComplianceConfig(Model):
    """Where policies and waivers lie, and what this repository decides otherwise than the pack.

    `severities` and `actions` override a policy's own by id; `scanners` says what another tool's SARIF does.
    """

    policies: str = "policies"
    waivers: str = "policies/waivers.yml"
    max_waiver_days: int = Field(default=90, ge=1)
    severities: dict[str, Severity] = {}
    actions: dict[str, Action] = {}
    scanners: dict[str, Action] = {}


class GroupReference(Model):
    """The security group whose members are tested: an id, or the output of a stack's state that holds one."""

    id: str = ""
    stack: str = ""
    output: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> GroupReference:
        if bool(self.id) == bool(self.stack and self.output):
            raise ValueError("give either id, or stack and output")
        return self


class ServiceConfig(Model):
    """One service test, carried out on every public address of the group's members."""

    name: str
    group: GroupReference
    url: str = "http://{address}/"
    method: Literal["GET", "HEAD"] = "GET"
    status: int = 200
    contains: str = ""
    timeout: timedelta = Field(default=timedelta(seconds=5), gt=timedelta(0))
    attempts: int = Field(default=3, ge=1, le=20)

    @field_validator("timeout", mode="before")
    @classmethod
    def _duration(cls, value: object) -> object:
        return _parse_duration(value)


class StepConfig(Model):
    """How long a step may take, and how often it is repeated when an outside system failed."""

    timeout: timedelta | None = Field(default=None, gt=timedelta(0))
    retries: int = Field(default=0, ge=0, le=5)

    @field_validator("timeout", mode="before")
    @classmethod
    def _duration(cls, value: object) -> object:
        return _parse_duration(value)


class RunbookConfig(Model):
    """All of runbook.yml."""

    version: Literal[1] = 1
    stacks: dict[str, StackConfig]
    default_stack: str = ""
    terraform: TerraformConfig = TerraformConfig()
    gitlab: GitLabConfig = GitLabConfig()
    slack: SlackConfig = SlackConfig()
    approval: ApprovalConfig = ApprovalConfig()
    compliance: ComplianceConfig = ComplianceConfig()
    services: tuple[ServiceConfig, ...] = ()
    steps: dict[Step, StepConfig] = {}

    @field_validator("steps")
    @classmethod
    def _neither_cut_short_nor_repeated(cls, steps: dict[Step, StepConfig]) -> dict[Step, StepConfig]:
        for step in (Step.APPROVAL, Step.APPLY):
            if step in steps:
                raise ValueError(f"{step} can't be given a timeout or retries: it waits for people, or changes things")
        return steps

    @model_validator(mode="after")
    def _names_known(self) -> RunbookConfig:
        if not self.stacks:
            raise ValueError("stacks names no stack")
        if self.default_stack and self.default_stack not in self.stacks:
            raise ValueError(f"default_stack {self.default_stack!r} is not among the stacks {sorted(self.stacks)}")
        unknown = sorted({s.group.stack for s in self.services if s.group.stack} - set(self.stacks))
        if unknown:
            raise ValueError(f"services refer to the unknown stack {unknown[0]!r}")
        return self


_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _parse_duration(value: object) -> object:
    # People write 30s, 15m, 4h, 2d; pydantic itself takes ISO 8601 and seconds.
    if isinstance(value, str) and value[-1:] in _UNITS and value[:-1].isdigit():
        return timedelta(**{_UNITS[value[-1]]: int(value[:-1])})
    return value
