"""What `runbook doctor` asks of the outside systems: GitLab, its state, people, Slack, AWS."""

from __future__ import annotations

from ..adapters.gitlab import GitLab
from ..errors import ConfigError, RunbookError
from ..settings import Settings
from .clients import gitlab_client, slack_client, stack_config, state_client, terraform_client
from .locks import holder_named

__all__ = ["DoubtError", "ask_aws", "ask_gitlab", "ask_people", "ask_slack", "ask_state", "ask_state_project"]

DEVELOPER, MAINTAINER = 30, 40
ROLES = {10: "Guest", 15: "Planner", 20: "Reporter", DEVELOPER: "Developer", MAINTAINER: "Maintainer", 50: "Owner"}
NO_GITLAB = "Set GITLAB_TOKEN, and gitlab.project in runbook.yml; inside GitLab CI both are there."


class DoubtError(RunbookError):
    """Something that a run can do without, or that only some runs need."""

    exit_status = 0


def ask_gitlab(settings: Settings) -> str:
    """Whose token it is, what it may do, and with which role in the project."""
    gitlab = gitlab_client(settings)
    if gitlab is None:
        raise DoubtError("no project or no token: approvals come from a terminal alone", NO_GITLAB)
    if not gitlab.has_token:
        user = gitlab.whose_job().user
        raise DoubtError(
            f"the job token of {user} alone: merge-request and deployment approvals are not read",
            "Set GITLAB_TOKEN to a project access token with the scope read_api.",
        )
    project, user = gitlab.project_info(), gitlab.current_user()
    scopes, role = gitlab.token_scopes(), gitlab.role(user)
    found = f"{project.path} as {user}, {ROLES.get(role, f'access level {role}')}, scopes {', '.join(scopes)}"
    _check_token(found, scopes, role)
    return found


def ask_people(settings: Settings) -> str:
    """Whether the approvers of runbook.yml can play the manual job."""
    names = settings.config.approval.approvers
    if not names:
        raise ConfigError("runbook.yml names no approver", "Add logins to approval.approvers.")
    gitlab = gitlab_client(settings)
    found = f"{settings.config.approval.quorum} of {', '.join(names)}"
    if gitlab and gitlab.has_token:
        weak = [name for name in names if gitlab.role(name) < DEVELOPER]
        if weak:
            raise ConfigError(
                f"{', '.join(weak)} can't play a job in this project", "Give them a role, or name others as approvers."
            )
        _check_own_vote(gitlab, names, settings.config.approval.quorum)
    return found


def ask_state_project(settings: Settings) -> str:
    """Which GitLab project keeps the states."""
    if not settings.state_project:
        raise ConfigError("no GitLab project keeps the state", "Set gitlab.project in runbook.yml, or CI_PROJECT_ID.")
    return f"{settings.state_project} of {settings.gitlab_url}"


def ask_state(settings: Settings, stack: str) -> str:
    """Whether the stack's state can be read, its serial, and who holds its lock."""
    name = stack_config(settings, stack).state
    with holder_named(settings, name):
        state = terraform_client(settings, stack).state_pull()
    gitlab = state_client(settings)
    lock = gitlab.state_lock(name) if gitlab and gitlab.has_token else None
    if lock:
        since = f" since {lock.since:%Y-%m-%d %H:%M} UTC" if lock.since else ""
        raise DoubtError(
            f"{name} is locked by {lock.user}{since}", "Wait for them, or unlock it once they are known to be gone."
        )
    return f"{name}, serial {state['serial']}" if state else f"{name}, no version yet"


def ask_slack(settings: Settings) -> str:
    """Whom the token speaks for, whether it may write and upload, and whether the channel is there."""
    slack = slack_client(settings)
    if slack is None:
        raise DoubtError(
            "not configured: messages stay in the run folder, and in GitLab CI no approval can be asked for",
            "Set SLACK_BOT_TOKEN and SLACK_CHANNEL, or SLACK_WEBHOOK_URL.",
        )
    if not slack.threads:
        raise DoubtError("an incoming webhook: no thread, no board, no files", "Set SLACK_BOT_TOKEN to have them.")
    identity = slack.identity()
    if identity.missing_scopes:
        missing = ", ".join(identity.missing_scopes)
        raise ConfigError(f"the token lacks {missing}", "Add the scopes to the app, and install it again.")
    return f"{identity.user} of {identity.team}, channel {slack.channel} ({slack.channel_id()})"


def ask_aws() -> str:
    """Who we are to AWS."""
    from ..adapters.aws import Aws

    return Aws().identity()


def _check_token(found: str, scopes: tuple[str, ...], role: int) -> None:
    if not {"api", "read_api"} & set(scopes):
        raise ConfigError(f"{found}: the API can't be read", "Make a token with the scope read_api, or api.")
    if "api" not in scopes:
        raise DoubtError(f"{found}: it can't write states or play jobs", "To apply with it, give it the scope api.")
    if role < MAINTAINER:
        raise DoubtError(
            f"{found}: it can't lock or write states", "Plan with -p plan.lock=false; let a Maintainer's job apply."
        )


def _check_own_vote(gitlab: GitLab, names: tuple[str, ...], quorum: int) -> None:
    user = gitlab.current_user()
    others = [name for name in names if name.casefold() != user.casefold()]
    if len(others) < quorum:
        raise DoubtError(
            f"{quorum} of {', '.join(names)}, and {user} is one of them: nobody approves a change of their own",
            "Name more approvers.",
        )
