"""Where moto differs from AWS in what the runbook reads."""

from __future__ import annotations

from typing import Any

__all__ = ["mend_moto"]


def mend_moto() -> None:
    """Let a rule that refers to a group or a prefix list keep its description, and a prefix list its name, as AWS does.

    moto stores the description with the source and reads it for networks alone, and forgets a list's name when its
    entries change, so every later plan would want to put them back.
    """
    from moto.ec2.models.managed_prefixes import ManagedPrefixListBackend
    from moto.ec2.models.security_groups import SecurityGroupRule

    # A property of the class can only be replaced on the class.
    SecurityGroupRule.description = property(_description)  # type: ignore[assignment,method-assign]

    modify = ManagedPrefixListBackend.modify_managed_prefix_list

    def named(self: Any, *arguments: Any, **given: Any) -> Any:
        known = self.managed_prefix_lists.get(given.get("prefix_list_id"))
        name = known.prefix_list_name if known is not None else None
        changed = modify(self, *arguments, **given)
        changed.prefix_list_name = given.get("prefix_list_name") or name
        return changed

    ManagedPrefixListBackend.modify_managed_prefix_list = named  # type: ignore[method-assign]


def _description(rule: Any) -> str | None:
    for source in (rule.ip_range, rule.source_group, rule.prefix_list_id):
        if isinstance(source, dict) and source.get("Description"):
            return str(source["Description"])
    return None
