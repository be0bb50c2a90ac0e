"""Terraform's states: read from GitLab where that keeps them, their secrets learned, and who holds their locks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..adapters.gitlab_data import HeldLock
from ..adapters.kernel import announce_secrets
from ..adapters.terraform_backend import backend_type
from ..adapters.terraform_errors import unlock_remedy
from ..adapters.terraform_folder import ensure_initialised
from ..domain.sensitive import state_secrets
from ..domain.strict_json import refuse_deep
from ..errors import ConfigError, GitLabError, StateLockedError, UsageError
from ..settings import Settings
from .clients import stack_config, state_client, terraform_client

if TYPE_CHECKING:
    from ..adapters.gitlab import GitLab

__all__ = [
    "KEPT_BY_GITLAB",
    "backend_of",
    "fetch_state",
    "holder_named",
    "keeper",
    "learn",
    "learn_state",
    "lock_of",
    "read_state",
    "unlock",
]

# Without any files, as where only services are tested, runbook.yml's `state` is all that there is.
KEPT_BY_GITLAB = ("http", "")


def backend_of(settings: Settings, stack: str) -> str:
    """The type of backend that the stack's files name; empty where there are none."""
    return backend_type(settings.root / stack_config(settings, stack).path)


def keeper(settings: Settings, stack: str) -> GitLab | None:
    """GitLab's API where it is GitLab that keeps this stack's state; None where another backend does, or no project.

    ConfigError if runbook.yml does not say under which name.
    """
    if backend_of(settings, stack) not in KEPT_BY_GITLAB:
        return None
    client = state_client(settings)
    if client is not None and not stack_config(settings, stack).state:
        raise ConfigError(
            f"runbook.yml: stacks.{stack}.state is missing, and GitLab keeps this stack's state",
            "Give it the state's name in GitLab.",
        )
    return client


def read_state(settings: Settings, stack: str) -> dict[str, Any]:
    """The stack's state document, empty if there is none yet; what it calls sensitive is masked from now on."""
    state = fetch_state(settings, stack)
    learn_state(settings, state)
    return state


def fetch_state(settings: Settings, stack: str) -> dict[str, Any]:
    """The same for another thread than the kernel's own, which alone can tell the engine: learn the state there.

    From GitLab itself, where no Terraform files are needed and which takes a hundredth of the time, if it keeps the
    state; from any other backend by Terraform.
    """
    return refuse_deep(_fetched(settings, stack), f"the state of {stack}")


def _fetched(settings: Settings, stack: str) -> dict[str, Any]:
    client = keeper(settings, stack)
    if client is None:
        terraform = terraform_client(settings, stack)
        ensure_initialised(terraform)
        return terraform.state_pull()
    name = stack_config(settings, stack).state
    content = client.state(name)
    try:
        return dict(json.loads(content)) if content else {}
    except (ValueError, RecursionError) as error:
        remedy = "Look at the state's last version in GitLab."
        raise GitLabError(f"the state {name} of project {client.project} is no JSON: {error}", remedy) from error


def learn_state(settings: Settings, state: dict[str, Any]) -> None:
    """Keep what a state calls sensitive out of everything that is written or shown from now on."""
    learn(settings, state_secrets(state))


def learn(settings: Settings, secrets: Iterable[str]) -> None:
    """Keep these texts out of everything that is written or shown from now on, by this step and by its notebook."""
    found = sorted(secrets)
    settings.redactor.add(found)
    announce_secrets(found)


@contextmanager
def holder_named(settings: Settings, stack: str) -> Iterator[None]:
    """Let a StateLockedError say who locked the state and since when, where GitLab tells."""
    try:
        yield
    except StateLockedError as error:
        named = _named(settings, stack, error)
        if named is error:
            raise
        raise named from error


def _named(settings: Settings, stack: str, error: StateLockedError) -> StateLockedError:
    gitlab, state = keeper(settings, stack), stack_config(settings, stack).state
    if gitlab is None or not gitlab.has_token:
        return error
    try:
        lock = gitlab.state_lock(state)
    except GitLabError:
        # The lock is what the person must hear of; that GitLab would not tell more is no news beside it.
        return error
    if lock is None:
        return error
    since = f"{lock.since:%Y-%m-%d %H:%M} UTC" if lock.since else "an unknown time"
    message = f"the state {state} is locked by {lock.user} since {since}"
    lock_id = _held_id(gitlab, state) or error.lock_id
    return StateLockedError(message, unlock_remedy(stack, lock_id), lock_id)


def _held_id(gitlab: GitLab, state: str) -> str:
    # What Terraform prints may be the lock that it wanted; only who may lock is told which one is held.
    try:
        held = gitlab.held_lock(state)
    except GitLabError:
        return ""
    return held.id if held else ""


def lock_of(settings: Settings, stack: str) -> HeldLock | None:
    """The lock that somebody holds on the stack's state, where GitLab keeps it; None if nobody does.

    UsageError where no GitLab tells.
    """
    client = keeper(settings, stack)
    if client is None:
        raise UsageError(
            "no GitLab project keeps the state, so nobody tells which lock is held",
            f"Give the lock's id, as Terraform printed it: `runbook state unlock --stack {stack} ID`.",
        )
    return client.held_lock(stack_config(settings, stack).state)


def unlock(settings: Settings, stack: str, lock_id: str) -> None:
    """Take this very lock away, and no other that was taken meanwhile."""
    client, state = keeper(settings, stack), stack_config(settings, stack).state
    if client is None:
        terraform = terraform_client(settings, stack)
        ensure_initialised(terraform)
        terraform.force_unlock(lock_id)
    elif not client.unlock_state(state, lock_id):
        remedy = f"Ask who holds it now: `runbook state unlock --stack {stack}` says so before it does anything."
        raise StateLockedError(f"the state {state} is locked by another lock than {lock_id}", remedy)
