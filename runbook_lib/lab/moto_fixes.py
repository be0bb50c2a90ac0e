"""Where moto differs from AWS in what the runbook reads."""

from __future__ import annotations

from typing import Any

__all__ = ["mend_moto"]


def mend_moto() -> None:
    """Let a rule that refers to a group or a prefix list keep its description, as AWS does.

    moto stores the description with the source and reads it for networks alone, so every later plan would want to put
    it back.
    """
    from moto.ec2.models.security_groups import SecurityGroupRule

    # A property of the class can only be replaced on the class.
    SecurityGroupRule.description = property(_description)  # type: ignore[assignment,method-assign]


def _description(rule: Any) -> str | None:
    for source in (rule.ip_range, rule.source_group, rule.prefix_list_id):
        if isinstance(source, dict) and source.get("Description"):
            return str(source["Description"])
    return None
