"""`runbook undo --merge-request`: the branch pushed by the real git, its merge request opened by python-gitlab."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from gitlab_lab import PROJECT, RunningGitLab, running_gitlab

from runbook_lib.adapters.gitlab_changes import Proposal
from runbook_lib.adapters.gitlab_http import GitLabRefusalError
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import InputError
from runbook_lib.lab.gitlab.config import default_config
from runbook_lib.models.base import Outcome
from runbook_lib.models.compliance import Checked, ComparedWith, ComplianceReport
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.models.steps import BUILT_IN
from runbook_lib.settings import Environment, Settings
from runbook_lib.workspace import undo
from runbook_lib.workspace.undo import Undone, propose, publish, undo_run

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@dataclass
class Clone:
    """A clone of a bare repository, whose last change of web a run has applied."""

    root: Path
    origin: Path
    lab: RunningGitLab

    def undone(self) -> Undone:
        return undo_run(Settings.load(self.root), "7")


@pytest.fixture
def lab() -> Iterator[RunningGitLab]:
    with running_gitlab(default_config()) as running:
        running.push()
        yield running


@pytest.fixture
def clone(lab: RunningGitLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    for field in Environment.model_fields.values():
        for name in getattr(field.validation_alias, "choices", ()):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITLAB_TOKEN", lab.token("riley"))
    origin, root = tmp_path / "origin.git", tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--bare", str(origin))
    git(tmp_path, "clone", "--quiet", str(origin), str(root))
    for name, value in (("user.name", "Riley"), ("user.email", "riley@example.com")):
        git(root, "config", name, value)
    (root / "web").mkdir()
    config = f"version: 1\nstacks: {{web: {{path: web}}}}\ngitlab: {{url: '{lab.url}', project: {PROJECT}}}\n"
    (root / "runbook.yml").write_text(config)
    (root / ".gitignore").write_text("outputs/\n")
    commits = []
    for text in ("# before\n", "# after\n"):
        (root / "web/main.tf").write_text(text)
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--message=A change")
        commits.append(git(root, "rev-parse", "HEAD"))
    store = RunStore(root / "outputs", "7")
    steps = tuple(step.recorded for step in BUILT_IN)
    store.write_json("run.json", Run(run_id="7", stack="web", commit=commits[1], created_at=NOW, steps=steps))
    compared = ComparedWith(commit=commits[0])
    report = ComplianceReport(outcome=Outcome.PASSED, checked=Checked(), compared_with=compared)
    store.write_json("02_plan/findings.json", report)
    gone = PlanSummary(delete=1, addresses={"delete": ('aws_s3_bucket.logs["@all `x`"]',)})
    store.write_json("02_plan/summary.json", gone)
    store.write_result(
        StepResult(
            run_id="7", step="apply", stack="web", outcome=Outcome.PASSED, summary="s", started_at=NOW, finished_at=NOW
        )
    )
    return Clone(root, origin, lab)


def known_to_the_lab(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the lab's GitLab, which is no git server, hear of what is pushed."""
    pushing = undo.push_branch

    def push(root: Path, branch: str) -> None:
        pushing(root, branch)
        clone.lab.push(sha=git(clone.origin, "rev-parse", branch), ref=branch)

    monkeypatch.setattr(undo, "push_branch", push)


def test_the_branch_is_pushed_and_its_merge_request_says_what_stays_gone(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_to_the_lab(clone, monkeypatch)
    done = clone.undone()
    url = propose(Settings.load(clone.root), done)
    assert git(clone.origin, "show", "undo/7:web/main.tf") == "# before"
    iid = int(url.rpartition("/")[2])
    made = clone.lab.call("GET", f"/api/v4/projects/42/merge_requests/{iid}", "riley").json()
    assert (made["title"], made["target_branch"]) == ("Take back what run 7 applied to web", "main")
    assert (made["sha"], made["author"]["username"]) == (done.commit, "riley")
    assert "- `web/main.tf`" in made["description"]
    # Nobody is mentioned, and no code ends, by what a resource is called.
    assert (
        "- `aws_s3_bucket.logs[\"@all 'x'\"] was destroyed, with what was stored there: a new one is empty`"
        in (made["description"])
    )
    assert git(clone.root, "rev-parse", "--abbrev-ref", "HEAD") != "undo/7"


def test_a_push_that_is_refused_opens_nothing_and_leaves_the_branch(clone: Clone) -> None:
    done = clone.undone()
    git(clone.root, "remote", "set-url", "origin", str(clone.root / "nowhere"))
    with pytest.raises(InputError, match="undo/7 could not be pushed to origin") as caught:
        propose(Settings.load(clone.root), done)
    assert "git push origin undo/7" in caught.value.remedy
    assert git(clone.root, "rev-parse", "undo/7") == done.commit
    answer = clone.lab.call("GET", "/api/v4/projects/42/merge_requests/1", "riley")
    assert answer.status_code == 404


def test_a_run_s_branch_is_pushed_to_where_its_approval_is_asked_by_commit(
    clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = clone.undone()
    assert publish(Settings.load(clone.root), done)
    assert git(clone.origin, "rev-parse", "undo/7") == done.commit
    git(clone.root, "remote", "set-url", "origin", str(clone.root / "nowhere"))
    with pytest.raises(InputError, match="undo/7 could not be pushed to origin"):
        publish(Settings.load(clone.root), done)
    # Nobody is asked there, or there is nowhere to push to: the branch is enough.
    git(clone.root, "remote", "remove", "origin")
    assert not publish(Settings.load(clone.root), done)
    git(clone.root, "remote", "add", "origin", str(clone.root / "nowhere"))
    monkeypatch.delenv("GITLAB_TOKEN")
    assert not publish(Settings.load(clone.root), done)


@pytest.mark.parametrize(("source", "status"), [("nowhere", 400), ("undo/7", 409)])
def test_what_gitlab_refuses_is_its_refusal(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, source: str, status: int
) -> None:
    known_to_the_lab(clone, monkeypatch)
    propose(Settings.load(clone.root), clone.undone())
    with pytest.raises(GitLabRefusalError) as caught:
        clone.lab.client("riley").changes.propose(Proposal(source, "main", "t", ""))
    assert caught.value.status == status
