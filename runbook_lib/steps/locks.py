"""Who holds a state's lock: Terraform can't say, GitLab can."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import GitLabError, StateLockedError
from ..settings import Settings
from .clients import state_client

__all__ = ["holder_named"]


@contextmanager
def holder_named(settings: Settings, state: str) -> Iterator[None]:
    """Let a StateLockedError say who locked the state and since when, where GitLab tells."""
    try:
        yield
    except StateLockedError as error:
        named = _named(settings, state, error)
        if named is error:
            raise
        raise named from error


def _named(settings: Settings, state: str, error: StateLockedError) -> StateLockedError:
    gitlab = state_client(settings)
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
    return StateLockedError(f"the state {state} is locked by {lock.user} since {since}", error.remedy)
