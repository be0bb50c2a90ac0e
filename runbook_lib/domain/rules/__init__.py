"""Security-group rules in one shape, read from a plan, a state, a cloud or HCL."""

from __future__ import annotations

from .changes import ResourceView, RuleChanges
from .declaration import Cloud
from .exclusive import exclusives
from .from_plan import rules_from_plan
from .from_state import group_ids_of_state, rules_from_state
from .groups import Group, Written, declared_rules, groups_of_state
from .hcl import hcl_changes, rules_from_hcl
from .origins import VPC_TYPES
from .prefix_lists import LIST_TYPES, ListView
from .readers import CLOUDS, GROUP_TYPES, RULE_TYPES, TAGGED_TYPES, is_id

__all__ = [
    "CLOUDS",
    "GROUP_TYPES",
    "LIST_TYPES",
    "RULE_TYPES",
    "TAGGED_TYPES",
    "VPC_TYPES",
    "Cloud",
    "Group",
    "ListView",
    "ResourceView",
    "RuleChanges",
    "Written",
    "declared_rules",
    "exclusives",
    "group_ids_of_state",
    "groups_of_state",
    "hcl_changes",
    "is_id",
    "rules_from_hcl",
    "rules_from_plan",
    "rules_from_state",
]
