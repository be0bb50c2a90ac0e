"""What the steps leave for each other is found under one name, and which findings count in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import InputError
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.models.base import Outcome
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.findings import Finding, Severity, Verdict
from runbook_lib.models.results import ErrorInfo, StepResult
from runbook_lib.models.services import ServiceReport
from runbook_lib.models.verification import Verification
from runbook_lib.workspace import records

Results = Callable[..., StepResult]


def test_every_record_lies_in_its_step_s_folder(store: RunStore) -> None:
    assert records.plan_file(store) == "02_plan/plan.tfplan"
    assert records.plan_text_files(store) == ("02_plan/compliance.txt", "02_plan/plan.txt")
    assert records.request_file(store) == "03_approval/request.json"
    assert records.decision_file(store) == "03_approval/decision.json"


@pytest.mark.parametrize(
    ("path", "model", "read"),
    [
        ("02_plan/exposure.json", Exposure(sentence="Nobody."), records.read_exposure),
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
