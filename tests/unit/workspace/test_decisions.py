"""What counts as a decision, by the systems that vouch for it and the facts as they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest
from step_fakes import NOW, FakeGitLab, FakeSlack, answering, built_in, found_plan

from runbook_lib.adapters.gitlab_data import GitLabJob
from runbook_lib.adapters.store import RunStore
from runbook_lib.domain.approval import ApplyFacts
from runbook_lib.errors import ApprovalError, InputError
from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord, Requirement
from runbook_lib.models.approval_config import SlackApprovals
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.findings import Finding, Severity, Verdict
from runbook_lib.models.risk import Risk, RiskLevel, RiskReason
from runbook_lib.models.run import Run
from runbook_lib.report.merge_request_note import Noted, NotedPlan, note_body
from runbook_lib.settings import Settings
from runbook_lib.workspace import asked, decisions
from runbook_lib.workspace.context import StepContext
from runbook_lib.workspace.decisions import collect, facts_now, plan_digest, planned_facts, tell_rejection, write_record
from runbook_lib.workspace.plan_check import FoundPlan
from runbook_lib.workspace.policy_reports import policy_files
from runbook_lib.workspace.records import last_decision, read_request

Contexts = Callable[..., StepContext]


@pytest.fixture
def context(load: Callable[..., Settings], store: RunStore, run: Run) -> Contexts:
    def make(**variables: str) -> StepContext:
        return StepContext(
            built_in("apply"), load(**variables), store, run, NOW, clock=lambda: NOW + timedelta(hours=1)
        )

    return make


@pytest.fixture(autouse=True)
def nothing_changes_who_approves(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stood before the change is what stands."""
    monkeypatch.setattr(decisions, "approval_config", lambda step: step.settings.config.approval_of(step.run.stack))


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The state as it is now."""
    document: dict[str, object] = {"lineage": "l", "serial": 3}
    monkeypatch.setattr(decisions, "read_state", answering(document))
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


def facts_of(context: StepContext, request: ApprovalRequest) -> ApplyFacts:
    return facts_now(context, request, found_plan(context))


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


@pytest.mark.parametrize(
    ("terminal", "variables", "counts"),
    [
        (None, {}, True),
        (False, {}, False),
        # Under CI whoever writes an artifact could decide, whatever runbook.yml says of terminals.
        (True, {"GITLAB_CI": "true", "project": "42"}, False),
    ],
)
def test_without_a_gitlab_a_file_of_the_run_decides_at_a_desk_alone(
    context: Contexts, store: RunStore, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch, *,
    terminal: bool | None, variables: dict[str, str], counts: bool,
) -> None:  # fmt: skip
    decide(store, request_, "alex")
    monkeypatch.setattr(decisions, "gitlab_client", answering(None))
    made = context(**variables)
    approval = made.settings.config.approval.model_copy(update={"terminal": terminal})
    made.settings.config = made.settings.config.model_copy(update={"approval": approval})
    record = collect(made, request_, matching(request_))
    assert [(one.user, one.counts) for one in record.decisions] == ([("alex", True)] if counts else [])


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
    facts = planned_facts(context(), request_)
    assert (facts.plan_sha256, facts.state_lineage, facts.state_serial) == (request_.plan_sha256, "l", 3)
    assert (facts.commit, facts.approvers) == ("4dc7a7", ("alex", "sam"))
    assert facts.requirements == (Requirement(needs=1, approvers=("alex", "sam")),)
    assert facts.policy_sha256


def test_all_that_a_decision_is_judged_by_is_of_this_run_and_of_runbook_yml(
    context: Contexts, request_: ApprovalRequest, state: dict[str, object]
) -> None:
    made = context()
    given = {"groups": {"security": ("robin",), "network": ("lee",)}, "break_glass": ("olga",), "quorum": 2}
    approval = made.settings.config.approval.model_copy(update=given)
    made.settings.config = made.settings.config.model_copy(update={"approval": approval})
    robin = Requirement(needs=1, approvers=("robin",), group="security", why="it is of risk high or worse")
    asked = request_.model_copy(update={"requirements": (robin,)})
    planned = planned_facts(made, asked)
    assert planned == ApplyFacts(
        plan_sha256=request_.plan_sha256,
        state_lineage="l",
        state_serial=3,
        commit="4dc7a7",
        policy_sha256=policy_files(made).digest,
        # Who was asked may answer, and those of no other group.
        approvers=("alex", "sam", "robin"),
        requirements=(Requirement(needs=2, approvers=("alex", "sam")),),
        break_glass=("olga",),
        run_id="7",
        stack="access",
        objectors=("alex", "sam", "robin"),
    )
    state["serial"] = 4
    assert facts_of(made, asked) == replace(planned, state_serial=4)


def test_of_what_nobody_has_to_approve_the_plan_step_asks_nobody(context: Contexts, request_: ApprovalRequest) -> None:
    nobody = Requirement(needs=0, approvers=("alex", "sam"), why="only closes")
    assert planned_facts(context(), request_.model_copy(update={"requirements": (nobody,)})).requirements == ()


def test_what_is_in_an_encrypted_plan_is_held_to_its_digest_where_it_is_decrypted(
    store: RunStore, request_: ApprovalRequest
) -> None:
    store.path("02_plan/plan.tfplan").unlink()
    store.write_bytes("02_plan/plan.tfplan.age", b"sealed")
    assert plan_digest(store) == request_.plan_sha256


def test_the_facts_now_are_the_state_s(context: Contexts, request_: ApprovalRequest, state: dict[str, object]) -> None:
    state["serial"] = 4
    assert facts_of(context(), request_).state_serial == 4


def test_where_there_is_no_state_yet_the_plan_s_own_lineage_stands(
    context: Contexts, request_: ApprovalRequest, state: dict[str, object]
) -> None:
    state.clear()
    facts = facts_of(context(), request_)
    assert (facts.state_lineage, facts.state_serial) == (request_.state_lineage, 0)


def test_what_is_required_now_is_asked_of_the_plan_that_was_found_by_the_clock_that_dates_decisions(
    context: Contexts, request_: ApprovalRequest, state: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = context()
    known: list[tuple[object, ...]] = []
    needs = (Requirement(needs=2, approvers=("lee",), group="network"),)

    def required(*given: object) -> tuple[tuple[str, ...], tuple[Requirement, ...]]:
        known.append(given)
        return ("lee",), needs

    monkeypatch.setattr(decisions, "required", required)
    # The plan that will be applied is the private copy, whatever lies in the run's folder by now.
    first = found_plan(made)
    copied = first.judged.summary.model_copy(update={"plan_sha256": "e" * 64})
    found = replace(first, judged=replace(first.judged, summary=copied))
    facts = facts_now(made, request_, found)
    # This machine's clock is an hour ahead of GitLab's.
    monkeypatch.setattr(asked, "gitlab_client", answering(FakeGitLab("riley")))
    assert facts_now(made, request_, found) == facts
    assert known == [(made, found, request_, NOW + timedelta(hours=1)), (made, found, request_, NOW)]
    assert (facts.plan_sha256, facts.approvers, facts.requirements) == ("e" * 64, ("lee",), needs)


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


Said = TypeVar("Said")


def of(step: StepContext, said: Said) -> Callable[[StepContext], Said]:
    """What is said of this step, and of no other."""

    def answer(context: StepContext) -> Said:
        assert context is step
        return said

    return answer


class Source:
    """Stands for a source of decisions, and keeps what it was made with."""

    def __init__(self, *given: object, **named: object) -> None:
        self.given = given
        self.named = named


@pytest.mark.parametrize(
    "case",
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
    context: Contexts,
    request_: ApprovalRequest,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[bool, str, list[str]],
) -> None:
    has_token, pipeline, names = case
    gitlab = FakeGitLab("alex")
    gitlab.has_token = has_token
    monkeypatch.setattr(decisions, "find_plan", found_plan)
    monkeypatch.setattr(decisions, "governance", lambda context: ())
    monkeypatch.setattr(decisions, "gitlab_client", answering(gitlab))
    for name in ("GitLabComments", "GitLabManualJob", "GitLabRejectJob", "GitLabDeployment", "GitLabMergeRequest"):
        monkeypatch.setattr(decisions, name, type(name, (Source,), {}))
    variables = {"project": "42", "GITLAB_CI": "true", "CI_PIPELINE_ID": pipeline, "RUNBOOK_REASON": "Late."}
    found = list(decisions._sources(context(**variables), request_))
    assert [type(source).__name__ for source in found] == names
    given = {type(source).__name__: (source.given, source.named) for source in found if isinstance(source, Source)}
    expected = {
        "GitLabComments": ((gitlab,), {"approves": False}),
        "GitLabManualJob": ((gitlab, 1001, "apply", dict(os.environ)), {}),
        "GitLabRejectJob": ((gitlab, 1001, "reject"), {}),
        "GitLabDeployment": ((gitlab, 1001, "apply"), {}),
    }
    if "GitLabMergeRequest" in given:
        (asked, effect), _ = given.pop("GitLabMergeRequest")
        assert asked is gitlab
        assert (effect.branch, effect.doubt, effect.differs("Looks good.")) == ("main", "", None)
    assert given == {name: expected[name] for name in names if name in expected}


@pytest.mark.parametrize(
    ("now", "before", "asked"), [(True, True, True), (True, False, False), (False, True, False), (False, False, False)]
)
def test_slack_s_answers_are_asked_for_where_runbook_yml_says_who_is_who_before_the_change_and_now(
    context: Contexts, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch, *,
    now: bool, before: bool, asked: bool,
) -> None:  # fmt: skip
    gitlab, made = FakeGitLab("alex"), context()
    gitlab.has_token = True
    stood, stands = (SlackApprovals.model_construct(users={f"U0{name}": "alex"}, key="") for name in ("OLD", "NEW"))
    approval = made.settings.config.approval
    made.settings.config = made.settings.config.model_copy(
        update={"approval": approval.model_copy(update={"slack": stands if now else None})}
    )
    in_force = approval.model_copy(update={"slack": stood if before else None})
    monkeypatch.setattr(decisions, "gitlab_client", answering(gitlab))
    monkeypatch.setattr(decisions, "approval_config", of(made, in_force))
    for name in ("GitLabComments", "SlackAnswers"):
        monkeypatch.setattr(decisions, name, type(name, (Source,), {}))
    found = list(decisions._sources(made, request_))
    assert [type(source).__name__ for source in found] == ["GitLabComments", *(["SlackAnswers"] if asked else [])]
    # By what stood before: who the change itself names says nothing of who they are, but may say no.
    given = [(gitlab, stood, {"U0NEW": "alex"})] if asked else []
    assert [source.given for source in found[1:] if isinstance(source, Source)] == given


@pytest.mark.parametrize(("terminal", "project", "counts"), [
    (None, "", True), (None, "42", False), (True, "42", True), (False, "", False),
])  # fmt: skip
def test_a_person_s_word_in_a_comment_approves_where_a_terminal_s_does(
    context: Contexts, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch, *,
    terminal: bool | None, project: str, counts: bool,
) -> None:  # fmt: skip
    gitlab, made = FakeGitLab("alex"), context(project=project)
    gitlab.has_token = True
    approval = made.settings.config.approval.model_copy(update={"terminal": terminal})
    made.settings.config = made.settings.config.model_copy(update={"approval": approval})
    monkeypatch.setattr(decisions, "gitlab_client", answering(gitlab))
    monkeypatch.setattr(decisions, "GitLabComments", Source)
    (comments,) = decisions._sources(made, request_)
    assert isinstance(comments, Source)
    assert comments.named == {"approves": counts}


def test_a_no_is_heard_under_the_name_that_the_job_for_it_had_before_the_change_as_well(
    context: Contexts, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "gitlab_client", answering(FakeGitLab("alex")))
    monkeypatch.setattr(decisions, "GitLabRejectJob", Source)
    made = context(project="42", GITLAB_CI="true", CI_PIPELINE_ID="1001")
    before = made.settings.config.approval.model_copy(update={"reject_job": "say no"})
    monkeypatch.setattr(decisions, "approval_config", of(made, before))
    _, *rejecting = decisions._sources(made, request_)
    assert [source.given[2] for source in rejecting if isinstance(source, Source)] == ["reject", "say no"]


def test_what_the_job_was_told_stands_in_its_environment(
    context: Contexts, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decisions, "gitlab_client", answering(FakeGitLab("alex")))
    monkeypatch.setattr(decisions, "GitLabManualJob", Source)
    made = context(project="42", GITLAB_CI="true", CI_PIPELINE_ID="1001", RUNBOOK_DECISON="no")
    job, _ = decisions._sources(made, request_)
    assert isinstance(job, Source)
    assert job.given[3]["RUNBOOK_DECISON"] == "no"


@pytest.mark.parametrize("terminal", [None, True, False])
def test_where_there_is_a_gitlab_no_file_of_the_run_decides(
    context: Contexts, store: RunStore, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    decide(store, request_, "alex")
    gitlab = FakeGitLab("riley")
    gitlab.has_token = True
    monkeypatch.setattr(decisions, "gitlab_client", answering(gitlab))
    made = context()
    approval = made.settings.config.approval.model_copy(update={"terminal": terminal})
    made.settings.config = made.settings.config.model_copy(update={"approval": approval})
    assert not collect(made, request_, matching(request_)).decisions


def test_decisions_are_judged_by_gitlab_s_clock_and_a_skew_is_named(
    context: Contexts, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "gitlab_client", answering(FakeGitLab("riley")))
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
    facts = facts_of(made, request_)
    assert asked == [(made.settings, "access")]
    assert (facts.state_lineage, facts.state_serial, facts.plan_sha256) == ("other", 9, request_.plan_sha256)
    assert (facts.commit, facts.approvers) == ("4dc7a7", ("alex", "sam"))
    assert facts.requirements == (Requirement(needs=1, approvers=("alex", "sam")),)
    assert facts.policy_sha256 == planned_facts(made, request_).policy_sha256 != ""


@pytest.mark.parametrize(
    "case",
    [
        (("data.external.a runs a",), (), "the plan runs code, of which a fingerprint does not tell all"),
        (
            (),
            ("This change also adds mallory as approver.",),
            "the change is about who and what judges it, which its note did not say",
        ),
        ((), (), ""),
    ],
)
def test_what_a_merge_request_s_note_does_not_say_keeps_its_approvals_from_counting(
    context: Contexts,
    request_: ApprovalRequest,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[tuple[str, ...], tuple[str, ...], str],
) -> None:
    (code, judged_by, said), made = case, context()
    found = replace(found_plan(made), code=code)

    def find(context: StepContext, *, backend: bool) -> FoundPlan:
        # What keeps the state is no part of what the note shows, and is not asked here.
        assert (context, backend) == (made, False)
        return found

    monkeypatch.setattr(decisions, "find_plan", find)
    # What the request says of it was written by whoever could write the folder.
    monkeypatch.setattr(decisions, "governance", of(made, judged_by))
    noted = decisions._noted_effect(made, request_.model_copy(update={"governance": (), "code": ()}), "main")
    assert (noted.branch, noted.doubt) == ("main", said)


def test_a_merge_request_s_note_is_held_to_what_this_plan_comes_to_with_its_secrets_masked(
    context: Contexts, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = context()
    made.settings.redactor.add(["web-of-a-secret"])
    findings = (
        Finding(
            policy="world", verdict=Verdict.FAILED, severity=Severity.HIGH, address="a.web-of-a-secret", message="m"
        ),
    )
    first = found_plan(made)
    judged = replace(
        first.judged,
        report=first.judged.report.model_copy(update={"findings": findings}),
        exposure=Exposure(sentence="Nobody."),
    )
    found = replace(first, judged=judged)
    monkeypatch.setattr(decisions, "find_plan", lambda context, *, backend: found)
    monkeypatch.setattr(decisions, "governance", lambda context: ())
    # Its own findings make it so risky.
    risk = Risk(level=RiskLevel.HIGH, reasons=(RiskReason(level=RiskLevel.HIGH, text="fails world"),))
    shown = NotedPlan(judged.summary, judged.exposure, risk, findings)
    differs = decisions._noted_effect(made, request_, "main").differs

    def note(plan: NotedPlan, stack: str = "access") -> str:
        return made.settings.redactor.mask(note_body(Noted(stack, 1001, "4dc7a7", plan=plan)))

    assert differs(note(shown)) == ""
    assert differs(note(shown, "network")) is None
    otherwise = "it showed another risk, exposure, change or finding than this plan has"
    for other in (
        replace(shown, risk=Risk()),
        replace(shown, findings=()),
        replace(shown, exposure=Exposure()),
        replace(shown, summary=judged.summary.model_copy(update={"delete": 9})),
    ):
        assert differs(note(other)) == otherwise


class Job(FakeGitLab):
    """The job of a pipeline that somebody played, as it tells of itself."""

    def __init__(self, name: str) -> None:
        super().__init__("riley")
        self.has_job_token = True
        url = "https://g.example/-/jobs/5"
        self.job: GitLabJob | None = GitLabJob(5, name, "running", "sam", 1001, NOW, None, 0, url, "4dc7a7", "")

    def whose_job(self) -> GitLabJob | None:
        return self.job


def test_the_job_that_rejects_keeps_and_tells_who_played_it(
    settings: Settings, store: RunStore, request_: ApprovalRequest, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (decisions, asked):
        monkeypatch.setattr(module, "gitlab_client", answering(Job("reject")))
    decision = tell_rejection(settings, "7", "Too wide")
    assert decision == Decision(
        source="gitlab_reject_job",
        user="sam",
        approved=False,
        at=NOW,
        plan_sha256=request_.plan_sha256,
        reason="Too wide",
        reference="https://g.example/-/jobs/5",
    )
    # The approval step is sealed by then: nothing is written into its folder.
    assert not store.exists("03_approval/decision.json")
    assert last_decision(store) == DecisionRecord(
        run_id="7",
        plan_sha256=request_.plan_sha256,
        decisions=(decision.model_copy(update={"counts": True}),),
        approved=False,
        rejected=True,
        reasons=("sam rejected the change: Too wide. Correct it and run the plan step again.",),
        checked_at=NOW,
    )
    assert "sam" in slack.posts[-1][0]


def test_no_other_job_and_no_desk_rejects(
    settings: Settings, store: RunStore, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent, gone = Job("reject"), Job("reject")
    silent.has_job_token, gone.job = False, None
    for gitlab in (Job("apply"), silent, gone, None):
        monkeypatch.setattr(decisions, "gitlab_client", answering(gitlab))
        assert tell_rejection(settings, "7", "Too wide") is None
    assert not store.exists("rejection.json")


def test_the_job_that_rejects_is_the_one_that_runbook_yml_names_and_needs_no_reason(
    settings: Settings, store: RunStore, request_: ApprovalRequest, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    approval = settings.config.approval.model_copy(update={"reject_job": "say no"})
    settings.config = settings.config.model_copy(update={"approval": approval})
    monkeypatch.setattr(decisions, "gitlab_client", answering(Job("reject")))
    assert tell_rejection(settings, "7") is None
    for module in (decisions, asked):
        monkeypatch.setattr(module, "gitlab_client", answering(Job("say no")))
    decision = tell_rejection(settings, "7")
    assert decision is not None
    assert decision.reason == ""
    assert last_decision(store).reasons == ("sam rejected the change. Correct it and run the plan step again.",)


def test_what_another_step_judged_is_kept_in_its_own_folder(
    context: Contexts, store: RunStore, request_: ApprovalRequest
) -> None:
    write_record(store, collect(context(), request_, matching(request_)), "apply")
    assert store.read_json("04_apply/decision.json")["run_id"] == "7"
    assert not store.exists("03_approval/decision.json")
