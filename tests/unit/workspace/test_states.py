"""States, from wherever they are kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from step_fakes import answering

from runbook_lib.adapters.gitlab_data import HeldLock, StateLock
from runbook_lib.adapters.terraform_errors import unlock_remedy
from runbook_lib.errors import ConfigError, GitLabError, InputError, RunbookError, StateLockedError, UsageError
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
    monkeypatch.setattr(states, "terraform_client", answering(fake))
    monkeypatch.setattr(states, "ensure_initialised", lambda terraform: False)
    return fake


def test_the_state_comes_from_gitlab_where_there_is_one(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeGitLab(access=json.dumps({"serial": 3}).encode())
    monkeypatch.setattr(states, "state_client", answering(fake))
    assert read_state(settings, "access") == {"serial": 3}
    assert read_state(settings, "network") == {}


def test_the_state_comes_from_terraform_where_no_gitlab_keeps_it(settings: Settings, terraform: FakeTerraform) -> None:
    assert read_state(settings, "access") == {"serial": 8}


def test_a_state_that_another_backend_keeps_is_read_by_terraform_though_there_is_a_gitlab(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, terraform: FakeTerraform
) -> None:
    monkeypatch.setattr(states, "state_client", answering(FakeGitLab(access=b'{"serial": 3}')))
    folder = settings.root / settings.config.stacks["access"].path
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zz_backend.tf").write_text('terraform {\n  backend "s3" {}\n}\n')
    for file in folder.glob("*.tf"):
        if file.name != "zz_backend.tf":
            file.unlink()
    assert read_state(settings, "access") == {"serial": 8}


def test_a_state_that_is_no_json_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "state_client", answering(FakeGitLab(access=b"<html>")))
    with pytest.raises(GitLabError, match="the state access of project platform/network-access is no JSON"):
        read_state(settings, "access")


@pytest.mark.parametrize(
    ("depth", "error", "says"),
    [(151, InputError, "the state of access is nested too deeply"), (100_000, GitLabError, "is no JSON")],
)
def test_a_state_that_is_nested_too_deeply_is_refused_in_words(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, depth: int, error: type[RunbookError], says: str
) -> None:
    content = b'{"outputs": ' * depth + b"1" + b"}" * depth
    monkeypatch.setattr(states, "state_client", answering(FakeGitLab(access=content)))
    with pytest.raises(error, match=says):
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
    monkeypatch.setattr(states, "state_client", answering(client))
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
    monkeypatch.setattr(states, "state_client", answering(FakeGitLab(access=b"<html>")))
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


class Keeper(FakeLocks):
    """GitLab, which keeps the state and its lock, and takes away only the lock that is held."""

    project = "platform/network-access"

    def __init__(self, held: str = "", *, tells: bool = True) -> None:
        super().__init__(StateLock("robin", None) if held else None)
        self.held, self.tells = held, tells

    def state_lock(self, name: str) -> StateLock | None:
        if not self.tells:
            raise GitLabError("GitLab is away")
        return super().state_lock(name)

    def held_lock(self, name: str) -> HeldLock | None:
        assert name == "access"
        if self.held == "hidden":
            raise GitLabError("only Maintainers may ask")
        return HeldLock(self.held, "robin", "") if self.held else None

    def unlock_state(self, name: str, lock_id: str) -> bool:
        assert name == "access"
        return lock_id == self.held


def test_the_lock_that_is_held_is_found_and_taken_away_and_no_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "state_client", answering(Keeper("a1")))
    assert states.lock_of(settings, "access") == HeldLock("a1", "robin", "")
    states.unlock(settings, "access", "a1")
    with pytest.raises(StateLockedError) as caught:
        states.unlock(settings, "access", "b2")
    assert (caught.value.message, caught.value.remedy) == (
        "the state access is locked by another lock than b2",
        "Ask who holds it now: `runbook state unlock --stack access` says so before it does anything.",
    )
    monkeypatch.setattr(states, "state_client", answering(Keeper()))
    assert states.lock_of(settings, "access") is None


def test_where_no_gitlab_keeps_the_state_terraform_takes_the_lock_away_by_its_id(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []
    fake = SimpleNamespace(force_unlock=done.append)

    def client(*given: object) -> SimpleNamespace:
        done.append(given)
        return fake

    monkeypatch.setattr(states, "terraform_client", client)
    monkeypatch.setattr(states, "ensure_initialised", done.append)
    states.unlock(settings, "network", "a1")
    assert done == [(settings, "network"), fake, "a1"]
    with pytest.raises(UsageError) as caught:
        states.lock_of(settings, "network")
    assert (caught.value.message, caught.value.remedy) == (
        "no GitLab project keeps the state, so nobody tells which lock is held",
        "Give the lock's id, as Terraform printed it: `runbook state unlock --stack network ID`.",
    )


@pytest.mark.parametrize("held", ["hidden", ""])
def test_who_is_not_told_which_lock_is_held_is_left_with_the_one_that_terraform_printed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    client = Keeper("hidden")
    client.held = held
    monkeypatch.setattr(states, "state_client", answering(client))
    with pytest.raises(StateLockedError) as caught, states.holder_named(settings, "access"):
        raise StateLockedError("the state is locked", "Wait.", "printed")
    assert (caught.value.message, caught.value.remedy, caught.value.lock_id) == (
        "the state access is locked by robin since an unknown time",
        unlock_remedy("access", "printed"),
        "printed",
    )


def test_that_gitlab_tells_no_more_of_a_lock_is_no_news_beside_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locked(settings, monkeypatch, Keeper("a1", tells=False)).message == "the state is locked"


def test_a_state_that_is_no_json_is_told_with_where_it_is_broken(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "state_client", answering(FakeGitLab(access=b'{"serial": 3')))
    with pytest.raises(GitLabError) as caught:
        read_state(settings, "access")
    assert caught.value.message == (
        "the state access of project platform/network-access is no JSON:"
        " Expecting ',' delimiter: line 1 column 13 (char 12)"
    )


def test_which_state_gitlab_keeps_is_said_by_the_stack_that_is_meant(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Any = Keeper()
    config = settings.config
    monkeypatch.setattr(states, "state_client", answering(client))

    def nameless(name: str) -> None:
        stack = config.stacks[name].model_copy(update={"state": ""})
        settings.config = config.model_copy(update={"stacks": {**config.stacks, name: stack}})

    nameless("access")
    assert states.keeper(settings, "network") is client
    nameless("network")
    assert states.keeper(settings, "access") is client
    with pytest.raises(ConfigError) as caught:
        states.keeper(settings, "network")
    assert (caught.value.message, caught.value.remedy) == (
        "runbook.yml: stacks.network.state is missing, and GitLab keeps this stack's state",
        "Give it the state's name in GitLab.",
    )
