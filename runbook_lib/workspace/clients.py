"""The outside systems, made from the settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..adapters.kernel import announce_secrets
from ..adapters.terraform import Terraform
from ..adapters.terraform_backend import backend_type
from ..adapters.terraform_binary import cli_configuration, find_binary
from ..domain.surroundings import terraform_variables
from ..errors import ConfigError
from ..models.config import StackConfig
from ..settings import Settings

if TYPE_CHECKING:
    from ..adapters.gitlab import GitLab
    from ..adapters.outbox import Messenger
    from ..adapters.slack import Slack

__all__ = [
    "enter_stack",
    "gitlab_client",
    "messenger",
    "slack_client",
    "stack_config",
    "state_client",
    "terraform_client",
]


# The session's token of each role that this process assumed.
_assumed: dict[str, str] = {}


def stack_config(settings: Settings, name: str) -> StackConfig:
    """The stack that is meant; UsageError if there is none."""
    return settings.config.stacks[settings.stack_name(name)]


def enter_stack(settings: Settings, name: str, *, applies: bool = False) -> None:
    """Let this process, and what it starts, work on the stack: with its variables, its region and its AWS role.

    The role is for what only reads, or for what `applies` changes. Under GitLab the job's token is exchanged for it by
    AWS's own libraries; at a desk it is assumed here, and its keys are masked like any other secret.
    """
    config = stack_config(settings, name)
    os.environ.update(config.environment)
    if config.region:
        os.environ.update(AWS_REGION=config.region, AWS_DEFAULT_REGION=config.region)
    role = config.roles.apply if applies else config.roles.plan
    if not role:
        return
    # A variable that names the role takes nothing on: AWS's libraries do so with a token, and else only we do.
    os.environ["AWS_ROLE_ARN"] = role
    held = role in _assumed and os.environ.get("AWS_SESSION_TOKEN") == _assumed[role]
    if not (os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") or held):
        from ..adapters.aws import assume_role

        keys = assume_role(role)
        settings.redactor.add([keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"]])
        announce_secrets([keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"]])
        os.environ.update(keys)
        _assumed[role] = keys["AWS_SESSION_TOKEN"]


def terraform_client(
    settings: Settings,
    stack: str,
    on_line: Callable[[str], None] | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> Terraform:
    """Terraform on the stack's folder, its state in GitLab by environment variables alone."""
    config = stack_config(settings, stack)
    directory = settings.root / config.path
    if not directory.is_dir():
        raise ConfigError(f"the stack's folder {config.path} is not there", "Correct stacks in runbook.yml.")
    listed = (*settings.config.environment.accept, *settings.config.terraform.environment, *config.environment)
    environment = {**terraform_variables(os.environ, listed), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    _check_own_state(settings, settings.stack_name(stack))
    environment |= _state_environment(settings, config)
    if config.workspace:
        environment["TF_WORKSPACE"] = config.workspace
    if settings.environment.in_ci and "TF_PLUGIN_CACHE_DIR" not in environment and _plugins(settings).is_dir():
        environment["TF_PLUGIN_CACHE_DIR"] = str(_plugins(settings))
    environment |= cli_configuration(_cache(settings), settings.environment.provider_mirror, environment)
    binary = find_binary(settings.terraform_binary, settings.config.terraform.minimum, environment)
    hear, work = on_line or (lambda line: None), meanwhile
    return Terraform(directory, binary, environment, hear, work, stack=settings.stack_name(stack))


def gitlab_client(settings: Settings) -> GitLab | None:
    """GitLab's API, or None when no project or token is configured."""
    if not settings.uses_gitlab:
        return None
    from ..adapters.gitlab import GitLab

    token, job_token = settings.environment.gitlab_token, settings.environment.job_token
    return GitLab(
        settings.gitlab_api, token.get_secret_value(), settings.gitlab_project, job_token=job_token.get_secret_value()
    )


def state_client(settings: Settings) -> GitLab | None:
    """GitLab's API for the project that keeps the states: another one than this where service tests are included.

    It reads a state with the credentials that Terraform has for it, where there are such.
    """
    environment = settings.environment
    password = environment.tf_password.get_secret_value()
    if not (settings.state_project and (settings.has_gitlab_token or password)):
        return None
    from ..adapters.gitlab import GitLab

    return GitLab(
        settings.gitlab_api,
        environment.gitlab_token.get_secret_value(),
        settings.state_project,
        job_token=environment.job_token.get_secret_value(),
        state_login=(environment.tf_username, password) if password else None,
    )


def messenger(settings: Settings, stack: str) -> Messenger | None:
    """The chat that a run tells, by what the settings name; None when they name none."""
    return slack_client(settings, stack)


def slack_client(settings: Settings, stack: str) -> Slack | None:
    """Slack by bot token or incoming webhook, with the stack's channel, or None when there is neither."""
    token = settings.environment.slack_token.get_secret_value()
    webhook = settings.environment.slack_webhook.get_secret_value()
    if not (token or webhook):
        return None
    channel = settings.slack_channel(stack)
    if token and not channel:
        raise ConfigError(
            "SLACK_BOT_TOKEN is set, but no channel", "Set SLACK_CHANNEL, or slack.channel in runbook.yml."
        )
    from ..adapters.slack import Slack

    return Slack(token, channel, api_url=settings.slack_api_url, webhook=webhook)


def _check_own_state(settings: Settings, name: str) -> None:
    """ConfigError where GitLab keeps the states of two stacks under one name: a plan of either destroys the other's."""
    stacks, state = settings.config.stacks, settings.config.stacks[name].state
    same = [other for other, stack in stacks.items() if state and stack.state == state]
    # Of a stack that names another backend the name says nothing.
    kept = [other for other in same if len(same) > 1 and backend_type(settings.root / stacks[other].path) == "http"]
    if name in kept and len(kept) > 1:
        raise ConfigError(
            f"runbook.yml: GitLab would keep the states of {' and '.join(kept)} under one name, {state}: each"
            " would destroy what the other has made",
            f"Give each stack a state of its own: stacks.{name}.state.",
        )


def _state_environment(settings: Settings, config: StackConfig) -> dict[str, str]:
    if not (settings.state_project and config.state):
        return {}
    from ..adapters.gitlab import state_address

    values = {**state_address(settings.gitlab_api, settings.state_project, config.state)}
    if not settings.environment.tf_password.get_secret_value():
        values |= _state_credentials(settings)
    return values


def _state_credentials(settings: Settings) -> dict[str, str]:
    job_token = settings.environment.job_token.get_secret_value()
    if settings.environment.in_ci and job_token:
        return {"TF_HTTP_USERNAME": "gitlab-ci-token", "TF_HTTP_PASSWORD": job_token}
    token = settings.environment.gitlab_token.get_secret_value()
    client = gitlab_client(settings) if token else None
    if client is None:
        return {}
    return {
        "TF_HTTP_USERNAME": settings.environment.tf_username or client.current_user(),
        "TF_HTTP_PASSWORD": token,
    }


def _plugins(settings: Settings) -> Path:
    """The folder in which a pipeline keeps providers from job to job; no variable need say so."""
    return settings.root / ".cache/terraform"


def _cache(settings: Settings) -> Path:
    return settings.outputs / ".terraform-cli"
