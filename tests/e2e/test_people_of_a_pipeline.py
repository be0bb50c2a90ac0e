"""One pipeline of the lab's GitLab, whose apply job is played by the right person, and what keeps it from applying."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from base import Base
from desk import Desk, ask, seal_anew, visible_errors

from runbook_lib.adapters.gitlab import GitLab
from runbook_lib.adapters.store import RunStore
from runbook_lib.lab.addresses import PROJECT_ID
from runbook_lib.models.approval import DecisionRecord
from runbook_lib.settings import Settings

# This machine's clock is ten minutes ahead of GitLab's, and everything is dated by GitLab's.
BEHIND = -600


class Pipeline:
    """A pipeline by riley, run up to its question and played by alex: its apply job is running."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.tell("clock", ahead_seconds=BEHIND)
        self.sha = desk.repository.commit_change(None)
        self.id = int(self.as_user("riley", "POST", "pipeline", {"ref": "main"})["id"])
        desk.run_id = str(self.id)
        desk.store = RunStore(desk.outputs, desk.run_id)
        self.variables: dict[str, str] = {}
        for name in ("prepare", "compliance", "plan", "approval"):
            with self.job(name):
                ended = desk.run(name, **self.variables) if name != "prepare" else None
            assert ended is None or ended.returncode == 0, ended.stderr
        self.play("apply", "alex")
        self.variables = self.start("apply")

    def tell(self, path: str, **body: Any) -> Any:
        """Change something in the lab's GitLab."""
        return ask(f"{self.desk.lab.gitlab_url}/lab/gitlab/{path}", "POST", body)

    def as_user(self, user: str, method: str, path: str, body: Any = None) -> Any:
        """Call the project's API."""
        token = {"PRIVATE-TOKEN": self.desk.lab.credentials.gitlab[user]}
        url = f"{self.desk.lab.gitlab_api}/projects/{PROJECT_ID}/{path}"
        answer = requests.request(method, url, json=body, headers=token, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def number(self, name: str) -> int:
        """The id of a job."""
        found = self.as_user("riley", "GET", f"pipelines/{self.id}/jobs?per_page=100")
        return next(int(job["id"]) for job in found if job["name"] == name)

    def play(self, name: str, user: str) -> None:
        """Play a manual job."""
        lab = self.desk.lab
        GitLab(lab.gitlab_api, lab.credentials.gitlab[user], str(PROJECT_ID)).play(self.number(name))

    def start(self, name: str) -> dict[str, str]:
        """Pick a job up; its variables, with those of the project."""
        given = self.tell(f"jobs/{self.number(name)}/start")["variables"]
        return {**given, "GITLAB_TOKEN": self.desk.lab.credentials.gitlab["terraform-bot"]}

    def deployed(self, sha: str) -> None:
        """Let another pipeline have applied a commit by a clock that is right, and so last."""
        self.tell("clock", ahead_seconds=0)
        self.tell("deployments", environment="production/access", sha=sha)
        self.tell("clock", ahead_seconds=BEHIND)

    @contextmanager
    def job(self, name: str) -> Iterator[None]:
        """Run what is inside as a job."""
        self.variables = self.start(name)
        yield
        request = self.desk.store.dir / "03_approval/request.json"
        kept = {f"outputs/{self.id}/03_approval/request.json": request.read_text()} if name == "approval" else {}
        self.tell(f"jobs/{self.number(name)}/finish", status="success", artifacts=kept)

    def apply(self, folder: Path | None = None, **variables: str) -> Any:
        """What the running apply job does, with a run folder and variables of its own."""
        desk = replace(self.desk, outputs=folder or self.desk.outputs)
        return desk.run("apply", **{**self.variables, **variables})


@pytest.fixture(scope="module")
def pipeline(session_base: Base, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    session_base.restore()
    desk = Desk(session_base.lab, settings, tmp_path_factory.mktemp("pipeline") / "outputs")
    made = Pipeline(desk)
    try:
        yield made
    finally:
        made.tell("clock", ahead_seconds=0)


@pytest.fixture(scope="module")
def asked(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folders as the approval job left them."""
    folder = tmp_path_factory.mktemp("asked") / "outputs"
    shutil.copytree(pipeline.desk.outputs, folder)
    return folder


@pytest.fixture
def copy(asked: Path, tmp_path: Path) -> Path:
    """A copy of them, for a test to spoil."""
    shutil.copytree(asked, tmp_path / "outputs")
    return tmp_path / "outputs"


@pytest.fixture
def unchanged(session_base: Base, pipeline: Pipeline) -> Iterator[None]:
    """AWS is as it was, afterwards."""
    before = session_base._described()
    yield
    assert session_base._described() == before


def refused(pipeline: Pipeline, folder: Path, **variables: str) -> str:
    """Why apply is refused."""
    ended = pipeline.apply(folder, **variables)
    assert ended.returncode == 1, ended.stderr
    return visible_errors(ended)["error"] + " " + visible_errors(ended).get("hint", "")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "told",
    [
        {"RUNBOOK_DECISION": "rejct"},
        {"RUNBOOK_DECISON": "reject"},
        {"RUNBOOK_REASON": "Not during the sale."},
    ],
)
def test_any_sign_of_a_no_ends_the_job_that_was_played(pipeline: Pipeline, copy: Path, told: dict[str, str]) -> None:
    assert "alex rejected the change" in refused(pipeline, copy, **told)


@pytest.mark.usefixtures("unchanged")
def test_another_pipeline_s_id_is_refused(pipeline: Pipeline, copy: Path) -> None:
    said = refused(pipeline, copy, CI_PIPELINE_ID="7")
    assert f"this job belongs to pipeline {pipeline.id}" in said
    assert "this job has no CI_JOB_TOKEN" in refused(pipeline, copy, CI_JOB_TOKEN="")


@pytest.mark.usefixtures("unchanged")
def test_a_run_of_one_s_own_at_a_desk_is_not_approved_by_who_played_a_pipeline_s_job(
    pipeline: Pipeline, copy: Path
) -> None:
    own = replace(pipeline.desk, outputs=copy, run_id="own")
    shutil.copytree(copy / str(pipeline.id), copy / "own")
    for path in (copy / "own").rglob("*.json"):
        path.write_text(path.read_text().replace(f'"run_id": "{pipeline.id}"', '"run_id": "own"'))
    seal_anew(own)
    token = pipeline.desk.lab.credentials.gitlab["terraform-bot"]
    ended = own.run("apply", CI_PIPELINE_ID=str(pipeline.id), GITLAB_TOKEN=token)
    assert ended.returncode == 1
    said = f"what the approval job of pipeline {pipeline.id} asked of run own is not among its artifacts"
    assert said in visible_errors(ended)["error"]


@pytest.mark.usefixtures("unchanged")
def test_a_request_that_the_approval_job_did_not_make_is_refused(pipeline: Pipeline, copy: Path) -> None:
    path = copy / str(pipeline.id) / "03_approval/request.json"
    request = json.loads(path.read_text())
    assert request["quorum"] == 1
    path.write_text(json.dumps({**request, "quorum": 0}))
    seal_anew(replace(pipeline.desk, outputs=copy))
    said = refused(pipeline, copy)
    assert f"the request is not the one that the approval job of pipeline {pipeline.id} made" in said


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("unsafe", "safe", "said"),
    [
        (
            {"ci_pipeline_variables_minimum_override_role": "developer"},
            {"ci_pipeline_variables_minimum_override_role": "maintainer"},
            "gitlab.accept: [variables_by_developers]",
        ),
        (
            {"protected_branches": {"main": None}},
            {"protected_branches": {"main": {"push": 40, "merge": 40}}},
            "gitlab.accept: [unprotected_branch]",
        ),
        (
            {"protected_environments": {"production/access": None}},
            {"protected_environments": {"production/access": 40}},
            "gitlab.accept: [unprotected_environment]",
        ),
    ],
)
def test_a_project_that_is_not_safe_applies_nothing(
    pipeline: Pipeline, copy: Path, unsafe: dict[str, Any], safe: dict[str, Any], said: str
) -> None:
    pipeline.tell("settings", **unsafe)
    try:
        assert said in refused(pipeline, copy)
    finally:
        pipeline.tell("settings", **safe)


@pytest.mark.usefixtures("unchanged")
def test_a_project_whose_settings_can_not_be_read_applies_nothing(pipeline: Pipeline, copy: Path) -> None:
    said = refused(pipeline, copy, GITLAB_TOKEN=pipeline.desk.lab.credentials.gitlab["riley"])
    assert "gitlab.accept: [unknown_variables, unknown_environment]" in said
    assert "unknown_rejections" in refused(pipeline, copy, GITLAB_TOKEN="")


@pytest.mark.usefixtures("unchanged")
def test_a_co_author_s_approval_does_not_count(pipeline: Pipeline, copy: Path) -> None:
    commit = {"sha": pipeline.sha, "author": "riley", "title": "Serve the web page on port 80"}
    pipeline.tell("commits", **commit, co_authors=["alex"])
    try:
        assert "alex wrote a commit of it" in refused(pipeline, copy)
    finally:
        pipeline.tell("commits", **commit)


@pytest.mark.usefixtures("unchanged")
def test_who_wrote_an_earlier_commit_that_is_not_applied_yet_does_not_approve(pipeline: Pipeline, copy: Path) -> None:
    base = pipeline.as_user("riley", "GET", f"repository/commits/{pipeline.sha}")["parent_ids"]
    commit = {"sha": pipeline.sha, "author": "riley", "title": "Serve the web page on port 80"}
    between = pipeline.tell("commits", author="alex", ref="topic", parents=base)["sha"]
    pipeline.tell("commits", **commit, parents=[*base, between])
    try:
        assert "alex wrote a commit of it" in refused(pipeline, copy)
    finally:
        pipeline.tell("commits", **commit, parents=base)


@pytest.mark.usefixtures("unchanged")
def test_an_author_with_a_private_address_takes_two_approvers(pipeline: Pipeline, copy: Path) -> None:
    pipeline.tell("users/riley", public_email="")
    try:
        said = refused(pipeline, copy)
    finally:
        pipeline.tell("users/riley", public_email="riley@example.com")
    assert "2 approvals are needed and 1 given (alex)" in said
    assert "riley@example.com" in said


@pytest.mark.usefixtures("unchanged")
def test_names_and_times_in_the_run_folder_decide_nothing(pipeline: Pipeline, copy: Path) -> None:
    # Riley writes that casey asked, and that there is no end to it, and lets a day go by.
    path = copy / str(pipeline.id) / "03_approval/request.json"
    request = json.loads(path.read_text())
    path.write_text(json.dumps({**request, "requester": "casey", "expires_at": "2099-01-01T00:00:00Z"}))
    seal_anew(replace(pipeline.desk, outputs=copy))
    pipeline.tell("clock", ahead_seconds=86400)
    try:
        said = refused(pipeline, copy)
    finally:
        pipeline.tell("clock", ahead_seconds=BEHIND)
    assert "The request expired at" in said
    assert "This machine's clock is 1440 minutes behind GitLab's" in said


@pytest.mark.usefixtures("unchanged")
def test_a_pipeline_whose_branch_has_gone_on_applies_nothing(pipeline: Pipeline, copy: Path) -> None:
    later = pipeline.tell("commits", author="riley", title="A later change")["sha"]
    try:
        said = refused(pipeline, copy)
    finally:
        pipeline.desk.repository.push()
    assert f"{pipeline.sha[:12]} is no longer the head of main. Start a pipeline on {later[:12]}." in said


@pytest.mark.usefixtures("unchanged")
def test_a_pipeline_that_lacks_what_was_applied_applies_nothing(pipeline: Pipeline, copy: Path) -> None:
    base = pipeline.as_user("riley", "GET", f"repository/commits/{pipeline.sha}")["parent_ids"]
    beside = ["git", "-c", "user.name=riley", "-c", "user.email=riley@example.com", "commit-tree", "-p", base[0]]
    told = [*beside, "-m", "A change beside it", f"{pipeline.sha}^{{tree}}"]
    other = subprocess.run(told, cwd=pipeline.desk.root, check=True, capture_output=True, text=True).stdout.strip()
    pipeline.tell("commits", author="riley", ref="topic", parents=base, sha=other)
    pipeline.deployed(other)
    try:
        said = refused(pipeline, copy)
    finally:
        pipeline.deployed(base[0])
    assert f"{pipeline.sha[:12]} lacks commits of {other[:12]}, which was applied." in said


@pytest.mark.usefixtures("unchanged")
def test_what_was_not_committed_is_not_applied_by_a_pipeline(pipeline: Pipeline, copy: Path) -> None:
    planted = pipeline.desk.root / "terraform/access/planted.tf"
    planted.write_text('output "planted" {\n  value = 1\n}\n')
    try:
        said = refused(pipeline, copy)
    finally:
        planted.unlink()
    assert "Files differ from the commit: terraform/access/planted.tf." in said
    assert "Files that the plan was made from changed since: terraform/access/planted.tf." in said


def test_an_apply_that_was_refused_before_it_began_can_be_retried(pipeline: Pipeline) -> None:
    # By what the first job uploaded, its run folder, in which no apply began.
    first = pipeline.number("apply")
    sealed = {f"outputs/{pipeline.id}/manifest.json": "{}"}
    pipeline.tell(f"jobs/{first}/finish", status="failed", artifacts=sealed)
    pipeline.as_user("alex", "POST", f"jobs/{first}/retry")
    pipeline.variables = pipeline.start("apply")


def test_the_honest_approval_is_applied_though_the_clocks_differ(pipeline: Pipeline, session_base: Base) -> None:
    before = session_base._described()
    ended = pipeline.apply()
    assert ended.returncode == 0, ended.stderr
    assert session_base._described() != before
    record = pipeline.desk.store.read_model("04_apply/decision.json", DecisionRecord)
    assert [(one.user, one.source, one.counts) for one in record.decisions] == [("alex", "gitlab_job", True)]
    assert pipeline.desk.result("approval").outcome == "passed"


@pytest.mark.usefixtures("unchanged")
def test_an_apply_that_began_is_not_begun_again_by_a_retry(pipeline: Pipeline, copy: Path) -> None:
    folder, first = f"outputs/{pipeline.id}", pipeline.number("apply")
    left = {f"{folder}/{name}": "{}" for name in ("manifest.json", "04_apply/began.json")}
    pipeline.tell(f"jobs/{first}/finish", status="failed", artifacts=left)
    pipeline.as_user("alex", "POST", f"jobs/{first}/retry")
    pipeline.variables = pipeline.start("apply")
    assert f"apply was begun before, by alex: {pipeline.desk.lab.gitlab_url}" in refused(pipeline, copy)
