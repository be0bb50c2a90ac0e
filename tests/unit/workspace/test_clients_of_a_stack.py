"""A stack's own region, variables and role reach whatever the step starts, and its channel reaches Slack."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook_lib.settings import Settings
from runbook_lib.workspace.clients import enter_stack, slack_client

STACK = """version: 1
stacks:
  access:
    path: a
    state: a
    channel: "#access"
    region: us-east-2
    environment: {TF_VAR_size: small}
    roles: {plan: "arn:aws:iam::111122223333:role/plan", apply: "arn:aws:iam::111122223333:role/apply"}
  network: {path: n, state: n}
default_stack: access
slack: {channel: "#all"}
"""
KEYS = {"AWS_ACCESS_KEY_ID": "ASIA1", "AWS_SECRET_ACCESS_KEY": "a-secret-of-aws", "AWS_SESSION_TOKEN": "a-token-of-aws"}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    (tmp_path / "runbook.yml").write_text(STACK)
    before = dict(os.environ)
    for name in ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_REGION", "SLACK_CHANNEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    yield Settings.load(tmp_path)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def assumed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    roles: list[str] = []

    def assume(arn: str) -> dict[str, str]:
        roles.append(arn)
        return KEYS

    monkeypatch.setattr("runbook_lib.adapters.aws.assume_role", assume)
    monkeypatch.setattr("runbook_lib.workspace.clients._assumed", {})
    return roles


def test_region_and_variables_are_those_of_the_stack(settings: Settings, assumed: list[str]) -> None:
    enter_stack(settings, "access")
    assert [os.environ[name] for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "TF_VAR_size")] == [
        "us-east-2", "us-east-2", "small",
    ]  # fmt: skip


@pytest.mark.parametrize(("applies", "role"), [(False, "plan"), (True, "apply")])
def test_under_gitlab_the_job_s_token_is_exchanged_for_the_role_by_aws_s_libraries(
    settings: Settings, assumed: list[str], monkeypatch: pytest.MonkeyPatch, applies: bool, role: str
) -> None:
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")
    enter_stack(settings, "access", applies=applies)
    assert os.environ["AWS_ROLE_ARN"] == f"arn:aws:iam::111122223333:role/{role}"
    assert assumed == []


def test_at_a_desk_the_role_is_assumed_once_and_its_keys_are_masked(settings: Settings, assumed: list[str]) -> None:
    enter_stack(settings, "access")
    enter_stack(settings, "access")
    assert assumed == ["arn:aws:iam::111122223333:role/plan"]
    assert {name: os.environ[name] for name in KEYS} == KEYS
    assert settings.redactor.mask("a-secret-of-aws and a-token-of-aws") == "[MASKED] and [MASKED]"


def test_a_stack_without_a_role_changes_nothing(settings: Settings, assumed: list[str]) -> None:
    before = dict(os.environ)
    enter_stack(settings, "network")
    assert dict(os.environ) == before


def test_slack_is_told_in_the_stack_s_channel(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    channels = [slack.channel for name in ("access", "network") if (slack := slack_client(settings, name))]
    assert channels == ["#access", "#all"]
    monkeypatch.setenv("SLACK_CHANNEL", "#mine")
    assert Settings.load(settings.root).slack_channel("access") == "#mine"
