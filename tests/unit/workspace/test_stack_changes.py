"""`runbook pipeline` on repositories with many stacks: what is chosen, in which order, and what GitLab is handed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from runbook_lib.cli.main import app
from runbook_lib.errors import ConfigError, UsageError
from runbook_lib.models.stacks import TouchedStack
from runbook_lib.report.child_pipeline import MOST_NEEDS, child_pipeline
from runbook_lib.settings import Settings
from runbook_lib.workspace.stack_changes import StackChanges, every_stack, stacks_touched

BIN = Path(sys.executable).parent


class Clone:
    """A repository of stacks, and its commits."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=Sam", "-c", "user.email=sam@example.com")
        done = subprocess.run(
            ["git", "-C", str(self.root), *who, *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self, **files: str) -> str:
        """Write the files, and commit them; the commit."""
        for name, text in files.items():
            self.write(name.replace("__", "/"), text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=A change")
        return self.git("rev-parse", "HEAD")

    def describe(self, stacks: dict[str, dict[str, Any]]) -> None:
        yaml = YAML()
        with (self.root / "runbook.yml").open("w") as stream:
            yaml.dump({"version": 1, "stacks": stacks}, stream)

    def since(self, base: str) -> StackChanges:
        return stacks_touched(Settings.load(self.root), base)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """Three stacks: web reads the network's state, which GitLab keeps; alone reads nothing."""
    made = Clone(tmp_path / "with a space")
    monkeypatch.chdir(made.root)
    made.describe({name: {"path": f"live/{name}", "state": name} for name in ("network", "web", "alone")})
    address = "https://gitlab.example/api/v4/projects/1/terraform/state/network"
    remote = f'data "terraform_remote_state" "n" {{\n  config = {{\n    address = "{address}"\n  }}\n}}\n'
    made.write("live/network/main.tf", 'module "vpc" {\n  source = "../../modules/vpc"\n}\n')
    made.write("live/web/main.tf", remote)
    made.write("live/alone/main.tf", "")
    made.write("modules/vpc/main.tf", "")
    made.base = made.commit()  # type: ignore[attr-defined]
    return made


def names(found: StackChanges) -> list[str]:
    return [stack.name for stack in found.stacks]


def test_a_module_touches_its_stack_and_whoever_reads_that_ones_state(clone: Any) -> None:
    clone.commit(modules__vpc__new="x")
    found = clone.since(clone.base)
    assert [(stack.name, stack.after) for stack in found.stacks] == [("network", ()), ("web", ("network",))]
    assert found.chosen_by == f"2 of 3 stacks, by 1 file since {clone.base[:12]}"


def test_a_deleted_file_touches_and_a_page_does_not(clone: Any) -> None:
    (clone.root / "live/alone/main.tf").unlink()
    clone.commit(README="x")
    assert names(clone.since(clone.base)) == ["alone"]
    assert names(clone.since("HEAD")) == []


def test_runbook_yml_touches_the_stacks_of_which_it_says_something_else(clone: Any) -> None:
    stacks = {name: {"path": f"live/{name}", "state": name} for name in ("network", "web", "alone")}
    stacks["alone"]["region"] = "eu-west-1"
    clone.describe(stacks)
    clone.commit()
    (only,) = clone.since(clone.base).stacks
    assert (only.name, only.why) == ("alone", "runbook.yml says otherwise of it")


def test_a_runbook_yml_that_could_not_be_read_before_touches_all(clone: Any) -> None:
    text = (clone.root / "runbook.yml").read_text()
    broken = clone.commit(**{"runbook.yml": "stacks: [\n"})
    clone.commit(**{"runbook.yml": text})
    assert len(clone.since(broken).stacks) == 3


def test_where_no_commit_before_is_known_every_stack_is_carried_out(
    clone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for said in ("", "0" * 40, "f" * 40):
        monkeypatch.setenv("CI_COMMIT_BEFORE_SHA", said)
        found = stacks_touched(Settings.load(clone.root))
        assert len(found.stacks) == 3
        assert "commit before" in found.chosen_by
    with pytest.raises(UsageError, match="no commit of this clone"):
        clone.since("f" * 40)


def test_the_commit_that_ci_names_is_the_one_before(clone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clone.commit(live__alone__x="x")
    monkeypatch.setenv("CI_COMMIT_BEFORE_SHA", clone.base)
    assert names(stacks_touched(Settings.load(clone.root))) == ["alone"]


def test_what_runbook_yml_says_of_the_order_is_believed(clone: Any) -> None:
    stacks: dict[str, dict[str, Any]] = {n: {"path": f"live/{n}", "state": n} for n in ("network", "web", "alone")}
    stacks["web"]["after"] = []
    stacks["network"]["after"] = ["alone"]
    clone.describe(stacks)
    found = every_stack(Settings.load(clone.root))
    assert [(stack.name, stack.after) for stack in found.stacks] == [
        ("alone", ()),
        ("web", ()),
        ("network", ("alone",)),
    ]


def test_a_stack_that_comes_after_none_that_there_is_is_an_error_in_runbook_yml(clone: Any) -> None:
    clone.describe({"web": {"path": "live/web", "after": ["netwrok"]}})
    with pytest.raises(ConfigError, match="'netwrok' is no other stack to come after"):
        Settings.load(clone.root)


def test_a_state_in_the_other_stacks_folder_is_found(clone: Any) -> None:
    remote = 'data "terraform_remote_state" "n" {\n  config = {\n    path = "../network/terraform.tfstate"\n  }\n}\n'
    clone.write("live/alone/main.tf", remote)
    found = every_stack(Settings.load(clone.root))
    assert {stack.name: stack.after for stack in found.stacks}["alone"] == ("network",)


def test_the_command_writes_a_pipeline_and_says_why(clone: Any) -> None:
    clone.commit(modules__vpc__new="x")
    done = CliRunner().invoke(app, ["pipeline", "--base", clone.base, "--include", "gl.example/a/runbook/change@1.2"])
    assert done.exit_code == 0, done.output
    assert "network: modules/vpc/new" in done.stderr
    assert "web: reads the state of network, after network" in done.stderr
    written = YAML(typ="safe").load(done.stdout)
    assert written["stack web"] == {
        "stage": "round 2",
        "needs": ["stack network"],
        "variables": {"RUNBOOK_STACK": "web"},
        "trigger": {
            "include": [{"component": "gl.example/a/runbook/change@1.2", "inputs": {"stack": "web"}}],
            "strategy": "mirror",
            "forward": {"pipeline_variables": True},
        },
    }


@pytest.mark.parametrize(
    "options", [["--all", "--base", "x"], ["--all", "--stack", "web"], ["--base", "x", "--stack", "web"]]
)
def test_what_is_carried_out_is_chosen_in_one_way(clone: Any, options: list[str]) -> None:
    caught = CliRunner().invoke(app, ["pipeline", *options]).exception
    assert isinstance(caught, UsageError)


def keeps_schema(path: Path) -> str:
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout


def test_no_touched_stack_makes_a_pipeline_that_gitlab_takes_as_well(clone: Any, tmp_path: Path) -> None:
    target = tmp_path / "none.yml"
    done = CliRunner().invoke(app, ["pipeline", "--base", "HEAD", "--output", str(target)])
    assert done.exit_code == 0
    assert keeps_schema(target) == ""
    assert "script" in YAML(typ="safe").load(target.read_text())["no stack is touched"]


@pytest.mark.parametrize("name", ["a b", "$(id)", 'x"', ".hidden", "-x", "a\nb"])
def test_a_stack_whose_name_a_shell_would_read_otherwise_gets_no_job(name: str) -> None:
    with pytest.raises(ConfigError, match="can't have a job"):
        child_pipeline([TouchedStack(name, "x")], "templates/change.yml", "mirror")


@pytest.mark.parametrize("name", ["stages", "include", "default", "variables", "pages"])
def test_a_stack_may_be_called_as_one_of_gitlabs_keywords(name: str) -> None:
    made = child_pipeline([TouchedStack(name, "x")], "templates/change.yml", "depend")
    assert made["stages"] == ["round 1"]
    assert made[f"stack {name}"]["trigger"]["include"] == [{"local": "templates/change.yml", "inputs": {"stack": name}}]


def remote_state(number: int) -> str:
    address = f"https://gitlab.example/api/v4/projects/1/terraform/state/s{number:03}"
    return f'data "terraform_remote_state" "s{number}" {{\n  config = {{\n    address = "{address}"\n  }}\n}}\n'


def test_two_hundred_stacks_keep_gitlabs_schema_and_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = Clone(tmp_path / "many")
    monkeypatch.chdir(clone.root)
    stacks = {f"s{number:03}": {"path": f"live/s{number:03}", "state": f"s{number:03}"} for number in range(200)}
    # One below all others, one that reads sixty of them, and a module that all but the first use.
    for number, name in enumerate(stacks):
        behind = [] if number == 0 else list(range(60)) if number == 199 else [0]
        module = 'module "m" {\n  source = "../../modules/m"\n}\n' if number else ""
        clone.write(f"live/{name}/main.tf", "".join(map(remote_state, behind)) + module)
    clone.write("modules/m/main.tf", "")
    clone.describe(stacks)
    base = clone.commit()
    clone.commit(modules__m__more="x")
    target = tmp_path / "child.yml"
    done = CliRunner().invoke(app, ["pipeline", "--base", base, "--output", str(target)])
    assert done.exit_code == 0, done.output
    assert keeps_schema(target) == ""
    # What is the same for many stacks is one line.
    assert len(done.stderr.splitlines()) <= 4
    assert "(198 stacks): modules/m/more" in done.stderr
    made = YAML(typ="safe").load(target.read_text())
    jobs = {name: job for name, job in made.items() if name != "stages"}
    assert len(jobs) == 199
    assert target.stat().st_size < 1_000_000
    # The first is not touched: nobody waits for it. The last one reads more than GitLab lets a job name.
    assert made["stages"] == ["round 1", "round 2"]
    assert [name for name, job in jobs.items() if job["stage"] == "round 2"] == ["stack s199"]
    assert "needs" not in jobs["stack s199"]
    assert all(len(job.get("needs", ())) <= MOST_NEEDS for job in jobs.values())
    assert len({job["trigger"]["include"][0]["inputs"]["stack"] for job in jobs.values()}) == 199
