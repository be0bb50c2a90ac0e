"""States, from wherever they are kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from runbook_lib.adapters.gitlab_data import HeldLock, StateLock
from runbook_lib.adapters.terraform_errors import unlock_remedy
from runbook_lib.errors import GitLabError, StateLockedError
from runbook_lib.settings import Settings
from runbook_lib.workspace import states
from runbook_lib.workspace.states import read_state


class FakeGitLab:
    project = "platform/network-access"

    def __init__(self, **held: bytes) -> None:
        self._held = held

    def state(self, name: str) -> bytes | None:
        return self._held.get(name)


class FakeTerraform:
    def state_pull(self) -> dict[str, Any]:
        return {"serial": 8}


@pytest.fixture
def terraform(monkeypatch: pytest.MonkeyPatch) -> FakeTerraform:
    fake = FakeTerraform()
    monkeypatch.setattr(states, "terraform_client", lambda settings, stack: fake)
    monkeypatch.setattr(states, "ensure_initialised", lambda terraform: False)
    return fake


def test_the_state_comes_from_gitlab_where_there_is_one(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeGitLab(access=json.dumps({"serial": 3}).encode())
    monkeypatch.setattr(states, "state_client", lambda settings: fake)
    assert read_state(settings, "access") == {"serial": 3}
    assert read_state(settings, "network") == {}


def test_the_state_comes_from_terraform_where_no_gitlab_keeps_it(settings: Settings, terraform: FakeTerraform) -> None:
    assert read_state(settings, "access") == {"serial": 8}


def test_a_state_that_another_backend_keeps_is_read_by_terraform_though_there_is_a_gitlab(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, terraform: FakeTerraform
) -> None:
    monkeypatch.setattr(states, "state_client", lambda settings: FakeGitLab(access=b'{"serial": 3}'))
    folder = settings.root / settings.config.stacks["access"].path
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zz_backend.tf").write_text('terraform {\n  backend "s3" {}\n}\n')
    for file in folder.glob("*.tf"):
        if file.name != "zz_backend.tf":
            file.unlink()
    assert read_state(settings, "access") == {"serial": 8}


def test_a_state_that_is_no_json_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "state_client", lambda settings: FakeGitLab(access=b"<html>"))
    with pytest.raises(GitLabError, match="the state access of project platform/network-access is no JSON"):
        read_state(settings, "access")


class FakeLocks:
    """A state that this one holds, if anybody does."""

    has_token = True

    def __init__(self, lock: StateLock | None) -> None:
        self._lock = lock

    def state_lock(self, name: str) -> StateLock | None:
        assert name == "access"
        return self._lock

    def held_lock(self, name: str) -> HeldLock | None:
        return HeldLock("held", "sam", "") if self._lock else None


def locked(settings: Settings, monkeypatch: pytest.MonkeyPatch, client: FakeLocks) -> StateLockedError:
    monkeypatch.setattr(states, "state_client", lambda settings: client)
    with pytest.raises(StateLockedError) as caught, states.holder_named(settings, "access"):
        raise StateLockedError("the state is locked", "Wait.")
    return caught.value


@pytest.mark.parametrize(
    ("since", "told"),
    [(datetime(2026, 11, 23, 9, 5, tzinfo=UTC), "2026-11-23 09:05 UTC"), (None, "an unknown time")],
)
def test_who_holds_a_lock_is_named_with_the_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, since: datetime | None, told: str
) -> None:
    error = locked(settings, monkeypatch, FakeLocks(StateLock("robin", since)))
    assert (error.message, error.remedy) == (
        f"the state access is locked by robin since {told}",
        unlock_remedy("access", "held"),
    )


def test_where_gitlab_knows_of_no_lock_the_error_stays(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locked(settings, monkeypatch, FakeLocks(None)).message == "the state is locked"


def test_without_a_token_gitlab_is_not_asked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeLocks(StateLock("robin", None))
    monkeypatch.setattr(client, "has_token", False)
    assert locked(settings, monkeypatch, client).message == "the state is locked"


def test_another_error_passes_as_it_is(settings: Settings) -> None:
    with pytest.raises(GitLabError, match="another"), states.holder_named(settings, "access"):
        raise GitLabError("another")
    with states.holder_named(settings, "access"):
        pass


def test_a_state_that_is_no_json_says_where_to_look(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "state_client", lambda settings: FakeGitLab(access=b"<html>"))
    with pytest.raises(GitLabError) as caught:
        read_state(settings, "access")
    assert caught.value.remedy == "Look at the state's last version in GitLab."


def test_terraform_is_initialised_for_the_stack_before_it_is_asked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, asked = FakeTerraform(), []
    monkeypatch.setattr(states, "terraform_client", lambda *given: asked.append(given) or fake)
    monkeypatch.setattr(states, "ensure_initialised", asked.append)
    states.fetch_state(settings, "network")
    assert asked == [(settings, "network"), fake]


def test_what_is_learned_is_told_to_the_notebook_too(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[list[str]] = []
    monkeypatch.setattr(states, "announce_secrets", told.append)
    states.learn(settings, {"second-secret", "a-first-secret"})
    assert told == [["a-first-secret", "second-secret"]]
    assert settings.redactor.mask("second-secret") == "[MASKED]"
