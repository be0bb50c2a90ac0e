"""The network of some VPCs as AWS describes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.network import (
    AclEntry,
    Interface,
    Network,
    NetworkAcl,
    Route,
    RouteTable,
    RouteTarget,
    Subnet,
    Vpc,
)
from runbook_lib.models.rules import Direction, Rule, SourceKind

from ..rules.values import ports, protocol

__all__ = ["Described", "network_from_aws"]

# What the adapter found, by what it asked for: lists of what AWS answered.
Described = Mapping[str, Any]

_BEYOND: Final = (
    "TransitGatewayId", "VpcPeeringConnectionId", "LocalGatewayId", "CoreNetworkArn", "OdbNetworkArn",
)  # fmt: skip
_FORWARDING: Final = {"network_load_balancer", "gateway_load_balancer"}
_PREFIXES: Final = {"igw-": RouteTarget.INTERNET, "vgw-": RouteTarget.BEYOND, "vpce": RouteTarget.UNKNOWN}


def network_from_aws(described: Described) -> Network:
    """All of it, nothing missing: who carries a group, and every rule of every group of these VPCs."""
    named = {str(key): str(value) for key, value in (described.get("names") or {}).items()}
    groups = list(described.get("groups") or ())
    lists = described.get("lists") or {}
    return Network(
        vpcs=tuple(_vpcs(described.get("vpcs") or ())),
        subnets=tuple(_subnets(described)),
        tables=tuple(map(_table, described.get("tables") or ())),
        acls=tuple(map(_acl, described.get("acls") or ())),
        interfaces=tuple(_interface(item, named) for item in described.get("interfaces") or ()),
        rules=tuple(rule for group in groups for rule in _rules(group, lists)),
        ruled=frozenset(str(group["GroupId"]) for group in groups),
        peopled=frozenset(str(group["GroupId"]) for group in groups),
        complete=True,
        names={
            str(group["GroupId"]): _name(group.get("Tags")) or str(group.get("GroupName") or "") for group in groups
        },
    )


def _vpcs(items: Iterable[Mapping[str, Any]]) -> Iterator[Vpc]:
    for item in items:
        four = [each.get("CidrBlock") for each in item.get("CidrBlockAssociationSet") or ()] or [item.get("CidrBlock")]
        six = [each.get("Ipv6CidrBlock") for each in item.get("Ipv6CidrBlockAssociationSet") or ()]
        yield Vpc(id=str(item["VpcId"]), networks=tuple(str(each) for each in (*four, *six) if each))


def _subnets(described: Described) -> Iterator[Subnet]:
    tables = {
        str(link["SubnetId"]): str(table["RouteTableId"])
        for table in described.get("tables") or ()
        for link in table.get("Associations") or ()
        if link.get("SubnetId")
    }
    acls = {
        str(link["SubnetId"]): str(acl["NetworkAclId"])
        for acl in described.get("acls") or ()
        for link in acl.get("Associations") or ()
        if link.get("SubnetId")
    }
    for item in described.get("subnets") or ():
        identity = str(item["SubnetId"])
        six = [each.get("Ipv6CidrBlock") for each in item.get("Ipv6CidrBlockAssociationSet") or ()]
        yield Subnet(
            id=identity,
            vpc=str(item.get("VpcId") or ""),
            networks=tuple(str(each) for each in (item.get("CidrBlock"), *six) if each),
            table=tables.get(identity, ""),
            acl=acls.get(identity, ""),
            gives_public=bool(item.get("MapPublicIpOnLaunch")),
        )


def _table(item: Mapping[str, Any]) -> RouteTable:
    return RouteTable(
        id=str(item["RouteTableId"]),
        vpc=str(item.get("VpcId") or ""),
        routes=tuple(route for each in item.get("Routes") or () for route in _route(each)),
        main=any(link.get("Main") for link in item.get("Associations") or ()),
    )


def _route(item: Mapping[str, Any]) -> Iterator[Route]:
    target, via = _target(item)
    if target is RouteTarget.LOCAL:
        return
    if item.get("State") == "blackhole":
        target = RouteTarget.NOWHERE
    names = ("DestinationCidrBlock", "DestinationIpv6CidrBlock")
    networks = [str(item[name]) for name in names if item.get(name)]
    if not networks and item.get("DestinationPrefixListId"):
        if target is RouteTarget.UNKNOWN:
            return  # a gateway endpoint: its service's own networks, from which nobody begins to speak
        networks = [""]
    yield from (Route(network=network, target=target, via=via) for network in networks)


def _target(item: Mapping[str, Any]) -> tuple[RouteTarget, str]:
    gateway = str(item.get("GatewayId") or "")
    if gateway == "local":
        return RouteTarget.LOCAL, gateway
    if gateway:
        return _PREFIXES.get(gateway[:4], RouteTarget.UNKNOWN), gateway
    for name, target in (("NatGatewayId", RouteTarget.NAT), ("EgressOnlyInternetGatewayId", RouteTarget.NAT),
                         *((beyond, RouteTarget.BEYOND) for beyond in _BEYOND)):  # fmt: skip
        if item.get(name):
            return target, str(item[name])
    # An instance or an interface that forwards: where to, only it knows.
    return RouteTarget.UNKNOWN, str(item.get("NetworkInterfaceId") or item.get("InstanceId") or "")


def _acl(item: Mapping[str, Any]) -> NetworkAcl:
    entries = [_entry(each) for each in item.get("Entries") or ()]
    return NetworkAcl(
        id=str(item["NetworkAclId"]),
        vpc=str(item.get("VpcId") or ""),
        entries=tuple(entry for entry in entries if entry),
        default=bool(item.get("IsDefault")),
        unsure=None in entries,
    )


def _entry(item: Mapping[str, Any]) -> AclEntry | None:
    kind = protocol(item.get("Protocol"), "a network ACL's entry")
    span = item.get("PortRange") or {}
    first, last = span.get("From"), span.get("To")
    if kind in {"icmp", "icmpv6"}:
        code = item.get("IcmpTypeCode") or {}
        first, last = code.get("Type"), code.get("Code")
    if kind is UNKNOWN:
        return None
    return AclEntry(
        number=int(item["RuleNumber"]),
        egress=bool(item.get("Egress")),
        allow=str(item.get("RuleAction")).lower() == "allow",
        protocol=str(kind),
        network=str(item.get("CidrBlock") or item.get("Ipv6CidrBlock") or ""),
        from_port=None if first is None or kind == "all" else int(first),
        to_port=None if last is None or kind == "all" else int(last),
    )


def _interface(item: Mapping[str, Any], names: Mapping[str, str]) -> Interface:
    identity = str(item["NetworkInterfaceId"])
    owner, kind = str(item.get("Owner") or identity), str(item.get("Kind") or "interface")
    privates = item.get("PrivateIpAddresses") or [{"PrivateIpAddress": item.get("PrivateIpAddress")}]
    # moto tells a public address on the interface alone, AWS on each of its private addresses too.
    links = [item.get("Association") or {}, *(each.get("Association") or {} for each in privates)]
    six = [str(each["Ipv6Address"]) for each in item.get("Ipv6Addresses") or () if each.get("Ipv6Address")]
    four = [str(each["PrivateIpAddress"]) for each in privates if each.get("PrivateIpAddress")]
    public = tuple(dict.fromkeys(str(link["PublicIp"]) for link in links if link.get("PublicIp")))
    subnet = str(item.get("SubnetId") or "")
    return Interface(
        id=identity,
        name=names.get(owner) or _name(item.get("TagSet")) or _short(owner),
        kind=kind,
        owner=owner,
        vpc=str(item.get("VpcId") or ""),
        subnets=(subnet,) if subnet else (),
        groups=tuple(str(group["GroupId"]) for group in item.get("Groups") or ()),
        addresses=(*four, *six),
        public=public,
        forwards=_forwards(str(item.get("InterfaceType") or ""), public),
    )


def _forwards(kind: str, public: tuple[str, ...]) -> bool:
    # An accelerator's interface is private: the public addresses are the accelerator's.
    return kind == "global_accelerator_managed" or (kind in _FORWARDING and bool(public))


def _short(owner: str) -> str:
    # `app/web/50dc6c495c0c9188`: what AWS itself calls a balancer is in its middle.
    parts = owner.split("/")
    return parts[1] if len(parts) == 3 else owner


def _name(tags: Any) -> str:
    entries = tags if isinstance(tags, list) else []
    return next((str(tag.get("Value", "")) for tag in entries if tag.get("Key") == "Name"), "")


def _rules(group: Mapping[str, Any], lists: Mapping[str, tuple[str, ...]]) -> Iterator[Rule]:
    identity = str(group["GroupId"])
    for direction, key in ((Direction.INGRESS, "IpPermissions"), (Direction.EGRESS, "IpPermissionsEgress")):
        for permission in group.get(key) or ():
            kind = protocol(permission.get("IpProtocol"), identity)
            low, high = ports(kind, permission.get("FromPort"), permission.get("ToPort"), identity)
            for source_kind, source in _others(permission):
                yield Rule(
                    direction=direction,
                    protocol=kind,
                    from_port=low,
                    to_port=high,
                    source=source,
                    source_kind=source_kind,
                    entries=lists.get(source) if source_kind is SourceKind.PREFIX_LIST else None,
                    group=identity,
                )


def _others(permission: Mapping[str, Any]) -> Iterator[tuple[SourceKind, str]]:
    yield from ((SourceKind.NETWORK, str(each["CidrIp"])) for each in permission.get("IpRanges") or ())
    yield from ((SourceKind.NETWORK, str(each["CidrIpv6"])) for each in permission.get("Ipv6Ranges") or ())
    yield from ((SourceKind.PREFIX_LIST, str(each["PrefixListId"])) for each in permission.get("PrefixListIds") or ())
    pairs = permission.get("UserIdGroupPairs") or ()
    yield from ((SourceKind.GROUP, str(each["GroupId"])) for each in pairs if each.get("GroupId"))
