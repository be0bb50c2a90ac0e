"""What counts as a decision, by the systems that vouch for it and the facts as they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta

import pytest
from step_fakes import NOW, FakeGitLab, built_in

from runbook_lib.adapters.store import RunStore
from runbook_lib.domain.approval import ApplyFacts
from runbook_lib.errors import ApprovalError, InputError
from runbook_lib.models.approval import ApprovalRequest, Decision
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace import asked, decisions
from runbook_lib.workspace.context import StepContext
from runbook_lib.workspace.decisions import collect, facts_now, plan_digest, planned_facts, read_request, write_record

Contexts = Callable[..., StepContext]


@pytest.fixture
def context(load: Callable[..., Settings], store: RunStore, run: Run) -> Contexts:
    def make(**variables: str) -> StepContext:
        return StepContext(
            built_in("apply"), load(**variables), store, run, NOW, clock=lambda: NOW + timedelta(hours=1)
        )

    return make


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The state as it is now."""
    document: dict[str, object] = {"lineage": "l", "serial": 3}
    monkeypatch.setattr(decisions, "read_state", lambda settings, stack: document)
    return document


def decide(store: RunStore, request: ApprovalRequest, user: str, approved: bool = True) -> None:
    decision = Decision(
        source="terminal",
        user=user,
        approved=approved,
        at=NOW + timedelta(minutes=5),
        plan_sha256=request.plan_sha256,
    )
    store.write_json(f"03_approval/decisions/{user}.json", decision)


def matching(request: ApprovalRequest) -> ApplyFacts:
    return ApplyFacts(request.plan_sha256, request.state_lineage, request.state_serial, approvers=("alex", "sam"))


def test_an_approver_s_yes_from_a_terminal_counts_by_hand(
    context: Contexts, store: RunStore, request_: ApprovalRequest
) -> None:
    decide(store, request_, "alex")
    record = collect(context(), request_, matching(request_))
    assert record.approved
    assert record.checked_at == NOW + timedelta(hours=1)


def test_in_a_pipeline_a_file_in_the_run_folder_decides_nothing(
    context: Contexts, store: RunStore, request_: ApprovalRequest
) -> None:
    decide(store, request_, "alex")
    record = collect(context(project="42", GITLAB_CI="true"), request_, matching(request_))
    assert (record.approved, record.decisions) == (False, ())


def test_a_plan_file_with_another_digest_than_the_plan_step_s_is_refused(
    store: RunStore, request_: ApprovalRequest
) -> None:
    assert plan_digest(store) == request_.plan_sha256
    store.write_bytes("02_plan/plan.tfplan", b"another plan")
    with pytest.raises(ApprovalError, match="not the one that the plan step made"):
        plan_digest(store)


def test_a_plan_file_that_is_gone_is_refused(store: RunStore, request_: ApprovalRequest) -> None:
    store.path("02_plan/plan.tfplan").unlink()
    with pytest.raises(ApprovalError):
        plan_digest(store)


def test_the_facts_at_plan_time_are_the_plan_s(context: Contexts, request_: ApprovalRequest) -> None:
    facts = planned_facts(context())
    assert (facts.plan_sha256, facts.state_lineage, facts.state_serial) == (request_.plan_sha256, "l", 3)
    assert (facts.commit, facts.approvers, facts.quorum) == ("4dc7a7", ("alex", "sam"), 1)
    assert facts.policy_sha256


def test_the_facts_now_are_the_state_s(context: Contexts, request_: ApprovalRequest, state: dict[str, object]) -> None:
    state["serial"] = 4
    assert facts_now(context(), request_, "found").state_serial == 4


def test_where_there_is_no_state_yet_the_plan_s_own_lineage_stands(
    context: Contexts, request_: ApprovalRequest, state: dict[str, object]
) -> None:
    state.clear()
    facts = facts_now(context(), request_, "found")
    assert (facts.state_lineage, facts.state_serial) == (request_.state_lineage, 0)


def test_without_a_request_it_says_which_step_makes_one(store: RunStore) -> None:
    with pytest.raises(InputError) as caught:
        read_request(store)
    assert caught.value.remedy == "Run the step approval first."


def test_what_was_decided_is_kept_beside_the_request(
    context: Contexts, store: RunStore, request_: ApprovalRequest
) -> None:
    record = collect(context(), request_, matching(request_))
    write_record(store, record)
    assert store.read_json("03_approval/decision.json")["approved"] is False


class Source:
    """Stands for a source of decisions, and keeps what it was made with."""

    def __init__(self, *given: object, **named: object) -> None:
        self.given = given
        self.named = named


@pytest.mark.parametrize(
    ("has_token", "pipeline", "names"),
    [
        (
            True,
            "1001",
            ["GitLabComments", "GitLabManualJob", "GitLabRejectJob", "GitLabDeployment", "GitLabMergeRequest"],
        ),
        (False, "1001", ["GitLabManualJob", "GitLabRejectJob"]),
        (True, "", ["GitLabComments"]),
    ],
)
def test_gitlab_s_word_is_asked_for_wherever_it_may_be_given(
    context: Contexts, monkeypatch: pytest.MonkeyPatch, has_token: bool, pipeline: str, names: list[str]
) -> None:
    gitlab = FakeGitLab("alex")
    gitlab.has_token = has_token
    monkeypatch.setattr(decisions, "gitlab_client", lambda settings: gitlab)
    for name in ("GitLabComments", "GitLabManualJob", "GitLabRejectJob", "GitLabDeployment", "GitLabMergeRequest"):
        monkeypatch.setattr(decisions, name, type(name, (Source,), {}))
    variables = {"project": "42", "GITLAB_CI": "true", "CI_PIPELINE_ID": pipeline, "RUNBOOK_REASON": "Late."}
    found = list(decisions._sources(context(**variables)))
    assert [type(source).__name__ for source in found] == names
    given = {type(source).__name__: (source.given, source.named) for source in found if isinstance(source, Source)}
    expected = {
        "GitLabComments": ((gitlab,), {"approves": False}),
        "GitLabManualJob": ((gitlab, 1001, "apply", dict(os.environ)), {}),
        "GitLabRejectJob": ((gitlab, 1001, "reject"), {}),
        "GitLabDeployment": ((gitlab, 1001, "apply"), {}),
        "GitLabMergeRequest": ((gitlab,), {}),
    }
    assert given == {name: expected[name] for name in names}


def test_what_the_job_was_told_stands_in_its_environment(context: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "gitlab_client", lambda settings: FakeGitLab("alex"))
    monkeypatch.setattr(decisions, "GitLabManualJob", Source)
    job, _ = decisions._sources(context(project="42", GITLAB_CI="true", CI_PIPELINE_ID="1001", RUNBOOK_DECISON="no"))
    assert isinstance(job, Source)
    assert job.given[3]["RUNBOOK_DECISON"] == "no"


@pytest.mark.parametrize("terminal", [None, True, False])
def test_where_there_is_a_gitlab_no_file_of_the_run_decides(
    context: Contexts, store: RunStore, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    decide(store, request_, "alex")
    gitlab = FakeGitLab("riley")
    gitlab.has_token = True
    monkeypatch.setattr(decisions, "gitlab_client", lambda settings: gitlab)
    made = context()
    approval = made.settings.config.approval.model_copy(update={"terminal": terminal})
    made.settings.config = made.settings.config.model_copy(update={"approval": approval})
    assert not collect(made, request_, matching(request_)).decisions


def test_decisions_are_judged_by_gitlab_s_clock_and_a_skew_is_named(
    context: Contexts, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "gitlab_client", lambda settings: FakeGitLab("riley"))
    record = collect(context(), request_, matching(request_))
    assert record.checked_at == NOW
    assert record.reasons[-1] == (
        "This machine's clock is 60 minutes ahead of GitLab's, by which is judged. Set it right."
    )


def test_a_plan_file_that_was_exchanged_says_what_to_do(store: RunStore, request_: ApprovalRequest) -> None:
    store.write_bytes("02_plan/plan.tfplan", b"another plan")
    with pytest.raises(ApprovalError) as caught:
        plan_digest(store)
    assert caught.value.remedy == "Plan and ask again: `runbook run --from plan --run-id 7`, or a new pipeline."


def test_the_facts_now_are_those_of_the_run_s_stack_and_of_all_that_was_judged_by(
    context: Contexts, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def read(*given: object) -> dict[str, object]:
        asked.append(given)
        return {"lineage": "other", "serial": "9"}

    monkeypatch.setattr(decisions, "read_state", read)
    made = context()
    facts = facts_now(made, request_, "found")
    assert asked == [(made.settings, "access")]
    assert (facts.state_lineage, facts.state_serial, facts.plan_sha256) == ("other", 9, "found")
    assert (facts.commit, facts.approvers, facts.quorum) == ("4dc7a7", ("alex", "sam"), 1)
    assert facts.policy_sha256 == planned_facts(made).policy_sha256 != ""
