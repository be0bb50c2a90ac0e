"""A GitLab runner for the lab: picks the pipeline's jobs up there, and runs them from .gitlab-ci.yml itself.

gitlab-ci-local does what GitLab and its runner do: it reads the file, resolves rules, hands the artifacts on. The
lab's GitLab gives each job its id and its token, and hears how it ended.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from ruamel.yaml import YAML

from runbook_lib.adapters.gitlab import GitLab
from runbook_lib.lab.addresses import PROJECT_ID, LabAddresses

ROOT = Path(__file__).parents[2]
OPTIONS = (
    "--force-shell-executor",
    "--shell-isolation",
    "--no-evaluate-rule-changes",
    "--no-json-schema-validation",  # the lint holds the files to GitLab's own schema
    "--no-color",
)
PIPELINE = ".gitlab-ci.yml"
# The state folder, which git ignores.
VARIABLES = ".gitlab-ci-local/variables.yml"
# What a project sets as its CI/CD variables; everything else a job gets from GitLab, or does without.
PROJECT_VARIABLES = ("AWS_", "SLACK_", "TF_HTTP_", "RUNBOOK_CONNECT_", "NO_PROXY")


@dataclass
class LocalRunner:
    """One pipeline of the lab's GitLab, run on a repository's own pipeline file."""

    lab: LabAddresses
    repository: Path
    pipeline: int = 0
    file: str = PIPELINE

    def begin(self, commit: str) -> LocalRunner:
        """Push the commit with the repository's pipeline file, and start the pipeline as the requester."""
        body = {
            "author": "riley",
            "sha": commit,
            "title": "The change",
            "jobs": declared_jobs(self.repository, self.file),
        }
        self._ask_gitlab("POST", "/lab/gitlab/commits", body)
        token = {"PRIVATE-TOKEN": self.lab.credentials.gitlab["riley"]}
        address = f"{self.lab.gitlab_api}/projects/{PROJECT_ID}/pipeline"
        answer = requests.post(address, json={"ref": "main"}, headers=token, timeout=30)
        answer.raise_for_status()
        self.pipeline = int(answer.json()["id"])
        return self

    def run(self, name: str, *chosen: str) -> subprocess.CompletedProcess[str]:
        """Pick the job up, run it (or what else is chosen) as that job, and tell GitLab how it ended."""
        job = next(job for job in self.jobs() if job["name"] == name)
        done = self.local(self.pick_up(int(job["id"])), *(chosen or (name,)))
        status = "failed" if done.returncode else "success"
        left = {"status": status, "artifacts": self._uploaded(name) if name == "approval" else {}}
        self._ask_gitlab("POST", f"/lab/gitlab/jobs/{job['id']}/finish", left)
        return done

    def pick_up(self, job: int) -> dict[str, str]:
        """Start a job in GitLab; the variables that it has."""
        given = self._ask_gitlab("POST", f"/lab/gitlab/jobs/{job}/start")["variables"]
        return {**given, "CI_COMMIT_REF_PROTECTED": "true"}

    def skip(self, name: str) -> None:
        """Let a job have ended well."""
        job = next(job for job in self.jobs() if job["name"] == name)
        self.pick_up(int(job["id"]))
        self._ask_gitlab("POST", f"/lab/gitlab/jobs/{job['id']}/finish", {"status": "success", "artifacts": {}})

    def local(self, variables: dict[str, str], *chosen: str) -> subprocess.CompletedProcess[str]:
        """Run jobs, or whatever is chosen, without telling GitLab."""
        # In a file, as a child pipeline gets nothing of the command line's.
        given = self.repository / VARIABLES
        given.parent.mkdir(exist_ok=True)
        given.write_text(json.dumps({"CI_PIPELINE_SOURCE": "web", **variables}))
        command = [gitlab_ci_local(), *OPTIONS, "--home", str(self.repository.parent), "--variables-file", VARIABLES]
        command += [] if "--file" in chosen else ["--file", self.file]
        return subprocess.run(
            [*command, *chosen],
            cwd=self.repository,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    def play(self, name: str, user: str) -> None:
        """Play a manual job in GitLab."""
        job = next(job for job in self.jobs() if job["name"] == name)
        GitLab(self.lab.gitlab_api, self.lab.credentials.gitlab[user], str(PROJECT_ID)).play(int(job["id"]))

    def jobs(self) -> list[dict[str, Any]]:
        """The pipeline's jobs as they stand."""
        pipelines = self._ask_gitlab("GET", "/lab/gitlab/pipelines")
        return next(list(found["jobs"]) for found in pipelines if found["id"] == self.pipeline)

    def artifacts(self, name: str) -> Path:
        """The folder of what a job left behind."""
        return self.repository / ".gitlab-ci-local/artifacts" / name

    def _uploaded(self, name: str) -> dict[str, str]:
        folder = self.artifacts(name)
        found = [*folder.glob("outputs/*/run.json"), *folder.glob("outputs/*/*_approval/request.json")]
        return {path.relative_to(folder).as_posix(): path.read_text() for path in found}

    def _environment(self) -> dict[str, str]:
        own = {key: value for key, value in self.lab.environment().items() if key.startswith(PROJECT_VARIABLES)}
        # The project's own token, by which what a job's token may not read is read.
        own["GITLAB_TOKEN"] = self.lab.credentials.gitlab["terraform-bot"]
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("RUNBOOK_", "CI_"))}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**inherited, **own, "PATH": path, "PYTHONPATH": str(ROOT)}

    def _ask_gitlab(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(method, self.lab.gitlab_url + path, json=body or {}, timeout=30)
            answer.raise_for_status()
            return answer.json()


def succeed(runner: LocalRunner, name: str) -> None:
    """Run a job that must come to a good end."""
    done = runner.run(name)
    assert done.returncode == 0, f"{name}: {done.stdout[-4000:]}{done.stderr[-2000:]}"


def add_pipeline_files(repository: Path) -> None:
    """Copy the project's own pipeline into a repository, with what gitlab-ci-local wants to know of it."""
    for name in (".gitlab-ci.yml", "requirements.lock"):
        shutil.copyfile(ROOT / name, repository / name)
    for name in (".gitlab", "templates"):
        shutil.copytree(ROOT / name, repository / name, dirs_exist_ok=True)
    git(repository, "config", "remote.origin.url", "https://gitlab.example.com/platform/network-access.git")


def git(folder: Path, *arguments: str) -> None:
    """A git command in a repository."""
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def expanded(repository: Path, file: str = PIPELINE) -> dict[str, Any]:
    """A repository's pipeline with its components in it, and each job whole, as gitlab-ci-local resolves it."""
    command = [gitlab_ci_local(), *OPTIONS, "--preview", "--file", file, "--home", str(repository.parent)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    return dict(YAML(typ="safe").load(done.stdout.removeprefix("---")))


def declared_jobs(repository: Path, file: str = PIPELINE) -> list[dict[str, Any]]:
    """The jobs of a push to the default branch, by stage, as far as the lab's GitLab asks for them."""
    whole = expanded(repository, file)
    jobs = {name: job for name, job in whole.items() if isinstance(job, dict) and "stage" in job}
    found = [
        {
            "name": name,
            "stage": job["stage"],
            "when": rule.get("when", "on_success"),
            "environment": environment_of(job),
            "allow_failure": bool(rule.get("allow_failure", False)),
        }
        for name, job in jobs.items()
        if (rule := rule_of_a_push(job))
    ]
    return sorted(found, key=lambda job: whole["stages"].index(job["stage"]))


def environment_of(job: dict[str, Any]) -> str:
    """The environment that a job deploys to; empty for one that only has its variables."""
    environment = job.get("environment", {})
    return "" if environment.get("action") == "access" else str(environment.get("name", ""))


def rule_of_a_push(job: dict[str, Any]) -> dict[str, Any]:
    """The rule by which a push to the default branch has this job; empty if it has it not."""
    for rule in job.get("rules", [{"when": "on_success"}]):
        condition = rule.get("if", "")
        if any(word in condition for word in ("schedule", "MERGE_REQUEST", "RUNBOOK_APPLY")):
            continue
        if '" == "none"' in condition or '" != "true"' in condition:
            if holds(condition):
                return {}
            continue
        return dict(rule)
    return {}


def holds(condition: str) -> bool:
    """Whether a comparison of two texts, which is all that an input leaves, is true."""
    left, comparison, right = condition.split()
    return (left == right) == (comparison == "==")


def gitlab_ci_local() -> str:
    """The command that `make node` installs."""
    found = shutil.which("gitlab-ci-local", path=f"{ROOT / 'node_modules/.bin'}:{os.environ['PATH']}")
    assert found, "gitlab-ci-local is not installed: make node"
    return found
