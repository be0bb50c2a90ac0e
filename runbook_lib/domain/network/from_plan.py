"""The network before and after a plan, as far as the plan knows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.network import (
    AclEntry,
    Network,
    NetworkAcl,
    Networks,
    Route,
    RouteTable,
    RouteTarget,
    Subnet,
    Vpc,
)
from runbook_lib.models.plan import Plan
from runbook_lib.models.rules import Rule

from ..rules import GROUP_TYPES, RULE_TYPES, RuleChanges
from ..rules.values import protocol
from .carriers import interfaces_elsewhere, interfaces_of
from .resources import Resource, Stage, stages_of

__all__ = ["networks_from_plan", "vpcs_of_plan"]

_VPCS: Final = ("aws_vpc", "aws_default_vpc")
_SUBNETS: Final = ("aws_subnet", "aws_default_subnet")
_TABLES: Final = ("aws_route_table", "aws_default_route_table")
_ACLS: Final = ("aws_network_acl", "aws_default_network_acl")
_GATEWAYS: Final = ("aws_internet_gateway",)
# What a route can lead to, by its attribute.
_TARGETS: Final = {
    "nat_gateway_id": RouteTarget.NAT,
    "egress_only_gateway_id": RouteTarget.NAT,
    "vpc_peering_connection_id": RouteTarget.BEYOND,
    "transit_gateway_id": RouteTarget.BEYOND,
    "local_gateway_id": RouteTarget.BEYOND,
    "carrier_gateway_id": RouteTarget.UNKNOWN,
    "core_network_arn": RouteTarget.BEYOND,
    "vpc_endpoint_id": RouteTarget.UNKNOWN,
    "network_interface_id": RouteTarget.UNKNOWN,
    "instance_id": RouteTarget.UNKNOWN,
}
# What links two things, of which the one may be another stack's, and as what its id begins.
_LINKS: Final = frozenset({
    "aws_route", "aws_route_table_association", "aws_network_acl_rule", "aws_network_acl_association", "aws_eip",
    "aws_eip_association", "aws_network_interface_sg_attachment",
})  # fmt: skip
_LINKED: Final = ("rtb-", "acl-", "subnet-", "eni-", "i-")
_BARE: Final[dict[str, Any]] = {"groups": (), "public": ()}
_NOT_LINKED: Final[dict[str, Any]] = {"table": "", "acl": "", "unsure": frozenset({"table", "acl"})}
_NETWORKS: Final = ("cidr_block", "ipv6_cidr_block", "destination_cidr_block", "destination_ipv6_cidr_block")
_LISTS: Final = ("destination_prefix_list_id",)


def networks_from_plan(plan: Plan, rules: RuleChanges) -> Networks:
    """Before and after; what the plan does not know is unsure, and who carries a group that was there before too."""
    before, after = stages_of(plan, RULE_TYPES - GROUP_TYPES)
    found = Networks(
        before=_network(before, rules.before, rules.whole_groups),
        after=_network(after, rules.after, rules.whole_groups, _given_back(before, after)),
    )
    return _with_those_elsewhere(found, before, after)


def _with_those_elsewhere(found: Networks, before: Stage, after: Stage) -> Networks:
    """With the interfaces and subnets of other stacks that are given something by the plan, or lose it."""
    for name, read, bare in (("interfaces", interfaces_elsewhere, _BARE), ("subnets", _subnets_elsewhere, _NOT_LINKED)):
        was, will = read(before), read(after)
        there = [*getattr(found.before, name), *getattr(found.after, name)]
        own = {said for each in there for said in (each.id, getattr(each, "owner", ""))}
        moved = [each for each in dict.fromkeys((*was, *will)) if each not in own and was.get(each) != will.get(each)]
        # One that only apply tells is not there without what gives it something.
        sides = [[given.get(each) or (was.get(each) or will[each]).model_copy(update=bare) for each in moved
                  if each in given or "." not in each] for given in (was, will)]  # fmt: skip
        found = Networks(
            before=found.before.model_copy(update={name: (*getattr(found.before, name), *sides[0])}),
            after=found.after.model_copy(update={name: (*getattr(found.after, name), *sides[1])}),
        )
    return found


def vpcs_of_plan(plan: Plan) -> tuple[frozenset[str], frozenset[str]]:
    """The ids of all VPCs that the plan speaks of, and of what AWS can say the VPC of.

    That is every group, and of another stack whatever the plan links to something, or no more.
    """
    vpcs: set[str] = set()
    things: set[str] = set()
    for stage in stages_of(plan):
        for resource in stage.resources:
            vpcs |= {resource.text("vpc_id")} | ({resource.id} if resource.type in _VPCS else set())
            things |= set(_ids(resource.values, ("sg-",)))
    for change in plan.changes:
        if change.type in _LINKS and set(change.actions) - {"no-op", "read"}:
            things |= set(_ids((change.before, change.after), _LINKED))
    return frozenset(each for each in vpcs if each.startswith("vpc-")), frozenset(things)


def _ids(values: Any, prefixes: tuple[str, ...]) -> Iterator[str]:
    waiting = [values]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str) and found.startswith(prefixes):
            yield found
        elif isinstance(found, Mapping):
            waiting += found.values()
        elif isinstance(found, list | tuple):
            waiting += found


def _network(
    stage: Stage, rules: tuple[Rule, ...], whole: frozenset[str], given_back: Mapping[str, str] | None = None
) -> Network:
    subnets = tuple(_subnets(stage))
    made = frozenset(group.id for group in stage.of(*GROUP_TYPES) if group.made)
    return Network(
        vpcs=tuple(_vpcs(stage)),
        subnets=subnets,
        tables=tuple(_tables(stage, given_back or {})),
        acls=tuple(_acls(stage)),
        interfaces=tuple(interfaces_of(stage, subnets)),
        rules=rules,
        ruled=whole,
        peopled=made,
    )


def _vpcs(stage: Stage) -> Iterator[Vpc]:
    for vpc in stage.of(*_VPCS):
        networks = [vpc.values.get(name) for name in ("cidr_block", "ipv6_cidr_block")]
        more = [a.text("cidr_block") for a in stage.of("aws_vpc_ipv4_cidr_block_association")
                if stage.one(a, "vpc_id", _VPCS)[0] == vpc.id]  # fmt: skip
        known = [each for each in networks if isinstance(each, str) and each]
        yield Vpc(id=vpc.id, networks=(*known, *filter(None, more)), unsure=UNKNOWN in networks)


def _subnets_elsewhere(stage: Stage) -> dict[str, Subnet]:
    """By id what is given a route table or a network ACL by its id alone: the stack's own as well."""
    tables, acls = _tables_of_subnets(stage)[0], _acls_of_subnets(stage)[0]
    given = {each: (tables.get(each, ("",))[0], acls.get(each, ("",))[0]) for each in (*tables, *acls)}
    return {
        each: Subnet(id=each, table=table, acl=acl, unsure=_NOT_LINKED["unsure"] - {table and "table", acl and "acl"})
        for each, (table, acl) in given.items()
    }


def _tables_of_subnets(stage: Stage) -> tuple[dict[str, tuple[str, bool]], bool]:
    return _associations(stage, "aws_route_table_association", "route_table_id", _TABLES)


def _acls_of_subnets(stage: Stage) -> tuple[dict[str, tuple[str, bool]], bool]:
    acls, more = _associations(stage, "aws_network_acl_association", "network_acl_id", _ACLS)
    for listing in stage.of(*_ACLS):
        named, unsure_subnet = stage.meant(listing, "subnet_ids", listing.values.get("subnet_ids"), _SUBNETS)
        acls |= dict.fromkeys(named, (listing.id, False))
        # The provider computes them where associations give them: what is not written is no unknown subnet.
        more |= unsure_subnet and stage.configuration.written(listing.address, "subnet_ids")
    return acls, more


def _subnets(stage: Stage) -> Iterator[Subnet]:
    (tables, more_tables), (acls, more_acls) = _tables_of_subnets(stage), _acls_of_subnets(stage)
    for subnet in stage.of(*_SUBNETS):
        # One that is of a subnet of which nobody knows which may be of this one.
        table, any_table = tables.get(subnet.id, ("", not subnet.made or more_tables))
        acl, any_acl = acls.get(subnet.id, ("", not subnet.made or more_acls))
        gives = subnet.values.get("map_public_ip_on_launch")
        unsure = {name for name, is_so in (("table", any_table), ("acl", any_acl)) if is_so}
        networks = [subnet.text(name) for name in ("cidr_block", "ipv6_cidr_block")]
        yield Subnet(
            id=subnet.id,
            vpc=stage.one(subnet, "vpc_id", _VPCS)[0] or "",
            networks=tuple(filter(None, networks)),
            table=table,
            acl=acl,
            gives_public=None if gives is UNKNOWN else bool(gives),
            unsure=frozenset(unsure),
        )


def _associations(
    stage: Stage, kind: str, attribute: str, types: Iterable[str]
) -> tuple[dict[str, tuple[str, bool]], bool]:
    """What each subnet is given, and whether some other one is given something besides."""
    found, more = {}, False
    for each in stage.of(kind):
        subnet, unsure = stage.one(each, "subnet_id", _SUBNETS)
        more |= unsure
        if subnet:
            found[subnet] = stage.one(each, attribute, types)
    return found, more


def _tables(stage: Stage, given_back: Mapping[str, str]) -> Iterator[RouteTable]:
    separate: dict[str, list[Resource]] = {}
    for route in stage.of("aws_route"):
        separate.setdefault(stage.one(route, "route_table_id", _TABLES)[0], []).append(route)
    mains = {table: vpc for vpc, table in {**_mains(stage), **given_back}.items()}
    known = set()
    for table in stage.of(*_TABLES):
        known.add(table.id)
        yield RouteTable(
            id=table.id,
            vpc=_vpc_of(stage, table, "default_route_table_id"),
            routes=tuple(dict.fromkeys((*_inline_routes(stage, table), *_routes(stage, separate.get(table.id, ()))))),
            main=table.id in mains,
            # A route of which nobody knows which table it goes into may go into this one.
            unsure=(table.values.get("route") is UNKNOWN and not table.made) or bool(separate.get("")),
        )
    for identity in sorted((separate.keys() | mains.keys()) - known - {""}):
        # A table of another stack: what this one adds is known, and what else it holds is not.
        routes = tuple(_routes(stage, separate.get(identity, ())))
        yield RouteTable(id=identity, vpc=mains.get(identity, ""), routes=routes, main=identity in mains, unsure=True)
    for vpc in stage.of(*_VPCS):
        if vpc.made and vpc.type == "aws_vpc":
            yield from _own_of_new(stage, vpc)


def _mains(stage: Stage) -> dict[str, str]:
    """The main table of each VPC: that which AWS made with it, until another one is made the main one."""
    default = stage.of("aws_default_route_table")
    mains = {_vpc_of(stage, table, "default_route_table_id"): table.id for table in default}
    mains |= {vpc.id: vpc.text("main_route_table_id") for vpc in stage.of(*_VPCS) if vpc.text("main_route_table_id")}
    for each, vpc in _made_main(stage):
        # One that nobody knows yet is the main one all the same.
        mains[vpc] = stage.one(each, "route_table_id", _TABLES)[0] or f"{each.address}.route_table_id"
    return mains


def _given_back(before: Stage, after: Stage) -> dict[str, str]:
    """The main table that a VPC has again where the plan no longer makes another one so."""
    still = {vpc for _, vpc in _made_main(after)}
    return {
        vpc: each.text("original_route_table_id") or f"{each.address}.original_route_table_id"
        for each, vpc in _made_main(before)
        if vpc not in still
    }


def _made_main(stage: Stage) -> Iterator[tuple[Resource, str]]:
    """Each resource that makes a table the main one, and of which VPC; empty where nobody knows."""
    of_table = {table.id: _vpc_of(stage, table, "default_route_table_id") for table in stage.of(*_TABLES)}
    for each in stage.of("aws_main_route_table_association"):
        vpc = stage.one(each, "vpc_id", _VPCS)[0] or of_table.get(stage.one(each, "route_table_id", _TABLES)[0], "")
        yield each, vpc


def _own_of_new(stage: Stage, vpc: Resource) -> Iterator[RouteTable]:
    """The main table that AWS makes with a VPC, which leads nowhere but inside."""
    others = [t for t in stage.of("aws_default_route_table") if _vpc_of(stage, t, "default_route_table_id") == vpc.id]
    if not others and not any(named in {vpc.id, ""} for _, named in _made_main(stage)):
        yield RouteTable(id=f"{vpc.address}.main_route_table_id", vpc=vpc.id, main=True)


def _inline_routes(stage: Stage, table: Resource) -> Iterator[Route]:
    blocks = table.values.get("route")
    for block in blocks if isinstance(blocks, list | tuple) else ():
        if isinstance(block, Mapping):
            yield from _route(stage, table, block, "route")


def _routes(stage: Stage, routes: Iterable[Resource]) -> Iterator[Route]:
    for route in routes:
        yield from _route(stage, route, route.values, "")


def _route(stage: Stage, resource: Resource, values: Mapping[str, Any], block: str) -> Iterator[Route]:
    given = [values.get(name) for name in _NETWORKS]
    networks = [each for each in given if isinstance(each, str) and each]
    lists = [values.get(name) for name in _LISTS]
    target, via = _target(stage, resource, values, block)
    if target is RouteTarget.LOCAL:
        return
    if not networks and (UNKNOWN in given or any(lists)):
        networks = [""]
    for network in networks:
        yield Route(network=network, target=target, via=via)


def _target(stage: Stage, resource: Resource, values: Mapping[str, Any], block: str) -> tuple[RouteTarget, str]:
    gateway = values.get("gateway_id")
    if isinstance(gateway, str) and gateway:
        named = {"igw-": RouteTarget.INTERNET, "vgw-": RouteTarget.BEYOND, "eigw": RouteTarget.NAT}
        if gateway == "local":
            return RouteTarget.LOCAL, gateway
        return named.get(gateway[:4], RouteTarget.UNKNOWN), gateway
    known = [(kind, name) for name, kind in _TARGETS.items() if isinstance(values.get(name), str) and values.get(name)]
    if known:
        return known[0][0], str(values[known[0][1]])
    if values.get("nat_gateway_id") is UNKNOWN and gateway is not UNKNOWN:
        return RouteTarget.NAT, ""
    found, unsure = stage.meant(resource, block or "gateway_id", gateway, _GATEWAYS)
    if gateway is UNKNOWN and found and not unsure:
        return RouteTarget.INTERNET, found[0]
    return RouteTarget.UNKNOWN, ""


def _acls(stage: Stage) -> Iterator[NetworkAcl]:
    separate: dict[str, list[Resource]] = {}
    for entry in stage.of("aws_network_acl_rule"):
        separate.setdefault(stage.one(entry, "network_acl_id", _ACLS)[0], []).append(entry)
    known = set()
    defaults = {vpc.text("default_network_acl_id") for vpc in stage.of(*_VPCS)}
    for acl in stage.of(*_ACLS):
        known.add(acl.id)
        blocks = [acl.values.get(way) for way in ("ingress", "egress")]
        entries = [_entry(block, way == "egress", "rule_no", "action") for way, held in
                   zip(("ingress", "egress"), blocks, strict=True) for block in _each(held)]  # fmt: skip
        entries += [
            _entry(e.values, e.values.get("egress"), "rule_number", "rule_action") for e in separate.get(acl.id, ())
        ]
        yield NetworkAcl(
            id=acl.id,
            vpc=_vpc_of(stage, acl, "default_network_acl_id"),
            entries=tuple(dict.fromkeys(entry for entry in entries if entry)),
            default=acl.type == "aws_default_network_acl" or acl.id in defaults,
            unsure=None in entries or bool(separate.get("")) or (UNKNOWN in blocks and not acl.made),
        )
    for identity in separate.keys() - known - {""}:
        held = [
            _entry(each.values, each.values.get("egress"), "rule_number", "rule_action") for each in separate[identity]
        ]
        yield NetworkAcl(id=identity, entries=tuple(entry for entry in held if entry), unsure=True)
    for vpc in stage.of(*_VPCS):
        if vpc.made and vpc.type == "aws_vpc" and not _has_default_acl(stage, vpc):
            yield _own_acl(vpc)


def _has_default_acl(stage: Stage, vpc: Resource) -> bool:
    return any(_vpc_of(stage, a, "default_network_acl_id") in {vpc.id, ""} for a in stage.of("aws_default_network_acl"))


def _own_acl(vpc: Resource) -> NetworkAcl:
    """The ACL that AWS makes with a VPC, which lets everything through."""
    entries = [
        AclEntry(number=number, egress=egress, allow=True, protocol="all", network=network)
        for number, network in ((100, "0.0.0.0/0"), (101, "::/0"))
        for egress in (False, True)
    ]
    return NetworkAcl(id=f"{vpc.address}.default_network_acl_id", vpc=vpc.id, entries=tuple(entries), default=True)


def _each(blocks: Any) -> Iterator[Any]:
    yield from blocks if isinstance(blocks, list | tuple) else ()


def _entry(values: Any, egress: Any, number: str, action: str) -> AclEntry | None:
    """One entry; None where something in it is not known."""
    if not isinstance(values, Mapping):
        return None
    kind = protocol(values.get("protocol"), "a network ACL's entry")
    network = values.get("cidr_block") or values.get("ipv6_cidr_block")
    order, ports = values.get(number), [values.get("from_port"), values.get("to_port")]
    if kind in {"icmp", "icmpv6"}:
        ports = [values.get("icmp_type"), values.get("icmp_code")]
    decisive = (order, network, values.get(action), kind, egress, *ports)
    if UNKNOWN in decisive or not isinstance(order, int) or not isinstance(network, str):
        return None
    first, last = (port if isinstance(port, int) else None for port in ports)
    whole = kind == "all" or (kind in {"tcp", "udp"} and first in {0, None} and last in {0, None})
    return AclEntry(
        number=order,
        egress=bool(egress),
        allow=str(values.get(action)).lower() == "allow",
        protocol=str(kind),
        network=network,
        from_port=None if whole and kind == "all" else first,
        to_port=None if whole and kind == "all" else last,
    )


def _vpc_of(stage: Stage, resource: Resource, own: str) -> str:
    """The VPC that it says it is in, or whose default it says it is."""
    vpc, _ = stage.one(resource, "vpc_id", _VPCS)
    if not vpc and own in resource.values:
        vpc, _ = stage.one(resource, own, _VPCS)
    return vpc if not vpc.startswith(("rtb-", "acl-")) else ""
