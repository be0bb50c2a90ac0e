"""The rules that AWS itself reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.rules import Direction, Rule, SourceKind

from .values import ports, protocol

__all__ = ["rules_from_aws"]


def rules_from_aws(
    rules: Iterable[Mapping[str, Any]], prefix_lists: Mapping[str, Iterable[str]] | None = None
) -> tuple[Rule, ...]:
    """Items of describe_security_group_rules; `prefix_lists` maps the id of a list to its networks.

    AWS gives each rule an id of its own, which is taken for the address.
    """
    return tuple(_rule(item, prefix_lists or {}) for item in rules)


def _rule(item: Mapping[str, Any], prefix_lists: Mapping[str, Iterable[str]]) -> Rule:
    where = str(item.get("SecurityGroupRuleId", "a rule of AWS"))
    kind = protocol(item.get("IpProtocol"), where)
    low, high = ports(kind, item.get("FromPort"), item.get("ToPort"), where)
    source_kind, source, entries = _other(item, prefix_lists)
    return Rule(
        direction=Direction.EGRESS if item.get("IsEgress") else Direction.INGRESS,
        protocol=kind,
        from_port=low,
        to_port=high,
        source=source,
        source_kind=source_kind,
        entries=entries,
        description=item.get("Description") or None,
        group=item.get("GroupId") or UNKNOWN,
    )


def _other(
    item: Mapping[str, Any], prefix_lists: Mapping[str, Iterable[str]]
) -> tuple[SourceKind, str | Unknown, tuple[str, ...] | Unknown | None]:
    network = item.get("CidrIpv4") or item.get("CidrIpv6")
    if network:
        return SourceKind.NETWORK, network, None
    prefix_list = item.get("PrefixListId")
    if prefix_list:
        held = prefix_lists.get(prefix_list)
        return SourceKind.PREFIX_LIST, prefix_list, UNKNOWN if held is None else tuple(sorted(held))
    group = (item.get("ReferencedGroupInfo") or {}).get("GroupId")
    if group:
        return SourceKind.GROUP, group, None
    return SourceKind.UNKNOWN, UNKNOWN, None
