"""AWS: the rules that it reports itself, and what else tells it from other clouds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from runbook_lib.models.base import UNKNOWN, Unknown
from runbook_lib.models.expiry import EXPIRES
from runbook_lib.models.rules import Direction, Rule, SourceKind

from .aws_resources import GROUP_TYPES, READERS, TAGGED_TYPES
from .declaration import Cloud
from .values import ports, protocol

__all__ = ["AWS", "rules_from_aws"]


def rules_from_aws(rules: Iterable[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Items of describe_security_group_rules; what a prefix list holds is not among them, and so unknown."""
    return tuple(map(_rule, rules))


def _rule(item: Mapping[str, Any]) -> Rule:
    where = str(item.get("SecurityGroupRuleId", "a rule of AWS"))
    kind = protocol(item.get("IpProtocol"), where)
    low, high = ports(kind, item.get("FromPort"), item.get("ToPort"), where)
    source_kind, source, entries = _other(item)
    return Rule(
        direction=Direction.EGRESS if item.get("IsEgress") else Direction.INGRESS,
        protocol=kind,
        from_port=low,
        to_port=high,
        source=source,
        source_kind=source_kind,
        entries=entries,
        description=item.get("Description") or None,
        expires=_expires(item.get("Tags")),
        group=item.get("GroupId") or UNKNOWN,
    )


def _other(item: Mapping[str, Any]) -> tuple[SourceKind, str | Unknown, tuple[str, ...] | Unknown | None]:
    network = item.get("CidrIpv4") or item.get("CidrIpv6")
    if network:
        return SourceKind.NETWORK, network, None
    prefix_list = item.get("PrefixListId")
    if prefix_list:
        return SourceKind.PREFIX_LIST, prefix_list, UNKNOWN
    group = (item.get("ReferencedGroupInfo") or {}).get("GroupId")
    if group:
        return SourceKind.GROUP, group, None
    return SourceKind.UNKNOWN, UNKNOWN, None


def _expires(tags: Any) -> str | None:
    named = [tag.get("Value") for tag in tags or () if isinstance(tag, Mapping) and tag.get("Key") == EXPIRES]
    return str(named[0]) if named and named[0] else None


AWS: Final = Cloud(
    name="aws",
    readers=READERS,
    live_rules=rules_from_aws,
    ids=("sg-", "pl-"),
    groups=GROUP_TYPES,
    tagged=TAGGED_TYPES,
    rule_id="SecurityGroupRuleId",
)
