"""The pipeline's last word: what stopped the run is told once, also when nothing of it is left to tell it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from step_fakes import FakeSlack, answering

from runbook_lib.adapters.gitlab_data import GitLabJob
from runbook_lib.adapters.outbox import Delivery
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ChatError, GitLabError, SlackError
from runbook_lib.models.base import Outcome
from runbook_lib.models.results import ErrorInfo, StepResult
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace.slack_thread import Teller, tell_stopped

Results = Callable[..., StepResult]


def test_the_result_that_stopped_the_run_is_told(
    settings: Settings, store: RunStore, slack: FakeSlack, result: Results
) -> None:
    store.write_result(result("compliance"))
    store.write_result(result("plan", Outcome.ERRORED, ErrorInfo(type="TerraformError", message="AWS said no.")))
    assert tell_stopped(settings, "7", "") == "Run 7 stopped at plan: AWS said no."
    assert [text for text, broadcast in slack.posts if broadcast] == ["access: plan errored: AWS said no. (run 7)"]


def test_a_failure_that_the_run_told_itself_is_not_told_again(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    stopped = result("plan", Outcome.BLOCKED)
    store.write_result(stopped)
    Teller(settings, store, run).tell_failure(stopped)
    tell_stopped(settings, "7", "")
    assert len([text for text, broadcast in slack.posts if broadcast]) == 1


def test_a_job_that_left_no_result_is_told_as_lost_and_once(
    load: Callable[..., Settings], store: RunStore, slack: FakeSlack, result: Results
) -> None:
    store.write_result(result("compliance"))
    for _ in range(2):
        said = tell_stopped(load(CI_PIPELINE_ID="7"), "7", "")
    assert said.startswith("Run 7 stopped at plan: The job of step plan ended without a result")
    assert len([text for text, broadcast in slack.posts if broadcast]) == 1


def test_by_hand_no_failure_is_made_up_for_a_run_that_did_not_stop(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    slack.error = SlackError("Slack can't be reached")
    store.write_result(result("compliance"))
    Teller(settings, store, run).tell_step(result("compliance"))
    slack.error = None
    assert tell_stopped(settings, "7", "") == "Run 7 did not stop at any step."
    assert [text for text, broadcast in slack.posts if broadcast] == []
    assert list(store.dir.glob("outbox/*.json")) == []


def test_a_pipeline_whose_first_job_never_began_is_told_too(load: Callable[..., Settings], slack: FakeSlack) -> None:
    assert tell_stopped(load(CI_PIPELINE_ID="1001"), "", "").startswith("Run 1001 stopped at compliance")
    assert len(slack.posts) == 2


def test_it_is_an_error_when_nobody_could_be_told_and_the_message_waits(
    load: Callable[..., Settings], store: RunStore, slack: FakeSlack
) -> None:
    slack.error = SlackError("Slack can't be reached", "Check the network.")
    with pytest.raises(ChatError, match="can't be reached"):
        tell_stopped(load(CI_PIPELINE_ID="7"), "7", "")
    assert [path.name for path in store.dir.glob("outbox/*failure*")]


def test_what_still_waited_goes_out_first(
    load: Callable[..., Settings], store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    slack.error = SlackError("Slack can't be reached")
    settings = load(CI_PIPELINE_ID="7")
    Teller(settings, store, run).tell_step(result("compliance"))
    slack.error = None
    tell_stopped(settings, "7", "")
    assert [text.split(":")[1].split()[0] for text, _ in slack.posts[1:]] == ["compliance", "compliance"]
    assert list(store.dir.glob("outbox/*.json")) == []


def test_what_was_lost_is_kept_as_an_error_with_what_to_do(
    load: Callable[..., Settings], store: RunStore, run: Run, result: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[StepResult] = []

    class FakeTeller:
        def __init__(self, *given: object) -> None:
            assert given[2] == run

        def tell_failure(self, result: StepResult) -> Delivery:
            told.append(result)
            return Delivery()

    monkeypatch.setattr("runbook_lib.workspace.slack_thread.Teller", FakeTeller)
    store.write_result(result("compliance"))
    message = "The job of step plan ended without a result, or never began."
    assert tell_stopped(load(CI_PIPELINE_ID="7"), "", "") == f"Run 7 stopped at plan: {message}"
    (lost,) = told
    assert (lost.run_id, lost.step, lost.stack, lost.outcome) == ("7", "plan", "access", Outcome.ERRORED)
    assert (lost.summary, lost.started_at) == (message, run.created_at)
    assert lost.error == ErrorInfo(
        type="EngineError", message=message, remedy="Read the job's log, then retry the job."
    )
    assert timedelta(0) <= datetime.now(UTC) - lost.finished_at < timedelta(minutes=1)


def test_service_tests_of_a_pipeline_of_their_own_say_themselves_what_they_found(
    load: Callable[..., Settings], store: RunStore, slack: FakeSlack, result: Results
) -> None:
    for name in ("compliance", "plan", "approval", "apply", "verification"):
        store.write_result(result(name))
    said = tell_stopped(load(CI_PIPELINE_ID="7"), "7", "")
    assert said == "Run 7 stopped at service_tests: Service tests did not pass: their own pipeline says why."


def test_where_every_step_ended_the_last_is_the_one_that_was_lost(
    load: Callable[..., Settings], store: RunStore, slack: FakeSlack, result: Results
) -> None:
    for name in ("compliance", "plan", "approval", "apply", "verification", "service_tests"):
        store.write_result(result(name))
    assert tell_stopped(load(CI_PIPELINE_ID="7"), "7", "").startswith("Run 7 stopped at service_tests: ")


def test_by_hand_the_newest_run_of_the_stack_is_the_one_that_stopped(
    settings: Settings, store: RunStore, slack: FakeSlack, result: Results, run: Run
) -> None:
    other = run.model_copy(update={"run_id": "8", "stack": "network", "created_at": run.created_at + timedelta(days=1)})
    RunStore(settings.outputs, "8").write_json("run.json", other)
    assert tell_stopped(settings, "", "access") == "Run 7 did not stop at any step."
    assert tell_stopped(settings, "", "network") == "Run 8 did not stop at any step."


def test_what_slack_refused_is_raised_with_its_remedy(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, result: Results
) -> None:
    slack.error = SlackError("Slack can't be reached", "Check the network.")
    store.write_result(result("plan", Outcome.BLOCKED))
    with pytest.raises(ChatError) as caught:
        tell_stopped(settings, "7", "")
    assert (caught.value.message, caught.value.remedy) == ("Slack can't be reached", "Check the network.")


class GitLab:
    """A pipeline with these jobs, by their states; or one that can't be asked."""

    def __init__(self, *jobs: tuple[str, str], has_token: bool = True, error: GitLabError | None = None) -> None:
        self.has_token, self.error = has_token, error
        self.jobs = [
            GitLabJob(number, name, status, "riley", 7, None, None, 0, f"https://g.example/-/jobs/{number}", "c0", "")
            for number, (name, status) in enumerate(jobs, 1)
        ]

    def pipeline_jobs(self, pipeline: int) -> list[GitLabJob]:
        assert pipeline == 7
        if self.error:
            raise self.error
        return self.jobs


Lost = Callable[..., tuple[str, str, str]]


@pytest.fixture
def lost(load: Callable[..., Settings], store: RunStore, monkeypatch: pytest.MonkeyPatch) -> Lost:
    """What is told of a pipeline's run that nothing says the end of: the step, what happened, and what to do."""
    told: list[StepResult] = []

    class Silent:
        def __init__(self, *given: object) -> None:
            pass

        def tell_failure(self, result: StepResult) -> Delivery:
            told.append(result)
            return Delivery()

    def ask(gitlab: GitLab | None, pipeline: str = "7") -> tuple[str, str, str]:
        monkeypatch.setattr("runbook_lib.workspace.slack_thread.gitlab_client", answering(gitlab))
        monkeypatch.setattr("runbook_lib.workspace.slack_thread.Teller", Silent)
        tell_stopped(load(CI_PIPELINE_ID=pipeline), "7", "")
        assert told[-1].error is not None
        assert told[-1].error.message == told[-1].summary
        return told[-1].step, told[-1].summary, told[-1].error.remedy

    return ask


READ = "Read the job's log, then retry the job."
PLAN = ("plan", "The job of step plan ended without a result, or never began.", READ)


@pytest.mark.parametrize(
    ("gitlab", "said"),
    [
        (
            GitLab(("compliance", "success"), ("lint", "failed"), ("build", "failed")),
            ("lint", "The job lint failed.", "Read its log, then retry it: https://g.example/-/jobs/2"),
        ),
        # A name that can be no step's is told as a job's.
        (
            GitLab(("lint: [a b]", "failed")),
            ("job", "The job lint: [a b] failed.", "Read its log, then retry it: https://g.example/-/jobs/1"),
        ),
        # A step's own job tells of the step; and what passed, or still runs, stopped nothing.
        (GitLab(("plan", "failed"), ("lint", "failed")), PLAN),
        (GitLab(("lint", "success"), ("build", "running")), PLAN),
        (GitLab(("lint", "failed"), has_token=False), PLAN),
        (GitLab(error=GitLabError("HTTP 502")), PLAN),
        (None, PLAN),
    ],
    ids=["another job", "a matrix", "a step", "none", "no token", "no answer", "no GitLab"],
)
def test_a_job_that_is_no_step_and_failed_is_what_stopped_the_run(
    lost: Lost, store: RunStore, result: Results, gitlab: GitLab | None, said: tuple[str, str, str]
) -> None:
    store.write_result(result("compliance"))
    assert lost(gitlab) == said


def test_the_jobs_of_another_pipeline_than_the_run_s_are_not_asked_for(
    lost: Lost, store: RunStore, result: Results
) -> None:
    store.write_result(result("compliance"))
    assert lost(GitLab(("lint", "failed")), pipeline="8") == PLAN


@pytest.mark.parametrize(
    ("gitlab", "said"),
    [
        # The job that began their pipeline failed itself: there may be none.
        (
            GitLab(("service_tests", "failed")),
            "The job of step service_tests ended without a result, or never began.",
        ),
        (GitLab(("lint", "failed")), "Service tests did not pass: their own pipeline says why."),
        (GitLab(("lint", "success")), "Service tests did not pass: their own pipeline says why."),
    ],
    ids=["its own", "another", "none"],
)
def test_service_tests_that_never_began_are_told_from_those_that_failed(
    lost: Lost, store: RunStore, result: Results, gitlab: GitLab, said: str
) -> None:
    for name in ("compliance", "plan", "approval", "apply", "verification"):
        store.write_result(result(name))
    assert lost(gitlab) == ("service_tests", said, READ)


def test_what_somebody_else_put_among_what_waits_is_named_on_standard_error(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, *,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    teller = Teller(settings, store, run)
    refusal = SlackError("outbox/7.json was put there by somebody else", "Look at it.")
    refused = Delivery((), (), ("failure",), refusal)
    for found in (Delivery((), ("failure",), (), refusal), refused):
        monkeypatch.setattr(teller._outbox, "deliver", lambda slack, found=found: found)
        assert teller.deliver() is found
    assert capsys.readouterr().err == "warning: outbox/7.json was put there by somebody else\n"
