"""What is asked of an approver, and whether the answers allow this very plan to be applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..errors import InputError
from ..models.approval import ApprovalRequest, Decision, DecisionRecord
from ..models.config import ApprovalConfig
from ..models.exposure import Exposure
from ..models.findings import Finding
from ..models.plan import PlanSummary
from ..models.run import Run
from .approval_checks import ApplyFacts, count_approvals, moment, rejections, request_problems

__all__ = ["ApplyFacts", "RequestFacts", "judge_decisions", "make_request"]


@dataclass(frozen=True)
class RequestFacts:
    """What an approver must know: the run, the plan's counts and digest, what it exposes, under which policies.

    `url` is where to decide.
    """

    run: Run
    summary: PlanSummary
    exposure: Exposure
    policy_sha256: str
    findings: tuple[Finding, ...] = ()
    url: str = ""


def make_request(facts: RequestFacts, config: ApprovalConfig, now: datetime) -> ApprovalRequest:
    """Ask for one plan file, from now until the configured time is over; InputError if the plan has no digest."""
    run, summary = facts.run, facts.summary
    if not summary.plan_sha256:
        raise InputError("the plan's summary has no digest, so nobody can approve it", "Run the plan step again.")
    return ApprovalRequest(
        run_id=run.run_id,
        stack=run.stack,
        plan_sha256=summary.plan_sha256,
        commit=run.commit,
        state_lineage=summary.state_lineage,
        state_serial=summary.state_serial,
        policy_sha256=facts.policy_sha256,
        summary=summary,
        exposure=facts.exposure,
        findings=facts.findings,
        requester=run.requester,
        author=run.author,
        approvers=config.approvers,
        quorum=config.quorum,
        created_at=moment(now),
        expires_at=moment(now) + config.expires_after,
        url=facts.url or run.pipeline_url,
    )


def judge_decisions(
    request: ApprovalRequest, decisions: Sequence[Decision], facts: ApplyFacts, now: datetime
) -> DecisionRecord:
    """Check everything again at the moment when apply would start.

    Approved means: it is still that plan on that state, in time, enough of those who may approve did, and none of them
    rejected it. Otherwise `reasons` says all that is missing, each reason with what to do. A rejection is final.
    """
    now = moment(now)
    problems = request_problems(request, facts, now)
    rejected = rejections(request, decisions, facts)
    approvals = count_approvals(request, decisions, facts, now)
    approved = not rejected and not problems and approvals.enough
    return DecisionRecord(
        run_id=request.run_id,
        plan_sha256=facts.plan_sha256,
        decisions=tuple(decisions),
        approved=approved,
        rejected=bool(rejected),
        reasons=() if approved else (*rejected, *problems, *approvals.reasons),
        checked_at=now,
    )
