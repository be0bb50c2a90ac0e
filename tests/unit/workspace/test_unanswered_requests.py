"""Ends that no job tells of: what is told of each, what is another's to tell, and what is of another time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from step_fakes import NOW, FakeSlack, answering

from runbook_lib.adapters.gitlab_data import DeploymentApproval, GitLabJob, GitLabPipeline
from runbook_lib.adapters.outbox import Delivery
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ChatError, ConfigError, MessageRefusedError, SlackError
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.models.base import Outcome
from runbook_lib.models.messages import Message, Reference, Thread
from runbook_lib.models.results import ErrorInfo, StepResult
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace import unanswered as module
from runbook_lib.workspace.unanswered import tell_unanswered

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
FROM: datetime = NOW - HOUR
UNTIL: datetime = NOW


def pipeline(number: int = 900, status: str = "manual", **changed: Any) -> GitLabPipeline:
    made = GitLabPipeline(number, "c0", "main", "riley", "push", NOW - 5 * HOUR, status, NOW - 60 * SECOND)
    return replace(made, **changed)


def job(name: str, status: str = "success", *, started: bool = True, number: int = 1) -> GitLabJob:
    begun = NOW - 5 * HOUR if started else None
    url = f"https://g.example/platform/access/-/jobs/{number}"
    return GitLabJob(number, name, status, "riley", 900, None, begun, 0, url, "c0", "")


class GitLab:
    """One pipeline that ended, or waits; this job looks at what ended in the hour before NOW."""

    has_token = has_job_token = is_job = True
    apply = "apply"

    def __init__(self, ended: GitLabPipeline, jobs: Sequence[GitLabJob]) -> None:
        self.ended, self.jobs = ended, jobs
        self.latest = ended
        self.kept: dict[tuple[int, str], bytes] = {}
        self.approvals: list[DeploymentApproval] = []
        self.own_start: datetime | None = UNTIL
        self.last: datetime | None = FROM
        self.since: list[datetime] = []

    def keeps(self, number: int, **files: Any) -> None:
        places = {"run": "run.json", "request": "03_approval/request.json", "compliance": "01_compliance/result.json"}
        for name, found in files.items():
            text = found if isinstance(found, bytes) else found.model_dump_json().encode()
            self.kept[number, f"outputs/900/{places[name]}"] = text

    def whose_job(self) -> Any:
        return SimpleNamespace(name="unanswered", started_at=self.own_start) if self.is_job else None

    def last_success(self, name: str) -> datetime | None:
        assert name == "unanswered"
        return self.last

    def now(self) -> datetime:
        return UNTIL

    def default_branch(self) -> str:
        return "main"

    def ended_pipelines(self, branch: str, status: str, since: datetime) -> Sequence[GitLabPipeline]:
        assert branch == "main"
        self.since.append(since)
        return [self.ended] if self.ended.status == status else []

    def pipeline_jobs(self, number: int) -> Sequence[GitLabJob]:
        assert number == self.ended.id
        return self.jobs

    def artifact(self, number: int, path: str) -> bytes | None:
        return self.kept.get((number, path))

    def deployment_approvals(self, number: int, name: str) -> Sequence[DeploymentApproval]:
        assert (number, name) == (self.ended.id, self.apply)
        return self.approvals

    def pipeline(self, which: str) -> GitLabPipeline:
        assert which == "latest"
        return self.latest


Look = Callable[[GitLab], tuple[str, ...]]


@pytest.fixture
def look(settings: Settings, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> Look:
    def tell(gitlab: GitLab) -> tuple[str, ...]:
        monkeypatch.setattr(module, "gitlab_client", answering(gitlab))
        return tell_unanswered(settings)

    return tell


WAITS = (
    job("approval"),
    job("apply", "manual", started=False, number=2),
    job("reject", "manual", started=False, number=3),
)


Asked = Callable[..., GitLab]


@pytest.fixture
def asked(run: Run, request_: ApprovalRequest) -> Asked:
    """A pipeline that asked, with a request that ends at this time."""

    def make(expires: datetime = NOW - 60 * SECOND, jobs: Sequence[GitLabJob] = WAITS, **changed: Any) -> GitLab:
        gitlab = GitLab(pipeline(**changed), jobs)
        request = request_.model_copy(update={"run_id": "900", "expires_at": expires})
        gitlab.keeps(1, run=run.model_copy(update={"run_id": "900"}), request=request)
        return gitlab

    return make


def test_an_expired_request_is_told_to_the_channel_with_what_to_do(look: Look, asked: Asked, slack: FakeSlack) -> None:
    assert look(asked()) == ("Pipeline 900: Nobody answered: the request expired at 2026-11-23 08:59 UTC.",)
    text, broadcast = slack.posts[-1]
    assert "Nobody answered: the request expired at 2026-11-23 08:59 UTC." in text
    assert broadcast
    assert "blocked at approval" in slack.boards[-1]


@pytest.mark.parametrize(
    ("expires", "told"), [(FROM, False), (FROM + SECOND, True), (UNTIL, True), (UNTIL + SECOND, False)]
)
def test_an_end_is_told_by_the_look_in_whose_time_it_is_and_by_no_other(
    look: Look, asked: Asked, slack: FakeSlack, expires: datetime, told: bool
) -> None:
    assert bool(look(asked(expires))) is told
    assert bool(slack.posts) is told


def test_a_look_without_one_before_it_goes_back_a_day(look: Look, asked: Asked) -> None:
    gitlab = asked(NOW - 23 * HOUR)
    gitlab.last = None
    assert len(look(gitlab)) == 1
    assert set(gitlab.since) == {NOW - 24 * HOUR}
    gitlab = asked(NOW - 24 * HOUR)
    gitlab.last = None
    assert look(gitlab) == ()


def test_at_a_desk_a_look_ends_now(look: Look, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    # GitLab's clock gives whole seconds: one more is looked at.
    monkeypatch.setattr(GitLab, "has_job_token", False)
    assert len(look(asked(NOW + SECOND))) == 1
    assert look(asked(NOW + 2 * SECOND)) == ()
    assert len(look(asked(NOW - 23 * HOUR))) == 1


@pytest.mark.parametrize("client", [None, SimpleNamespace(has_token=False)])
def test_without_a_token_nothing_can_be_looked_at(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, client: Any
) -> None:
    monkeypatch.setattr(module, "gitlab_client", answering(client))
    with pytest.raises(ConfigError) as caught:
        tell_unanswered(settings)
    assert caught.value.message == "there is no GITLAB_TOKEN to read pipelines with"
    assert caught.value.remedy == "Set one with the scope read_api."


@pytest.mark.parametrize("name", ["apply", "reject"])
@pytest.mark.parametrize("status", ["pending", "running", "success", "failed", "canceling", "canceled"])
def test_whoever_played_a_job_has_answered(look: Look, asked: Asked, name: str, status: str) -> None:
    # One that was played and then cancelled began; one that was cancelled with its pipeline did not.
    played = [replace(one, status=status, started_at=NOW) if one.name == name else one for one in WAITS]
    assert look(asked(jobs=played)) == ()


@pytest.mark.parametrize("status", ["pending", "running"])
def test_a_job_that_was_played_and_waits_for_a_runner_is_an_answer(look: Look, asked: Asked, status: str) -> None:
    assert look(asked(jobs=[WAITS[0], replace(WAITS[1], status=status)])) == ()


@pytest.mark.parametrize(("comment", "said"), [("Not on a Friday.", ": Not on a Friday."), ("", ".")])
def test_a_no_to_the_deployment_is_told_with_its_reason(
    look: Look, asked: Asked, slack: FakeSlack, comment: str, said: str
) -> None:
    gitlab = asked(NOW + HOUR)
    no = DeploymentApproval("sam", False, NOW - 60 * SECOND, comment, "")
    gitlab.approvals = [replace(no, approved=True), replace(no, at=None), replace(no, at=FROM), no]
    assert look(gitlab) == (f"Pipeline 900: sam rejected the deployment{said}",)
    assert "blocked at approval" in slack.boards[-1]


def test_a_yes_to_the_deployment_or_a_no_of_another_time_is_nothing_to_tell(look: Look, asked: Asked) -> None:
    gitlab = asked(NOW + HOUR)
    at = NOW - 60 * SECOND
    gitlab.approvals = [
        DeploymentApproval("sam", True, at, "", ""), DeploymentApproval("sam", False, FROM, "", ""),
        DeploymentApproval("sam", False, None, "", ""),
    ]  # fmt: skip
    assert look(gitlab) == ()


def test_a_pipeline_that_was_cancelled_while_it_waited_is_told_by_when(
    look: Look, asked: Asked, slack: FakeSlack
) -> None:
    said = "The pipeline was cancelled before anybody answered."
    # That its request ended as well is no news then.
    assert look(asked(status="canceled")) == (f"Pipeline 900: {said}",)
    assert "interrupted at approval" in slack.boards[-1]
    for at in (FROM, UNTIL + SECOND, None):
        assert look(asked(status="canceled", updated_at=at)) == ()


@pytest.mark.parametrize("files", [{"request": None}, {"run": None}, {"another": None}])
def test_of_what_left_no_request_of_this_pipeline_nothing_is_told(
    look: Look, asked: Asked, run: Run, files: dict[str, Any]
) -> None:
    gitlab = asked()
    for name, content in files.items():
        if name == "another":
            gitlab.keeps(1, run=run.model_copy(update={"run_id": "901"}))
        elif content is None:
            path = "run.json" if name == "run" else "03_approval/request.json"
            del gitlab.kept[1, f"outputs/900/{path}"]
        else:
            gitlab.keeps(1, **{name: content})
    assert look(gitlab) == ()


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("run.json", b"{", "run.json: is no JSON"),
        ("03_approval/request.json", b"{", "03_approval/request.json: is no JSON"),
        ("02_plan/result.json", b"[", "02_plan/result.json: is no JSON"),
    ],
)
def test_of_what_can_not_be_read_it_is_said_that_nobody_can_tell(
    look: Look, asked: Asked, path: str, content: bytes, said: str
) -> None:
    gitlab = asked()
    gitlab.kept[1, f"outputs/900/{path}"] = content
    assert look(gitlab) == (f"Pipeline 900: how it ended can't be told: {said}.",)


def test_a_ledger_that_is_none_keeps_no_expired_request_from_being_told(
    look: Look, asked: Asked, slack: FakeSlack
) -> None:
    gitlab = asked()
    gitlab.kept[1, "outputs/900/slack.json"] = b"{"
    assert len(look(gitlab)) == 1
    assert "Nobody answered" in slack.posts[-1][0]


def test_a_run_that_says_of_no_step_that_it_asks_stops_no_look(look: Look, asked: Asked, run: Run) -> None:
    gitlab = asked()
    steps = tuple(step for step in run.steps if step.name != "approval")
    gitlab.keeps(1, run=run.model_copy(update={"run_id": "900", "steps": steps}))
    (said,) = look(gitlab)
    assert said.startswith("Pipeline 900: how it ended can't be told: ")


def test_what_slack_does_not_take_is_an_error(look: Look, asked: Asked, slack: FakeSlack) -> None:
    slack.error = SlackError("Slack can't be reached", "Try again.")
    with pytest.raises(ChatError) as caught:
        look(asked())
    assert (caught.value.message, caught.value.remedy) == ("Slack can't be reached", "Try again.")


BEGAN = (
    job("compliance", number=4),
    job("approval", "canceled", started=False, number=5),
    job("apply", "canceled", started=False, number=6),
)
CUT = "The pipeline was cancelled before anybody was asked"


def test_one_that_was_cancelled_before_it_asked_stopped_at_the_step_that_was_next(
    look: Look, run: Run, result: Callable[..., StepResult], slack: FakeSlack
) -> None:
    gitlab = GitLab(pipeline(status="canceled"), BEGAN)
    gitlab.keeps(4, run=run.model_copy(update={"run_id": "900"}))
    assert look(gitlab) == (f"Pipeline 900: {CUT}.",)
    assert "interrupted at compliance" in slack.posts[0][0] + slack.boards[-1]
    gitlab.keeps(4, compliance=result("compliance").model_copy(update={"run_id": "900"}))
    look(gitlab)
    assert "interrupted at plan" in slack.boards[-1]


@pytest.mark.parametrize("changed", [{"status": "manual"}, {"updated_at": None}, {"updated_at": FROM}])
def test_one_that_goes_on_or_was_cancelled_at_another_time_is_not_told(look: Look, changed: dict[str, Any]) -> None:
    assert look(GitLab(pipeline(**{"status": "canceled"} | changed), BEGAN)) == ()


def test_a_pipeline_that_is_no_change_is_not_ours_to_tell(look: Look) -> None:
    for jobs in (BEGAN[:1], BEGAN[:2], (BEGAN[0], BEGAN[2]), (job("stacks", "canceled"),), (job("failure"),)):
        assert look(GitLab(pipeline(status="canceled", name="runbook: access"), jobs)) == ()


@pytest.mark.parametrize(("status", "told"), [("canceled", True), ("success", False)])
def test_what_finds_the_stacks_is_told_of_until_each_has_a_pipeline_of_its_own(
    look: Look, status: str, told: bool
) -> None:
    jobs = (job("stacks", status, number=4), job("failure", "canceled", started=False, number=5))
    assert bool(look(GitLab(pipeline(status="canceled", name="runbook: access"), jobs))) is told


def test_one_that_never_began_is_told_by_the_stack_in_its_name(look: Look, slack: FakeSlack) -> None:
    gitlab = GitLab(pipeline(status="canceled", name="runbook: network"), BEGAN)
    assert look(gitlab) == (f"Pipeline 900: {CUT}.",)
    assert "network" in slack.posts[0][0]
    assert "compliance interrupted" in slack.posts[-1][0]


def test_a_repository_s_only_stack_needs_no_name(settings: Settings, look: Look, slack: FakeSlack) -> None:
    settings.config = settings.config.model_copy(update={"stacks": {"access": settings.config.stacks["access"]}})
    assert len(look(GitLab(pipeline(status="canceled", name="nightly"), BEGAN))) == 1
    assert "access" in slack.posts[0][0]


def test_where_several_might_be_meant_none_is_named(
    look: Look, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook_lib.workspace.slack_thread.messenger", lambda settings, stack: slack)
    assert len(look(GitLab(pipeline(status="canceled", name="nightly"), BEGAN))) == 1
    assert "a stack" in slack.posts[0][0]


@pytest.mark.parametrize(
    ("latest", "followed"),
    [
        ({"sha": "c1", "created_at": NOW - 90 * SECOND}, True),
        ({"sha": "c1", "created_at": NOW - 60 * SECOND}, True),
        ({"sha": "c1", "created_at": NOW - 59 * SECOND}, False),
        ({"sha": "c1", "created_at": None}, False),
        ({"sha": "c0", "created_at": NOW - 90 * SECOND}, False),
        ({"sha": "c1", "created_at": NOW - 90 * SECOND, "number": 899}, False),
    ],
)
def test_a_newer_commit_s_pipeline_that_had_begun_is_why(look: Look, latest: dict[str, Any], followed: bool) -> None:
    gitlab = GitLab(pipeline(status="canceled", name="runbook: access"), BEGAN)
    gitlab.latest = pipeline(**{"number": 901} | latest)
    more = "; pipeline 901, of a newer commit, had begun" if followed else ""
    assert look(gitlab) == (f"Pipeline 900: {CUT}{more}.",)


class Told:
    """What a run's thread was told: of which run, how its request ended, and the failure."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs: list[Run] = []
        self.over: list[tuple[str, str]] = []
        self.failures: list[StepResult] = []
        monkeypatch.setattr(module, "Teller", self)

    def __call__(self, settings: Settings, store: RunStore, run: Run, *, again: bool) -> Told:
        assert again
        assert store.read_model("run.json", Run) == run
        self.runs.append(run)
        return self

    def tell_over(self, request: ApprovalRequest, how: str) -> None:
        self.over.append((request.run_id, how))

    def tell_failure(self, result: StepResult) -> Delivery:
        self.failures.append(result)
        return Delivery()


@pytest.mark.parametrize(
    ("case", "outcome", "how", "summary"),
    [
        ("expired", Outcome.BLOCKED, "expired", "Nobody answered: the request expired at 2026-11-23 08:59 UTC."),
        ("rejected", Outcome.BLOCKED, "rejected", "sam rejected the deployment: No."),
        ("cancelled", Outcome.INTERRUPTED, "cancelled", "The pipeline was cancelled before anybody answered."),
    ],
)
def test_a_request_says_how_it_ended_and_the_run_what_to_do(
    look: Look, asked: Asked, monkeypatch: pytest.MonkeyPatch, *, case: str, outcome: Outcome, how: str, summary: str
) -> None:
    told, at = Told(monkeypatch), NOW - 60 * SECOND
    gitlab = asked(status="canceled") if case == "cancelled" else asked(at if case == "expired" else NOW + HOUR)
    if case == "rejected":
        gitlab.approvals = [DeploymentApproval("sam", False, at, "No.", "")]
    look(gitlab)
    assert told.over == [("900", how)]
    (failure,) = told.failures
    assert failure == StepResult(
        run_id="900",
        step="approval",
        stack="access",
        outcome=outcome,
        summary=summary,
        started_at=at,
        finished_at=at,
        error=ErrorInfo(
            type="ApprovalError", message=summary, remedy="Start a new pipeline: it plans what is left to do."
        ),
    )


@pytest.mark.parametrize(("created", "begun"), [(NOW - 5 * HOUR, NOW - 5 * HOUR), (None, UNTIL)])
def test_of_a_run_that_left_nothing_is_told_what_its_pipeline_says(
    look: Look, monkeypatch: pytest.MonkeyPatch, created: datetime | None, begun: datetime
) -> None:
    told = Told(monkeypatch)
    look(GitLab(pipeline(status="canceled", name="runbook: network", created_at=created), BEGAN))
    assert told.over == []
    assert told.runs == [
        Run(
            run_id="900",
            stack="network",
            commit="c0",
            ref="main",
            requester="riley",
            created_at=begun,
            pipeline_url="https://g.example/platform/access/-/pipelines/900",
        )
    ]


def test_the_newest_job_that_left_something_says_how_far_the_run_came(
    look: Look, run: Run, result: Callable[..., StepResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(monkeypatch)
    jobs = (job("compliance", number=4), job("plan", "canceled", number=7), job("own", number=8), *BEGAN[1:])
    gitlab = GitLab(pipeline(status="canceled"), jobs)
    ours = run.model_copy(update={"run_id": "900"})
    done = result("compliance").model_copy(update={"run_id": "900"})
    gitlab.keeps(4, run=ours)
    gitlab.keeps(7, run=ours, compliance=done)
    # What the last one left is half written.
    gitlab.keeps(8, run=ours, compliance=b"{")
    look(gitlab)
    assert [failure.step for failure in told.failures] == ["plan"]


def test_a_run_whose_approval_was_cut_short_has_told_of_it_itself(
    look: Look, run: Run, result: Callable[..., StepResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(monkeypatch)
    gitlab = GitLab(pipeline(status="canceled"), (job("approval", "canceled", number=5), *BEGAN[::2]))
    ended = result("approval", Outcome.INTERRUPTED).model_copy(update={"run_id": "900"})
    gitlab.keeps(5, run=run.model_copy(update={"run_id": "900"}))
    gitlab.kept[5, "outputs/900/03_approval/result.json"] = ended.model_dump_json().encode()
    assert look(gitlab) == ()
    assert told.failures == []


@pytest.mark.parametrize(
    ("changed", "window"),
    [
        ({}, (FROM, UNTIL)),
        # A job that GitLab says no start of looks until now, and one second, as GitLab's clock gives no parts of it.
        ({"own_start": None}, (FROM, UNTIL + SECOND)),
        ({"last": None}, (NOW - 24 * HOUR, UNTIL)),
        # A token of no job, as at a desk.
        ({"is_job": False}, (NOW - 24 * HOUR + SECOND, UNTIL + SECOND)),
        ({"has_job_token": False}, (NOW - 24 * HOUR + SECOND, UNTIL + SECOND)),
    ],
)
def test_a_look_goes_from_the_last_one_s_start_to_its_own(
    look: Look, asked: Asked, changed: dict[str, Any], window: tuple[datetime, datetime]
) -> None:
    for at, told in zip((0 * SECOND, SECOND), (False, True), strict=True):
        gitlab = asked(window[0] + at)
        vars(gitlab).update(changed)
        assert bool(look(gitlab)) is told
        # Those that wait, and those that were cancelled.
        assert gitlab.since == [window[0]] * 2
    for at, told in zip((0 * SECOND, SECOND), (True, False), strict=True):
        gitlab = asked(window[1] + at)
        vars(gitlab).update(changed)
        assert bool(look(gitlab)) is told


def test_the_jobs_that_stand_for_yes_and_no_are_those_that_runbook_yml_names(
    settings: Settings, look: Look, asked: Asked
) -> None:
    approval = settings.config.approval.model_copy(update={"job": "deploy", "reject_job": "stop"})
    settings.config = settings.config.model_copy(update={"approval": approval})
    deploy = job("deploy", "manual", started=False, number=2)
    stop = job("stop", "manual", started=False, number=3)
    for played in ("deploy", "stop"):
        jobs = [replace(one, status="running") if one.name == played else one for one in (WAITS[0], deploy, stop)]
        assert look(asked(jobs=jobs)) == ()
    gitlab = asked(NOW + HOUR, jobs=(WAITS[0], deploy, stop, job("apply", "running")))
    gitlab.apply = "deploy"
    gitlab.approvals = [DeploymentApproval("sam", False, NOW - SECOND, "", "")]
    assert look(gitlab) == ("Pipeline 900: sam rejected the deployment.",)
    # What has no job of that name is no change.
    assert look(GitLab(pipeline(status="canceled"), BEGAN)) == ()
    assert len(look(GitLab(pipeline(status="canceled", name="runbook: access"), (*BEGAN[:2], deploy)))) == 1


def test_when_a_request_expired_is_told_in_utc_whatever_its_own_clock_says(look: Look, asked: Asked) -> None:
    there = (NOW - 60 * SECOND).astimezone(timezone(timedelta(hours=9)))
    assert look(asked(there)) == ("Pipeline 900: Nobody answered: the request expired at 2026-11-23 08:59 UTC.",)


def test_of_what_a_job_left_is_read_what_thread_and_board_are_made_from_and_no_more(
    look: Look, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str] = []

    class Kept(Told):
        def __call__(self, settings: Settings, store: RunStore, run: Run, *, again: bool) -> Told:
            found.extend(sorted(path.relative_to(store.dir).as_posix() for path in store.dir.rglob("*.json")))
            return super().__call__(settings, store, run, again=again)

    Kept(monkeypatch)
    gitlab = asked()
    folders = ("01_compliance", "02_plan", "03_approval")
    for folder in (*folders, "04_apply"):
        for name in ("request.json", "decision.json", "summary.json", "exposure.json"):
            gitlab.kept.setdefault((1, f"outputs/900/{folder}/{name}"), b"{}")
    gitlab.kept[1, "outputs/900/slack.json"] = b"{}"
    look(gitlab)
    wanted = [f"{folder}/{name}.json" for folder in folders for name in ("decision", "request", "summary")]
    assert found == [*wanted, "run.json", "slack.json"]


def test_what_is_told_is_told_in_the_thread_that_the_run_began_and_in_its_request(
    look: Look, asked: Asked, slack: FakeSlack, request_: ApprovalRequest, result: Callable[..., StepResult]
) -> None:
    gitlab = asked()
    messages = {
        "board": Reference(channel="C1", ts="1"),
        f"request:{request_.plan_sha256[:16]}:{request_.created_at.isoformat()}": Reference(channel="C1", ts="2"),
    }
    gitlab.kept[1, "outputs/900/slack.json"] = Thread(messages=messages).model_dump_json().encode()
    for folder, step in (("01_compliance", "compliance"), ("02_plan", "plan")):
        done = result(step).model_copy(update={"run_id": "900"})
        gitlab.kept[1, f"outputs/900/{folder}/result.json"] = done.model_dump_json().encode()
    look(gitlab)
    said = "Nobody answered: the request expired at 2026-11-23 08:59 UTC."
    assert slack.boards == [
        "access: expired: The internet can newly reach web on tcp 80. (run 900)",
        "access: blocked at approval (run 900)",
    ]
    assert slack.posts == [(f"access: approval blocked: {said} (run 900)", True)]


def test_of_a_run_that_was_cut_short_a_request_of_before_is_told_to_be_cancelled(
    look: Look, run: Run, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its approval job sent the request, and was cut short before it left a result.
    told = Told(monkeypatch)
    gitlab = GitLab(pipeline(status="canceled"), (job("approval", "canceled", number=5), *BEGAN[::2]))
    gitlab.keeps(5, run=run.model_copy(update={"run_id": "900"}), request=request_)
    assert look(gitlab) == (f"Pipeline 900: {CUT}.",)
    assert told.over == [("7", "cancelled")]


def test_what_can_t_be_read_of_one_pipeline_keeps_nothing_from_being_told_of_the_others(
    look: Look, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(monkeypatch)
    waits, broken = asked(), GitLab(pipeline(901), WAITS)
    broken.kept[1, "outputs/901/run.json"] = b"{"
    cut = GitLab(pipeline(902, "canceled", name="runbook: network"), BEGAN)

    class Several(GitLab):
        def ended_pipelines(self, branch: str, status: str, since: datetime) -> Sequence[GitLabPipeline]:
            return [one.ended for one in (cut, broken, waits) if one.ended.status == status]

        def pipeline_jobs(self, number: int) -> Sequence[GitLabJob]:
            return next(one.jobs for one in (cut, broken, waits) if one.ended.id == number)

        def artifact(self, number: int, path: str) -> bytes | None:
            return (waits.kept | broken.kept).get((number, path))

    # Those that wait come before those that were cancelled.
    assert look(Several(waits.ended, ())) == (
        "Pipeline 901: how it ended can't be told: run.json: is no JSON.",
        "Pipeline 900: Nobody answered: the request expired at 2026-11-23 08:59 UTC.",
        f"Pipeline 902: {CUT}.",
    )
    assert [(one.run_id, one.stack, one.step) for one in told.failures] == [
        ("900", "access", "approval"),
        ("902", "network", "compliance"),
    ]


class Searched(FakeSlack):
    """A Slack that finds what it has by its key, and takes nothing that names one of `lost`."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, Reference] = {}
        self.lost = ""
        self.frozen = False

    def post(self, message: Message, thread_ts: str | None = None, broadcast: bool = False, key: str = "") -> Reference:
        if self.lost and self.lost in message.text:
            raise SlackError("channel #network is archived", "Unarchive it.")
        assert key not in self.keys
        self.keys[key] = super().post(message, thread_ts, broadcast, key)
        return self.keys[key]

    def update(self, reference: Reference, message: Message) -> Reference:
        if self.frozen:
            raise MessageRefusedError("the workspace lets no message be changed", code="edit_window_closed")
        return super().update(reference, message)

    def find(self, key: str, thread_ts: str | None = None) -> Reference | None:
        return self.keys.get(key)


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> Searched:
    fake = Searched()
    monkeypatch.setattr("runbook_lib.workspace.slack_thread.messenger", lambda settings, stack: fake)
    return fake


def test_a_channel_that_takes_nothing_keeps_no_other_from_being_told_and_none_is_told_twice(
    look: Look, searched: Searched
) -> None:
    class Three(GitLab):
        def ended_pipelines(self, branch: str, status: str, since: datetime) -> Sequence[GitLabPipeline]:
            numbers = (900, 901, 902) if status == "canceled" else ()
            return [pipeline(number, "canceled", name="runbook: network") for number in numbers]

        def pipeline_jobs(self, number: int) -> Sequence[GitLabJob]:
            return BEGAN

    gitlab = Three(pipeline(902, "canceled"), ())
    searched.lost = "(run 901)"
    for _ in range(2):
        with pytest.raises(ChatError) as caught:
            look(gitlab)
        assert (caught.value.message, caught.value.remedy) == ("channel #network is archived", "Unarchive it.")
    searched.lost = ""
    assert len(look(gitlab)) == 3
    # Of each a board and the failure, those of the second once its channel took them.
    runs = [text.rpartition("(run ")[2] for text, _ in searched.posts]
    assert runs == ["900)", "900)", "902)", "902)", "901)", "901)"]


def test_a_board_that_is_too_old_to_be_changed_is_no_reason_to_tell_it_all_again(
    look: Look, asked: Asked, searched: Searched
) -> None:
    searched.frozen = True
    assert len(look(asked())) == 1
    assert "Nobody answered" in searched.posts[-1][0]
