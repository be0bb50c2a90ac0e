"""States, from wherever they are kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runbook_lib.errors import GitLabError
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


def test_a_state_that_is_no_json_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "state_client", lambda settings: FakeGitLab(access=b"<html>"))
    with pytest.raises(GitLabError, match="the state access of project platform/network-access is no JSON"):
        read_state(settings, "access")
