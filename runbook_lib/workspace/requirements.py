"""How risky a run's change is, and who must approve it because of that: found out from its plan each time."""

from __future__ import annotations

from datetime import datetime

from ..domain.requirements import Effect, requirements
from ..domain.risk import RiskFacts, assess_risk
from ..models.approval import ApprovalRequest, Requirement
from ..models.risk import Risk
from .context import StepContext
from .governance import approval_config, before_change, governance
from .plan_check import FoundPlan
from .policy_gate import PolicyGate
from .policy_reports import open_gate

__all__ = ["plan_risk", "required", "with_requirements"]


def with_requirements(context: StepContext, found: FoundPlan, request: ApprovalRequest) -> ApprovalRequest:
    """The request with its risk, who must approve it, and all who may."""
    config, risk = approval_config(context), _risk(context, found, request, request.created_at)
    asked = requirements(config, request.stack, _effect(context, found, request, (risk, request.created_at)))
    people = config.everybody(need.group for need in asked)
    return request.model_copy(update={"risk": risk, "requirements": asked, "approvers": people})


def required(
    context: StepContext, found: FoundPlan, request: ApprovalRequest, now: datetime
) -> tuple[tuple[str, ...], tuple[Requirement, ...]]:
    """All who may approve the change, and who must, as it is at a moment."""
    config = approval_config(context)
    told = request.model_copy(update={"governance": governance(context), "code": found.code})
    looked_at = (_risk(context, found, told, now), now)
    asked = requirements(config, request.stack, _effect(context, found, told, looked_at))
    return config.everybody(need.group for need in (*asked, *request.requirements)), asked


def plan_risk(found: FoundPlan) -> Risk:
    """How risky the plan is by itself, whenever it is looked at and by whomever: what a merge request's note says."""
    return assess_risk(RiskFacts(found.plan, found.judged.exposure, found.judged.report.findings))


def _effect(
    context: StepContext, found: FoundPlan, request: ApprovalRequest, looked_at: tuple[Risk, datetime]
) -> Effect:
    dirty = ("Files differ from the commit.",) if request.dirty else ()
    gate = open_gate(context)
    return Effect(
        plan=found.plan,
        exposure=found.judged.exposure,
        risk=looked_at[0],
        now=looked_at[1],
        findings=(*request.findings, *found.judged.report.findings),
        asides=(*request.governance, *request.code, *dirty),
        approved_by=(*_groups(gate), *(_groups(gate.before) if gate.before else ())),
    )


def _groups(gate: PolicyGate) -> tuple[tuple[str, str], ...]:
    return tuple((policy.id, policy.approved_by) for policy in gate.policies if policy.approved_by)


def _risk(context: StepContext, found: FoundPlan, request: ApprovalRequest, now: datetime) -> Risk:
    before = before_change(context)
    known = before.config is not None and context.run.stack in before.config.stacks
    return assess_risk(
        RiskFacts(
            plan=found.plan,
            exposure=request.exposure,
            findings=request.findings,
            governance=request.governance,
            code=request.code,
            windows=approval_config(context).change_windows,
            now=now,
            first=not known,
            dirty=request.dirty,
        )
    )
