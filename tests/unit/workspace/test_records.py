"""What the steps leave for each other is found under one name, and which findings count in the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyrage
import pytest

from runbook_lib.adapters.age import encrypt
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ConfigError, InputError
from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord
from runbook_lib.models.base import Outcome
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.findings import Finding, Severity, Verdict
from runbook_lib.models.plan import PlanInputs, PlanSummary
from runbook_lib.models.results import ErrorInfo, StepResult
from runbook_lib.models.risk import Risk, RiskLevel
from runbook_lib.models.run import Run
from runbook_lib.models.services import ServiceReport
from runbook_lib.models.verification import Verification
from runbook_lib.workspace import records

Results = Callable[..., StepResult]


def test_every_record_lies_in_its_step_s_folder(store: RunStore) -> None:
    assert records.plan_file(store) == "02_plan/plan.tfplan"
    assert records.plan_text_files(store) == ("02_plan/compliance.txt", "02_plan/plan.txt")
    assert records.request_file(store) == "03_approval/request.json"
    assert records.decision_file(store) == "03_approval/decision.json"
    assert records.decision_file(store, "apply") == "04_apply/decision.json"
    assert records.inputs_file(store) == "02_plan/inputs.json"
    assert records.began_file(store) == "04_apply/began.json"
    assert records.resources_file(store) == "04_apply/resources.json"


@pytest.mark.parametrize(
    ("path", "model", "read"),
    [
        ("02_plan/exposure.json", Exposure(sentence="Nobody."), records.read_exposure),
        ("02_plan/inputs.json", PlanInputs(product="Terraform", path="terraform/access"), records.read_inputs),
        ("02_plan/risk.json", Risk(level=RiskLevel.HIGH), records.read_risk),
        (
            "05_verification/verification.json",
            Verification(outcome=Outcome.PASSED, in_sync=3),
            records.read_verification,
        ),
        (
            "06_service_tests/results.json",
            ServiceReport(outcome=Outcome.PASSED, summary="2 passed"),
            records.read_services,
        ),
    ],
)
def test_a_record_is_read_as_it_was_written(
    store: RunStore, path: str, model: Any, read: Callable[[RunStore], Any]
) -> None:
    with pytest.raises(InputError):
        read(store)
    store.write_json(path, model)
    assert read(store) == model


def test_the_request_and_the_summary_are_read_back(store: RunStore, request_: ApprovalRequest) -> None:
    assert records.read_request(store) == request_
    assert records.read_summary(store) == request_.summary


def test_the_plan_is_read_from_terraform_s_own_json(store: RunStore) -> None:
    store.write_text(
        "02_plan/plan.json", '{"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": []}'
    )
    assert records.read_plan(store).terraform_version == "1.11.4"


def test_a_plan_that_passed_may_be_approved(store: RunStore, result: Results) -> None:
    store.write_result(result("plan", Outcome.WARNED))
    assert records.read_plan_result(store).summary == "plan it is"


@pytest.mark.parametrize("outcome", [Outcome.BLOCKED, None])
def test_a_plan_that_did_not_pass_or_was_not_made_may_not(
    store: RunStore, result: Results, outcome: Outcome | None
) -> None:
    if outcome:
        store.write_result(result("plan", outcome))
    with pytest.raises(InputError) as caught:
        records.read_plan_result(store)
    assert caught.value.message == "run 7 has no plan that may be approved"
    assert caught.value.remedy == "Run the plan step first."


def test_the_steps_before_one_are_those_that_stand_before_it(store: RunStore) -> None:
    assert [step.name for step in records.steps_before(store, "approval")] == ["compliance", "plan"]
    assert records.steps_before(store, "compliance") == ()


def test_before_a_step_that_the_run_does_not_have_stand_all(store: RunStore) -> None:
    assert records.steps_before(store, "cost") == store.steps


def with_finding(result: StepResult) -> StepResult:
    finding = Finding(
        policy=f"of {result.step}", verdict=Verdict.FAILED, severity=Severity.LOW, address="a", message="m"
    )
    return result.model_copy(update={"findings": (finding,)})


def counting(*results: StepResult) -> list[str]:
    return [finding.policy for finding in records.findings_that_count(map(with_finding, results))]


def test_the_plan_s_judgement_takes_the_place_of_the_files(result: Results) -> None:
    assert counting(result("compliance")) == ["of compliance"]
    assert counting(result("compliance"), result("plan"), result("verification")) == ["of plan", "of verification"]
    assert counting(result("compliance"), result("plan", Outcome.BLOCKED)) == ["of plan"]


def test_a_plan_step_that_an_error_ended_has_judged_nothing(result: Results) -> None:
    failed = result("plan", Outcome.ERRORED, ErrorInfo(type="TerraformError", message="AWS said no."))
    assert counting(result("compliance"), failed) == ["of compliance", "of plan"]


def test_what_was_noted_of_an_apply_is_read_up_to_where_it_was_killed(store: RunStore) -> None:
    assert records.read_progress(store) == ()
    begun, ended = {"address": "a.b", "event": "begun"}, {"address": "a.b", "event": "ended", "seconds": 3}
    store.path("04_apply").mkdir(parents=True)
    records.keep_progress(store, [begun])
    records.keep_progress(store, [ended])
    # By this name a later version, or another job, finds it.
    assert store.exists("04_apply/progress.jsonl")
    with store.path("04_apply/progress.jsonl").open("a") as file:
        file.write('["no", "event"]\n7\n{"address": "a.c", "ev')
    assert records.read_progress(store) == (begun, ended)
    records.drop_progress(store)
    assert records.read_progress(store) == ()
    records.drop_progress(store)


def test_an_encrypted_plan_is_the_one_that_counts(store: RunStore) -> None:
    identity = pyrage.x25519.Identity.generate()
    said = '{"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": []}'
    store.write_text("02_plan/plan.json", said.replace("1.11.4", "0.0.0"))
    store.write_bytes("02_plan/plan.json.age", encrypt(said.encode(), (str(identity.to_public()),)))
    store.write_bytes("02_plan/plan.tfplan.age", b"sealed")
    assert records.plan_json_file(store) == "02_plan/plan.json.age"
    assert records.plan_file(store) == "02_plan/plan.tfplan.age"
    assert records.read_plan(store, str(identity)).terraform_version == "1.11.4"
    with pytest.raises(ConfigError, match=r"02_plan/plan\.json\.age"):
        records.read_plan(store)


def test_what_became_of_the_resources_is_read_as_text(store: RunStore) -> None:
    with pytest.raises(InputError):
        records.read_resources(store)
    store.write_json("04_apply/resources.json", [{"address": "a.b", "seconds": 3}, {}])
    assert records.read_resources(store) == ({"address": "a.b", "seconds": "3"}, {})


@pytest.mark.parametrize("content", [{"address": "a.b"}, ["a.b"], [{"address": "a.b"}, 7], None])
def test_what_is_no_list_of_resources_is_told(store: RunStore, content: Any) -> None:
    store.write_json("04_apply/resources.json", content)
    with pytest.raises(InputError) as caught:
        records.read_resources(store)
    assert caught.value.message == "run 7: 04_apply/resources.json is no list of resources"
    assert caught.value.remedy == "Begin a new run."


def decided(plan: str, *users: str, rejected: bool = True) -> DecisionRecord:
    at = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    answers = tuple(
        Decision(source="terminal", user=user, approved=False, at=at, plan_sha256=plan, counts=True) for user in users
    )
    return DecisionRecord(
        run_id="7", plan_sha256=plan, decisions=answers, approved=False, rejected=rejected, checked_at=at
    )


def test_what_was_decided_is_what_apply_found_if_it_came_to_that(store: RunStore) -> None:
    with pytest.raises(InputError):
        records.read_decision(store)
    asked, applied = decided("p", "alex"), decided("p", "alex", "sam")
    store.write_json("03_approval/decision.json", asked)
    assert records.read_decision(store) == asked
    store.write_json("04_apply/decision.json", applied)
    assert records.read_decision(store) == applied
    # What any other step left there is no decision.
    store.write_json("05_verification/decision.json", asked)
    assert records.read_decision(store) == applied


def test_who_rejected_the_plan_that_the_run_has_now_is_told(store: RunStore) -> None:
    assert records.rejected_by(store) == ()
    store.write_json("02_plan/summary.json", PlanSummary(plan_sha256="p"))
    assert records.rejected_by(store) == ()
    for record, said in (
        (decided("p", "alex", "sam"), ("alex", "sam")),
        (decided("another", "alex"), ()),
        (decided("p", "alex", rejected=False), ()),
    ):
        store.write_json("03_approval/decision.json", record)
        assert records.rejected_by(store) == said


def test_of_a_run_that_plans_nothing_nobody_rejected_the_plan(store: RunStore, run: Run) -> None:
    store.write_json("02_plan/summary.json", PlanSummary(plan_sha256="p"))
    store.write_json("03_approval/decision.json", decided("p", "alex"))
    steps = tuple(step for step in run.steps if step.name != "plan")
    RunStore(store.dir.parent, "7").write_json("run.json", run.model_copy(update={"steps": steps}))
    assert records.rejected_by(RunStore(store.dir.parent, "7")) == ()
