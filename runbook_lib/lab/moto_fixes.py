"""Where moto differs from AWS in what the runbook reads."""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["mend_moto", "next_addresses", "take_address"]

# 198.51.100.0/24 belongs to examples and is nobody's; moto would give out loopback's and other people's addresses.
_NETWORK = "198.51.100"
_FIRST = 10
_lock = threading.Lock()
_taken = 0


def take_address() -> str:
    """A public address that no other instance has; after 240 of them they come again."""
    global _taken  # noqa: PLW0603 - as moto itself, one for the process
    with _lock:
        address = _address(_taken)
        _taken += 1
    return address


def next_addresses(count: int) -> list[str]:
    """The addresses that are taken next."""
    return [_address(_taken + number) for number in range(count)]


def _address(number: int) -> str:
    return f"{_NETWORK}.{_FIRST + number % (250 - _FIRST)}"


def mend_moto() -> None:
    """Let a rule that refers to a group or a prefix list keep its description, and a prefix list its name, as AWS does.

    moto stores the description with the source and reads it for networks alone, and forgets a list's name when its
    entries change, so every later plan would want to put them back.
    """
    from moto.ec2.models import elastic_network_interfaces
    from moto.ec2.models.managed_prefixes import ManagedPrefixListBackend
    from moto.ec2.models.security_groups import SecurityGroupRule

    # A property of the class can only be replaced on the class.
    SecurityGroupRule.description = property(_description)  # type: ignore[assignment,method-assign]

    # An instance that is given a public address as it starts.
    elastic_network_interfaces.random_public_ip = take_address  # type: ignore[attr-defined]

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
