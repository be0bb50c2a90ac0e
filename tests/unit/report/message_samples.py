"""A run of the story, for the tests of messages: the web rule moves from port 8000 to 80."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord
from runbook_lib.models.base import Outcome
from runbook_lib.models.exposure import Exposure, ExposureEntry, ExposureSource
from runbook_lib.models.findings import Action, Finding, Severity, Verdict, WaiverReference
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.results import ErrorInfo, StepResult
from runbook_lib.models.run import Run

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DIGEST = "9f2c1d7a4be05f3388c0aa51d6e27b90f4c3d2e1b0a99887766554433221100f"

RUN = Run(
    run_id="1008",
    stack="access",
    commit="4dc7a709e1f2",
    ref="open-http",
    requester="riley",
    author="riley",
    created_at=START,
    pipeline_url="https://gitlab.example.com/platform/network-access/-/pipelines/1008",
)
WORLD_SSH = Finding(
    policy="sg-world-ssh",
    verdict=Verdict.FAILED,
    severity=Severity.CRITICAL,
    address='aws_vpc_security_group_ingress_rule.this["admin-ssh"]',
    message="SSH is open to the whole world.",
    remedy="Name the networks that may log in.",
)
WAIVED_EGRESS = Finding(
    policy="sg-egress-open",
    verdict=Verdict.WAIVED,
    severity=Severity.LOW,
    address="aws_security_group.web",
    message="Egress is open to the whole world.",
    action=Action.WARN,
    waiver=WaiverReference(owner="sam", reason="Packages come from the internet", expires="2027-01-31"),
)


def entry(port: int, source: str = "0.0.0.0/0") -> ExposureEntry:
    return ExposureEntry(
        source=source,
        source_kind=ExposureSource.INTERNET,
        target="aws_security_group.web",
        target_kind="group",
        protocol="tcp",
        from_port=port,
        to_port=port,
    )


EXPOSURE = Exposure(
    opened=(entry(80),),
    closed=(entry(8000),),
    sentence="The internet can newly reach web on tcp 80. The internet can no longer reach web on tcp 8000.",
)
SUMMARY = PlanSummary(
    create=1,
    delete=1,
    addresses={
        "create": ('aws_vpc_security_group_ingress_rule.this["web-http"]',),
        "delete": ('aws_vpc_security_group_ingress_rule.this["web-8000"]',),
    },
    plan_sha256=DIGEST,
)
REQUEST = ApprovalRequest(
    run_id="1008",
    stack="access",
    plan_sha256=DIGEST,
    commit="4dc7a709e1f2",
    state_lineage="0d7a",
    state_serial=4,
    policy_sha256="ab" * 32,
    summary=SUMMARY,
    exposure=EXPOSURE,
    findings=(WAIVED_EGRESS,),
    requester="riley",
    author="riley",
    approvers=("alex", "sam"),
    quorum=1,
    created_at=START,
    expires_at=START + timedelta(hours=4),
    url=RUN.pipeline_url,
)


def result(step: str, outcome: Outcome = Outcome.PASSED, summary: str = "", seconds: int = 9) -> StepResult:
    return StepResult(
        run_id="1008",
        step=step,
        stack="access",
        outcome=outcome,
        summary=summary or f"{step} is fine",
        started_at=START,
        finished_at=START + timedelta(seconds=seconds),
    )


COMPLIANCE = result("compliance", summary="11 policies on 3 rules: nothing found.").model_copy(
    update={"metrics": {"rules": 3, "policies": 11}, "findings": (WAIVED_EGRESS,)}
)
PLAN = result("plan", summary=f"Plan: 1 to add, 1 to destroy. {EXPOSURE.sentence}", seconds=68).model_copy(
    update={"metrics": {"create": 1, "delete": 1, "plan_sha256": DIGEST, "exposure": EXPOSURE.sentence}}
)
BLOCKED = result("compliance", Outcome.BLOCKED, "1 finding blocks this change.").model_copy(
    update={"findings": (WORLD_SSH, WAIVED_EGRESS)}
)
ERRORED = result("apply", Outcome.ERRORED, "Terraform could not apply the plan.", 125).model_copy(
    update={
        "error": ErrorInfo(
            type="TerraformError",
            message="creating rule: UnauthorizedOperation: You are not authorized to perform this operation",
            remedy="Give the deploying role ec2:AuthorizeSecurityGroupIngress, then run from the plan step.",
        )
    }
)
DECISION = DecisionRecord(
    run_id="1008",
    plan_sha256=DIGEST,
    decisions=(
        Decision(source="gitlab job", user="alex", approved=True, at=START + timedelta(minutes=7), plan_sha256=DIGEST),
    ),
    approved=True,
    checked_at=START + timedelta(minutes=8),
)
REJECTION = DecisionRecord(
    run_id="1008",
    plan_sha256=DIGEST,
    decisions=(
        Decision(
            source="gitlab job",
            user="alex",
            approved=False,
            at=START + timedelta(minutes=7),
            plan_sha256=DIGEST,
            reason="Wait for the freeze to end.",
        ),
    ),
    approved=False,
    rejected=True,
    reasons=("alex rejected the plan: Wait for the freeze to end.",),
    checked_at=START + timedelta(minutes=8),
)
