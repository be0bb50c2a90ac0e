"""Security-group rules in one shape, read from a plan, a state, AWS or HCL."""

from __future__ import annotations

from .aws import rules_from_aws
from .changes import ResourceView, RuleChanges
from .from_plan import rules_from_plan
from .from_state import rules_from_state
from .hcl import hcl_changes, rules_from_hcl

__all__ = [
    "ResourceView",
    "RuleChanges",
    "hcl_changes",
    "rules_from_aws",
    "rules_from_hcl",
    "rules_from_plan",
    "rules_from_state",
]
