"""What is missing or wrong here, found before a run finds it. Nothing is changed but Terraform's own folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from ..adapters.git import read_commit
from ..adapters.terraform_init import ensure_initialised, provider_versions
from ..errors import ConfigError
from ..models.base import Step
from ..settings import Settings
from .clients import stack_config, terraform_client
from .doctoring_outside import DoubtError, ask_aws, ask_gitlab, ask_people, ask_slack, ask_state, ask_state_project
from .judging import rulebook
from .preflight import Check, CheckResult, run_checks

__all__ = ["Diagnosis", "Level", "examine"]


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
    stack_config(settings, stack)
    local = run_checks(
        (
            Check("runbook.yml", lambda: f"{len(settings.config.stacks)} stacks: {', '.join(settings.config.stacks)}"),
            Check("notebooks", lambda: _notebooks(settings)),
            Check("git", lambda: _commit(settings)),
            Check("policies", lambda: _policies(settings)),
            Check("signing key", lambda: _signing_key(settings)),
        )
    )
    outside = run_checks(
        (
            Check("gitlab", lambda: ask_gitlab(settings)),
            Check("approvers", lambda: ask_people(settings)),
            Check("slack", lambda: ask_slack(settings)),
            Check("aws", ask_aws),
        )
    )
    return tuple(_diagnosis(result) for result in (*local, *_terraform(settings, stack), *outside))


def _terraform(settings: Settings, stack: str) -> Sequence[CheckResult]:
    # Each needs the one before: what is asked of a Terraform that is not there says nothing new.
    found: list[CheckResult] = []
    for check in (
        Check("terraform", lambda: _binary(settings, stack)),
        Check("state project", lambda: ask_state_project(settings)),
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
    missing = [step.notebook for step in Step if not (settings.notebooks / step.notebook).is_file()]
    if missing:
        raise ConfigError(f"{settings.notebooks} lacks {', '.join(missing)}", "Restore them from the repository.")
    return f"{len(Step)} in {settings.notebooks}"


def _commit(settings: Settings) -> str:
    commit = read_commit(settings.root)
    if not commit.sha:
        raise DoubtError("no commit is checked out: a run can't say what it was made from", "Run inside a clone.")
    if commit.dirty:
        raise DoubtError(f"{commit.sha[:12]} with changes that are not committed", "Commit them before a real run.")
    return f"{commit.sha[:12]} of {commit.ref}"


def _policies(settings: Settings) -> str:
    policies, waivers = rulebook(settings, datetime.now(UTC).date())
    return f"{len(policies)} policies, {len(waivers)} waivers"


def _signing_key(settings: Settings) -> str:
    from ..adapters.signing import signer_id

    key = settings.environment.signing_key.get_secret_value()
    if not key:
        raise DoubtError(
            "RUNBOOK_SIGNING_KEY is not set: evidence is not signed", "Make a key: runbook evidence key key.pem"
        )
    return f"ed25519 key {signer_id(key)[:12]}"


def _binary(settings: Settings, stack: str) -> str:
    binary = terraform_client(settings, stack).binary
    return f"{binary.product} {binary.version}, at least {settings.config.terraform.minimum} is needed"


def _provider(settings: Settings, stack: str) -> str:
    terraform = terraform_client(settings, stack)
    ensure_initialised(terraform)
    return ", ".join(f"{name} {version}" for name, version in provider_versions(terraform.directory)) or "none needed"
