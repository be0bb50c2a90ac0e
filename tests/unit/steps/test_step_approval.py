"""The approval step: one request for one plan, and by hand the wait for its answer."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from step_fakes import NOW, FakeGitLab, FakeSlack, built_in, found_plan

from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ApprovalError, ConfigError, GitLabError, InputError, StateLockedError
from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord
from runbook_lib.models.base import Outcome
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.findings import Action, Finding, Severity, Verdict
from runbook_lib.models.plan import PlanInputs
from runbook_lib.models.results import StepResult
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.steps import approval
from runbook_lib.workspace import plan_check, states
from runbook_lib.workspace.base_commit import BaseCommit
from runbook_lib.workspace.context import StepContext
from runbook_lib.workspace.governance import Before
from runbook_lib.workspace.plan_check import FoundPlan, read_lineage
from runbook_lib.workspace.policy_reports import policy_files

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
def planned(store: RunStore, request_: ApprovalRequest, result: Results, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """A run whose plan step passed, and nobody was asked yet."""
    store.write_json("02_plan/exposure.json", Exposure(sentence="Nothing changes."))
    store.write_result(result("plan"))
    monkeypatch.setattr(approval, "find_plan", found_plan)
    monkeypatch.setattr(approval, "problems_of", lambda *given: ())
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
    context.known.clear()
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
    with pytest.raises(ConfigError) as raised:
        approval.check_ready(context)
    assert (raised.value.message, raised.value.remedy) == (
        "runbook.yml names no approver",
        "Add logins to approval.approvers.",
    )


def test_a_plan_that_changes_nothing_is_put_before_nobody(
    context: StepContext, planned: RunStore, result: Results
) -> None:
    planned.write_result(result("plan").model_copy(update={"ends": True, "summary": "Plan: nothing to change."}))
    with pytest.raises(ApprovalError) as raised:
        approval.check_ready(context)
    assert (raised.value.message, raised.value.remedy) == (
        "there is nothing to approve: Plan: nothing to change.",
        "Change something, and plan again.",
    )


def test_what_differs_from_a_job_s_commit_is_put_before_nobody(
    context: StepContext, planned: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Settings, str]] = []

    def differing(settings: Settings, stack: str) -> tuple[str, ...]:
        asked.append((settings, stack))
        return "Two files differ.", "So does another."

    monkeypatch.setattr(approval, "uncommitted_in_ci", differing)
    with pytest.raises(ApprovalError) as raised:
        approval.request_approval(context)
    assert (raised.value.message, raised.value.remedy) == (
        "Two files differ. So does another.",
        "Commit them, or let no job before this one write there.",
    )
    assert asked == [(context.settings, "access")]
    assert not planned.exists("03_approval/request.json")


def test_a_plan_that_no_longer_fits_is_put_before_nobody(
    context: StepContext, planned: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[tuple[str, str]] = []

    def problems(_: StepContext, asked: ApprovalRequest, found: FoundPlan) -> tuple[str, ...]:
        judged.append((asked.plan_sha256, found.judged.summary.plan_sha256))
        return "The state went on.", "A policy is another."

    monkeypatch.setattr(approval, "problems_of", problems)
    with pytest.raises(ApprovalError) as raised:
        approval.request_approval(context)
    assert (raised.value.message, raised.value.remedy) == (
        "The state went on. A policy is another.",
        "Begin at the plan step: runbook run --from plan.",
    )
    assert len(judged) == 1
    assert judged[0][0] == judged[0][1] != ""
    assert not planned.exists("03_approval/request.json")


def test_what_is_asked_for_is_printed_with_what_it_opens(
    context: StepContext, planned: RunStore, slack: FakeSlack, capsys: pytest.CaptureFixture[str]
) -> None:
    made = approval.request_approval(context)
    assert capsys.readouterr().out.endswith(f"Asked for: stack access, plan {made.plan_sha256}: Nothing changes.\n")
    context.known.clear()
    planned.write_json("02_plan/exposure.json", Exposure())
    approval.request_approval(context)
    assert capsys.readouterr().out.endswith(f"plan {made.plan_sha256}: Nobody gains or loses access.\n")


def test_a_request_tells_of_uncommitted_files_of_who_judges_and_of_what_went_wrong_before(
    context: StepContext, planned: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clean(settings: Settings, stack: str) -> tuple[str, ...]:
        assert (settings, stack) == (context.settings, "access")
        return ()

    monkeypatch.setattr(approval, "uncommitted", clean)
    monkeypatch.setattr(approval, "governance", lambda given: ("Policies changed.",) if given is context else ())
    monkeypatch.setattr(
        approval, "earlier_troubles", lambda *given: ("It failed.",) if given == (context.settings, context.run) else ()
    )
    made = approval.request_approval(context)
    assert (made.dirty, made.governance, made.earlier) == (False, ("Policies changed.",), ("It failed.",))
    monkeypatch.setattr(approval, "uncommitted", lambda settings, stack: ("policies/a.yml",))
    assert approval.request_approval(context).dirty
    # What was noted when the run began counts as well.
    monkeypatch.setattr(approval, "uncommitted", clean)
    context.run = context.run.model_copy(update={"dirty": True})
    assert approval.request_approval(context).dirty


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
    with pytest.raises(InputError, match="the plan file can't be read") as caught:
        read_lineage(content)
    assert caught.value.remedy == "Run the plan step again."


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


def test_a_plan_that_passed_and_the_approvers_are_told_first(context: StepContext, planned: RunStore) -> None:
    found = [(result.name, result.found) for result in approval.check_ready(context)]
    assert found == [("run", "7 of stack access"), ("plan", "plan it is"), ("approvers", "alex, sam")]


class FakeJobs(FakeGitLab):
    """A pipeline with these jobs."""

    has_token = True

    def pipeline_jobs(self, pipeline_id: int) -> tuple[SimpleNamespace, ...]:
        self.asked_pipelines.append(pipeline_id)
        names = ("plan", "apply", "plan")
        return tuple(
            SimpleNamespace(name=name, web_url=f"https://gitlab.example/-/jobs/{number}")
            for number, name in enumerate(names, 1)
        )


@pytest.fixture
def in_pipeline(
    context: StepContext, planned: RunStore, load: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> FakeJobs:
    fake = FakeJobs("alex")
    monkeypatch.setattr(approval, "gitlab_client", lambda settings: fake)
    context.settings = load(CI_PIPELINE_ID="1001")
    context.run = context.run.model_copy(update={"pipeline_url": "https://gitlab.example/-/pipelines/1001"})
    return fake


@pytest.fixture
def plan_links(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The page of the plan that each request was sent with."""
    found: list[str] = []

    class FakeTeller:
        def __init__(self, *given: object) -> None:
            pass

        def ask_approval(self, request: ApprovalRequest, plan_url: str) -> None:
            found.append(plan_url)

    monkeypatch.setattr(approval, "Teller", FakeTeller)
    return found


def test_who_approves_is_led_to_the_job_that_is_played_and_to_the_plan_s_newest(
    context: StepContext, in_pipeline: FakeJobs, plan_links: list[str]
) -> None:
    request = approval.request_approval(context)
    assert request.url == "https://gitlab.example/-/jobs/2"
    assert plan_links == ["https://gitlab.example/-/jobs/3"]
    assert set(in_pipeline.asked_pipelines) == {1001}


def test_a_job_that_the_pipeline_does_not_have_leads_to_the_pipeline(
    context: StepContext, in_pipeline: FakeJobs, plan_links: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_pipeline, "pipeline_jobs", lambda pipeline: ())
    assert approval.request_approval(context).url == "https://gitlab.example/-/pipelines/1001"


def test_without_a_token_the_pipeline_s_page_is_the_nearest(
    context: StepContext, in_pipeline: FakeJobs, plan_links: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_pipeline, "has_token", False)
    assert approval.request_approval(context).url == "https://gitlab.example/-/pipelines/1001"
    assert plan_links == ["https://gitlab.example/-/pipelines/1001"]


def test_a_request_holds_all_that_it_is_judged_by(
    context: StepContext, planned: RunStore, slack: FakeSlack, result: Results
) -> None:
    finding = Finding(
        policy="p", verdict=Verdict.FAILED, severity=Severity.LOW, address="a", message="m", action=Action.WARN
    )
    for name in ("compliance", "plan"):
        planned.write_result(
            result(name).model_copy(update={"findings": (finding.model_copy(update={"message": "x"}),)})
        )
    # What counts is the plan file's own verdict, whatever the earlier steps' results say.
    found = found_plan(context)
    report = found.judged.report.model_copy(update={"findings": (finding,)})
    context.known["fake plan"] = replace(found, judged=replace(found.judged, report=report))
    made = approval.request_approval(context)
    assert made == planned.read_model("03_approval/request.json", ApprovalRequest)
    assert (made.run_id, made.stack, made.commit, made.requester) == ("7", "access", "4dc7a7", "riley")
    assert (made.approvers, made.quorum, made.created_at) == (("alex", "sam"), 1, NOW)
    assert made.expires_at == NOW + timedelta(hours=4)
    assert made.findings == (finding,)
    assert made.exposure.sentence == "Nothing changes."
    assert made.policy_sha256 == policy_files(context).digest
    assert (made.state_lineage, made.state_serial) == ("l", 3)
    record = DecisionRecord(run_id="7", plan_sha256=made.plan_sha256, approved=False, checked_at=NOW)
    inputs = approval.decide(context, made, record).result.inputs
    assert [file.path for file in inputs] == ["02_plan/plan.tfplan"]


def test_a_request_names_who_wrote_and_holds_digests_of_what_the_plan_was_made_from(
    context: StepContext, planned: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[StepContext, str]] = []

    def wrote(settings: Settings, run: Run) -> tuple[tuple[str, ...], tuple[str, ...]]:
        assert (settings, run) == (context.settings, context.run)
        return ("robin", "kim"), ("x@example.com",)

    @contextmanager
    def keeping(given: StepContext, name: str) -> Iterator[None]:
        kept.append((given, name))
        yield

    monkeypatch.setattr(approval, "who_wrote", wrote)
    monkeypatch.setattr(approval, "keeping_answers", keeping)
    made = approval.request_approval(context)
    assert (made.authors, made.unknown_authors, made.complete) == (("robin", "kim"), ("x@example.com",), True)
    assert made.inputs_sha256 == plan_check.inputs_digest(PlanInputs())
    assert made.config_sha256 == plan_check.config_digest(context.settings)
    assert kept == [(context, "gitlab")]
    found = found_plan(context)
    context.known["fake plan"] = replace(found, plan=found.plan.model_copy(update={"complete": False}))
    assert not approval.request_approval(context).complete


def test_who_rejects_is_led_to_the_job_for_it_where_there_is_one(
    context: StepContext, in_pipeline: FakeJobs, plan_links: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without such a job there is no other page than the pipeline's, which is told already.
    assert approval.request_approval(context).reject_url == ""
    name = context.settings.config.approval.reject_job
    job = SimpleNamespace(name=name, web_url="https://gitlab.example/-/jobs/9")
    monkeypatch.setattr(in_pipeline, "pipeline_jobs", lambda pipeline: (job,))
    made = approval.request_approval(context)
    assert (made.reject_url, made.url) == (job.web_url, "https://gitlab.example/-/pipelines/1001")
    assert plan_links[-1] == "https://gitlab.example/-/pipelines/1001"


def test_the_code_that_will_run_is_asked_for_and_what_was_not_shown_stops_it(
    context: StepContext, planned: RunStore
) -> None:
    found = replace(found_plan(context), code=("data.external.a runs a",))
    context.known["fake plan"] = found
    made = approval.request_approval(context)
    assert planned.read_json("03_approval/request.json")["code"] == ["data.external.a runs a"]
    assert not [said for said in plan_check.problems_of(context, made, found) if "Code that will run" in said]
    more = replace(found, code=(*found.code, "data.external.b runs b"))
    (said,) = [said for said in plan_check.problems_of(context, made, more) if "Code that will run" in said]
    assert "data.external.b runs b" in said


def test_a_plan_file_is_searched_for_code_whatever_lies_beside_it(
    context: StepContext, planned: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = {"resources": [{"mode": "data", "type": "external", "name": "a", "expressions": {}}]}
    shown = {"format_version": "1.2", "resource_changes": [], "configuration": {"root_module": root}}
    shown["configuration"] |= {"provider_config": {"x": {"full_name": "example.com/x/y"}}}
    client = SimpleNamespace(directory=context.stack_dir, show_plan=lambda path: json.dumps(shown))
    monkeypatch.setattr(plan_check, "terraform_client", lambda *given: client)
    monkeypatch.setattr(plan_check, "ensure_initialised", lambda *given, **more: False)
    monkeypatch.setattr(plan_check, "plan_inputs", lambda *given: PlanInputs())
    file = planned.path("02_plan/plan.tfplan")
    file.write_bytes(plan_file(lineage="l", serial=3))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("tfconfig/m-/x.tf", 'removed {\n  from = a.b\n  provisioner "local-exec" {}\n}\n')
    assert plan_check.find_plan(context, backend=False).code == (
        "data.external.a runs a command known at apply, already while planning",
        'removed block in x.tf, line 1 runs: provisioner "local-exec" {} }',
        "provider example.com/x/y is locked by nothing: no .terraform.lock.hcl is there",
    )


def test_a_request_that_expired_is_made_anew(context: StepContext, planned: RunStore, clock: Clock) -> None:
    first = approval.request_approval(context)
    clock.now = first.expires_at
    assert approval.request_approval(context).created_at == first.expires_at


def test_who_waits_is_told_for_whom_and_asks_ever_less_often(
    context: StepContext, asked: ApprovalRequest, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    moments = iter([NOW] * 30 + [asked.expires_at] * 5)
    monkeypatch.setattr(context, "clock", lambda: next(moments))
    approval.wait_for_decision(context, asked, sleep=slept.append)
    assert capsys.readouterr().out == "Waiting for 1 of alex, sam until 13:00 UTC …\n"
    assert slept[:3] == pytest.approx([0.1, 0.125, 0.15625])
    assert max(slept) <= 10.0


def test_a_request_that_expired_is_told_to_be_over_and_one_that_was_rejected_is_told_as_a_decision(
    context: StepContext, asked: ApprovalRequest, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, object]] = []

    class FakeTeller:
        def __init__(self, *given: object) -> None:
            assert given == (context.settings, context.store, context.run)

        def tell_decision(self, record: DecisionRecord) -> None:
            told.append(("decision", record))

        def tell_over(self, request: ApprovalRequest) -> None:
            told.append(("over", request))

    monkeypatch.setattr(approval, "Teller", FakeTeller)
    approval.wait_for_decision(context, asked, wait=False, sleep=clock.sleep)
    assert told == []
    clock.now = asked.expires_at
    approval.wait_for_decision(context, asked, sleep=clock.sleep)
    assert told == [("over", asked)]
    clock.now = NOW
    clock.answers = {NOW: answer(asked, False)}
    clock.sleep(0)
    record = approval.wait_for_decision(context, asked, sleep=clock.sleep)
    assert told[1:] == [("decision", record)]


def test_in_a_pipeline_nobody_waits(
    context: StepContext, asked: ApprovalRequest, clock: Clock, load: Callable[..., Settings]
) -> None:
    context.settings = load(project="42", GITLAB_CI="true")
    context.known["before"] = Before(BaseCommit(first=True))
    record = approval.wait_for_decision(context, asked, sleep=clock.sleep)
    assert (record.approved, clock.slept) == (False, [])


def test_a_decision_is_kept_and_told_and_where_there_is_none_nothing_is_told(
    context: StepContext, asked: ApprovalRequest, clock: Clock, slack: FakeSlack
) -> None:
    approval.wait_for_decision(context, asked, wait=False)
    assert slack.posts == []
    assert context.store.read_json("03_approval/decision.json")["approved"] is False
    clock.answers = {NOW: answer(asked, True)}
    clock.sleep(0)
    clock.sleep(0)
    record = approval.wait_for_decision(context, asked, wait=False)
    assert record.approved
    assert len(slack.posts) == 1
    assert context.store.read_model("03_approval/decision.json", DecisionRecord) == record


def recorded_as(request: ApprovalRequest, *decisions: Decision, **changes: object) -> DecisionRecord:
    given = {"run_id": "7", "plan_sha256": request.plan_sha256, "checked_at": NOW, "approved": False, **changes}
    return DecisionRecord(decisions=decisions, **given)


def test_the_end_names_who_approved_which_plan(context: StepContext, asked: ApprovalRequest) -> None:
    said = (answer(asked, True), answer(asked, False, "robin"), answer(asked, True, "sam"))
    result = approval.decide(context, asked, recorded_as(asked, *said, approved=True)).result
    assert result.summary == f"Approved by alex, sam: plan {asked.plan_sha256[:12]}."
    assert result.metrics == {"plan_sha256": asked.plan_sha256, "approved": True}


def test_the_end_says_why_nobody_had_to_approve(context: StepContext, asked: ApprovalRequest) -> None:
    record = recorded_as(asked, approved=True, unasked="no rule changes")
    result = approval.decide(context, asked, record).result
    assert (result.outcome, result.summary) == (
        Outcome.PASSED,
        f"Nobody need approve plan {asked.plan_sha256[:12]}: no rule changes.",
    )
    assert result.metrics == {"plan_sha256": asked.plan_sha256, "approved": True}


def test_a_request_that_nobody_answered_in_time_is_not_approved(context: StepContext, asked: ApprovalRequest) -> None:
    late = recorded_as(asked, reasons=("It expired.",)).model_copy(update={"checked_at": asked.expires_at})
    result = approval.decide(context, asked, late).result
    assert (result.outcome, result.summary) == (Outcome.BLOCKED, "Not approved: It expired.")
    assert result.metrics == {"plan_sha256": asked.plan_sha256, "approved": False}


def test_the_end_gives_every_reason_why_it_was_not_approved(context: StepContext, asked: ApprovalRequest) -> None:
    record = recorded_as(asked, rejected=True, reasons=("alex said no.", "It is late."))
    result = approval.decide(context, asked, record).result
    assert (result.outcome, result.summary) == (Outcome.BLOCKED, "Not approved: alex said no. It is late.")


def test_what_is_only_asked_for_says_for_which_plan_and_until_when(
    context: StepContext, asked: ApprovalRequest
) -> None:
    result = approval.decide(context, asked, recorded_as(asked)).result
    assert result.outcome is Outcome.PASSED
    assert result.summary == (f"Approval of plan {asked.plan_sha256[:12]} is asked for until 2026-11-23 13:00 UTC.")
