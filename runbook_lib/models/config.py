"""The model of runbook.yml: what a repository governs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from .approval_config import ApprovalConfig
from .base import Model
from .config_values import Duration, Region, RepositoryPath, RoleArn, below_the_repository, wrong
from .evidence_config import EvidenceConfig
from .findings import Action, Severity
from .service_config import GroupReference, ServiceConfig, ServiceRunConfig, names_twice
from .steps import ALWAYS, BUILT_IN, CHANGE, DRIFT, EXPIRED, STEP_NAME, Step, find_step
from .variables import NEVER_FOR_TERRAFORM, reason_against
from .verification import AcceptedDifference

__all__ = [
    "ApprovalConfig",
    "ComplianceConfig",
    "EnvironmentConfig",
    "GitLabConfig",
    "GroupReference",
    "KernelsConfig",
    "RolesConfig",
    "RunbookConfig",
    "RunbookEntry",
    "ServiceConfig",
    "SlackConfig",
    "StackConfig",
    "StepConfig",
    "StepEntry",
    "TerraformConfig",
    "UnsafeSetting",
]


# A variable that the program, its pipeline or its outside systems go by is none of a stack's.
_OURS = re.compile(r"(RUNBOOK|CI|GITLAB|SLACK|TF_HTTP|PYTHON|LD)_.*|GITLAB_CI|PATH|HOME")
_SECRET = re.compile(r"(?i).*(password|passphrase|secret|token|api_?key|private_?key|access_?key|credentials?)(_id)?$")


class TerraformConfig(Model):
    """Which binary runs the plans, the oldest version that will do, and for whom plans are encrypted (`age1…`).

    `environment` are variables that it sees beside those that it always does: names, or `PREFIX_*`.
    """

    binary: str = ""
    minimum: str = Field(default="1.5.0", pattern=r"^\d+(\.\d+){0,2}$")
    parallelism: int = Field(default=10, ge=1)
    lock_timeout: str = "30s"
    encrypt_to: tuple[Annotated[str, Field(pattern=r"^age1[0-9a-z]{58}$")], ...] = ()
    environment: tuple[str, ...] = ()

    @field_validator("environment")
    @classmethod
    def _no_credentials_of_ours(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for index, name in enumerate(value):
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*|[A-Za-z][A-Za-z0-9_]*_\*", name):
                raise wrong(f"{name!r} is neither a variable's name nor PREFIX_*", index)
            if NEVER_FOR_TERRAFORM.fullmatch(name):
                raise wrong(f"{name} is nothing that a plan's code may see", index)
        return value


# What a project's settings may allow, though it weakens the approval; each has to be accepted by name.
UnsafeSetting = Literal[
    "variables_by_developers",
    "unprotected_branch",
    "push_by_developers",
    "unprotected_environment",
    "deploy_by_developers",
    "unknown_variables",
    "unknown_branch",
    "unknown_environment",
    "unknown_rejections",
    "unknown_history",
]


class GitLabConfig(Model):
    """The GitLab that holds project, pipeline and state. No variable overrides either: one that differs is an error.

    `environment` is the one that the apply job deploys a stack to; `accept` names what the project's settings may
    allow although it is not safe; `state_project` keeps the states where this project does not.
    """

    url: str = "https://gitlab.com"
    project: str = ""
    state_project: str = ""
    environment: str = "production/{stack}"
    accept: tuple[UnsafeSetting, ...] = ()


class EnvironmentConfig(Model):
    """Variables that are refused where they could change what is believed, and are accepted here by name."""

    accept: tuple[str, ...] = ()


class SlackConfig(Model):
    """Where the messages go. A variable may choose the channel, but no other server: it would be sent the token."""

    channel: str = ""
    api_url: str = Field(default="https://slack.com/api/", pattern=r"^https?://[^/]+/")


class ComplianceConfig(Model):
    """Where policies and waivers lie, and what this repository decides otherwise than the pack.

    `enable` names the optional policies that judge here; `severities` and `actions` override a policy's own by id;
    `scanners` says what another tool's SARIF does.
    """

    policies: str = "policies"
    waivers: str = "policies/waivers.yml"
    max_waiver_days: int = Field(default=90, ge=1)
    enable: tuple[str, ...] = ()
    severities: dict[str, Severity] = {}
    actions: dict[str, Action] = {}
    scanners: dict[str, Action] = {}


class StepConfig(Model):
    """How long a step may take, and how often it is repeated when an outside system failed.

    `own_notebook` lets a built-in step's notebook be another one than that of the installed version.
    """

    timeout: Duration | None = None
    retries: int = Field(default=0, ge=0, le=5)
    own_notebook: bool = False


class KernelsConfig(Model):
    """Where the notebooks' kernels may import from, beside what is installed: folders below the repository."""

    import_from: tuple[str, ...] = ()

    @field_validator("import_from")
    @classmethod
    def _below(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return below_the_repository(value)


class StepEntry(StepConfig):
    """One step in a runbook's list: a built-in one, or a team's own notebook.

    `notebook` is a path below the repository; a bare file name lies in notebooks/, and so does that of a step without.
    """

    name: str = Field(pattern=STEP_NAME)
    notebook: str = ""
    title: str = Field(default="", max_length=60)

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, data: object) -> object:
        return {"name": data} if isinstance(data, str) else data

    @field_validator("notebook")
    @classmethod
    def _inside(cls, value: str) -> str:
        path = PurePosixPath(value)
        if value and (path.is_absolute() or ".." in path.parts or path.suffix != ".ipynb"):
            raise ValueError("is no notebook (.ipynb) below the repository")
        return value

    @model_validator(mode="after")
    def _neither_cut_short_nor_repeated(self) -> StepEntry:
        _check_measures(self.name, self)
        return self

    def step(self, number: int) -> Step:
        """The step at this place of a runbook."""
        built_in = find_step(BUILT_IN, self.name)
        step = built_in or Step(
            name=self.name,
            number=number,
            title=self.name.replace("_", " ").capitalize(),
            notebook=f"{self.name}.ipynb",
        )
        given: dict[str, Any] = {"number": number}
        given |= {"title": self.title} if self.title else {}
        given |= {"notebook": self.notebook} if self.notebook else {}
        return _measured(step.model_copy(update=given), self)


class RunbookEntry(Model):
    """One runbook: its steps, in the order in which they are executed."""

    steps: tuple[StepEntry, ...] = Field(min_length=1, max_length=99)

    @field_validator("steps")
    @classmethod
    def _in_order(cls, steps: tuple[StepEntry, ...]) -> tuple[StepEntry, ...]:
        for index, entry in enumerate(steps):
            before = [earlier.name for earlier in steps[:index]]
            if entry.name in before:
                raise wrong(f"the step {entry.name!r} stands there twice", index)
            missing = _missing(entry.step(index + 1), before)
            if missing:
                raise wrong(f"{entry.name} needs {' and '.join(missing)} before it in the same runbook", index)
        return steps


class RolesConfig(Model):
    """AWS roles that GitLab's jobs take on: one that only reads, and one that changes things, for apply alone."""

    plan: RoleArn = ""
    apply: RoleArn = ""


class StackConfig(Model):
    """One Terraform root module, and what is otherwise for it than runbook.yml says for all stacks.

    `state` is its name in GitLab, `workspace` that of another backend; `without` are steps that its runs leave out.
    `after` are stacks that are carried out before it, in place of those whose state its files are seen to read; `reads`
    are files or folders of the repository that it is made from besides those that its files name.
    """

    path: RepositoryPath
    state: str = ""
    workspace: str = Field(default="", pattern=r"^[A-Za-z0-9_.~-]*$")
    var_files: tuple[str, ...] = ()
    approvers: tuple[str, ...] | None = None
    quorum: int | None = Field(default=None, ge=1)
    services: tuple[ServiceConfig, ...] | None = None
    channel: str = ""
    without: tuple[str, ...] = ()
    after: tuple[str, ...] | None = None
    reads: tuple[str, ...] = ()
    region: Region = ""
    environment: dict[str, str] = {}
    roles: RolesConfig = Field(default_factory=RolesConfig)
    accepted_differences: tuple[AcceptedDifference, ...] = ()

    @field_validator("reads")
    @classmethod
    def _in_the_repository(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return below_the_repository(value)

    @field_validator("environment")
    @classmethod
    def _harmless(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise wrong(f"{name!r} is no variable's name", name)
            if _OURS.fullmatch(name):
                raise wrong(f"{name} is set by the pipeline or the desk, not by a stack", name)
            if _SECRET.fullmatch(name):
                raise wrong(f"{name} is named like a secret, and this file is no place for one", name)
        return value

    @property
    def plan_options(self) -> tuple[str, ...]:
        """What Terraform is told beside what it finds in the module's folder."""
        return tuple(f"-var-file={name}" for name in self.var_files)


class RunbookConfig(Model):
    """All of runbook.yml."""

    version: Literal[1] = 1
    stacks: dict[str, StackConfig]
    default_stack: str = ""
    runbooks: dict[Annotated[str, Field(pattern=STEP_NAME)], RunbookEntry] = {}
    terraform: TerraformConfig = Field(default_factory=TerraformConfig)
    gitlab: GitLabConfig = Field(default_factory=GitLabConfig)
    slack: SlackConfig = Field(default_factory=SlackConfig)
    environment: EnvironmentConfig = Field(default_factory=EnvironmentConfig)
    approval: ApprovalConfig = Field(default_factory=ApprovalConfig)
    compliance: ComplianceConfig = Field(default_factory=ComplianceConfig)
    evidence: EvidenceConfig = Field(default_factory=EvidenceConfig)
    services: tuple[ServiceConfig, ...] = ()
    service_tests: ServiceRunConfig = Field(default_factory=ServiceRunConfig)
    kernels: KernelsConfig = Field(default_factory=KernelsConfig)
    steps: dict[str, StepConfig] = {}

    @model_validator(mode="after")
    def _names_known(self) -> RunbookConfig:
        if not self.stacks:
            raise wrong("names no stack", "stacks")
        if self.default_stack and self.default_stack not in self.stacks:
            raise wrong(f"{self.default_stack!r} is not among the stacks {sorted(self.stacks)}", "default_stack")
        self._check_services(self.services, "services")
        self._check_measures()
        for index, rule in enumerate(self.approval.rules):
            if unknown := [name for name in rule.stacks if name not in self.stacks]:
                raise wrong(f"{unknown[0]!r} is not among the stacks", "approval", "rules", index, "stacks")
        for name, stack in self.stacks.items():
            self._check_services(stack.services or (), "stacks", name, "services")
            self._check_stack(name, stack)
            self._check_variables(name, stack)
        return self

    @property
    def runbook_names(self) -> tuple[str, ...]:
        """All runbooks, `change`, `drift` and `expired` first."""
        return (CHANGE, DRIFT, EXPIRED, *(name for name in self.runbooks if name not in ALWAYS))

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """Each step that some runbook has, once."""
        found: dict[str, Step] = {}
        for name in self.runbook_names:
            found = {step.name: step for step in self.runbook(name)} | found
        return tuple(found.values())

    def runbook(self, name: str, stack: str = "") -> tuple[Step, ...]:
        """The steps of a runbook, without those that the stack leaves out; KeyError if there is none of this name.

        Those of `expired` are those of `change`, where nothing is said of them.
        """
        name = CHANGE if name == EXPIRED and EXPIRED not in self.runbooks else name
        if name in ALWAYS and name not in self.runbooks:
            steps = ALWAYS[name]
        else:
            steps = tuple(entry.step(index + 1) for index, entry in enumerate(self.runbooks[name].steps))
        without = self.stacks[stack].without if stack else ()
        return tuple(
            _measured(step, self.steps.get(step.name, StepConfig())) for step in steps if step.name not in without
        )

    def approval_of(self, stack: str) -> ApprovalConfig:
        """Who may approve a change of this stack, and how many must, by the rules that hold for it."""
        own, rules = self.stacks[stack], self.approval.rules_of(stack)
        given = {"approvers": own.approvers, "quorum": own.quorum}
        found: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        # A stack that a change gives another name keeps them: they name none any more.
        found["rules"] = tuple(rule.model_copy(update={"stacks": ()}) for rule in rules)
        return self.approval.model_copy(update=found)

    def services_of(self, stack: str) -> tuple[ServiceConfig, ...]:
        """The services that are tested after a change of this stack."""
        own = self.stacks[stack].services
        return self.services if own is None else own

    def _check_variables(self, name: str, stack: StackConfig) -> None:
        for variable in stack.environment:
            # A commit counts in jobs: what is refused there is refused here, wherever this is read.
            why = reason_against(variable, in_ci=True)
            if why and variable not in self.environment.accept:
                message = f"{variable} is refused: {why}; environment.accept may accept it"
                raise wrong(message, "stacks", name, "environment", variable)

    def _check_services(self, services: Iterable[ServiceConfig], *at: str) -> None:
        listed = tuple(services)
        twice = names_twice(listed)
        if twice is not None:
            message = f"two services are named {listed[twice].name!r}: results and baselines go by the name"
            raise wrong(message, *at, twice, "name")
        for index, service in enumerate(listed):
            for name in ("group", "output"):
                stack = getattr(getattr(service, name), "stack", "")
                if stack and stack not in self.stacks:
                    raise wrong(f"services refer to the unknown stack {stack!r}", *at, index)

    def _check_measures(self) -> None:
        known = {step.name for step in self.all_steps}
        for name, measures in self.steps.items():
            if name not in known:
                raise wrong(f"no runbook has a step {name!r}; there are {', '.join(sorted(known))}", "steps", name)
            try:
                _check_measures(name, measures)
            except ValueError as error:
                raise wrong(str(error), "steps", name) from error

    def _check_stack(self, name: str, stack: StackConfig) -> None:
        for index, other in enumerate(stack.after or ()):
            if other not in self.stacks or other == name:
                raise wrong(f"{other!r} is no other stack to come after", "stacks", name, "after", index)
        known = {step.name for step in self.all_steps}
        for index, left_out in enumerate(stack.without):
            if left_out not in known:
                raise wrong(f"no runbook has a step {left_out!r} to leave out", "stacks", name, "without", index)
        for runbook in self.runbook_names:
            kept: list[str] = []
            for step in self.runbook(runbook, name):
                missing = _missing(step, kept)
                if missing:
                    message = f"{step.name} needs {' and '.join(missing)} before it in the runbook {runbook!r}"
                    raise wrong(message, "stacks", name, "without")
                kept.append(step.name)
        approval = self.approval_of(name)
        if approval.approvers and approval.quorum > len(set(approval.approvers)):
            message = f"quorum is {approval.quorum}, but only {len(set(approval.approvers))} approvers are named"
            raise wrong(message, "stacks", name, "quorum" if stack.quorum else "approvers")
        needed = max((rule.needs for rule in approval.rules_of(name) if not rule.group), default=0)
        if approval.approvers and needed > len(set(approval.approvers)):
            message = f"a rule needs {needed}, but only {len(set(approval.approvers))} approvers are named"
            raise wrong(message, "stacks", name, "approvers")


def _missing(step: Step, before: Iterable[str]) -> list[str]:
    return [need for need in step.needs if need not in set(before)]


def _measured(step: Step, measures: StepConfig) -> Step:
    given: dict[str, Any] = {"retries": measures.retries} if measures.retries else {}
    if measures.timeout is not None:
        given["timeout"] = measures.timeout.total_seconds()
    return step.model_copy(update=given) if given else step


def _check_measures(name: str, measures: StepConfig) -> None:
    step = find_step(BUILT_IN, name)
    if step and not step.repeatable and (measures.timeout or measures.retries):
        raise ValueError(f"{name} can't be given a timeout or retries: it waits for people, or changes things")
