"""What a job without a word in the channel found is told by the next that has one; and no board gets milder."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from step_fakes import NOW, FakeSlack

from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ConfigError, GitLabError
from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord
from runbook_lib.models.base import Outcome
from runbook_lib.models.messages import Message
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace.decisions import write_record
from runbook_lib.workspace.slack_thread import Teller, tell_stopped

Results = Callable[..., StepResult]
IN_CI = {"GITLAB_CI": "true", "CI_PIPELINE_ID": "7"}


def steps_told(slack: FakeSlack) -> list[str]:
    return [text.split(":")[1].split()[0] for text, broadcast in slack.posts if "passed" in text and not broadcast]


def test_a_job_without_a_word_leaves_nothing_for_one_that_has_it(
    load: Callable[..., Settings],
    store: RunStore,
    run: Run,
    *,
    result: Results,
    slack: FakeSlack,
    request_: ApprovalRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load(project="42", **IN_CI)
    with monkeypatch.context() as silent:
        silent.setattr("runbook_lib.workspace.slack_thread.messenger", lambda *given: None)
        for step in ("compliance", "plan"):
            store.write_result(result(step))
            Teller(settings, store, run).start()
            Teller(settings, store, run).tell_step(result(step))
        Teller(settings, store, run).tell_failure(result("plan", Outcome.BLOCKED))
        with pytest.raises(ConfigError, match="reached nobody"):
            Teller(settings, store, run).ask_approval(request_)
    assert not (store.dir / "outbox").exists()
    Teller(settings, store, run).start()
    assert steps_told(slack) == ["compliance", "plan"]
    store.write_result(result("approval"))
    Teller(settings, store, run).tell_step(result("approval"))
    assert steps_told(slack) == ["compliance", "plan", "approval"]


def test_at_a_desk_each_step_has_told_itself(
    settings: Settings, store: RunStore, run: Run, result: Results, slack: FakeSlack
) -> None:
    store.write_result(result("compliance"))
    Teller(settings, store, run).tell_step(result("plan"))
    assert steps_told(slack) == ["plan"]


def test_what_was_not_told_before_a_failure_is_told_with_it(
    load: Callable[..., Settings], store: RunStore, result: Results, slack: FakeSlack
) -> None:
    store.write_result(result("compliance"))
    store.write_result(result("plan", Outcome.BLOCKED))
    tell_stopped(load(project="42", **IN_CI), "7", "")
    assert steps_told(slack) == ["compliance"]
    assert [broadcast for text, broadcast in slack.posts if "plan blocked" in text] == [False, True]


def test_the_board_says_that_a_step_was_lost_and_nothing_milder(
    load: Callable[..., Settings], store: RunStore, result: Results, slack: FakeSlack
) -> None:
    asked = result("approval").model_copy(update={"metrics": {"approved": False}})
    for one in (result("compliance"), result("plan"), asked):
        store.write_result(one)
    tell_stopped(load(project="42", **IN_CI), "7", "")
    assert slack.boards
    assert all("access: errored at apply" in board for board in slack.boards)


def rejected(store: RunStore, plan: str) -> DecisionRecord:
    no = Decision(source="gitlab_reject_job", user="sam", approved=False, at=NOW, plan_sha256=plan, counts=True)
    record = DecisionRecord(
        run_id="7", plan_sha256=plan, decisions=(no,), approved=False, rejected=True, checked_at=NOW
    )
    write_record(store, record)
    return record


def test_a_rejection_is_on_the_board_by_name_and_stays_there(
    load: Callable[..., Settings],
    store: RunStore,
    run: Run,
    *,
    result: Results,
    slack: FakeSlack,
    request_: ApprovalRequest,
) -> None:
    settings = load(project="42", **IN_CI)
    for one in (result("compliance"), result("plan")):
        store.write_result(one)
    store.write_result(result("approval").model_copy(update={"metrics": {"approved": False}}))
    Teller(settings, store, run).tell_decision(rejected(store, request_.plan_sha256))
    assert slack.boards[-1].startswith("access: rejected by sam")
    # Somebody plays apply all the same, and the failure job comes after that.
    store.write_result(result("apply", Outcome.BLOCKED))
    tell_stopped(settings, "7", "")
    assert slack.boards[-1].startswith("access: rejected by sam")


def test_a_rejection_of_another_plan_says_nothing_of_this_one(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, request_: ApprovalRequest
) -> None:
    rejected(store, "0" * 64)
    shown: list[Message] = []
    slack.post = lambda message, *given, **named: shown.append(message) or slack._take()  # type: ignore[func-returns-value]
    Teller(settings, store, run).start()
    assert "rejected" not in shown[0].text


class Jobs:
    """A GitLab that knows of one failed job."""

    has_token = True

    def __init__(self, name: str = "", error: GitLabError | None = None) -> None:
        self._jobs = [SimpleNamespace(name=name, status="failed", web_url="https://gl/-/jobs/3")] if name else []
        self._error = error

    def pipeline_jobs(self, pipeline: int) -> list[Any]:
        if self._error:
            raise self._error
        return self._jobs


@pytest.mark.parametrize(
    ("gitlab", "wanted"),
    [
        (Jobs("prepare"), "Run 7 stopped at prepare: The job prepare failed."),
        (Jobs("plan"), "Run 7 stopped at compliance: The job of step compliance ended without a result"),
        (Jobs(), "Run 7 stopped at compliance: The job of step compliance ended without a result"),
        (Jobs(error=GitLabError("no", "")), "Run 7 stopped at compliance: The job of step compliance ended without"),
        (Jobs("build image!"), "Run 7 stopped at job: The job build image! failed."),
    ],
)
def test_a_failed_job_that_is_no_step_is_told_by_its_name(
    load: Callable[..., Settings],
    store: RunStore,
    slack: FakeSlack,
    monkeypatch: pytest.MonkeyPatch,
    *,
    gitlab: Jobs,
    wanted: str,
) -> None:
    monkeypatch.setattr("runbook_lib.workspace.slack_thread.gitlab_client", lambda settings: gitlab)
    for _ in range(2):
        assert tell_stopped(load(project="42", **IN_CI), "7", "").startswith(wanted)
    assert len([text for text, broadcast in slack.posts if broadcast]) == 1


def test_the_run_of_another_pipeline_is_not_blamed_on_this_ones_jobs(
    load: Callable[..., Settings], store: RunStore, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook_lib.workspace.slack_thread.gitlab_client", lambda settings: Jobs("prepare"))
    settings = load(project="42", **(IN_CI | {"CI_PIPELINE_ID": "8"}))
    assert tell_stopped(settings, "7", "").startswith("Run 7 stopped at compliance")


@pytest.mark.parametrize("tell", ["start", "tell_failure"])
@pytest.mark.parametrize(
    ("variables", "told"), [({}, []), ({"project": "42", **IN_CI}, ["compliance", "plan"])], ids=["desk", "pipeline"]
)
def test_only_in_a_pipeline_is_told_what_earlier_steps_left(
    load: Callable[..., Settings], store: RunStore, run: Run, *,
    result: Results, slack: FakeSlack, tell: str, variables: dict[str, str], told: list[str],
) -> None:  # fmt: skip
    for step in ("compliance", "plan"):
        store.write_result(result(step))
    teller = Teller(load(**variables), store, run)
    delivery = teller.start() if tell == "start" else teller.tell_failure(result("apply", Outcome.ERRORED))
    assert delivery.error is None
    assert steps_told(slack) == told


def test_a_failure_that_left_no_result_is_on_the_board_that_is_renewed_before_it_is_told(
    settings: Settings, store: RunStore, run: Run, result: Results, slack: FakeSlack
) -> None:
    store.write_result(result("compliance"))
    Teller(settings, store, run).start()
    Teller(settings, store, run).tell_failure(result("plan", Outcome.ERRORED))
    assert slack.boards == ["access: errored at plan (run 7)"]
    assert slack.posts == [
        ("access: in progress (run 7)", False),
        ("access: plan errored: plan it is (run 7)", True),
    ]


@pytest.mark.parametrize("known", [True, False])
def test_a_decision_begins_no_thread_but_renews_the_one_that_there_is_unless_it_is_a_no(
    settings: Settings, store: RunStore, run: Run, slack: FakeSlack, *, request_: ApprovalRequest, known: bool
) -> None:
    teller = Teller(settings, store, run)
    if known:
        teller.start()
    yes = DecisionRecord(run_id="7", plan_sha256=request_.plan_sha256, approved=True, checked_at=NOW)
    teller.tell_decision(yes)
    teller.tell_began(yes)
    assert len(slack.boards) == (2 if known else 0)
    assert [text.startswith("access: in progress") for text, _ in slack.posts] == [True, False, False][not known :]
    # A no is for all who look at the board, also where nothing was told before it.
    teller.tell_decision(rejected(store, request_.plan_sha256))
    assert slack.boards[-1] == "access: rejected by sam (run 7)"
