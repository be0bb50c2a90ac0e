"""The approval step: one request for one plan, and by hand the wait for its answer."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from step_fakes import NOW, FakeSlack, built_in

from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ConfigError, GitLabError, InputError, StateLockedError
from runbook_lib.models.approval import ApprovalRequest, Decision
from runbook_lib.models.base import Outcome
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.steps import approval
from runbook_lib.steps.plan import read_lineage
from runbook_lib.workspace import states
from runbook_lib.workspace.context import StepContext

Results = Callable[..., StepResult]


class Clock:
    """Goes on by what is slept; at `answers` o'clock somebody answers."""

    def __init__(self, store: RunStore) -> None:
        self.now = NOW
        self.slept: list[float] = []
        self.answers: dict[datetime, Decision] = {}
        self._store = store

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(minutes=30)
        for at, decision in self.answers.items():
            if at <= self.now:
                self._store.write_json(f"03_approval/decisions/{decision.user}.json", decision)


@pytest.fixture
def clock(store: RunStore) -> Clock:
    return Clock(store)


@pytest.fixture
def context(settings: Settings, store: RunStore, run: Run, slack: FakeSlack, clock: Clock) -> StepContext:
    return StepContext(built_in("approval"), settings, store, run, NOW, clock=clock)


@pytest.fixture
def asked(context: StepContext, store: RunStore, request_: ApprovalRequest) -> ApprovalRequest:
    """The request as it stands for the policies of this repository."""
    from runbook_lib.workspace.policy_reports import policy_files

    made = request_.model_copy(update={"policy_sha256": policy_files(context).digest})
    store.write_json("03_approval/request.json", made)
    return made


def answer(request: ApprovalRequest, approved: bool, user: str = "alex") -> Decision:
    at = NOW + timedelta(minutes=50)
    return Decision(source="terminal", user=user, approved=approved, at=at, plan_sha256=request.plan_sha256)


def test_by_hand_it_waits_until_somebody_may_and_does_approve(
    context: StepContext, asked: ApprovalRequest, clock: Clock
) -> None:
    clock.answers = {
        NOW + timedelta(minutes=10): answer(asked, True, "casey"),
        NOW + timedelta(minutes=50): answer(asked, True),
    }
    record = approval.wait_for_decision(context, asked, sleep=clock.sleep)
    assert (record.approved, len(clock.slept)) == (True, 2)
    view = approval.decide(context, asked, record)
    assert view.result.outcome is Outcome.PASSED
    assert view.result.summary.startswith("Approved by")


def test_a_rejection_ends_the_wait_at_once(context: StepContext, asked: ApprovalRequest, clock: Clock) -> None:
    clock.answers = {NOW: answer(asked, False)}
    record = approval.wait_for_decision(context, asked, sleep=clock.sleep)
    assert (record.rejected, len(clock.slept)) == (True, 1)
    assert approval.decide(context, asked, record).result.outcome is Outcome.BLOCKED


def test_the_wait_ends_when_the_request_expires(context: StepContext, asked: ApprovalRequest, clock: Clock) -> None:
    record = approval.wait_for_decision(context, asked, sleep=clock.sleep)
    assert clock.now == asked.expires_at
    result = approval.decide(context, asked, record).result
    assert result.outcome is Outcome.BLOCKED
    assert "expired" in result.summary


def test_who_does_not_wait_has_asked_and_passed(context: StepContext, asked: ApprovalRequest, clock: Clock) -> None:
    record = approval.wait_for_decision(context, asked, wait=False, sleep=clock.sleep)
    result = approval.decide(context, asked, record).result
    assert (clock.slept, result.outcome, result.metrics["approved"]) == ([], Outcome.PASSED, False)
    assert "is asked for until 2026-11-23 13:00 UTC" in result.summary


@pytest.fixture
def planned(store: RunStore, request_: ApprovalRequest, result: Results) -> RunStore:
    """A run whose plan step passed, and nobody was asked yet."""
    store.write_json("02_plan/exposure.json", Exposure(sentence="Nothing changes."))
    store.write_result(result("plan"))
    store.path("03_approval/request.json").unlink()
    return store


def test_a_request_that_still_stands_for_this_plan_is_not_made_again(
    context: StepContext, planned: RunStore, slack: FakeSlack
) -> None:
    first = approval.request_approval(context)
    assert approval.request_approval(context) == first
    assert len([text for text, _ in slack.posts if "approval needed" in text]) == 1


def test_another_plan_is_asked_for_anew(context: StepContext, planned: RunStore) -> None:
    first = approval.request_approval(context)
    summary = planned.read_json("02_plan/summary.json")
    planned.write_json("02_plan/summary.json", {**summary, "plan_sha256": "0" * 64})
    assert approval.request_approval(context).plan_sha256 != first.plan_sha256


@pytest.mark.parametrize("outcome", [Outcome.BLOCKED, Outcome.ERRORED, None])
def test_a_plan_that_did_not_pass_is_put_before_nobody(
    context: StepContext, planned: RunStore, result: Results, outcome: Outcome | None
) -> None:
    planned.path("02_plan/result.json").unlink()
    if outcome:
        planned.write_result(result("plan", outcome))
    with pytest.raises(InputError, match="has no plan that may be approved"):
        approval.check_ready(context)


def test_a_repository_without_approvers_is_told_so_before_anybody_is_asked(
    context: StepContext, planned: RunStore
) -> None:
    config = context.settings.config
    context.settings.config = config.model_copy(
        update={"approval": config.approval.model_copy(update={"approvers": ()})}
    )
    with pytest.raises(ConfigError, match="names no approver"):
        approval.check_ready(context)


def plan_file(**state: object) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tfstate", json.dumps(state))
    return file.getvalue()


def test_a_plan_file_tells_the_state_that_it_was_made_against() -> None:
    assert read_lineage(plan_file(lineage="l", serial=3)) == ("l", 3)
    assert read_lineage(plan_file(lineage="l")) == ("l", 0)


@pytest.mark.parametrize("content", [b"", b"no zip", plan_file()[:30]], ids=["empty", "no zip", "cut off"])
def test_a_file_that_is_no_plan_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="the plan file can't be read"):
        read_lineage(content)


@pytest.mark.parametrize("client", ["none", "silent", "nobody"])
def test_where_gitlab_can_not_name_the_holder_the_lock_itself_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    class FakeGitLab:
        has_token = True

        def state_lock(self, name: str) -> None:
            if client == "silent":
                raise GitLabError("could not ask")

    monkeypatch.setattr(states, "state_client", lambda settings: None if client == "none" else FakeGitLab())
    with pytest.raises(StateLockedError, match="somebody"), states.holder_named(settings, "access"):
        raise StateLockedError("the state is locked by somebody")
