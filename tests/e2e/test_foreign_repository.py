"""The package alone, in another team's repository: begun by init, entered by the lab, carried through and proved."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from foreign import RULE, SERVICES, Team, git, unpacked_wheel

pytestmark = pytest.mark.timeout(600)

RUN = "opened"


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """The repository with what init wrote, its lab up, a change committed there and asked for."""
    made = Team.clone(tmp_path_factory.mktemp("team"), unpacked_wheel(tmp_path_factory.mktemp("package")))
    ended = made.runbook("init", "--yes", "--approver", "kim", "--channel", "#pay")
    assert ended.returncode == 0, ended.stderr
    config = made.root / "runbook.yml"
    text = "".join(line for line in config.read_text().splitlines(keepends=True) if "services: []" not in line)
    config.write_text(text + SERVICES)
    try:
        yield made
    finally:
        made.runbook("lab", "down")


@pytest.fixture(scope="module")
def lab(team: Team) -> str:
    """What `lab up` told."""
    ended = team.runbook("lab", "up")
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stderr


def test_what_init_wrote_is_all_that_its_commands_need(team: Team) -> None:
    assert team.runbook("init", "--check").returncode == 0
    status = git(team.root, "status", "--porcelain").splitlines()
    assert {line[3:].strip('"').split("/")[0] for line in status} <= {
        ".gitignore", ".gitlab", ".gitlab-ci.yml", "infra", "policies", "runbook.yml", "slack-app.yml", "templates",
    }  # fmt: skip
    ended = team.runbook("doctor", "--stack", "web-shop")
    assert "23 policies" in ended.stdout
    assert "change has 6 steps" in ended.stdout
    assert "open: https://api.slack.com/apps" in ended.stdout


def test_the_lab_builds_their_stacks_and_a_change_is_carried_through(team: Team, lab: str) -> None:
    assert "base built: orders, web-shop" in lab
    copy = team.root / ".lab/repository"
    riley, kim = team.enter("riley"), team.enter("kim")
    assert riley["GITLAB_TOKEN"] != kim["GITLAB_TOKEN"]
    closed = team.runbook("services", "--stack", "web-shop", "--format", "json", folder=copy, **riley)
    assert closed.returncode == 1, closed.stderr

    (copy / RULE).write_text((copy / RULE).read_text().replace("198.51.100.0/28", "203.0.113.0/24"))
    environment = {"PATH": "/usr/bin:/bin", **riley, "PYTHONPATH": str(team.package), "HOME": "/dev/null/nobody"}
    author = ["-c", "user.name=Riley", "-c", "user.email=riley@example.com"]
    subprocess.run(["git", *author, "commit", "-qam", "Let the shop in"], cwd=copy, env=environment, check=True)

    def run(*arguments: str, **variables: str) -> None:
        ended = team.runbook(*arguments, folder=copy, **variables)
        assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-3000:]

    steps = ("compliance", "plan", "approval", "-p", "approval.wait=false", "--stack", "web-shop", "--run-id", RUN)
    run("run", *steps, **riley)
    run("approve", RUN, **kim)
    run("run", "apply", "verification", "service_tests", "--run-id", RUN, **riley)
    decision = json.loads((copy / f"outputs/{RUN}/04_apply/decision.json").read_text())
    assert [answer["user"] for answer in decision["decisions"]] == ["kim"]
    assert team.runbook("evidence", "verify", str(copy / f"outputs/{RUN}")).returncode == 0


def test_what_would_reach_the_real_world_is_neither_built_nor_there_to_be_run(team: Team, lab: str) -> None:
    assert "alerts: left out: it runs programs of its own (provisioner local-exec)" in lab
    assert "alerts:" in (team.root / "runbook.yml").read_text()
    assert not list(team.root.rglob("reached-what-is-real"))
    copy = team.root / ".lab/repository"
    ended = team.runbook("run", "plan", "--stack", "alerts", folder=copy, **team.enter("riley"))
    assert ended.returncode == 2
    assert "unknown stack 'alerts'" in ended.stderr


def test_nobody_who_is_not_there_enters(team: Team, lab: str) -> None:
    ended = team.runbook("lab", "env", "--user", "kimm")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "Did you mean 'kim'?" in ended.stderr


def test_the_team_s_own_files_were_not_touched(team: Team, lab: str) -> None:
    assert "203.0.113.0/24" not in (team.root / RULE).read_text()
    assert "127.0.0.1" not in (team.root / "runbook.yml").read_text()


def test_a_notebook_of_the_team_s_own_stands_in_the_package_s_place(team: Team) -> None:
    code = "from runbook_lib.settings import Settings; s = Settings.load()\n"
    code += "print(*(s.notebook(step) for step in s.config.all_steps), sep='\\n')"
    own = team.root / "notebooks/02_plan.ipynb"
    own.parent.mkdir()
    own.write_text("{}")
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=team.root,
        env={"PYTHONPATH": str(team.package)},
        capture_output=True,
        text=True,
        check=True,
    )
    places = {Path(line).name: Path(line).parent for line in done.stdout.splitlines()}
    assert places.pop("02_plan.ipynb") == team.root / "notebooks"
    assert set(places.values()) == {team.package / "runbook_lib/data/notebooks"}
