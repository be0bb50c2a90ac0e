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
    entries change, so every later plan would want to put them back. It gives no load balancer interfaces either.
    """
    _give_balancers_interfaces()
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


def _give_balancers_interfaces() -> None:
    """Let a load balancer have an interface in each subnet, with a public address if it faces out."""
    from moto.elbv2.models import ELBv2Backend

    create, delete, regroup = (
        ELBv2Backend.create_load_balancer, ELBv2Backend.delete_load_balancer, ELBv2Backend.set_security_groups,
    )  # fmt: skip

    def created(self: Any, *arguments: Any, **given: Any) -> Any:
        made = create(self, *arguments, **given)
        for subnet in made.subnets:
            interface = self.ec2_backend.create_network_interface(
                subnet, "", group_ids=list(made.security_groups or ()), description=_marked(made.arn)
            )
            interface.requester_managed, interface.status = True, "in-use"
            if made.scheme != "internal":
                interface.public_ip = take_address()
        return made

    def deleted(self: Any, arn: str) -> None:
        for interface in _interfaces_of(self, arn):
            self.ec2_backend.enis.pop(interface.id)
        delete(self, arn)

    def regrouped(self: Any, arn: str, sec_groups: list[str]) -> None:
        regroup(self, arn, sec_groups)
        for interface in _interfaces_of(self, arn):
            self.ec2_backend.modify_network_interface_attribute(interface.id, sec_groups)

    ELBv2Backend.create_load_balancer = created  # type: ignore[method-assign]
    ELBv2Backend.delete_load_balancer = deleted  # type: ignore[method-assign]
    ELBv2Backend.set_security_groups = regrouped  # type: ignore[method-assign]


def _marked(arn: str) -> str:
    return f"ELB {arn.partition(':loadbalancer/')[2]}"


def _interfaces_of(backend: Any, arn: str) -> list[Any]:
    return [each for each in backend.ec2_backend.enis.values() if each.description == _marked(arn)]


def _description(rule: Any) -> str | None:
    for source in (rule.ip_range, rule.source_group, rule.prefix_list_id):
        if isinstance(source, dict) and source.get("Description"):
            return str(source["Description"])
    return None
