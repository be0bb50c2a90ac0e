"""What the approvers were shown against what is found out anew: each way in which it may differ."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runbook_lib.domain.plan_comparison import changed_inputs, shown_otherwise
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.findings import Action, Finding, Severity, Verdict, WaiverReference
from runbook_lib.models.plan import PlanInputs, PlanSummary

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SUMMARY = PlanSummary(create=1, addresses={"create": ("a.b",)}, plan_sha256="0" * 64)
EXPOSURE = Exposure(sentence="The internet can newly reach web on tcp 80.")
WAIVER = WaiverReference(owner="sam", reason="until the move", expires="2026-11-30")
INPUTS = PlanInputs(
    product="Terraform",
    terraform_version="1.11.4",
    terraform_sha256="1" * 64,
    providers={"hashicorp/aws": "6.0.0"},
    lock_sha256="2" * 64,
    files={"terraform/access/main.tf": "3" * 64, "terraform/access/page.html": "4" * 64},
)


def finding(verdict: Verdict = Verdict.FAILED, action: Action = Action.WARN, waiver: bool = False) -> Finding:
    return Finding(
        policy="sg-world-ssh",
        address="a.b",
        severity=Severity.HIGH,
        action=action,
        verdict=verdict,
        message="SSH is open to the world.",
        waiver=WAIVER if waiver else None,
    )


def request(*findings: Finding, code: tuple[str, ...] = ()) -> ApprovalRequest:
    return ApprovalRequest(
        run_id="7",
        stack="access",
        plan_sha256=SUMMARY.plan_sha256,
        commit="4dc7a7",
        state_lineage="l",
        state_serial=3,
        policy_sha256="p",
        summary=SUMMARY,
        exposure=EXPOSURE,
        findings=findings,
        code=code,
        requester="riley",
        approvers=("alex",),
        quorum=1,
        created_at=NOW,
        expires_at=NOW,
    )


def test_what_is_as_it_was_shown_is_no_problem() -> None:
    assert list(shown_otherwise(request(finding()), SUMMARY, EXPOSURE, [finding()])) == []


def test_a_finding_that_is_none_any_more_is_no_problem() -> None:
    assert list(shown_otherwise(request(finding()), SUMMARY, EXPOSURE, [])) == []


@pytest.mark.parametrize(
    ("summary", "exposure", "now", "said"),
    [
        (SUMMARY.model_copy(update={"delete": 4}), EXPOSURE, [], "delete 0, not 4"),
        (SUMMARY.model_copy(update={"addresses": {"create": ("a.c",)}}), EXPOSURE, [], "(addresses)"),
        (SUMMARY, Exposure(sentence="The internet can newly reach db."), [], "can newly reach db."),
        (SUMMARY, EXPOSURE, [finding()], "sg-world-ssh at a.b was not shown to the approvers: SSH is open"),
    ],
)
def test_what_was_shown_otherwise_or_not_at_all_is_told(
    summary: PlanSummary, exposure: Exposure, now: list[Finding], said: str
) -> None:
    (told,) = shown_otherwise(request(), summary, exposure, now)
    assert said in told


def test_a_waiver_that_ended_between_the_request_and_apply_is_named() -> None:
    waived = finding(Verdict.WAIVED, waiver=True)
    (told,) = shown_otherwise(request(waived), SUMMARY, EXPOSURE, [finding(Verdict.FAILED)])
    assert "was not shown" in told
    (told,) = shown_otherwise(request(waived), SUMMARY, EXPOSURE, [finding(Verdict.WAIVED)])
    assert "The waiver of sg-world-ssh at a.b by sam, until 2026-11-30, holds no more." in told


def test_a_finding_that_weighs_otherwise_is_told() -> None:
    (told,) = shown_otherwise(request(finding()), SUMMARY, EXPOSURE, [finding(action=Action.BLOCK)])
    assert "weighs otherwise" in told


def test_the_same_inputs_are_no_problem() -> None:
    assert list(changed_inputs(INPUTS, INPUTS)) == []


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"terraform_version": "1.12.0"}, "made by Terraform 1.11.4, and here is Terraform 1.12.0. Give both jobs"),
        ({"product": "OpenTofu"}, "made by Terraform 1.11.4, and here is OpenTofu 1.11.4."),
        ({"terraform_sha256": "9" * 64}, "The Terraform program is not the one that made the plan."),
        ({"providers": {"hashicorp/aws": "6.1.0"}}, "made with hashicorp/aws 6.0.0, and here is 6.1.0. Commit"),
        ({"providers": {}}, "made with hashicorp/aws 6.0.0, and here is none."),
        ({"lock_sha256": "9" * 64}, ".terraform.lock.hcl changed since the plan."),
        (
            {"files": {**INPUTS.files, "terraform/access/page.html": "9" * 64}},
            "changed since: terraform/access/page.html.",
        ),
        ({"files": {**INPUTS.files, "x.auto.tfvars": "9" * 64}}, "changed since: x.auto.tfvars."),
        ({"files": {}}, "changed since: terraform/access/main.tf, terraform/access/page.html."),
        ({"files": {str(n): "" for n in range(9)}}, "0, 1, 2, 3, 4 and 6 more."),
    ],
)
def test_whatever_the_plan_was_made_with_is_named_when_it_is_another(now: dict[str, object], said: str) -> None:
    (told,) = changed_inputs(INPUTS, INPUTS.model_copy(update=now))
    assert said in told


def test_code_that_was_not_shown_is_a_problem_and_code_that_runs_no_more_is_none() -> None:
    shown = request(code=("data.external.a runs a", "data.external.b runs b"))
    assert list(shown_otherwise(shown, SUMMARY, EXPOSURE, (), ["data.external.a runs a"])) == []
    (said,) = shown_otherwise(shown, SUMMARY, EXPOSURE, (), ["data.external.a runs c"])
    assert said.startswith("Code that will run was not shown to the approvers: data.external.a runs c. ")
