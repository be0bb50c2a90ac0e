"""`runbook pipeline` on repositories with many stacks: what is chosen, in which order, and what GitLab is handed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from runbook_lib.cli.main import app
from runbook_lib.errors import ConfigError, UsageError
from runbook_lib.models.stacks import TouchedStack
from runbook_lib.report.child_pipeline import MOST_NEEDS, child_pipeline
from runbook_lib.settings import Settings
from runbook_lib.workspace.stack_changes import StackChanges, every_stack, files_of_stack, stacks_touched

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


def test_a_link_that_is_made_to_lead_elsewhere_touches_whoever_reads_what_it_leads_to(clone: Any) -> None:
    for version in ("one", "two"):
        clone.write(f"vendor/{version}/main.tf", "")
    (clone.root / "modules/now").symlink_to("../vendor/one")
    base = clone.commit(**{"live/alone/main.tf": 'module "m" {\n  source = "../../modules/now"\n}\n'})
    (clone.root / "modules/now").unlink()
    (clone.root / "modules/now").symlink_to("../vendor/two")
    clone.commit()
    assert [(stack.name, stack.why) for stack in clone.since(base).stacks] == [("alone", "modules/now")]


def test_another_commit_of_a_submodule_touches_whoever_reads_a_module_in_it(clone: Any) -> None:
    # As git keeps it: one entry for the folder, and what is in the repository may say that it is to be left out.
    clone.write("live/alone/main.tf", 'module "m" {\n  source = "../../shared/vpc"\n}\n')
    clone.write(".gitmodules", '[submodule "shared"]\n  path = shared\n  url = ../shared\n  ignore = all\n')
    clone.git("add", "--all")
    for commit in ("1" * 40, "2" * 40):
        clone.git("update-index", "--add", "--cacheinfo", f"160000,{commit},shared")
        clone.git("commit", "--quiet", "--message=A change")
    assert [(stack.name, stack.why) for stack in clone.since("HEAD~").stacks] == [("alone", "shared")]


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
    # What it says of all of them together is no stack's.
    again = clone.commit(**{"runbook.yml": (clone.root / "runbook.yml").read_text() + "approval: {quorum: 2}\n"})
    assert names(clone.since(f"{again}~")) == []


def test_a_runbook_yml_that_could_not_be_read_before_touches_all(clone: Any) -> None:
    text = (clone.root / "runbook.yml").read_text()
    broken = clone.commit(**{"runbook.yml": "stacks: [\n"})
    clone.commit(**{"runbook.yml": text})
    unknown = "runbook.yml can't be compared with what it was"
    assert {(stack.name, stack.why) for stack in clone.since(broken).stacks} == {
        ("network", unknown),
        ("web", unknown),
        ("alone", unknown),
    }
    (clone.root / "runbook.yml").unlink()
    none = clone.commit()
    clone.commit(**{"runbook.yml": text})
    assert {stack.why for stack in clone.since(none).stacks} == {unknown}


def test_where_no_commit_before_is_known_every_stack_is_carried_out(
    clone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = "as ffffffffffff, the commit before, is not in this clone"
    for said, why in (
        ("", "as no commit before is named"),
        ("0" * 40, "as no commit before is named"),
        ("f" * 40, unknown),
    ):
        monkeypatch.setenv("CI_COMMIT_BEFORE_SHA", said)
        found = stacks_touched(Settings.load(clone.root))
        assert found.chosen_by == f"3 of 3 stacks, {why}"
        assert [(stack.name, stack.why) for stack in found.stacks] == [
            (name, why) for name in ("alone", "network", "web")
        ]
    with pytest.raises(UsageError) as caught:
        clone.since("f" * 40)
    assert (caught.value.message, caught.value.remedy) == (
        f"{'f' * 40} is no commit of this clone",
        "Fetch it: GIT_DEPTH: 0 in a job.",
    )


def test_the_stacks_that_are_asked_for_are_carried_out_in_their_order(clone: Any) -> None:
    settings = Settings.load(clone.root)
    found = every_stack(settings, ("web", "network", "web"))
    assert [(stack.name, stack.after, stack.why) for stack in found.stacks] == [
        ("network", (), "asked for"),
        ("web", ("network",), "asked for"),
    ]
    assert found.chosen_by == "2 of 3 stacks, asked for"
    with pytest.raises(UsageError, match="nobody"):
        every_stack(settings, ("nobody",))


def test_what_several_files_touch_is_told_by_how_many_there_are(clone: Any) -> None:
    clone.commit(live__alone__a="x", live__alone__b="x")
    found = clone.since(clone.base)
    assert found.chosen_by == f"1 of 3 stacks, by 2 files since {clone.base[:12]}"
    assert [stack.why for stack in found.stacks] == ["live/alone/a and 1 more"]
    assert clone.since("HEAD").chosen_by == "0 of 3 stacks, by 0 files since HEAD"


def test_what_lies_below_another_stack_s_folder_is_that_one_s(clone: Any) -> None:
    clone.describe({"live": {"path": "live"}, "web": {"path": "live/web"}, "same": {"path": "live", "state": "same"}})
    base = clone.commit()
    clone.commit(live__web__x="x")
    assert names(clone.since(base)) == ["web"]
    base = clone.git("rev-parse", "HEAD")
    clone.commit(live__x="x")
    # Two of the same folder are both made from it.
    assert names(clone.since(base)) == ["live", "same"]
    made_from = files_of_stack(Settings.load(clone.root), "live")
    files = ("live/x", "live/web/x", "modules/vpc/main.tf")
    assert [made_from.reads(PurePosixPath(file)) for file in files] == [True, False, False]


S3 = 'terraform {{\n  backend "s3" {{\n    bucket = "states"\n    key    = "{key}"\n  }}\n}}\n'
READS = 'data "terraform_remote_state" "n" {{\n  config = {{\n{pairs}\n  }}\n}}\n'


@pytest.mark.parametrize(
    ("own", "pairs", "after"),
    [
        ("", 'address = "https://g.example/api/v4/projects/1/terraform/state/network/"', ("network",)),
        ("", 'address = "https://g.example/api/v4/projects/1/terraform/state/old-network"', ()),
        ("", 'address = "https://g.example/api/v4/projects/1/terraform/state/networkX"', ()),
        ("", 'address = "https://g.example/api/v4/projects/1/terraform/state/network/versions/3"', ()),
        ("", 'address = "https://g.example/network"', ()),
        (S3.format(key="live/network"), 'bucket = "states"\nkey = "live/network"', ("network",)),
        (S3.format(key="live/network"), 'bucket = "states"\nkey = "live/alone"', ()),
        # Where one of them says more of the same place.
        (S3.format(key="live/network"), 'key = "live/network"\nprefix = "env"', ("network",)),
        ('terraform {\n  backend "s3" {\n    key = "a"\n    prefix = "b"\n  }\n}\n', 'key = "a"', ("network",)),
        ('terraform {\n  backend "s3" {\n    key = "a"\n    prefix = "b"\n  }\n}\n', 'key = "a"\npath = "c"', ()),
        ("", 'path = "../network/state/terraform.tfstate"', ()),
        ("", 'path = "../alone/../network/terraform.tfstate"', ("network",)),
        (S3.format(key="live/network"), 'x = { bucket = "states", "key" = "live/network" }', ("network",)),
        # Nothing is known of where this is.
        ("", "key = var.key", ()),
    ],
)
def test_a_stack_comes_after_the_one_whose_state_it_reads(
    clone: Any, own: str, pairs: str, after: tuple[str, ...]
) -> None:
    clone.write("live/network/main.tf", own)
    clone.write("live/web/main.tf", READS.format(pairs=pairs))
    found = every_stack(Settings.load(clone.root))
    assert {stack.name: stack.after for stack in found.stacks} == {"alone": (), "network": (), "web": after}


def test_states_of_one_name_in_different_places_are_told_apart(clone: Any) -> None:
    # As azurerm is used: each stack has a container of its own, and all states are called the same.
    for name, reads in (("alone", ""), ("network", "alone"), ("web", "network")):
        own = f'container_name = "{name}"\n key = "terraform.tfstate"'
        read = READS.format(pairs=f'container_name = "{reads}"\n key = "terraform.tfstate"') if reads else ""
        clone.write(f"live/{name}/main.tf", f'terraform {{\n backend "azurerm" {{\n {own}\n }}\n}}\n{read}')
    found = every_stack(Settings.load(clone.root))
    assert [(stack.name, stack.after) for stack in found.stacks] == [
        ("alone", ()),
        ("network", ("alone",)),
        ("web", ("network",)),
    ]
    # One that the files do not say may be any.
    clone.write("live/web/main.tf", READS.format(pairs='container_name = var.c\n key = "terraform.tfstate"'))
    after = {stack.name: stack.after for stack in every_stack(Settings.load(clone.root)).stacks}
    assert after["web"] == ("network",)


def test_a_state_that_nobody_keeps_under_a_name_is_nobody_s(clone: Any) -> None:
    clone.describe({"network": {"path": "live/network"}, "web": {"path": "live/web"}})
    clone.write("live/web/main.tf", READS.format(pairs='address = "https://g.example/terraform/state/"'))
    found = every_stack(Settings.load(clone.root))
    assert {stack.name: stack.after for stack in found.stacks} == {"network": (), "web": ()}


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


def test_whatever_a_stack_is_said_to_read_touches_it(clone: Any) -> None:
    described: dict[str, dict[str, Any]] = {n: {"path": f"live/{n}", "state": n} for n in ("network", "alone")}
    # A variable file is found from the stack's folder, what else is read from the repository's.
    described["alone"] |= {"var_files": ["../../common.tfvars"], "reads": ["shared"]}
    clone.describe(described)
    base = clone.commit()
    for name in ("common.tfvars", "shared/deep/list.json"):
        clone.commit(**{name: "x"})
        assert [(stack.name, stack.why) for stack in clone.since(f"{base}").stacks] == [("alone", name)]
        base = clone.git("rev-parse", "HEAD")
    clone.commit(live__shared="x", other="x")
    assert names(clone.since(base)) == []
    found = files_of_stack(Settings.load(clone.root), "alone")
    assert found.paths == {PurePosixPath("live/alone"), PurePosixPath("common.tfvars"), PurePosixPath("shared")} | {
        PurePosixPath("live/alone/main.tf")
    }
    assert not found.after
    assert found.apart == {PurePosixPath("live/network")}


def test_a_stack_that_runbook_yml_did_not_have_before_is_touched_and_one_that_is_gone_is_none(clone: Any) -> None:
    stacks = {name: {"path": f"live/{name}", "state": name} for name in ("network", "web")}
    clone.describe({**stacks, "more": {"path": "live/more"}})
    clone.commit()
    found = clone.since(clone.base)
    assert [(stack.name, stack.why) for stack in found.stacks] == [("more", "runbook.yml says otherwise of it")]
    assert found.chosen_by == f"1 of 3 stacks, by 1 file since {clone.base[:12]}"


def test_a_stack_that_is_gone_is_warned_of_and_one_with_another_name_or_folder_is_not(
    clone: Any, tmp_path: Path
) -> None:
    network = {"path": "live/network", "state": "network"}
    clone.describe({"net": network, "web": {"path": "live/front", "state": "web"}})
    clone.commit()
    assert clone.since(clone.base).gone == ("alone",)
    result = CliRunner().invoke(app, ["pipeline", "--base", clone.base, "-o", str(tmp_path / "child.yml")])
    assert "warning: alone is no stack of runbook.yml any more" in result.stderr
    made = YAML(typ="safe").load((tmp_path / "child.yml").read_text())
    assert list(made) == ["stages", "gone", "stack net", "stack web"]
    assert (made["gone"]["stage"], made["gone"]["allow_failure"]) == ("round 1", True)
    assert made["gone"]["variables"]["GONE"] == "alone"
    assert keeps_schema(tmp_path / "child.yml") == ""
    # Of what runbook.yml said of them otherwise nobody is left who could be touched.
    clone.describe({"net": network})
    clone.commit()
    found = clone.since("HEAD~")
    assert (found.stacks, found.gone) == ((), ("web",))
    assert list(child_pipeline((), "x", "mirror", gone=("a$(id)",))) == ["no stack is touched", "gone"]
    assert child_pipeline((), "x", "mirror", gone=("a$(id)",))["gone"]["variables"]["GONE"] == "a$$(id)"


def test_another_folder_s_runbook_yml_says_nothing_of_the_stacks(clone: Any) -> None:
    stacks = {name: {"path": f"live/{name}", "state": name} for name in ("network", "web", "alone")}
    text = (clone.root / "runbook.yml").read_text()
    broken = clone.commit(**{"sub/runbook.yml": "stacks: [\n", "runbook.yml": f"{text}# a word\n"})
    stacks["alone"]["region"] = "eu-west-1"
    clone.describe(stacks)
    clone.commit(**{"sub/runbook.yml": "stacks: {}\n"})
    assert names(clone.since(broken)) == ["alone"]
    clone.commit(**{"sub/runbook.yml": ""})
    assert names(clone.since("HEAD~")) == []


@pytest.mark.parametrize("path", ["./live/network", "live/network/", "live//network"])
def test_a_folder_is_the_same_however_runbook_yml_spells_it(clone: Any, path: str) -> None:
    clone.describe({"network": {"path": path}, "web": {"path": "./live/web/"}, "all": {"path": "live"}})
    local = READS.format(pairs='path = "../network/terraform.tfstate"')
    clone.write("live/web/main.tf", local)
    base = clone.commit()
    found = every_stack(Settings.load(clone.root), why="as each is")
    assert [(stack.name, stack.after, stack.why) for stack in found.stacks] == [
        ("all", (), "as each is"),
        ("network", (), "as each is"),
        ("web", ("network",), "as each is"),
    ]
    clone.commit(live__network__x="x")
    assert [(stack.name, stack.why) for stack in clone.since(base).stacks] == [
        ("network", "live/network/x"),
        ("web", "reads the state of network"),
    ]


def test_a_stack_does_not_come_after_itself(clone: Any) -> None:
    address = "https://g.example/api/v4/projects/1/terraform/state/web"
    other = 'data "terraform_remote_state" "o" {\n  config = {\n    path = "../alone/x"\n  }\n}\n'
    clone.write("live/web/main.tf", READS.format(pairs=f'address = "{address}"') + other)
    found = every_stack(Settings.load(clone.root))
    # Of two states that it reads the second is another's.
    assert {stack.name: stack.after for stack in found.stacks} == {"alone": (), "network": (), "web": ("alone",)}


def test_a_base_that_is_said_comes_before_the_one_that_ci_names(clone: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_COMMIT_BEFORE_SHA", clone.base)
    clone.commit(live__alone__x="x")
    clone.commit(live__web__x="x")
    assert names(clone.since("HEAD~1")) == ["web"]
    assert clone.since("0000").chosen_by == "3 of 3 stacks, as no commit before is named"
