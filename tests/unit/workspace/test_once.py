"""An approval is used once: by the newest pipeline, and with a word of it before Terraform begins."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from step_fakes import NOW, FakeGitLab, FakeSlack, answering, built_in

from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ApprovalError, GitLabError
from runbook_lib.models.approval import Decision, DecisionRecord
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace import once as module
from runbook_lib.workspace.context import StepContext
from runbook_lib.workspace.once import begin, outdated, refuse_odd_files, refuse_used, uncommitted_in_ci

COMMIT, HEAD, APPLIED = "4dc7a709" * 5, "bbbb2222" * 5, "cccc3333" * 5
PLAN = "d" * 64
NEW_PLAN = "Begin a new run: plan, approval, apply."


class GitLab(FakeGitLab):
    """Says which commit is the branch's head, and which apply jobs there were."""

    has_token = True

    def __init__(self) -> None:
        super().__init__("alex")
        self.head = COMMIT
        self.ref = "main"
        self.lacking: tuple[str, ...] = ()
        self.earlier: list[Any] = []
        self.own_job = "apply"
        self.kept: dict[tuple[int, str], bytes] = {}

    def pipeline(self, number: int) -> Any:
        assert number == 7
        return SimpleNamespace(sha=COMMIT, ref=self.ref)

    def branch(self, name: str) -> Any:
        assert name == "main"
        return SimpleNamespace(sha=self.head)

    def commits_between(self, older: str, newer: str) -> tuple[str, ...]:
        assert (older, newer) == (COMMIT, APPLIED)
        return self.lacking

    def earlier_jobs(self, pipeline: int, name: str) -> list[Any]:
        assert pipeline == 7
        return self.earlier if name == self.own_job else []

    def whose_job(self) -> Any:
        return SimpleNamespace(name=self.own_job)

    def artifact(self, job: int, path: str) -> bytes | None:
        return self.kept.get((job, path))


@pytest.fixture
def gitlab(monkeypatch: pytest.MonkeyPatch) -> GitLab:
    fake = GitLab()
    monkeypatch.setattr(module, "gitlab_client", answering(fake))
    return fake


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    def say(found: str | GitLabError) -> None:
        def applied_commit(settings: Settings, run: Run) -> str:
            if isinstance(found, GitLabError):
                raise found
            return found

        monkeypatch.setattr(module, "applied_commit", applied_commit)

    say("")
    return say


@pytest.fixture
def late(load: Callable[..., Settings], run: Run, applied: Callable[[Any], None]) -> Callable[..., tuple[str, ...]]:
    """Why the pipeline's run comes too late."""

    def ask(pipeline: str = "7", **changed: Any) -> tuple[str, ...]:
        settings = load(CI_PIPELINE_ID=pipeline, project="42")
        return outdated(settings, run.model_copy(update={"ref": "main", "commit": COMMIT, **changed}))

    return ask


Late = Callable[..., tuple[str, ...]]
Applied = Callable[[Any], None]


def test_the_head_of_a_branch_that_lacks_nothing_is_not_too_late(late: Late, gitlab: GitLab, applied: Applied) -> None:
    for found in ("", COMMIT, APPLIED):
        applied(found)
        assert late() == ()
    # What was applied is this very commit: nothing can be between.
    gitlab.lacking = ("one",)
    applied(COMMIT)
    assert late() == ()


def test_a_branch_that_has_gone_on_is_told_with_its_head(late: Late, gitlab: GitLab) -> None:
    gitlab.head = HEAD
    assert late() == (f"The commit {COMMIT[:12]} is no longer the head of main. Start a pipeline on {HEAD[:12]}.",)


def test_what_was_applied_and_is_not_in_the_commit_is_told(late: Late, gitlab: GitLab, applied: Applied) -> None:
    applied(APPLIED)
    gitlab.lacking = ("one",)
    assert late() == (f"{COMMIT[:12]} lacks commits of {APPLIED[:12]}, which was applied. {NEW_PLAN}",)
    gitlab.head = HEAD
    assert len(late()) == 2


def test_what_gitlab_does_not_say_is_not_taken_for_well(late: Late, gitlab: GitLab, applied: Applied) -> None:
    applied(GitLabError("GitLab is away", "Ask again."))
    assert late() == ("It is not known whether something newer was applied: GitLab is away. Ask again.",)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"commit": ""}, "no commit of main"),
        ({"ref": ""}, f"{COMMIT[:12]} of no branch"),
        ({"commit": "", "ref": ""}, "no commit of no branch"),
        ({"commit": HEAD}, f"{HEAD[:12]} of main"),
        ({"ref": "topic"}, f"{COMMIT[:12]} of topic"),
    ],
)
def test_a_run_that_says_another_commit_or_branch_than_its_pipeline_is_never_applied(
    late: Late, gitlab: GitLab, changed: dict[str, str], said: str
) -> None:
    gitlab.head = HEAD
    assert late(**changed) == (f"run.json says {said}, and the pipeline is of {COMMIT[:12]} of main. {NEW_PLAN}",)


def test_a_merge_request_s_pipeline_names_the_request_and_its_run_the_branch(
    late: Late, gitlab: GitLab, applied: Applied
) -> None:
    applied("")
    gitlab.ref = "refs/merge-requests/3/head"
    assert late() == ()
    gitlab.head = HEAD
    assert len(late()) == 1


def test_a_desk_comes_never_too_late(late: Late, gitlab: GitLab, monkeypatch: pytest.MonkeyPatch) -> None:
    gitlab.head = HEAD
    assert late("") == ()
    monkeypatch.setattr(gitlab, "has_token", False)
    assert late() == ()
    monkeypatch.setattr(module, "gitlab_client", answering(None))
    assert late() == ()


@pytest.mark.parametrize(
    "kept", [(), ("manifest.json",), ("manifest.json", "04_apply/began.json"), ("04_apply/began.json",)]
)
def test_an_earlier_apply_job_has_used_the_approval_unless_it_shows_that_it_did_not(
    load: Callable[..., Settings], store: RunStore, run: Run, gitlab: GitLab, kept: tuple[str, ...]
) -> None:
    gitlab.earlier = [
        SimpleNamespace(id=4, started_at=None),  # cancelled before a runner took it
        SimpleNamespace(id=5, started_at=NOW, user="sam", web_url="https://g.example/-/jobs/5"),
    ]
    gitlab.kept = {(5, f"outputs/7/{name}"): b"{}" for name in kept}
    settings = load(CI_PIPELINE_ID="7", project="42")
    if kept == ("manifest.json",):
        # It ended by itself, and before Terraform did anything.
        refuse_used(settings, store, run)
        return
    with pytest.raises(ApprovalError) as caught:
        refuse_used(settings, store, run)
    assert caught.value.message == "apply was begun before, by sam: https://g.example/-/jobs/5"
    assert caught.value.remedy == NEW_PLAN


def test_one_of_many_jobs_of_a_name_is_begun_once_as_well(
    load: Callable[..., Settings], store: RunStore, run: Run, gitlab: GitLab
) -> None:
    gitlab.earlier = [SimpleNamespace(id=5, started_at=NOW, user="sam", web_url="https://g.example/-/jobs/5")]
    gitlab.has_job_token, gitlab.own_job = True, "apply: [web]"
    with pytest.raises(ApprovalError, match="apply was begun before, by sam"):
        refuse_used(load(CI_PIPELINE_ID="7", project="42"), store, run)


@pytest.fixture
def context(settings: Settings, store: RunStore, run: Run, slack: FakeSlack) -> StepContext:
    return StepContext(built_in("apply"), settings, store, run, NOW, clock=lambda: NOW)


@pytest.fixture
def record() -> DecisionRecord:
    said = {"source": "gitlab_comment", "at": NOW, "plan_sha256": PLAN, "approved": True}
    decisions = tuple(
        Decision(user=user, counts=counts, **said) for user, counts in (("alex", True), ("kim", False), ("sam", None))
    )
    return DecisionRecord(run_id="7", plan_sha256=PLAN, decisions=decisions, approved=True, checked_at=NOW)


def test_that_apply_begins_is_written_down_with_by_whose_approval(context: StepContext, record: DecisionRecord) -> None:
    begin(context, record)
    assert context.store.read_json("04_apply/began.json") == {
        "schema": "runbook/apply-began/v1",
        "run_id": "7",
        "plan_sha256": PLAN,
        "approved_by": ["alex", "sam"],
        "at": "2026-11-23T09:00:00+00:00",
        "host": socket.gethostname(),
    }


def test_at_a_desk_an_apply_that_began_is_known_to_gitlab_and_begins_no_second_time(
    context: StepContext, record: DecisionRecord, store: RunStore, gitlab: GitLab
) -> None:
    refuse_used(context.settings, store, context.run)
    begin(context, record)
    with pytest.raises(ApprovalError) as caught:
        refuse_used(context.settings, store, context.run)
    assert caught.value.message == "apply of run 7 was begun before, by alex"
    assert caught.value.remedy == NEW_PLAN
    # Another run of the same commit has an approval of its own.
    refuse_used(context.settings, store, context.run.model_copy(update={"run_id": "8"}))


def test_without_a_token_nobody_is_asked_or_told(
    context: StepContext, record: DecisionRecord, store: RunStore, gitlab: GitLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gitlab, "has_token", False)
    begin(context, record)
    refuse_used(context.settings, store, context.run)
    assert gitlab.notes == []


def test_a_run_folder_holds_plain_files_alone(store: RunStore, tmp_path: Path) -> None:
    store.write_text("02_plan/a.txt", "a")
    refuse_odd_files(store)
    link = store.dir / "02_plan/link"
    link.symlink_to(tmp_path)
    with pytest.raises(ApprovalError) as caught:
        refuse_odd_files(store)
    assert caught.value.message == "02_plan/link in the run folder is no plain file"
    assert caught.value.remedy == "Begin a new run."
    link.unlink()
    os.mkfifo(store.dir / "pipe")
    with pytest.raises(ApprovalError, match=r"^pipe in the run folder is no plain file"):
        refuse_odd_files(store)


@pytest.mark.parametrize(
    ("count", "said"), [(1, "f0"), (5, "f0, f1, f2, f3, f4"), (6, "f0, f1, f2, f3, f4 and 1 more")]
)
def test_files_of_a_job_that_differ_from_its_commit_are_named(
    load: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, count: int, said: str
) -> None:
    asked: list[tuple[str, ...]] = []

    def changed_files(root: Path, paths: tuple[str, ...]) -> tuple[str, ...]:
        asked.append(paths)
        return tuple(f"f{number}" for number in range(count))

    monkeypatch.setattr(module, "changed_files", changed_files)
    assert uncommitted_in_ci(load(), "access") == ()
    assert asked == []
    assert uncommitted_in_ci(load(GITLAB_CI="true", project="42"), "access") == (
        f"Files differ from the commit: {said}. A pipeline has no other.",
    )
    assert asked == [("terraform/access", "policies", "notebooks", "runbook.yml", "services.yml")]
