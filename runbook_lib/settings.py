"""Settings: the environment over runbook.yml. What is set by a variable is named here."""

from __future__ import annotations

import difflib
import os
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from .domain.redaction import Redactor
from .domain.secret_patterns import named_secrets
from .domain.surroundings import contradiction, other_slack, refused_variables
from .errors import ConfigError, UsageError
from .models.config import RunbookConfig
from .models.steps import CHANGE, RunStep, Step
from .packaged import packaged
from .repository import find_repository, misplaced

__all__ = ["Environment", "Settings"]


def _env(*names: str, default: Any = "") -> Any:
    return Field(default=default, validation_alias=AliasChoices(*names))


# What stands in a key itself, and in no path to one.
_KEYS = {
    "RUNBOOK_SIGNING_KEY": "-----BEGIN",
    "RUNBOOK_LISTENER_KEY": "-----BEGIN",
    "RUNBOOK_AGE_KEY": "AGE-SECRET-KEY-",
}


class Environment(BaseSettings):
    """What the environment says. Empty variables count as not set: CI defines many of them empty."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True, case_sensitive=True)

    outputs: str = _env("RUNBOOK_OUTPUTS")
    terraform: str = _env("RUNBOOK_TERRAFORM")
    provider_mirror: str = _env("RUNBOOK_PROVIDER_MIRROR")
    connect_to: str = _env("RUNBOOK_CONNECT_TO")
    connect_only: bool = _env("RUNBOOK_CONNECT_ONLY", default=False)
    decision: str = _env("RUNBOOK_DECISION")
    reason: str = _env("RUNBOOK_REASON")
    age_key: SecretStr = _env("RUNBOOK_AGE_KEY", default=SecretStr(""))
    signing_key: SecretStr = _env("RUNBOOK_SIGNING_KEY", default=SecretStr(""))
    listener_key: SecretStr = _env("RUNBOOK_LISTENER_KEY", default=SecretStr(""))

    gitlab_ci: bool = _env("GITLAB_CI", default=False)
    state_project: str = _env("RUNBOOK_STATE_PROJECT")
    project_path: str = _env("CI_PROJECT_PATH")
    pipeline_id: str = _env("CI_PIPELINE_ID")
    pipeline_url: str = _env("CI_PIPELINE_URL")
    job_id: str = _env("CI_JOB_ID")
    commit: str = _env("CI_COMMIT_SHA")
    base_commit: str = _env("RUNBOOK_BASE_COMMIT", "CI_MERGE_REQUEST_DIFF_BASE_SHA", "CI_COMMIT_BEFORE_SHA")
    ref: str = _env("CI_COMMIT_REF_NAME")
    merge_request: str = _env("CI_MERGE_REQUEST_IID")
    gitlab_token: SecretStr = _env("GITLAB_TOKEN", default=SecretStr(""))
    job_token: SecretStr = _env("CI_JOB_TOKEN", default=SecretStr(""))
    tf_username: str = _env("TF_HTTP_USERNAME")
    tf_password: SecretStr = _env("TF_HTTP_PASSWORD", default=SecretStr(""))

    slack_token: SecretStr = _env("SLACK_BOT_TOKEN", default=SecretStr(""))
    slack_app_token: SecretStr = _env("SLACK_APP_TOKEN", default=SecretStr(""))
    slack_webhook: SecretStr = _env("SLACK_WEBHOOK_URL", default=SecretStr(""))
    slack_channel: str = _env("SLACK_CHANNEL")

    aws_secret: SecretStr = _env("AWS_SECRET_ACCESS_KEY", default=SecretStr(""))
    aws_session: SecretStr = _env("AWS_SESSION_TOKEN", default=SecretStr(""))

    @property
    def in_ci(self) -> bool:
        """Whether this is a job of GitLab. A pipeline's id alone is none: a desk may go on with a pipeline's run."""
        return self.gitlab_ci or bool(self.job_id or self.job_token.get_secret_value())


class Settings:
    """The environment over runbook.yml, resolved once. `load` is how to make one."""

    def __init__(self, environment: Environment, root: Path, config: RunbookConfig) -> None:
        self.environment = environment
        self.root = root
        self.config = config

    @classmethod
    def load(cls, root: Path | None = None, *, checked: bool = True) -> Settings:
        """Read the environment and the nearest runbook.yml; ConfigError names variable or line.

        `checked` holds the variables to what runbook.yml says. The lab alone does without: it has its own copy of it.
        """
        try:
            environment = Environment()
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise ConfigError(f"{first['loc'][0]}: {first['msg']}", "Correct this environment variable.") from error
        repository = find_repository(start=root)
        settings = cls(environment, repository.root, repository.load())
        if checked:
            settings._check_surroundings()
        return settings

    def _check_surroundings(self) -> None:
        gitlab, in_ci = self.config.gitlab, self.environment.in_ci
        found = [
            misplaced(os.environ) if in_ci else None,
            contradiction(os.environ, gitlab.url, gitlab.project, in_ci=in_ci),
            other_slack(os.environ, self.slack_api_url),
        ]
        found += refused_variables(os.environ, self.config.environment.accept, in_ci=in_ci)
        if first := next(filter(None, found), None):
            raise ConfigError(first.why, first.remedy)

    def __repr__(self) -> str:
        return f"Settings(root={str(self.root)!r}, gitlab={self.gitlab_api!r}, slack={self.slack_channel()!r})"

    @property
    def outputs(self) -> Path:
        """The folder that holds the run folders."""
        return Path(self.environment.outputs).resolve() if self.environment.outputs else self.root / "outputs"

    def notebook(self, step: RunStep) -> Path:
        """The step's notebook: the repository's, else the one that was installed with this package."""
        if "/" in step.notebook:
            return self.root / step.notebook
        folders = (self.root / "notebooks", packaged("notebooks"))
        found = (folder / step.notebook for folder in folders)
        return next((path for path in found if path.is_file()), folders[0] / step.notebook)

    def stack_name(self, asked: str = "") -> str:
        """The stack that is meant: the one asked for, else default_stack, else the only one; UsageError else."""
        names = tuple(self.config.stacks)
        name = asked or self.config.default_stack or (names[0] if len(names) == 1 else "")
        if not name:
            raise UsageError("no stack is named", f"Name one of {', '.join(names)} with --stack, or set default_stack.")
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            raise UsageError(f"unknown stack {name!r}", f"{hint}runbook.yml has: {', '.join(names)}.")
        return name

    def runbook(self, name: str, stack: str) -> tuple[Step, ...]:
        """The steps of a runbook for a stack, `change` if no name is given; UsageError for an unknown one."""
        names = self.config.runbook_names
        if (name or CHANGE) not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            raise UsageError(f"unknown runbook {name!r}", f"{hint}runbook.yml has: {', '.join(names)}.")
        return self.config.runbook(name or CHANGE, self.stack_name(stack))

    @property
    def terraform_binary(self) -> str:
        """The binary that was asked for, or empty: then PATH decides."""
        return self.environment.terraform or self.config.terraform.binary

    @property
    def gitlab_url(self) -> str:
        """GitLab's address without the API's path, as runbook.yml says."""
        return self.config.gitlab.url.rstrip("/")

    @property
    def gitlab_api(self) -> str:
        """The address of GitLab's REST API."""
        return f"{self.gitlab_url}/api/v4"

    @property
    def gitlab_project(self) -> str:
        """The project's id or path, as runbook.yml says; empty when there is none."""
        return self.config.gitlab.project

    @property
    def gitlab_token(self) -> SecretStr:
        """The token for GitLab's API, empty when there is none."""
        return self.environment.gitlab_token

    @property
    def state_project(self) -> str:
        """The project that keeps the Terraform states: this one, unless another is named."""
        return self.environment.state_project or self.config.gitlab.state_project or self.gitlab_project

    @property
    def has_gitlab_token(self) -> bool:
        """Whether there is something to authenticate with."""
        return bool(self.environment.gitlab_token.get_secret_value() or self.environment.job_token.get_secret_value())

    @property
    def uses_gitlab(self) -> bool:
        """Whether there is a project and something to authenticate with."""
        return bool(self.gitlab_project and self.has_gitlab_token)

    @property
    def slack_api_url(self) -> str:
        """The base address of Slack's Web API, as runbook.yml says."""
        return f"{self.config.slack.api_url.rstrip('/')}/"

    def slack_channel(self, stack: str = "") -> str:
        """The channel to tell: SLACK_CHANNEL, else the stack's own, else that of all stacks."""
        own = self.config.stacks[stack].channel if stack in self.config.stacks else ""
        return self.environment.slack_channel or own or self.config.slack.channel

    @cached_property
    def secrets(self) -> dict[str, str]:
        """Every secret value by the name of its variable: what no file, log or message may hold.

        Those that are read here, and all others whose names say that they are secrets, such as TF_VAR_db_password.
        """
        found = named_secrets(os.environ, os.path.exists)
        for name, field in Environment.model_fields.items():
            value = getattr(self.environment, name)
            if isinstance(value, SecretStr) and value.get_secret_value():
                alias = field.validation_alias
                key = str(alias.choices[0]) if isinstance(alias, AliasChoices) else name
                found[key] = value.get_secret_value()
        for name, mark in _KEYS.items():
            # The path of a key's file is no secret, and masking it would only hide which key was used.
            if mark not in found.get(name, mark):
                del found[name]
        return found

    @cached_property
    def redactor(self) -> Redactor:
        """What removes the secrets from a text. It learns: whatever a step finds to be one is masked from then on."""
        return Redactor(self.secrets)
