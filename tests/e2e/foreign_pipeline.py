"""The pipeline that init wrote, in the team's own repository, with nothing of ours on the runner."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foreign import ROOT, RULE, Team, git
from local_runner import LocalRunner
from ruamel.yaml import YAML

from runbook_lib.lab.addresses import CHANNEL, LabAddresses

REMOTE = "https://gitlab.example.com/platform/network-access.git"
# What a job leaves goes to those that ask for it, and to no checkout.
KEPT = ("--no-artifacts-to-source",)
CHECKED = ("compliance", "plan", "approval")


@dataclass
class TeamRunner(LocalRunner):
    """A runner whose jobs find Python, git and Terraform, no home, and what the project has as variables.

    Without `runbook` in its image each job installs it.
    """

    team: Team | None = None
    has_runbook: bool = False

    def pick_up(self, job: int) -> dict[str, str]:
        """Start a job in GitLab; the variables that it has."""
        # A project's variable, which wins over what the file says.
        return {**super().pick_up(job), "SLACK_CHANNEL": CHANNEL}

    def _environment(self) -> dict[str, str]:
        assert self.team
        given = self.team.enter("terraform-bot")
        kept = ("AWS_", "SLACK_BOT_", "TF_HTTP_", "GITLAB_TOKEN", "RUNBOOK_CONNECT_TO", "NO_PROXY")
        own = {name: value for name, value in given.items() if name.startswith(kept)}
        outside = {
            name: value for name, value in os.environ.items() if not name.startswith(("RUNBOOK_", "CI_", "PYTHON"))
        }
        if mirror := os.environ.get("RUNBOOK_PROVIDER_MIRROR"):
            outside["RUNBOOK_PROVIDER_MIRROR"] = mirror
        return {**outside, **own, "PATH": self._path(self.team), "HOME": "/dev/null/nobody"}

    def _path(self, team: Team) -> str:
        path = path_without_runbook(team.root.parent)
        if not self.has_runbook:
            return path
        image = team.root.parent / "image"
        image.mkdir(exist_ok=True)
        program(image / "runbook", f'PYTHONPATH="{team.package}" exec "{sys.executable}" -P -m runbook_lib.cli "$@"')
        return os.pathsep.join([str(image), path])


def path_without_runbook(folder: Path) -> str:
    """A PATH with a Python that has pip, and without the command `runbook`."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    program(programs / "python3", f'exec "{sys.executable}" "$@"')
    there = [part for part in os.environ["PATH"].split(os.pathsep) if not shutil.which("runbook", path=part)]
    return os.pathsep.join([str(programs), *there])


def program(path: Path, script: str) -> None:
    """A program of one line."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@dataclass
class TeamPipeline:
    """The pipeline of a change to one stack: the one that finds the stacks, and the stack's own."""

    team: Team
    repository: Path
    has_runbook: bool = False

    @classmethod
    def of(cls, team: Team, repository: Path, *, has_runbook: bool = False) -> TeamPipeline:
        git(repository, "config", "remote.origin.url", REMOTE)
        # GitLab's runner has its state elsewhere.
        with (repository / ".git/info/exclude").open("a") as excluded:
            excluded.write(".gitlab-ci-local/\n")
        return cls(team, repository, has_runbook)

    @property
    def lab(self) -> LabAddresses:
        return LabAddresses.model_validate_json((self.team.root / ".lab/state.json").read_bytes())

    def change(self, network: str, message: str) -> tuple[str, str]:
        """Commit another network that the shop's partner comes from; the commits before and after."""
        before, rule = git(self.repository, "rev-parse", "HEAD"), self.repository / RULE
        lines = rule.read_text().splitlines(keepends=True)
        rule.write_text("".join(f'  cidr_ipv4 = "{network}"\n' if "cidr_ipv4" in line else line for line in lines))
        git(self.repository, "commit", "--quiet", "--all", f"--message={message}")
        return before, git(self.repository, "rev-parse", "HEAD")

    def stacks(self, before: str, after: str) -> dict[str, Any]:
        """What the first job writes: a job for each stack that the change touches."""
        runner = self._runner().begin(after)
        job = next(job for job in runner.jobs() if job["name"] == "stacks")
        done = runner.local({**runner.pick_up(int(job["id"])), "CI_COMMIT_BEFORE_SHA": before}, "stacks", *KEPT)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        return dict(YAML(typ="safe").load((runner.artifacts("stacks") / "stacks-pipeline.yml").read_text()))

    def stack(self, trigger: dict[str, Any], commit: str) -> TeamRunner:
        """The stack's own pipeline, begun as the trigger job says.

        gitlab-ci-local hands no inputs to a child; a file that includes with them is the same, and no job sees it.
        """
        name = ".what-the-trigger-includes.yml"
        with (self.repository / name).open("w") as stream:
            YAML().dump({"include": trigger["trigger"]["include"]}, stream)
        git(self.repository, "add", "--force", "--intent-to-add", name)
        runner = self._runner(name).begin(commit)
        git(self.repository, "reset", "--quiet", name)
        return runner

    def _runner(self, file: str = ".gitlab-ci.yml") -> TeamRunner:
        return TeamRunner(self.lab, self.repository, file=file, team=self.team, has_runbook=self.has_runbook)


def stack_of(runner: LocalRunner) -> dict[str, Any]:
    """The trigger job that began a stack's pipeline."""
    whole = YAML(typ="safe").load((runner.artifacts("stacks") / "stacks-pipeline.yml").read_text())
    return dict(whole["stack web-shop"])


def component_of(folder: Path, monkeypatch: Any) -> str:
    """The address of the component `change`, at a tag of the toolkit's own project, and git told where that lies.

    gitlab-ci-local fetches a component of another project by git from the host of the team's remote, which is out of
    reach: git's `insteadOf` takes a repository on the disk for it, with the same files in templates/.
    """
    tag_toolkit(folder, "1.0.0")
    for name, value in {
        "COUNT": "2", "KEY_0": f"url.file://{folder}/.insteadOf", "VALUE_0": "https://gitlab.example.com:443/",
        "KEY_1": "uploadpack.allowFilter", "VALUE_1": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    return "gitlab.example.com/platform/runbook/change@1.0.0"


def tag_toolkit(folder: Path, version: str) -> None:
    """The toolkit's own project, with its components at a tag."""
    toolkit = folder / "platform/runbook.git"
    shutil.copytree(ROOT / "templates", toolkit / "templates")
    git(toolkit, "init", "--quiet", "--initial-branch=main")
    git(toolkit, "add", "--all")
    git(toolkit, "commit", "--quiet", "--message=Components")
    git(toolkit, "tag", version)


def left(runner: LocalRunner, job: str, name: str) -> dict[str, Any]:
    """A file of the run folder, as a job left it."""
    folder = runner.artifacts(job) / "outputs" / str(runner.pipeline)
    return dict(json.loads((folder / name).read_text()))
