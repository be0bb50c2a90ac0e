"""Who must approve a change, by what it would do: the quorum, and what rules and policies ask for beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ..errors import ConfigError
from ..models.approval import Requirement
from ..models.approval_config import ApprovalCondition, ApprovalConfig, ApprovalRule
from ..models.expiry import is_over
from ..models.exposure import Exposure, ExposureEntry, Reachable
from ..models.findings import Finding, Verdict
from ..models.plan import Plan, ResourceChange
from ..models.risk import Risk
from .risk import RULE_TYPES
from .rules import rules_from_plan

__all__ = ["Effect", "only_closes", "only_expired", "removes_expired_alone", "requirements"]


@dataclass(frozen=True)
class Effect:
    """What a change comes to. `asides` are sentences of whatever else an approver is warned of.

    `approved_by` are pairs of a policy's id and the group that it asks for; `now` is when it is looked at: without it
    no rule is known to have expired.
    """

    plan: Plan
    exposure: Exposure
    risk: Risk
    findings: tuple[Finding, ...] = ()
    asides: tuple[str, ...] = ()
    approved_by: tuple[tuple[str, str], ...] = ()
    now: datetime | None = None


def requirements(config: ApprovalConfig, stack: str, effect: Effect) -> tuple[Requirement, ...]:
    """Every requirement once, the quorum first; ConfigError where a policy asks for a group that is not there.

    One that needs nobody stands alone: then nothing else is asked.
    """
    holding = [rule for rule in config.rules_of(stack) if _holds(rule.when, effect)]
    asked = [*(_of_rule(config, rule) for rule in holding if rule.needs), *_of_policies(config, effect)]
    free = next((rule for rule in holding if not rule.needs), None)
    if free and not asked:
        return (Requirement(needs=0, approvers=config.approvers, why=str(free.when)),)
    quorum = Requirement(needs=config.quorum, approvers=config.approvers)
    return tuple(dict.fromkeys([quorum, *asked]))


def only_closes(effect: Effect) -> bool:
    """Whether a plan deletes rules of security groups, and nothing else is to be said of it."""
    return not (effect.asides or effect.findings) and bool(_deleted(effect.plan, effect.exposure))


def only_expired(effect: Effect) -> bool:
    """Whether it only closes, and closes nothing but what has expired."""
    return only_closes(effect) and removes_expired_alone(effect.plan, effect.exposure, effect.now)


def removes_expired_alone(plan: Plan, exposure: Exposure, now: datetime | None) -> bool:
    """Whether a plan deletes rules whose end has come, as their own tags say, and does nothing else."""
    deleted = _deleted(plan, exposure)
    if not deleted or now is None:
        return False
    standing = [rule for rule in rules_from_plan(plan).before if rule.address in deleted]
    # What is no rule that can be read has no end either.
    return deleted == {rule.address for rule in standing} and all(is_over(rule.expires, now) for rule in standing)


def _deleted(plan: Plan, exposure: Exposure) -> set[str]:
    """The rules that a plan deletes, where it does nothing else; empty where it does."""
    moving = [change for change in plan.changes if set(change.actions) - {"no-op", "read"}]
    other = [change for change in moving if change.actions != ("delete",) or change.type not in RULE_TYPES]
    moved = any(change.importing or change.previous_address not in {"", change.address} for change in plan.changes)
    # An output that lists what stands loses what goes.
    outputs = set(plan.outputs) - set(plan.lessened)
    more = plan.asides or outputs or moved or other or exposure.opened or exposure.unknown
    return set() if more or not plan.complete else {_address(change) for change in moving}


def _address(change: ResourceChange) -> str:
    return f"{change.address} (deposed {change.deposed})" if change.deposed else change.address


def _holds(condition: ApprovalCondition, effect: Effect) -> bool:
    if condition.risk is not None and effect.risk.level.rank < condition.risk.rank:
        return False
    if condition.opens and not _opens(condition, effect.exposure):
        return False
    if condition.only_expired and not only_expired(effect):
        return False
    return not condition.only_closes or only_closes(effect)


def _opens(condition: ApprovalCondition, exposure: Exposure) -> bool:
    # Of what nobody knows yet, it may be the internet, and of what nobody could ask about, it may be reached.
    anything, most = condition.opens == "anything", Reachable.UNKNOWN.rank
    counted = (one for one in exposure.opened if not condition.reachable or one.reachable.rank <= most)
    return bool(exposure.unknown) or any(anything or _of_world(entry) for entry in counted)


def _of_world(entry: ExposureEntry) -> bool:
    return "internet" in {str(entry.source_kind), str(entry.target_kind)}


def _of_rule(config: ApprovalConfig, rule: ApprovalRule) -> Requirement:
    return Requirement(
        needs=rule.needs, approvers=config.members(rule.group), group=rule.group, why=f"it {_said(rule.when)}"
    )


def _said(condition: ApprovalCondition) -> str:
    return f"is of {condition}" if condition.risk else str(condition)


def _of_policies(config: ApprovalConfig, effect: Effect) -> Iterator[Requirement]:
    found = {finding.policy for finding in effect.findings if finding.verdict is not Verdict.PASSED}
    for policy, group in sorted(set(effect.approved_by)):
        if policy not in found:
            continue
        if group not in config.groups:
            raise ConfigError(
                f"the policy {policy} is to be approved by {group!r}, which is no group in runbook.yml",
                "Name its members under approval.groups, or another group in the policy.",
            )
        yield Requirement(needs=1, approvers=config.groups[group], group=group, why=f"{policy} has a finding")
