"""Small plans and the default pack, for the tests of compliance."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from runbook_lib.adapters.policies import load_policies
from runbook_lib.domain.compliance import judge
from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.rules import RuleChanges, rules_from_plan
from runbook_lib.models.compliance import ComplianceReport, JudgeOptions, Policy, Scope
from runbook_lib.models.rules import Direction, Rule, SourceKind

ROOT = Path(__file__).resolve().parents[3]
KIND = "aws_vpc_security_group_ingress_rule"


@lru_cache
def pack() -> tuple[Policy, ...]:
    """The default policies, without those that judge only where runbook.yml names them."""
    return tuple(policy for policy in load_policies(ROOT / "policies") if not policy.optional)


def network_rule(**fields: Any) -> Rule:
    """SSH from one office, unless said otherwise."""
    usual: dict[str, Any] = {
        "direction": Direction.INGRESS, "protocol": "tcp", "from_port": 22, "to_port": 22, "source": "203.0.113.0/24",
        "source_kind": SourceKind.NETWORK, "entries": None, "description": "SSH", "group": "sg-1", "address": "a.b",
    }  # fmt: skip
    return Rule.model_construct(**{**usual, **fields})


def values(**fields: Any) -> dict[str, Any]:
    """The attributes of one separate ingress rule: SSH from the world."""
    return {
        "ip_protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_ipv4": "0.0.0.0/0", "cidr_ipv6": None,
        "prefix_list_id": None, "referenced_security_group_id": None, "description": "SSH",
        "security_group_id": "sg-1", **fields,
    }  # fmt: skip


def change(actions: list[str], before: Any = None, after: Any = None, **fields: Any) -> dict[str, Any]:
    """One entry of resource_changes."""
    unknown = fields.pop("unknown", {})
    entry = {"address": f"{KIND}.rule", "mode": "managed", "type": KIND, "name": "rule", **fields}
    return {**entry, "change": {"actions": actions, "before": before, "after": after, "after_unknown": unknown}}


def plan_of(*changes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A plan that holds these changes."""
    return {"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": list(changes), **fields}


def changes_of(*changes: dict[str, Any], **fields: Any) -> RuleChanges:
    """The rules before and after a plan with these changes."""
    return rules_from_plan(parse_plan(plan_of(*changes, **fields)))


def judged(changes: RuleChanges, scope: Scope = Scope.CHANGED) -> ComplianceReport:
    """The default pack's judgement."""
    return judge(changes, pack(), options=JudgeOptions(scope=scope))


def verdicts(report: ComplianceReport, policy: str) -> list[str]:
    """What one policy says, finding by finding."""
    return [str(finding.verdict) for finding in report.findings if finding.policy == policy]


def of_rules(*rules: Rule, **fields: Any) -> RuleChanges:
    """A change that adds these rules."""
    touched = frozenset(range(len(rules)))
    standing = [(rule.address, "aws_vpc_security_group_ingress_rule", True) for rule in rules]
    return RuleChanges(after=rules, touched=touched, resources=len(rules), standing=lambda: standing, **fields)
