"""Variables that a job's player sets, and a plan's code that looks for what it may not see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk, visible_errors

from runbook_lib.cli.working_copy import ACCEPTED
from runbook_lib.domain.surroundings import refused_variables

CURIOUS = """
resource "terraform_data" "curious" {
  provisioner "local-exec" {
    command = "env -0 | cut -z -d= -f1 | tr '\\\\0' '\\\\n' > %s"
  }
}
"""
OURS = {"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "GITLAB_TOKEN", "CI_REGISTRY_PASSWORD", "SOMEBODY_ELSE_S_PASSWORD"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RUNBOOK_CONFIG", "{elsewhere}/runbook.yml"),
        ("RUNBOOK_ROOT", "{elsewhere}"),
        ("RUNBOOK_STATE_PROJECT", "mallory/states"),
        ("JUPYTER_PATH", "{elsewhere}"),
        ("LD_PRELOAD", "{elsewhere}/evil.so"),
        ("SLACK_API_URL", "https://evil.example/api/"),
        ("SLACK_WEBHOOK_URL", "https://evil.example/services/1"),
    ],
)
@pytest.mark.parametrize("step", ["plan", "apply"])
def test_a_job_s_player_leads_nothing_elsewhere(
    desk: Desk, tmp_path: Path, step: str, variable: str, value: str
) -> None:
    (tmp_path / "runbook.yml").write_text((desk.root / "runbook.yml").read_text())
    # What this machine itself has set would be refused in a job as well.
    unset = {refused.name: "" for refused in refused_variables(os.environ, ACCEPTED, in_ci=True)}
    ended = desk.run(step, GITLAB_CI="true", **unset, **{variable: value.format(elsewhere=tmp_path)})
    assert ended.returncode == 2, ended.stderr
    assert visible_errors(ended)["error"].startswith(f"{variable} ")
    assert not desk.store.dir.exists()


@pytest.fixture
def curious(desk: Desk, tmp_path: Path) -> Iterator[Path]:
    """A stack whose apply writes down the names of the variables that it sees."""
    seen, path = tmp_path / "seen", desk.root / "terraform/access/curious.tf"
    path.write_text(CURIOUS % seen)
    yield seen
    path.unlink()


def test_a_plan_s_code_sees_none_of_our_credentials(desk: Desk, curious: Path) -> None:
    given = dict.fromkeys(("CI_REGISTRY_PASSWORD", "SOMEBODY_ELSE_S_PASSWORD"), "a-secret-of-ours")
    asked = desk.run("compliance", "plan", "approval", "-p", "approval.wait=false", **given)
    assert asked.returncode == 0, asked.stderr
    assert desk.runbook("approve", desk.run_id, user="alex").returncode == 0
    done = desk.run("apply", **given)
    assert done.returncode == 0, done.stderr
    seen = set(curious.read_text().split())
    assert {"PATH", "AWS_SECRET_ACCESS_KEY"} < seen
    assert not OURS & seen
    assert {name for name in seen if name.startswith(("SLACK_", "GITLAB_", "RUNBOOK_", "CI_"))} <= set(ACCEPTED)
