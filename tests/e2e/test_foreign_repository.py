"""The package alone, in another team's repository: begun by init, entered by the lab, carried through and proved."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from foreign import RULE, SERVICES, Team, git, unpacked_wheel, wheel_of
from foreign_pipeline import (
    CHECKED,
    REMOTE,
    TeamPipeline,
    TeamRunner,
    component_of,
    left,
    path_without_runbook,
    stack_of,
)
from local_runner import expanded, succeed


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """The repository with what init wrote, its lab up, a change committed there and asked for."""
    made = Team.clone(tmp_path_factory.mktemp("team"), unpacked_wheel(tmp_path_factory.mktemp("package")))
    package = ("--package", str(wheel_of(made.package)))
    ended = made.runbook("init", "--yes", "--approver", "kim", "--channel", "#pay", *package)
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


@pytest.fixture(scope="module")
def copy(team: Team, lab: str) -> Path:
    """The lab's own copy of the repository, with nothing but the team's files and those that init wrote."""
    return team.root / ".lab/repository"


@pytest.fixture(scope="module")
def applied(team: Team, copy: Path) -> TeamRunner:
    """The pipeline that init wrote: the first job finds the stack, whose own pipeline is carried out to its end."""
    pipeline = TeamPipeline.of(team, copy)
    before, after = pipeline.change("203.0.113.0/24", "Let the shop in")
    child = pipeline.stacks(before, after)
    assert [name for name in child if name != "stages"] == ["stack web-shop"]
    runner = pipeline.stack(child["stack web-shop"], after)
    for name in ("prepare", *CHECKED):
        succeed(runner, name)
    runner.play("apply", "kim")
    for name in ("apply", "verification", "service_tests"):
        succeed(runner, name)
    return runner


def test_the_lab_builds_their_stacks_and_their_service_is_closed(team: Team, lab: str, copy: Path) -> None:
    assert "base built: orders, web-shop" in lab
    riley, kim = team.enter("riley"), team.enter("kim")
    assert riley["GITLAB_TOKEN"] != kim["GITLAB_TOKEN"]
    closed = team.runbook("services", "--stack", "web-shop", "--format", "json", folder=copy, **riley)
    assert closed.returncode == 1, closed.stderr


def test_the_pipeline_carries_a_change_from_its_first_job_to_its_last(team: Team, applied: TeamRunner) -> None:
    folder = applied.artifacts("service_tests") / "outputs" / str(applied.pipeline)
    outcomes = {path.parent.name: json.loads(path.read_text())["outcome"] for path in folder.glob("*/result.json")}
    assert sorted(outcomes) == [
        "01_compliance", "02_plan", "03_approval", "04_apply", "05_verification", "06_service_tests",
    ]  # fmt: skip
    assert set(outcomes.values()) <= {"passed", "warned"}
    answers = left(applied, "service_tests", "04_apply/decision.json")["decisions"]
    assert [(answer["user"], answer["source"]) for answer in answers] == [("kim", "gitlab_job")]
    assert team.runbook("evidence", "verify", str(folder)).returncode == 0


def test_its_jobs_had_runbook_from_the_wheel_by_uv_and_hashed_locks_alone(team: Team, applied: TeamRunner) -> None:
    path = path_without_runbook(team.root.parent)
    assert shutil.which("runbook", path=path) is None
    (cache,) = (applied.repository / ".gitlab-ci-local/cache").glob("*runbook*")
    assert len(list(cache.glob(".cache/uv-program-*/bin/uv"))) == 1
    assert [found.name for found in cache.glob(".cache/package/*.whl")] == [wheel_of(team.package).name]
    lock = (team.package / "runbook_lib/data/requirements-job.lock").read_text()
    ran = left(applied, "service_tests", "run.json")["tools"]
    assert all(f"\n{name}=={ran[name]} " in lock for name in ("papermill", "nbclient", "boto3"))


def test_a_no_ends_a_pipeline_of_a_shallow_clone(team: Team, copy: Path, applied: TeamRunner) -> None:
    clone = team.root.parent / "shallow clone"
    git(copy.parent, "clone", "--quiet", "--depth", "1", f"file://{copy}", str(clone))
    pipeline = TeamPipeline.of(team, clone, has_runbook=True)
    _, after = pipeline.change("192.0.2.0/24", "Let everybody in")
    runner = pipeline.stack(stack_of(applied), after)
    runner.skip("prepare")
    for name in CHECKED:
        succeed(runner, name)
    runner.play("reject", "kim")
    done = runner.run("reject")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "kim" in done.stdout
    # Whoever plays apply now, it applies nothing.
    runner.play("apply", "kim")
    refused = runner.run("apply")
    assert refused.returncode != 0
    assert "rejected" in refused.stdout
    verified = team.runbook("services", "--stack", "web-shop", folder=copy, **team.enter("riley"))
    assert verified.returncode == 0


def test_a_component_s_address_gives_the_same_pipeline_as_the_files_that_init_wrote(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, found = component_of(tmp_path / "gitlab", monkeypatch), []
    for name, component in (("by-address", address), ("by-file", "local")):
        # gitlab-ci-local can't fetch a component into a path with blanks.
        root = tmp_path / name
        git(tmp_path, "clone", "--quiet", f"file://{team.root}", str(root))
        other = Team(root, team.package)
        ended = other.runbook("init", "--yes", "--component", component, "--package", "runbook.whl")
        assert ended.returncode == 0, ended.stderr
        assert (root / "templates").exists() == (component == "local")
        git(root, "config", "remote.origin.url", REMOTE)
        git(root, "add", "--all")
        found.append(expanded(root))
    by_address, by_file = found
    assert by_address == by_file
    assert by_file["stacks"]["script"][0].startswith("runbook pipeline ")


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
