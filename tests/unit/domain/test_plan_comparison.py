"""What was shown to the approvers against what the plan file says."""

from __future__ import annotations

from datetime import UTC, datetime

from runbook_lib.domain.plan_comparison import shown_otherwise
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.plan import PlanSummary

NOW = datetime(2026, 11, 5, 10, 0, tzinfo=UTC)


def request(*code: str) -> ApprovalRequest:
    return ApprovalRequest(
        run_id="7", stack="access", plan_sha256="d" * 64, commit="c", state_lineage="l", state_serial=1, code=code,
        policy_sha256="p", summary=PlanSummary(), exposure=Exposure(), requester="riley", approvers=("alex",), quorum=1,
        created_at=NOW, expires_at=NOW,
    )  # fmt: skip


def test_code_that_was_not_shown_is_a_problem_and_code_that_runs_no_more_is_none() -> None:
    shown = request("data.external.a runs a", "data.external.b runs b")
    assert list(shown_otherwise(shown, PlanSummary(), Exposure(), (), ["data.external.a runs a"])) == []
    (said,) = shown_otherwise(shown, PlanSummary(), Exposure(), (), ["data.external.a runs c"])
    assert said.startswith("Code that will run was not shown to the approvers: data.external.a runs c. ")
