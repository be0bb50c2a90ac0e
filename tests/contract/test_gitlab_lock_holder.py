"""A state that is locked: the error says by whom and since when, as far as anybody can tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from gitlab_lab import RunningGitLab, running_gitlab

from runbook_lib.errors import StateLockedError
from runbook_lib.lab.gitlab.config import default_config
from runbook_lib.settings import Settings
from runbook_lib.workspace.states import holder_named

LOCK = {"Operation": "Apply", "Info": "", "Who": "x", "Version": "1", "Created": "2026-11-05T10:00:00Z", "Path": ""}
SEEN = StateLockedError("the state is locked by somebody", "Wait for it to end.")


@pytest.fixture
def lab() -> Iterator[RunningGitLab]:
    with running_gitlab(default_config()) as running:
        yield running


@pytest.fixture
def settings(lab: RunningGitLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("CI_JOB_TOKEN", "RUNBOOK_CONFIG", "RUNBOOK_ROOT", "RUNBOOK_STATE_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITLAB_TOKEN", lab.token("project_42_bot"))
    gitlab = f"gitlab: {{url: '{lab.url}', project: '42'}}"
    (tmp_path / "runbook.yml").write_text(f"version: 1\nstacks: {{access: {{path: ., state: access}}}}\n{gitlab}\n")
    return Settings.load(tmp_path)


def _raised(settings: Settings) -> StateLockedError:
    with pytest.raises(StateLockedError) as caught, holder_named(settings, "access"):
        raise SEEN
    return caught.value


def test_gitlab_names_the_holder_that_terraform_does_not_know(lab: RunningGitLab, settings: Settings) -> None:
    path = "/api/v4/projects/42/terraform/state/access/lock"
    since = lab.call("POST", path, "sam", json=LOCK | {"ID": "held"}).json()["Created"]
    error = _raised(settings)
    assert error.message == f"the state access is locked by sam since {since[:16].replace('T', ' ')} UTC"
    assert "`runbook state unlock --stack access`" in error.remedy


def test_a_lock_that_was_given_back_meanwhile_leaves_what_terraform_said(settings: Settings) -> None:
    assert _raised(settings) is SEEN


def test_a_gitlab_that_refuses_to_tell_leaves_what_terraform_said(lab: RunningGitLab, settings: Settings) -> None:
    lab.control("faults", status=403, path="graphql")
    assert _raised(settings) is SEEN
