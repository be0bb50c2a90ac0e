"""One yes for the stacks of a change that do the same: shown once, played for each, and each apply on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from gitlab_lab import BEFORE_APPLY, PROJECT, RunningGitLab, running_gitlab
from typer.testing import CliRunner

from runbook_lib.adapters.gitlab import GitLab
from runbook_lib.cli.main import app
from runbook_lib.errors import ApprovalError, GitLabError, RunbookError, UsageError
from runbook_lib.lab.gitlab.config import default_config
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.run import Run
from runbook_lib.settings import Environment

NOW = datetime.now(UTC)
STACKS = ("orders", "web", "blog")


@pytest.fixture
def lab() -> Iterator[RunningGitLab]:
    with running_gitlab(default_config()) as running:
        yield running


@pytest.fixture
def approve(
    lab: RunningGitLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[str, RunbookError | None]]:
    """The command as somebody types it: what it said, and the error it ended with."""
    stacks = ", ".join(f"{name}: {{path: {name}}}" for name in STACKS)
    config = f"version: 1\nstacks: {{{stacks}}}\ngitlab: {{url: {lab.url}, project: {PROJECT}}}\n"
    (tmp_path / "runbook.yml").write_text(config)
    for field in Environment.model_fields.values():
        for name in getattr(field.validation_alias, "choices", ()):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, user: str = "alex") -> tuple[str, RunbookError | None]:
        monkeypatch.setenv("GITLAB_TOKEN", lab.token(user))
        done = CliRunner().invoke(app, ["approve-same", *map(str, arguments)])
        assert done.exception is None or isinstance(done.exception, RunbookError | SystemExit), done.exception
        return done.output, done.exception if isinstance(done.exception, RunbookError) else None

    return run


def waits(lab: RunningGitLab, stack: str, fingerprint: str = "f" * 64, **changed: Any) -> int:
    """A stack's pipeline, whose request waits."""
    pipeline = lab.pipeline()
    said: dict[str, Any] = {
        "run_id": str(pipeline), "stack": stack, "plan_sha256": f"{pipeline}".ljust(64, "0"), "commit": "c",
        "state_lineage": stack, "state_serial": 1, "policy_sha256": "p",
        "summary": PlanSummary(create=1, addresses={"create": ("aws_vpc.it",)}, fingerprint=fingerprint),
        "exposure": Exposure(sentence="Nothing opens."), "requester": "riley", "authors": ("riley",),
        "approvers": ("alex", "sam"), "quorum": 1, "created_at": NOW, "expires_at": NOW + timedelta(hours=1),
    }  # fmt: skip
    run = Run(run_id=str(pipeline), stack=stack, created_at=NOW)
    request = ApprovalRequest(**said | changed)
    for name in BEFORE_APPLY:
        job = lab.job(pipeline, name)
        lab.start(job)
        files = {"run.json": run.model_dump_json(), "03_approval/request.json": request.model_dump_json()}
        kept = {f"outputs/{pipeline}/{path}": text for path, text in files.items()} if name == "approval" else {}
        lab.control(f"jobs/{job}/finish", status="success", artifacts=kept)
    return pipeline


def played_by(lab: RunningGitLab, pipelines: Sequence[int]) -> list[str]:
    """Who played each one's apply; empty where nobody did."""
    jobs = [lab.client("riley").job(lab.job(pipeline, "apply")) for pipeline in pipelines]
    return ["" if job.status == "manual" else job.user for job in jobs]


def test_what_does_the_same_is_shown_once_and_played_for_each_stack(
    lab: RunningGitLab, approve: Callable[..., tuple[str, RunbookError | None]]
) -> None:
    pipelines = [waits(lab, stack) for stack in STACKS]
    said, error = approve(*pipelines, "--yes")
    assert error is None
    first, *_ = said.splitlines()
    assert first == "Same change in 3 stacks: orders, web, blog"
    assert said.count("create aws_vpc.it") == 1
    for stack, pipeline in zip(STACKS, pipelines, strict=True):
        assert f"{stack}: pipeline {pipeline}, plan {pipeline}00" in said
        assert f"{stack}, pipeline {pipeline}: alex approved plan {pipeline}00" in said
    assert played_by(lab, pipelines) == ["alex"] * 3


def test_what_is_unsettled_is_shown_before_anybody_says_yes(
    lab: RunningGitLab, approve: Callable[..., tuple[str, RunbookError | None]]
) -> None:
    summary = PlanSummary(
        create=1, fingerprint="f" * 64, checks=("check.alive: it is down",), temporary=("web stands until tomorrow.",)
    )
    changed = {"earlier": ("Nobody heard of the end of run 5.",), "dirty": True, "summary": summary}
    pipelines = [waits(lab, stack, **changed) for stack in ("orders", "web")]
    said, error = approve(*pipelines, "--yes")
    assert error is None
    shown = said.splitlines()
    for line in (
        "  for a time   web stands until tomorrow.",
        "  not holding  check.alive: it is down",
        "  before this  Nobody heard of the end of run 5.",
        "  files        Some differ from the commit that was planned.",
    ):
        assert shown.count(line) == 1
    # Of the same plan nobody may say yes to one stack that is settled and one that is not at once.
    _, error = approve(waits(lab, "orders"), waits(lab, "web", earlier=changed["earlier"]), "--yes")
    assert isinstance(error, ApprovalError)


def test_nothing_is_played_before_somebody_said_yes(
    lab: RunningGitLab, approve: Callable[..., tuple[str, RunbookError | None]]
) -> None:
    pipelines = [waits(lab, stack) for stack in STACKS]
    _, error = approve(*pipelines)
    assert isinstance(error, UsageError)
    assert played_by(lab, pipelines) == [""] * 3


def test_what_does_something_else_stops_all_unless_the_fingerprint_chooses(
    lab: RunningGitLab, approve: Callable[..., tuple[str, RunbookError | None]]
) -> None:
    pipelines = [waits(lab, "orders"), waits(lab, "web"), waits(lab, "blog", "e" * 64)]
    _, error = approve(*pipelines, "--yes")
    assert isinstance(error, ApprovalError)
    assert error.message == f"these do not do the same: orders, web ({'f' * 12}); blog ({'e' * 12})"
    assert played_by(lab, pipelines) == [""] * 3
    _, error = approve(*pipelines, "--yes", "--fingerprint", "EEEE")
    assert (error, played_by(lab, pipelines)) == (None, ["", "", "alex"])


@pytest.mark.parametrize(
    ("user", "changed", "said"),
    [
        ("riley", {}, "riley asked for the change"),
        ("alex", {"authors": ("riley", "alex")}, "alex wrote a commit of it"),
        ("alex", {"approvers": ("sam",)}, "alex is no approver"),
        ("alex", {"expires_at": NOW - timedelta(seconds=1)}, "the request expired"),
    ],
)
def test_one_who_may_not_approve_one_of_them_approves_none(
    lab: RunningGitLab,
    approve: Callable[..., tuple[str, RunbookError | None]],
    user: str,
    changed: dict[str, Any],
    said: str,
) -> None:
    pipelines = [waits(lab, "orders"), waits(lab, "web", **changed)]
    _, error = approve(*pipelines, "--yes", user=user)
    assert error is not None
    assert said in error.message
    assert played_by(lab, pipelines) == ["", ""]


def test_a_request_of_another_run_or_one_that_is_none_is_refused(
    lab: RunningGitLab, approve: Callable[..., tuple[str, RunbookError | None]]
) -> None:
    whole, forged = waits(lab, "orders"), waits(lab, "web", run_id="1")
    _, error = approve(whole, forged, "--yes")
    assert error is not None
    assert error.message == f"pipeline {forged} asks for run 1"
    assert played_by(lab, [whole, forged]) == ["", ""]


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_was_asked_anew_in_the_meantime_is_not_approved(
    lab: RunningGitLab,
    approve: Callable[..., tuple[str, RunbookError | None]],
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    first, second = (waits(lab, stack) for stack in ("orders", "web"))
    own = GitLab.play
    anew = lab.job(second, "approval")

    def play(gitlab: GitLab, job_id: int, *more: Any) -> Any:
        other = job_id == lab.job(second, "apply")
        if not other and when == "before":
            lab.call("POST", f"/api/v4/projects/42/jobs/{anew}/retry", "riley").raise_for_status()
        done = own(gitlab, job_id, *more)
        if other and when == "after":
            lab.call("POST", f"/api/v4/projects/42/jobs/{anew}/retry", "riley").raise_for_status()
        return done

    monkeypatch.setattr(GitLab, "play", play)
    said, error = approve(first, second, "--yes")
    assert isinstance(error, GitLabError)
    assert f"pipeline {second} asked again in the meantime" in said
    assert played_by(lab, [first]) == ["alex"]
    assert lab.client("riley").job(lab.job(second, "apply")).status in {"manual", "created", "skipped", "canceled"}


def test_the_pipeline_that_started_the_stacks_own_stands_for_them(
    lab: RunningGitLab, approve: Callable[..., tuple[str, RunbookError | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipelines = [waits(lab, stack) for stack in STACKS]
    # A pipeline with the job that finds the stacks, and the one that it wrote, below which the stacks' own are.
    started = {1: (2,), 2: tuple(pipelines)}
    monkeypatch.setattr(GitLab, "started_by", lambda self, number: started.get(number, ()))
    monkeypatch.setattr(GitLab, "pipeline_jobs", without(GitLab.pipeline_jobs, set(started)))
    said, error = approve(1, "--yes")
    assert (error, said.splitlines()[0]) == (None, "Same change in 3 stacks: orders, web, blog")
    assert played_by(lab, pipelines) == ["alex"] * 3


def without(own: Callable[[GitLab, int], Any], numbers: set[int]) -> Callable[[GitLab, int], Any]:
    return lambda self, number: () if number in numbers else own(self, number)


def test_without_a_request_that_waits_it_is_said_whose_number_is_meant(
    lab: RunningGitLab, approve: Callable[..., tuple[str, RunbookError | None]]
) -> None:
    _, error = approve(lab.pipeline(), "--yes")
    assert isinstance(error, UsageError)
    assert "no request waits in pipeline" in error.message
