"""The project's own pipeline file, run job by job against the lab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from base import Base
from components import component
from desk import slack_threads
from local_runner import ROOT, LocalRunner, add_pipeline_files, expanded, git, succeed
from ruamel.yaml import YAML

from runbook_lib.cli.demo_breaks import Break
from runbook_lib.cli.demo_repository import Repository
from runbook_lib.lab.addresses import LabAddresses
from runbook_lib.settings import Settings


@pytest.fixture(scope="module")
def lab(session_base: Base) -> LabAddresses:
    """The session's lab at its base, once for this module: each test goes on where the one before ended."""
    session_base.restore()
    return session_base.lab


@pytest.fixture(scope="module")
def repository(lab: LabAddresses, settings: Settings) -> Repository:
    """The requester's repository with the pipeline's files in it."""
    made = Repository(settings, lab)
    add_pipeline_files(made.path)
    return made


@pytest.fixture(scope="module")
def pipeline(lab: LabAddresses, repository: Repository) -> LocalRunner:
    """The requester's pipeline, run as far as the approver's answer, then applied and tested."""
    runner = LocalRunner(lab, repository.path).begin(repository.commit_change(None))
    for name in ("prepare", "compliance", "plan", "approval"):
        succeed(runner, name)
    runner.play("apply", "alex")
    for name in ("apply", "verification"):
        succeed(runner, name)
    return runner


def only(folder: Path, name: str, target: str) -> None:
    """Write a pipeline of this one job, with all that it comes from resolved."""
    whole = expanded(folder)
    with (folder / target).open("w") as stream:
        YAML().dump({"stages": whole["stages"], "variables": {"RUNBOOK_STACK": "access"}, name: whole[name]}, stream)
    git(folder, "add", target)


def reports(runner: LocalRunner, name: str) -> dict[str, list[str]]:
    """What GitLab's runner would upload of a job's reports: each pattern's files in the run folder."""
    declared = expanded(runner.repository)[name]["artifacts"]["reports"]
    folder = Path("outputs") / str(runner.pipeline)
    patterns = {kind: text.replace("$CI_PIPELINE_ID", str(runner.pipeline)) for kind, text in declared.items()}
    root = runner.artifacts(name)
    return {
        kind: [path.relative_to(root / folder).as_posix() for path in root.glob(pattern)]
        for kind, pattern in patterns.items()
    }


def of_service_tests(runner: LocalRunner, done: Any) -> Path:
    """Where the service tests left what they found: gitlab-ci-local hides the name of a job that has shards."""
    found = list(runner.artifacts("").glob(f"*/outputs/{runner.pipeline}/06_service_tests"))
    assert len(found) == 1, done.stdout[-4000:] + done.stderr[-2000:]
    return found[0]


def test_the_last_job_holds_the_whole_run_folder(pipeline: LocalRunner) -> None:
    folder = pipeline.artifacts("verification") / "outputs" / str(pipeline.pipeline)
    results = {path.parent.name: json.loads(path.read_text())["outcome"] for path in folder.glob("*/result.json")}
    assert sorted(results) == ["01_compliance", "02_plan", "03_approval", "04_apply", "05_verification"]
    assert set(results.values()) <= {"passed", "warned"}


def test_the_decision_names_who_played_the_manual_job(pipeline: LocalRunner) -> None:
    folder = pipeline.artifacts("apply") / "outputs" / str(pipeline.pipeline)
    decision = json.loads((folder / "04_apply/decision.json").read_text())
    assert [(found["user"], found["source"]) for found in decision["decisions"]] == [("alex", "gitlab_job")]
    assert json.loads((folder / "run.json").read_text())["requester"] == "riley"


def test_the_reports_that_gitlab_reads_are_where_the_jobs_say(pipeline: LocalRunner) -> None:
    assert reports(pipeline, "compliance") == {
        "codequality": ["01_compliance/gl-code-quality.json"], "junit": ["01_compliance/junit.xml"],
    }  # fmt: skip
    assert reports(pipeline, "plan") == {"terraform": ["02_plan/gl-terraform.json"]}


def test_the_service_tests_run_as_a_child_pipeline(pipeline: LocalRunner) -> None:
    # A child gets the parent's options: choosing the job by name would choose it by that name in the child as well.
    only(pipeline.repository, "service_pipeline", ".services.yml")
    done = pipeline.run("service_pipeline", "--file", ".services.yml")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    # gitlab-ci-local leaves the parent green whatever the child does: its result says more.
    folder = of_service_tests(pipeline, done)
    assert json.loads((folder / "result.json").read_text())["outcome"] == "passed"
    assert "<testsuite" in (folder / "junit.xml").read_text()
    pattern = component("service-tests")[".service-tests"]["artifacts"]["reports"]["junit"]
    assert list(folder.parents[2].glob(pattern)) == [folder / "junit.xml"]


def test_the_service_tests_run_alone_from_a_project_that_includes_them(
    pipeline: LocalRunner, lab: LabAddresses, tmp_path: Path
) -> None:
    project = tmp_path / "shop"
    project.mkdir()
    (project / "templates").mkdir()
    (project / "templates/service-tests.yml").write_bytes((ROOT / "templates/service-tests.yml").read_bytes())
    use = "component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/service-tests@$CI_COMMIT_SHA, inputs: {stage: test}"
    (project / ".gitlab-ci.yml").write_text(f"include: [{{{use}}}]\n")
    (project / ".gitignore").write_text("outputs/\n.gitlab-ci-local/\n")
    config = (pipeline.repository / "runbook.yml").read_text()
    own = "  project: shop/web\n  state_project: platform/network-access\n"
    (project / "runbook.yml").write_text(config.replace("  project: platform/network-access\n", own))
    git(project, "init", "--quiet", "--initial-branch=main")
    git(project, "config", "remote.origin.url", "https://gitlab.example.com/shop/web.git")
    git(project, "add", "--all")
    git(project, "-c", "user.name=Sam", "-c", "user.email=sam@example.com", "commit", "--quiet", "--message=Begin")
    number = str(pipeline.pipeline)
    variables = {
        "GITLAB_CI": "true",
        "CI_SERVER_URL": lab.gitlab_url,
        "CI_API_V4_URL": lab.gitlab_api,
        "CI_PIPELINE_ID": number,
        "CI_PROJECT_ID": "42",
        # A token of the project that keeps the state says nothing about this one.
        "GITLAB_TOKEN": "",
        "TF_HTTP_USERNAME": "sam",
        "TF_HTTP_PASSWORD": lab.credentials.gitlab["sam"],
    }
    runner = LocalRunner(lab, project, pipeline.pipeline)
    done = runner.local(variables, "service_tests")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    folder = of_service_tests(runner, done)
    assert json.loads((folder / "result.json").read_text())["outcome"] == "passed"
    assert "<testsuite" in (folder / "junit.xml").read_text()


def test_a_failed_job_lets_the_failure_job_tell_slack(
    pipeline: LocalRunner, lab: LabAddresses, repository: Repository
) -> None:
    commit = repository.commit_change(Break.COMPLIANCE)
    runner = LocalRunner(lab, repository.path).begin(commit)
    succeed(runner, "prepare")
    # An on_failure job begins only beside the one that failed.
    done = runner.run("compliance", "compliance", "failure")
    assert done.returncode != 0
    assert f"Run {runner.pipeline} stopped at compliance" in done.stdout, done.stdout[-3000:] + done.stderr[-1000:]
    told = [message["text"] for thread in slack_threads(lab) for message in thread["replies"]]
    assert [text for text in told if f"run {runner.pipeline}" in text and "blocked" in text], told
