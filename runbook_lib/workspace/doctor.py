"""What is missing or wrong here, found before a run finds it. Nothing is changed but Terraform's own folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from ..adapters.git import read_commit
from ..adapters.gitlab import GitLab
from ..adapters.terraform_folder import ensure_initialised, provider_versions
from ..errors import ConfigError, RunbookError
from ..settings import Settings
from .clients import enter_stack, gitlab_client, slack_client, stack_config, terraform_client
from .policy_gate import PolicyFiles, PolicyGate
from .preflight import Check, CheckResult, run_checks
from .project_settings import NOT_ASKED, remedy, unsafe_settings
from .states import KEPT_BY_GITLAB, backend_of, holder_named, keeper

__all__ = [
    "Diagnosis",
    "DoubtError",
    "Level",
    "ask_aws",
    "ask_backend",
    "ask_clock",
    "ask_gitlab",
    "ask_people",
    "ask_project_settings",
    "ask_slack",
    "ask_state",
    "examine",
]


class Level(StrEnum):
    """How much a diagnosis matters."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"
    FAILED = "failed"


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at: what was found, and what to do if that is not good."""

    name: str
    level: Level
    found: str
    remedy: str = ""


def examine(settings: Settings, stack: str = "") -> tuple[Diagnosis, ...]:
    """Look at everything that a run of the stack needs, also after something was found missing."""
    stack = settings.stack_name(stack)
    enter_stack(settings, stack)
    local = run_checks(
        (
            Check("runbook.yml", lambda: f"{len(settings.config.stacks)} stacks: {', '.join(settings.config.stacks)}"),
            Check("notebooks", lambda: _notebooks(settings)),
            Check("git", lambda: _commit(settings)),
            Check("policies", lambda: _policies(settings)),
            Check("signing key", lambda: _signing_key(settings)),
            Check("encryption", lambda: _plan_encryption(settings)),
        )
    )
    outside = run_checks(
        (
            Check("gitlab", lambda: ask_gitlab(settings)),
            Check("protection", lambda: ask_project_settings(settings, stack)),
            Check("clock", lambda: ask_clock(settings)),
            Check("approvers", lambda: ask_people(settings, stack)),
            Check("slack", lambda: ask_slack(settings, stack)),
            Check("aws", ask_aws),
        )
    )
    return tuple(_diagnosis(result) for result in (*local, *_terraform(settings, stack), *outside))


def _terraform(settings: Settings, stack: str) -> Sequence[CheckResult]:
    # Each needs the one before: what is asked of a Terraform that is not there says nothing new.
    found: list[CheckResult] = []
    for check in (
        Check("terraform", lambda: _binary(settings, stack)),
        Check("backend", lambda: ask_backend(settings, stack)),
        Check("provider", lambda: _provider(settings, stack)),
        Check("state", lambda: ask_state(settings, stack)),
    ):
        found += run_checks((check,))
        if not found[-1].passed:
            break
    return found


def _diagnosis(result: CheckResult) -> Diagnosis:
    error = result.error
    if error is None:
        return Diagnosis(result.name, Level.OK, result.found)
    if isinstance(error, DoubtError):
        level = Level.WARNING
    else:
        level = Level.MISSING if error.exit_status == ConfigError.exit_status else Level.FAILED
    return Diagnosis(result.name, level, result.found, error.remedy)


def _notebooks(settings: Settings) -> str:
    steps = {name: settings.config.runbook(name) for name in settings.config.runbook_names}
    missing = [
        f"{step.notebook} of step {step.name}"
        for step in settings.config.all_steps
        if not settings.notebook(step).is_file()
    ]
    if missing:
        raise ConfigError(
            f"not there: {', '.join(missing)}", "Restore it, correct runbook.yml, or `runbook new notebook`."
        )
    return ", ".join(f"{name} has {len(found)} step{'s' * (len(found) != 1)}" for name, found in steps.items())


def _commit(settings: Settings) -> str:
    commit = read_commit(settings.root)
    if not commit.sha:
        raise DoubtError("no commit is checked out: a run can't say what it was made from", "Run inside a clone.")
    if commit.dirty:
        raise DoubtError(f"{commit.sha[:12]} with changes that are not committed", "Commit them before a real run.")
    return f"{commit.sha[:12]} of {commit.ref}"


def _policies(settings: Settings) -> str:
    files = PolicyFiles.of_repository(settings.root, settings.config.compliance)
    return str(PolicyGate.open(files, datetime.now(UTC).date()))


def _signing_key(settings: Settings) -> str:
    from ..adapters.signing import signer_id

    key = settings.environment.signing_key.get_secret_value()
    if not key:
        raise DoubtError(
            "RUNBOOK_SIGNING_KEY is not set: evidence is not signed", "Make a key: runbook evidence key key.pem"
        )
    return f"ed25519 key {signer_id(key)[:12]}"


def _plan_encryption(settings: Settings) -> str:
    from ..adapters.age import decrypt, encrypt

    recipients = settings.config.terraform.encrypt_to
    if not recipients:
        return "plans are kept as they are, for Developers alone (terraform.encrypt_to)"
    sealed, key = encrypt(b"", recipients), settings.environment.age_key.get_secret_value()
    if key:
        decrypt(sealed, key, "a plan")
    has = "this key reads them" if key else "there is no key here, which jobs that approve and apply need"
    return f"plans are encrypted for {len(recipients)}, and {has}"


def _binary(settings: Settings, stack: str) -> str:
    binary = terraform_client(settings, stack).binary
    return f"{binary.product} {binary.version}, at least {settings.config.terraform.minimum} is needed"


def _provider(settings: Settings, stack: str) -> str:
    terraform = terraform_client(settings, stack)
    ensure_initialised(terraform)
    return ", ".join(f"{name} {version}" for name, version in provider_versions(terraform.directory)) or "none needed"


DEVELOPER, MAINTAINER = 30, 40
SKEW = timedelta(minutes=2)
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
    project, user = gitlab.project_path(), gitlab.current_user()
    scopes, role = gitlab.token_scopes(), gitlab.role(user)
    found = f"{project} as {user}, {ROLES.get(role, f'access level {role}')}, scopes {', '.join(scopes)}"
    _check_token(found, scopes, role)
    return found


def ask_project_settings(settings: Settings, stack: str) -> str:
    """Whether the project's settings let anybody around the approval."""
    found = unsafe_settings(settings, stack)
    said = "; ".join(one.found for one in found)
    if any(one.known for one in found):
        raise ConfigError(f"not safe to apply from: {said}", remedy(found))
    if found:
        raise DoubtError(said, remedy(found))
    if gitlab_client(settings) is None:
        return NOT_ASKED
    return "who may give variables, push and deploy is limited"


def ask_clock(settings: Settings) -> str:
    """Whether this machine's clock and GitLab's agree: decisions are dated by GitLab's."""
    gitlab = gitlab_client(settings)
    if gitlab is None:
        return "no other clock is compared with this machine's"
    ahead = datetime.now(UTC) - gitlab.now()
    if abs(ahead) > SKEW:
        minutes, way = round(abs(ahead).total_seconds() / 60), "ahead of" if ahead > timedelta(0) else "behind"
        raise DoubtError(f"this machine's clock is {minutes} minutes {way} GitLab's", "Set it right.")
    return "this machine's agrees with GitLab's"


def ask_people(settings: Settings, stack: str) -> str:
    """Whether the approvers of runbook.yml can play the manual job."""
    approval = settings.config.approval_of(stack)
    names = approval.approvers
    if not names:
        raise ConfigError("runbook.yml names no approver", "Add logins to approval.approvers.")
    gitlab = gitlab_client(settings)
    found = f"{approval.quorum} of {', '.join(names)}"
    if gitlab and gitlab.has_token:
        weak = [name for name in names if gitlab.role(name) < DEVELOPER]
        if weak:
            raise ConfigError(
                f"{', '.join(weak)} can't play a job in this project", "Give them a role, or name others as approvers."
            )
        _check_own_vote(gitlab, names, approval.quorum)
    return found


def ask_backend(settings: Settings, stack: str) -> str:
    """What keeps the stack's state: a project in GitLab, or the backend that its files name."""
    backend = backend_of(settings, stack)
    if backend == "local" and settings.state_project:
        raise ConfigError(
            f"a file beside the files of {stack}: it is gone when a job ends, and the next one begins without it",
            'Let GitLab keep it (backend "http" {}), or name another backend.',
        )
    if backend in {"remote", "cloud"}:
        # What is planned there stays there: the file that an approval is bound to would only name it.
        raise DoubtError(
            f"{backend}: an approval is bound to a plan file, which Terraform makes here only if it runs here",
            "Set the workspace's execution mode to Local.",
        )
    if backend not in KEPT_BY_GITLAB:
        return f"backend {backend}"
    if stack_config(settings, stack).workspace:
        raise ConfigError(
            f"stacks.{stack}.workspace is set, and GitLab keeps one state under a name",
            "Make a stack of it, with a state of its own.",
        )
    if not settings.state_project:
        raise ConfigError("no GitLab project keeps the state", "Set gitlab.project in runbook.yml.")
    keeper(settings, stack)
    return f"GitLab, {settings.state_project} of {settings.gitlab_url}"


def ask_state(settings: Settings, stack: str) -> str:
    """Whether the stack's state can be read, its serial, and who holds its lock."""
    name = stack_config(settings, stack).state or stack
    with holder_named(settings, stack):
        state = terraform_client(settings, stack).state_pull()
    gitlab = keeper(settings, stack)
    lock = gitlab.state_lock(name) if gitlab and gitlab.has_token else None
    if lock:
        since = f" since {lock.since:%Y-%m-%d %H:%M} UTC" if lock.since else ""
        raise DoubtError(
            f"{name} is locked by {lock.user}{since}", "Wait for them, or unlock it once they are known to be gone."
        )
    return f"{name}, serial {state['serial']}" if state else f"{name}, no version yet"


def ask_slack(settings: Settings, stack: str) -> str:
    """Whom the token speaks for, whether it may write and upload, and whether the channel is there."""
    slack = slack_client(settings, stack)
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

    aws = Aws()
    who = aws.identity()
    aws.try_reading()
    return who


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
