"""What a plan says of the network, and what its exposure says of things without anybody asking AWS."""

from __future__ import annotations

from typing import Any

import pytest
from compliance_samples import network_rule

from runbook_lib.domain.exposure import exposure
from runbook_lib.domain.group_names import group_names
from runbook_lib.domain.intervals import network_interval
from runbook_lib.domain.network import network_from_aws, networks_from_plan, vpcs_of_plan, with_live
from runbook_lib.domain.network.filters import Filters
from runbook_lib.domain.plan import parse_plan
from runbook_lib.domain.reach import ALL_PORTS
from runbook_lib.domain.rules import rules_from_plan
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.exposure import Exposure, ExposureSource, Reachable
from runbook_lib.models.network import (
    NEW_ADDRESS,
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
from runbook_lib.models.plan import Plan

Change = dict[str, Any]


def change(address: str, before: Any, after: Any, unknown: Any = None) -> Change:
    kind, _, name = address.partition(".")
    actions = ["create"] if before is None else ["delete"] if after is None else ["update"]
    actions = ["no-op"] if before == after else actions
    made = {"actions": actions, "before": before, "after": after, "after_unknown": unknown or {}}
    return {"address": address, "type": kind, "name": name, "mode": "managed", "change": made}


def kept(address: str, /, **values: Any) -> Change:
    return change(address, values, values)


def made(address: str, references: dict[str, list[str]] | None = None, **values: Any) -> Change:
    """Something new, whose id and these attributes only apply tells."""
    unknown = {"id": True, **dict.fromkeys(references or {}, True)}
    return {**change(address, None, values, unknown), "_references": references or {}}


def planned(*changes: Change, looked_up: tuple[Change, ...] = ()) -> Plan:
    """A plan of these; `looked_up` are resources of the state as it was before."""
    written = [
        {"address": each["address"], "expressions": {
            name: {"references": refs} for name, refs in each.pop("_references", {}).items()
        } | {name: {} for name in each["change"]["after"] or {}}}
        for each in changes
    ]  # fmt: skip
    state = {"format_version": "1.0", "values": {"root_module": {"resources": list(looked_up)}}}
    document = {"format_version": "1.2", "resource_changes": list(changes), "prior_state": state,
                "configuration": {"root_module": {"resources": written}}}  # fmt: skip
    return parse_plan(document)


def after(*changes: Change, looked_up: tuple[Change, ...] = ()) -> Network:
    plan = planned(*changes, looked_up=looked_up)
    return networks_from_plan(plan, rules_from_plan(plan)).after


def told(*changes: Change, live: Network | None = None) -> Exposure:
    plan = planned(*changes)
    rules = rules_from_plan(plan)
    networks = networks_from_plan(plan, rules)
    networks = with_live(networks, live) if live else networks
    return exposure(rules.before, rules.after, group_names(plan), rules.whole_groups, networks)


WORLD_RULE = {"from_port": 80, "to_port": 80, "ip_protocol": "tcp", "cidr_ipv4": "0.0.0.0/0"}
INGRESS = {"protocol": "tcp", "from_port": 80, "to_port": 80, "cidr_blocks": ["0.0.0.0/0"], "self": False}
NEW = (
    made("aws_vpc.main", cidr_block="10.0.0.0/16"),
    made("aws_internet_gateway.main", {"vpc_id": ["aws_vpc.main.id"]}),
    made("aws_subnet.front", {"vpc_id": ["aws_vpc.main.id"]}, cidr_block="10.0.1.0/24", map_public_ip_on_launch=False),
    made("aws_route_table.front", {"vpc_id": ["aws_vpc.main.id"]}),
    made("aws_route.out", {"route_table_id": ["aws_route_table.front.id"],
                           "gateway_id": ["aws_internet_gateway.main.id"]}, destination_cidr_block="0.0.0.0/0"),
    made("aws_route_table_association.front", {"subnet_id": ["aws_subnet.front.id"],
                                               "route_table_id": ["aws_route_table.front.id"]}),
    made("aws_security_group.web", {"vpc_id": ["aws_vpc.main.id"]}, name="web"),
    made("aws_vpc_security_group_ingress_rule.web", {"security_group_id": ["aws_security_group.web.id"]}, **WORLD_RULE),
)  # fmt: skip


def instance(public: bool) -> Change:
    return made("aws_instance.web", {"vpc_security_group_ids": ["aws_security_group.web.id"],
                                     "subnet_id": ["aws_subnet.front.id"]},
                associate_public_ip_address=public, tags={"Name": "web-1"})  # fmt: skip


def copies() -> list[Change]:
    return [{**each, "change": {**each["change"]}} for each in NEW]


def test_all_of_a_new_network_is_known_before_it_is_there() -> None:
    found = told(*copies(), instance(True))
    (entry,) = [each for each in found.opened if str(each.source_kind) == "internet"]
    assert (entry.reachable, [each.name for each in entry.interfaces]) == (Reachable.REACHABLE, ["web-1"])
    assert found.sentence.startswith("The internet can newly reach web-1 (a new address) on tcp 80")


def test_what_a_new_instance_lacks_is_said() -> None:
    (entry,) = [each for each in told(*copies(), instance(False)).opened if str(each.source_kind) == "internet"]
    assert (entry.reachable, entry.why) == (Reachable.OPEN_BUT_NOT_REACHABLE, "no public address")
    without = [each for each in copies() if each["address"] != "aws_route.out"]
    (entry,) = [each for each in told(*without, instance(True)).opened if str(each.source_kind) == "internet"]
    assert (entry.reachable, entry.why) == (Reachable.OPEN_BUT_NOT_REACHABLE, "no route to an internet gateway")


@pytest.mark.parametrize(
    ("kind", "internal", "why"),
    [
        ("network", False, "a network load balancer or an accelerator may lead to it"),
        ("network", True, "no public address"),
        ("application", False, "no public address"),
    ],
)
def test_what_a_network_load_balancer_may_lead_to_is_not_called_unreachable(
    kind: str, internal: bool, why: str
) -> None:
    balancer = made("aws_lb.edge", {"subnets": ["aws_subnet.front.id"]}, name="edge", internal=internal,
                    load_balancer_type=kind)  # fmt: skip
    (entry,) = [e for e in told(*copies(), instance(False), balancer).opened if str(e.source_kind) == "internet"]
    verdict = Reachable.UNKNOWN if "may" in why else Reachable.OPEN_BUT_NOT_REACHABLE
    assert (entry.reachable, entry.why) == (verdict, why)


def test_the_endpoint_of_an_accelerator_needs_no_public_address() -> None:
    group = made("aws_globalaccelerator_endpoint_group.all", listener_arn="arn:aws:globalaccelerator::1:listener/1")
    (entry,) = [e for e in told(*copies(), instance(False), group).opened if str(e.source_kind) == "internet"]
    assert (entry.reachable, entry.why) == (
        Reachable.UNKNOWN,
        "a network load balancer or an accelerator may lead to it",
    )


def test_a_network_load_balancer_that_is_there_leads_on_without_its_own_group() -> None:
    known = live(groups=())
    balancer = {"NetworkInterfaceId": "eni-2", "VpcId": "vpc-1", "SubnetId": "subnet-1", "Kind": "load balancer",
                "InterfaceType": "network_load_balancer", "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.9"}],
                "Association": {"PublicIp": "198.51.100.20"}, "Groups": []}  # fmt: skip
    found = network_from_aws({"interfaces": [balancer]}).interfaces
    attached = public_world(vpc_security_group_ids=["sg-1"])
    attached[1]["change"]["before"]["vpc_security_group_ids"] = []
    told_of = told(*attached, live=known.model_copy(update={"interfaces": (*known.interfaces, *found)}))
    assert opened(told_of) == [("0.0.0.0/0", "db-1", Reachable.UNKNOWN)]


def test_a_network_acl_of_the_plan_counts() -> None:
    denies = {"rule_no": 1, "action": "deny", "protocol": "tcp", "from_port": 80, "to_port": 80,
              "cidr_block": "0.0.0.0/0"}  # fmt: skip
    acl = made("aws_network_acl.front", {"subnet_ids": ["aws_subnet.front.id"], "vpc_id": ["aws_vpc.main.id"]},
               ingress=[denies], egress=[])  # fmt: skip
    (entry,) = [each for each in told(*copies(), instance(True), acl).opened if str(each.source_kind) == "internet"]
    assert (entry.reachable, entry.why) == (Reachable.OPEN_BUT_NOT_REACHABLE, "the network ACL denies it")


def test_who_is_in_a_group_that_was_there_before_is_not_known() -> None:
    group = kept("aws_security_group.web", id="sg-1", name="web", ingress=[], egress=[])
    rule = made("aws_vpc_security_group_ingress_rule.web", security_group_id="sg-1", **WORLD_RULE)
    found = told(group, rule)
    assert [(each.reachable, each.why) for each in found.opened] == [(Reachable.UNKNOWN, "who is in web is not known")]
    assert found.sentence == (
        "The internet can newly reach web on tcp 80; nobody loses access. Not known: who is in web."
    )


def public_world(**instance_values: Any) -> tuple[Change, ...]:
    values = {"id": "i-1", "subnet_id": "subnet-1", "vpc_security_group_ids": ["sg-1"], "private_ip": "10.0.1.5",
              "primary_network_interface_id": "eni-1", "public_ip": "", "tags": {"Name": "db-1"}}  # fmt: skip
    return (
        kept("aws_security_group.web", id="sg-1", name="web", ingress=[INGRESS], egress=[]),
        change("aws_instance.db", values, {**values, **instance_values}),
    )


def live(public: str = "", groups: tuple[str, ...] = ("sg-1",), routed: bool = True) -> Network:
    route = [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}] if routed else []
    ways = [
        {"RuleNumber": 100, "Egress": egress, "RuleAction": "allow", "Protocol": "-1", "CidrBlock": "0.0.0.0/0"}
        for egress in (True, False)
    ]
    web = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    return network_from_aws({
        "vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}],
        "tables": [{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Routes": route, "Associations": [{"Main": True}]}],
        "acls": [{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "IsDefault": True, "Entries": ways}],
        "interfaces": [{
            "NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "SubnetId": "subnet-1", "Owner": "i-1", "Kind": "instance",
            "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.5"}], "Groups": [{"GroupId": g} for g in groups],
            **({"Association": {"PublicIp": public}} if public else {}),
        }],
        "groups": [{"GroupId": "sg-1", "GroupName": "web", "IpPermissions": web},
                   {"GroupId": "sg-2", "GroupName": "other"}],
        "names": {"i-1": "db-1"},
    })  # fmt: skip


def opened(found: Exposure) -> list[tuple[str, str, Reachable]]:
    return [(str(each.source), str(each.target), each.reachable) for each in found.opened]


def test_attaching_a_group_is_exposure() -> None:
    found = told(*public_world(vpc_security_group_ids=["sg-1", "sg-2"]), live=live("198.51.100.9", ("sg-1",)))
    assert opened(found) == []
    other = public_world(vpc_security_group_ids=["sg-1"])
    other[1]["change"]["before"]["vpc_security_group_ids"] = ["sg-2"]
    found = told(*other, live=live("198.51.100.9", ("sg-2",)))
    assert opened(found) == [("0.0.0.0/0", "db-1", Reachable.REACHABLE)]
    assert found.sentence == "The internet can newly reach db-1 (198.51.100.9) on tcp 80; nobody loses access."


def test_an_elastic_address_is_exposure_and_its_loss_closes() -> None:
    address = made("aws_eip_association.db", instance_id="i-1", public_ip="198.51.100.7")
    found = told(*public_world(), address, live=live())
    assert opened(found) == [("0.0.0.0/0", "db-1", Reachable.REACHABLE)]
    values = {"id": "eipassoc-1", "instance_id": "i-1", "public_ip": "198.51.100.7"}
    gone = change("aws_eip_association.db", values, None)
    found = told(*public_world(), gone, live=live("198.51.100.7"))
    assert (found.opened, [(each.source, each.target) for each in found.closed]) == ((), [("0.0.0.0/0", "db-1")])


def test_a_route_to_an_internet_gateway_is_exposure() -> None:
    route = made("aws_route.out", route_table_id="rtb-1", gateway_id="igw-1", destination_cidr_block="0.0.0.0/0")
    found = told(*public_world(), route, live=live("198.51.100.9", routed=False))
    assert ("0.0.0.0/0", "db-1", Reachable.REACHABLE) in opened(found)


def test_a_network_acl_entry_is_exposure() -> None:
    before = live("198.51.100.9")
    denies = before.acls[0].entries[0].model_copy(update={"number": 1, "egress": False, "allow": False})
    acl = before.acls[0].model_copy(update={"entries": (denies, *before.acls[0].entries)})
    values = {"id": "nacl-1", "network_acl_id": "acl-1", "rule_number": 1, "egress": False, "rule_action": "deny",
              "protocol": "-1", "cidr_block": "0.0.0.0/0"}  # fmt: skip
    gone = change("aws_network_acl_rule.no", values, None)
    found = told(*public_world(), gone, live=before.model_copy(update={"acls": (acl,)}))
    assert opened(found) == [("0.0.0.0/0", "db-1", Reachable.REACHABLE)]


def test_a_public_database_is_exposure() -> None:
    values = {"id": "db-1", "identifier": "orders", "vpc_security_group_ids": ["sg-1"], "publicly_accessible": False,
              "db_subnet_group_name": "main", "address": "orders.rds.amazonaws.com"}  # fmt: skip
    places = kept("aws_db_subnet_group.main", id="main", name="main", subnet_ids=["subnet-1"])
    base = public_world()[0]
    found = told(base, places, change("aws_db_instance.x", values, {**values, "publicly_accessible": True}),
                 live=live())  # fmt: skip
    assert ("0.0.0.0/0", "orders", Reachable.REACHABLE) in opened(found)


def brokers(access: str) -> list[Change]:
    return [{"security_groups": ["sg-1"], "connectivity_info": [{"public_access": [{"type": access}]}]}]


@pytest.mark.parametrize(
    ("kind", "was", "will", "holder"),
    [
        ("rds_cluster_instance", *({"publicly_accessible": is_so, "cluster_identifier": "orders"}
                                   for is_so in (False, True)), "orders"),
        ("rds_cluster_instance", *({"publicly_accessible": is_so, "cluster_identifier": "orders"}
                                   for is_so in (False, UNKNOWN)), "orders"),
        ("mq_broker", *({"publicly_accessible": is_so, "security_groups": ["sg-1"]} for is_so in (False, True)), ""),
        ("dms_replication_instance", *({"publicly_accessible": is_so, "vpc_security_group_ids": ["sg-1"]}
                                       for is_so in (False, True)), ""),
        ("msk_cluster", *({"broker_node_group_info": brokers(how)} for how in ("DISABLED", "SERVICE_PROVIDED_EIPS")),
         ""),
        ("launch_template", *({"network_interfaces": [{"security_groups": ["sg-1"], "associate_public_ip_address": how}
                                                      ]} for how in ("false", "true")), ""),
    ],
)  # fmt: skip
def test_what_newly_gets_a_public_address_may_newly_be_reached_however_little_is_read_of_it(
    kind: str, was: dict[str, Any], will: dict[str, Any], holder: str
) -> None:
    cluster = kept("aws_rds_cluster.x", id="orders", cluster_identifier="orders", vpc_security_group_ids=["sg-1"])
    not_known = {name: True for name, value in will.items() if value is UNKNOWN}
    known = {name: value for name, value in will.items() if value is not UNKNOWN}
    public = change(f"aws_{kind}.y", {"id": "y", **was}, {"id": "y", **known}, not_known)
    world = ("0.0.0.0/0", holder or f"aws_{kind}.y", Reachable.UNKNOWN)
    assert world in opened(told(public_world()[0], cluster, public))
    still = change(f"aws_{kind}.y", {"id": "y", **will}, {"id": "y", **will, "tags": {"a": "b"}})
    if not not_known:
        assert opened(told(public_world()[0], cluster, still)) == []


def test_the_instances_of_a_cluster_say_whether_it_is_public_and_its_subnets_where_it_is() -> None:
    values = {"id": "orders", "cluster_identifier": "orders", "vpc_security_group_ids": ["sg-1"],
              "db_subnet_group_name": "main"}  # fmt: skip
    one = {"id": "one", "cluster_identifier": "orders", "publicly_accessible": False}
    base = public_world()[0], DATABASES, kept("aws_rds_cluster.x", **values)
    (found,) = after(*base, kept("aws_rds_cluster_instance.one", **one)).interfaces
    assert (found.name, found.subnets, found.public, sorted(found.unsure)) == (
        "orders", ("subnet-1", "subnet-2"), (), ["addresses"],
    )  # fmt: skip
    (alone,) = after(*base).interfaces
    assert sorted(alone.unsure) == ["addresses", "public"]
    opens = change("aws_rds_cluster_instance.one", one, {**one, "publicly_accessible": True})
    assert ("0.0.0.0/0", "orders", Reachable.REACHABLE) in opened(told(*base, opens, live=live()))


def test_of_another_stack_what_the_plan_links_is_spoken_of_too() -> None:
    stands = {"id": "x", "route_table_id": "rtb-8", "subnet_id": "subnet-8"}
    entry = {"network_acl_id": "acl-9", "rule_number": 1}
    plan = parse_plan({"format_version": "1.2", "resource_changes": [
        kept("aws_route_table_association.stands", **stands), kept("aws_instance.x", id="i-8", subnet_id="subnet-7"),
        made("aws_route.out", route_table_id="rtb-9", gateway_id="igw-1"), made("aws_eip.a", instance="i-9"),
        made("aws_network_acl_rule.r", **entry), made("aws_eip_association.a", network_interface_id="eni-9"),
        change("aws_route_table_association.gone", {**stands, "subnet_id": "subnet-9"}, None),
    ]})  # fmt: skip
    things = {"rtb-8", "rtb-9", "subnet-9", "i-9", "acl-9", "eni-9"}
    assert vpcs_of_plan(plan) == (frozenset(), things)


OUT_TABLE = RouteTable(id="rtb-5", vpc="vpc-1", routes=(
    Route(network="0.0.0.0/0", target=RouteTarget.INTERNET, via="igw-1"),
))  # fmt: skip


def test_another_stack_s_subnet_that_is_given_a_route_to_the_internet_is_reached_from_it() -> None:
    now = live("198.51.100.9", routed=False)
    now = now.model_copy(update={"tables": (*now.tables, OUT_TABLE)})
    link = {"subnet_id": "subnet-1", "route_table_id": "rtb-5"}
    found = told(made("aws_route_table_association.x", **link), live=now)
    assert opened(found) == [("0.0.0.0/0", "db-1", Reachable.REACHABLE)]
    # And back to the VPC's main one.
    (subnet,) = now.subnets
    linked = now.model_copy(update={"subnets": (subnet.model_copy(update={"table": "rtb-5"}),)})
    back = told(change("aws_route_table_association.x", {"id": "x", **link}, None), live=linked)
    assert (back.opened, [(each.source, each.target) for each in back.closed]) == ((), [("0.0.0.0/0", "db-1")])


@pytest.mark.parametrize(
    ("address", "values"),
    [
        ("aws_network_acl_association.x", {"subnet_id": "subnet-1", "network_acl_id": "acl-5"}),
        ("aws_network_acl.x", {"id": "acl-5", "subnet_ids": ["subnet-1"]}),
    ],
)
def test_another_stack_s_subnet_that_loses_its_network_acl_is_let_through_by_its_vpc_s(
    address: str, values: dict[str, Any]
) -> None:
    now = live("198.51.100.9")
    (subnet,) = now.subnets
    shut = now.model_copy(update={"subnets": (subnet.model_copy(update={"acl": "acl-5"}),),
                                  "acls": (*now.acls, NetworkAcl(id="acl-5", vpc="vpc-1"))})  # fmt: skip
    found = told(change(address, {"id": "x", **values}, None), live=shut)
    assert opened(found) == [("0.0.0.0/0", "db-1", Reachable.REACHABLE)]


def test_of_subnets_whose_vpc_nobody_knows_nobody_says_that_they_are_of_two() -> None:
    places = tuple(Subnet(id=f"subnet-{n}", vpc=vpc, networks=(f"10.0.{n}.0/24",), table="rtb-1")
                   for n, vpc in enumerate(("vpc-1", "", "")))  # fmt: skip
    known = Filters(Network(vpcs=(Vpc(id="vpc-1"),), subnets=places, tables=(RouteTable(id="rtb-1", vpc="vpc-1"),)))
    ends = [(each, 4, network_interval(each.networks[0])[1]) for each in places]
    for one, other in ((0, 1), (1, 0), (1, 2)):
        assert known.through(ends[one], ends[other], "tcp") == ((), (ALL_PORTS,))


def test_the_vpcs_and_groups_of_a_plan_are_those_that_it_speaks_of() -> None:
    plan = parse_plan({"format_version": "1.2", "resource_changes": [
        kept("aws_vpc.main", id="vpc-1"), kept("aws_subnet.a", id="subnet-1", vpc_id="vpc-2"),
        made("aws_vpc_security_group_ingress_rule.web", security_group_id="sg-9", **WORLD_RULE),
    ]})  # fmt: skip
    assert vpcs_of_plan(plan) == ({"vpc-1", "vpc-2"}, {"sg-9"})


def test_routes_say_where_they_lead() -> None:
    table = kept("aws_route_table.t", id="rtb-1", vpc_id="vpc-1", route=[
        {"cidr_block": "0.0.0.0/0", "gateway_id": "igw-1"},
        {"cidr_block": "10.9.0.0/16", "transit_gateway_id": "tgw-1"},
        {"cidr_block": "10.8.0.0/16", "nat_gateway_id": "nat-1"}, {"cidr_block": "10.0.0.0/16", "gateway_id": "local"},
    ])  # fmt: skip
    plan = parse_plan({"format_version": "1.2", "resource_changes": [table]})
    (found,) = networks_from_plan(plan, rules_from_plan(plan)).after.tables
    assert [(each.network, each.target) for each in found.routes] == [
        ("0.0.0.0/0", RouteTarget.INTERNET),
        ("10.9.0.0/16", RouteTarget.BEYOND),
        ("10.8.0.0/16", RouteTarget.NAT),
    ]


def test_more_pairs_than_are_asked_about_are_said_to_be_unknown() -> None:
    known = live("198.51.100.9", groups=("sg-2",))
    (one,) = known.interfaces
    alike = one.model_copy(update={"owner": "x", "public": ()})
    many = [
        alike.model_copy(update={"id": f"eni-{n}", "addresses": (f"10.0.{n // 250}.{n % 250}",)})
        for n in range(1000, 21_100)
    ]
    changes = public_world(vpc_security_group_ids=["sg-1"])
    changes[1]["change"]["before"]["vpc_security_group_ids"] = ["sg-2"]
    found = told(*changes, live=known.model_copy(update={"interfaces": (one, *many)}))
    assert [(e.target, e.reachable) for e in found.opened if e.source == "db-1"] == [
        ("20100 other interfaces", Reachable.UNKNOWN)
    ]


PLACES = tuple(kept(f"aws_subnet.s{n}", id=f"subnet-{n}", vpc_id="vpc-1", cidr_block=f"10.0.{n}.0/24") for n in (1, 2))
DATABASES = kept("aws_db_subnet_group.main", id="main", name="main", subnet_ids=["subnet-1", "subnet-2"])
WAREHOUSES = kept("aws_redshift_subnet_group.main", id="main", name="main", subnet_ids=["subnet-2"])
BOTH, GROUPS = ["subnet-1", "subnet-2"], ["sg-1", "sg-2"]


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("efs_mount_target", {"security_groups": GROUPS, "subnet_id": "subnet-1"},
         {"name": "aws_efs_mount_target.x", "kind": "file system", "subnets": ["subnet-1"]}),
        ("lambda_function", {"vpc_config": [{"security_group_ids": GROUPS, "subnet_ids": BOTH}],
                             "function_name": "orders"},
         {"name": "orders", "kind": "function"}),
        ("vpc_endpoint", {"security_group_ids": GROUPS, "subnet_ids": BOTH, "tags": {"Name": "s3"}},
         {"name": "s3", "kind": "endpoint"}),
        ("ecs_service", {"network_configuration": [{"security_groups": GROUPS, "subnets": BOTH,
                                                    "assign_public_ip": False}], "name": "api"},
         {"name": "api", "kind": "service"}),
        ("ecs_service", {"network_configuration": [{"security_groups": GROUPS, "subnets": BOTH,
                                                    "assign_public_ip": True}], "name": "api"},
         {"name": "api", "kind": "service", "public": [NEW_ADDRESS]}),
        ("lb", {"security_groups": GROUPS, "subnets": BOTH, "internal": False, "load_balancer_type": "network",
                "name": "edge", "dns_name": "edge.example.com", "arn_suffix": "net/edge/1"},
         {"name": "edge", "kind": "load balancer", "public": ["edge.example.com"], "forwards": True,
          "owner": "net/edge/1"}),
        ("alb", {"security_groups": GROUPS, "subnets": BOTH, "internal": False, "load_balancer_type": "application"},
         {"name": "aws_alb.x", "kind": "load balancer", "public": [NEW_ADDRESS]}),
        ("lb", {"security_groups": GROUPS, "internal": True, "load_balancer_type": "network",
                "subnet_mapping": [{"subnet_id": "subnet-1"}, {"subnet_id": "subnet-2"}]},
         {"name": "aws_lb.x", "kind": "load balancer"}),
        ("elb", {"security_groups": GROUPS, "subnets": ["subnet-9"], "internal": True},
         {"name": "aws_elb.x", "kind": "load balancer", "subnets": ["subnet-9"], "vpc": ""}),
        ("db_instance", {"vpc_security_group_ids": GROUPS, "db_subnet_group_name": "main", "identifier": "orders",
                         "publicly_accessible": True, "address": "orders.example.com"},
         {"name": "orders", "kind": "database", "public": ["orders.example.com"]}),
        ("db_instance", {"vpc_security_group_ids": GROUPS, "db_subnet_group_name": "other", "identifier": "orders"},
         {"name": "orders", "kind": "database", "subnets": [], "vpc": "", "unsure": ["addresses", "subnets"]}),
        ("redshift_cluster", {"vpc_security_group_ids": GROUPS, "cluster_subnet_group_name": "main",
                              "publicly_accessible": True, "cluster_identifier": "sums"},
         {"name": "sums", "kind": "database", "subnets": ["subnet-2"], "public": [NEW_ADDRESS]}),
        # Of some nobody says in which subnets they are.
        ("elasticache_cluster", {"security_group_ids": GROUPS, "cluster_id": "hot"},
         {"name": "hot", "kind": "cache", "subnets": [], "vpc": "", "unsure": ["addresses", "subnets"]}),
        ("elasticache_replication_group", {"security_group_ids": GROUPS, "replication_group_id": "hot"},
         {"name": "hot", "kind": "cache", "subnets": [], "vpc": "", "unsure": ["addresses", "subnets"]}),
        ("docdb_cluster", {"vpc_security_group_ids": GROUPS, "cluster_identifier": "texts"},
         {"name": "texts", "kind": "database", "subnets": [], "vpc": "", "unsure": ["addresses", "subnets"]}),
        # Others carry groups in attributes of their names, however deep; that is all that is read of them.
        *(("eks_cluster", values, {"name": "aws_eks_cluster.x", "kind": "eks cluster", "subnets": [], "vpc": "",
                                   "unsure": ["addresses", "public", "subnets"]})
          for values in (
              {"security_groups": GROUPS},
              {"vpc_config": [{"security_group_ids": ["sg-1"]}, {"security_group_ids": ["sg-2", "sg-1"]}]},
              {"vpc_config": {"deep": [[{"vpc_security_group_ids": GROUPS, "subnet_ids": ["subnet-1"]}]]}},
              {"first_security_groups": ["sg-1"], "config": {"cluster_security_group_ids": ["sg-2"]}},
          )),
    ],
)  # fmt: skip
def test_what_carries_groups_is_read_with_its_place_and_its_name(
    kind: str, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = after(*PLACES, DATABASES, WAREHOUSES, kept(f"aws_{kind}.x", id="id-1", **values)).interfaces
    usual = {"id": "id-1", "owner": "id-1", "vpc": "vpc-1", "subnets": BOTH, "groups": GROUPS, "unsure": ["addresses"]}
    assert found == (Interface.model_validate({**usual, **expected}),)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("lambda_function", {"function_name": "orders", "vpc_config": []}),
        ("vpc_endpoint", {"security_group_ids": []}),
        ("ecs_service", {"name": "api"}),
        ("eks_cluster", {"vpc_config": [{"subnet_ids": ["subnet-1"]}]}),
        ("instance", {"network_interface": [{"network_interface_id": "eni-9"}]}),
        ("vpc_security_group_ingress_rule", {"security_group_id": "sg-1", "security_groups": ["sg-1"]}),
    ],
)
def test_what_carries_no_group_is_no_interface(kind: str, values: dict[str, Any]) -> None:
    assert after(*PLACES, kept(f"aws_{kind}.x", id="id-1", **values)).interfaces == ()


def test_of_a_carrier_that_the_plan_leaves_unknown_that_is_said() -> None:
    web = made("aws_security_group.web", name="web")
    database = made("aws_db_instance.x", {"vpc_security_group_ids": ["var.groups"], "publicly_accessible": []},
                    identifier="orders", db_subnet_group_name="main")  # fmt: skip
    broker = made("aws_mq_broker.x", {"security_groups": ["aws_security_group.web.id", "var.group"]})
    queue = made("aws_mq_broker.y", {"security_groups": ["aws_security_group.web.id"]})
    found = {each.id: each for each in after(*PLACES, DATABASES, web, database, broker, queue).interfaces}
    assert {name: (each.groups, sorted(each.unsure)) for name, each in found.items()} == {
        "aws_db_instance.x": ((), ["addresses", "groups", "public"]),
        "aws_mq_broker.x": (("aws_security_group.web",), ["addresses", "groups", "public", "subnets"]),
        "aws_mq_broker.y": (("aws_security_group.web",), ["addresses", "public", "subnets"]),
    }
    assert found["aws_mq_broker.y"].name == "aws_mq_broker.y (new)"


def eni(**values: Any) -> Change:
    usual = {"id": "eni-1", "subnet_id": "subnet-1", "security_groups": ["sg-1"], "private_ips": ["10.0.1.5"]}
    return kept("aws_network_interface.own", **{**usual, **values})


OWN = Interface(id="eni-1", name="aws_network_interface.own", owner="eni-1", vpc="vpc-1", subnets=("subnet-1",),
                groups=("sg-1",), addresses=("10.0.1.5",))  # fmt: skip


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {}),
        ({"tags": {"Name": "front"}}, {"name": "front"}),
        ({"private_ips": ["10.0.1.5", "10.0.1.6"], "ipv6_addresses": ["2001:db8::5"]},
         {"addresses": ("10.0.1.5", "10.0.1.6", "2001:db8::5")}),
        ({"subnet_id": "subnet-9"}, {"vpc": "", "subnets": ("subnet-9",)}),
        ({"subnet_id": None}, {"vpc": "", "subnets": (), "unsure": frozenset({"subnets"})}),
        ({"private_ips": []}, {"addresses": (), "unsure": frozenset({"addresses"})}),
    ],
)  # fmt: skip
def test_an_interface_of_its_own_is_read_as_it_is_written(values: dict[str, Any], expected: dict[str, Any]) -> None:
    assert after(*PLACES, eni(**values)).interfaces == (OWN.model_copy(update=expected),)


def test_an_interface_that_an_instance_is_given_goes_by_the_instance_s_name() -> None:
    held = [{"network_interface_id": "eni-1"}]
    for blocks in (
        {"network_interface": held},
        {"network_interface": [{"network_interface_id": "eni-9"}], "primary_network_interface": held},
    ):
        host = kept("aws_instance.host", id="i-1", tags={"Name": "web-1"}, **blocks)
        assert after(*PLACES, eni(), host).interfaces == (OWN.model_copy(update={"name": "web-1", "kind": "instance"}),)


HOST = {"id": "i-1", "subnet_id": "subnet-1", "vpc_security_group_ids": ["sg-1"], "private_ip": "10.0.1.9",
        "primary_network_interface_id": "eni-2", "public_ip": "", "tags": {"Name": "web-1"}}  # fmt: skip


@pytest.mark.parametrize(
    ("interface", "group", "groups"),
    [
        ("eni-1", "sg-2", {"eni-1": ("sg-1", "sg-2"), "eni-2": ("sg-1",)}),
        ("eni-2", "sg-2", {"eni-1": ("sg-1",), "eni-2": ("sg-1", "sg-2")}),
        # An instance's own id stands for its first interface.
        ("i-1", "sg-2", {"eni-1": ("sg-1",), "eni-2": ("sg-1", "sg-2")}),
        ("eni-9", "sg-2", {"eni-1": ("sg-1",), "eni-2": ("sg-1",)}),
        ("eni-1", "sg-1", {"eni-1": ("sg-1",), "eni-2": ("sg-1",)}),
    ],
)
def test_a_group_that_is_attached_apart_is_the_interface_s_too(
    interface: str, group: str, groups: dict[str, tuple[str, ...]]
) -> None:
    attached = kept("aws_network_interface_sg_attachment.x", id="x", network_interface_id=interface,
                    security_group_id=group)  # fmt: skip
    found = after(*PLACES, eni(), kept("aws_instance.host", **HOST), attached)
    assert {each.id: each.groups for each in found.interfaces} == groups


def test_a_group_is_attached_to_what_the_same_plan_makes() -> None:
    own = made("aws_network_interface.own", {"security_groups": []}, subnet_id="subnet-1", private_ips=["10.0.1.5"])
    group = made("aws_security_group.web", name="web")
    attached = made("aws_network_interface_sg_attachment.x",
                    {"network_interface_id": ["aws_network_interface.own.id"],
                     "security_group_id": ["aws_security_group.web.id"]})  # fmt: skip
    (found,) = after(*PLACES, own, group, attached).interfaces
    assert (found.id, found.groups) == ("aws_network_interface.own", ("aws_security_group.web",))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        (kept("aws_eip.x", id="eipalloc-1", public_ip="198.51.100.7", network_interface="eni-1"), "198.51.100.7"),
        (kept("aws_eip.x", id="eipalloc-1", public_ip="", network_interface="eni-1"), NEW_ADDRESS),
        (kept("aws_eip_association.x", id="x", public_ip="198.51.100.8", network_interface_id="eni-1"), "198.51.100.8"),
        (kept("aws_eip_association.x", id="x", allocation_id="eipalloc-9", network_interface_id="eni-1"),
         "198.51.100.9"),
        (kept("aws_eip.x", id="eipalloc-1", public_ip="198.51.100.7", network_interface="eni-3"), ""),
    ],
)  # fmt: skip
def test_an_elastic_address_is_of_the_interface_that_it_is_associated_with(address: Change, public: str) -> None:
    free = kept("aws_eip.free", id="eipalloc-9", public_ip="198.51.100.9")
    expected = OWN.model_copy(update={"public": (public,) if public else ()})
    assert after(*PLACES, eni(), free, address).interfaces == (expected,)


def test_what_a_data_source_may_still_turn_out_to_be_is_not_known() -> None:
    group = made("aws_security_group.web", name="web")
    both = ["data.aws_security_group.other.id", "aws_security_group.web.id"]
    host = made("aws_instance.host", {"vpc_security_group_ids": both}, subnet_id="subnet-1", private_ip="10.0.1.9")
    (found,) = after(*PLACES, group, host).interfaces
    # Of two that it may be nobody knows which, or whether both.
    assert (found.groups, found.unsure) == ((), frozenset({"groups"}))


def test_what_a_data_source_has_found_is_known() -> None:
    found_before = {"address": "data.aws_subnet.front", "mode": "data", "type": "aws_subnet", "name": "front",
                    "values": {"id": "subnet-7", "vpc_id": "vpc-7", "cidr_block": "10.7.1.0/24"}}  # fmt: skip
    host = made("aws_instance.host", {"subnet_id": ["data.aws_subnet.front.id"]}, vpc_security_group_ids=["sg-1"],
                private_ip="10.7.1.9")  # fmt: skip
    (found,) = after(host, looked_up=(found_before,)).interfaces
    assert (found.subnets, found.vpc, found.unsure) == (("subnet-7",), "vpc-7", frozenset())


SUBNET = Subnet(id="subnet-1", vpc="vpc-1", networks=("10.0.1.0/24",), unsure=frozenset({"table", "acl"}))
ACL = "aws_network_acl.own"
TABLE_OF = kept("aws_route_table_association.x", id="x", subnet_id="subnet-1", route_table_id="rtb-1")
ACL_OF = kept("aws_network_acl_association.x", id="x", subnet_id="subnet-1", network_acl_id="acl-1")


@pytest.mark.parametrize(
    ("values", "others", "expected"),
    [
        ({}, (), {}),
        ({"ipv6_cidr_block": "2001:db8::/64"}, (), {"networks": ("10.0.1.0/24", "2001:db8::/64")}),
        ({"cidr_block": None}, (), {"networks": ()}),
        ({"vpc_id": None}, (), {"vpc": ""}),
        ({"map_public_ip_on_launch": True}, (), {"gives_public": True}),
        ({}, (TABLE_OF,), {"table": "rtb-1", "unsure": frozenset({"acl"})}),
        ({}, (ACL_OF,), {"acl": "acl-1", "unsure": frozenset({"table"})}),
        ({}, (TABLE_OF, ACL_OF), {"table": "rtb-1", "acl": "acl-1", "unsure": frozenset()}),
        ({}, (kept(ACL, id="acl-2", subnet_ids=["subnet-2", "subnet-1"]),),
         {"acl": "acl-2", "unsure": frozenset({"table"})}),
        ({}, (kept("aws_default_network_acl.own", id="acl-3", subnet_ids=["subnet-1"]),),
         {"acl": "acl-3", "unsure": frozenset({"table"})}),
        ({}, (kept(ACL, id="acl-2", subnet_ids=["subnet-2"]),), {}),
        # A table that nobody knows yet is another one than its VPC's own.
        ({}, (made("aws_route_table_association.x", {"route_table_id": ["var.table"]}, subnet_id="subnet-1"),), {}),
    ],
)  # fmt: skip
def test_a_subnet_is_read_with_what_is_associated_with_it(
    values: dict[str, Any], others: tuple[Change, ...], expected: dict[str, Any]
) -> None:
    subnet = kept("aws_subnet.s", **{"id": "subnet-1", "vpc_id": "vpc-1", "cidr_block": "10.0.1.0/24", **values})
    copied = [{**each, "change": {**each["change"]}} for each in others]
    assert after(subnet, *copied).subnets == (SUBNET.model_copy(update=expected),)


def test_of_a_new_subnet_no_other_stack_decides_yet() -> None:
    new = made("aws_subnet.s", {"map_public_ip_on_launch": [], "vpc_id": ["var.vpc"]}, cidr_block="10.0.1.0/24")
    assert after(new).subnets == (
        Subnet(id="aws_subnet.s", networks=("10.0.1.0/24",), gives_public=None),
    )  # fmt: skip


MAIN_OF = "aws_main_route_table_association.x"


@pytest.mark.parametrize(
    ("others", "main"),
    [
        ((), set()),
        ((kept("aws_vpc.main", id="vpc-1", main_route_table_id="rtb-1"),), {"rtb-1"}),
        ((kept(MAIN_OF, id="x", vpc_id="vpc-1", route_table_id="rtb-2"),), {"rtb-2"}),
        ((kept("aws_vpc.main", id="vpc-1", main_route_table_id="rtb-2"),
          kept(MAIN_OF, id="x", vpc_id="vpc-1", route_table_id="rtb-2")), {"rtb-2"}),
        ((kept("aws_vpc.main", id="vpc-1", main_route_table_id="rtb-1"),
          kept(MAIN_OF, id="x", vpc_id="vpc-2", route_table_id="rtb-3")), {"rtb-1", "rtb-3"}),
        ((kept("aws_default_route_table.main", id="rtb-4", vpc_id="vpc-1"),), {"rtb-4"}),
        # Another one was made the main one, whatever AWS made with the VPC and the state still says of it.
        ((kept("aws_vpc.main", id="vpc-1", main_route_table_id="rtb-1"),
          kept(MAIN_OF, id="x", vpc_id="vpc-1", route_table_id="rtb-2")), {"rtb-2"}),
        ((kept("aws_default_route_table.main", id="rtb-4", vpc_id="vpc-1"),
          kept(MAIN_OF, id="x", vpc_id="vpc-1", route_table_id="rtb-2")), {"rtb-2"}),
        ((kept("aws_vpc.main", id="vpc-1", main_route_table_id="rtb-2"),
          kept("aws_default_route_table.main", id="rtb-4", vpc_id="vpc-1")), {"rtb-2"}),
        ((kept("aws_vpc.main", id="vpc-1", main_route_table_id="rtb-1"),
          kept(MAIN_OF, id="x", route_table_id="rtb-2")), {"rtb-2"}),
    ],
)  # fmt: skip
def test_a_table_is_its_vpc_s_main_one_if_the_vpc_or_an_association_says_so(
    others: tuple[Change, ...], main: set[str]
) -> None:
    tables = [kept(f"aws_route_table.t{n}", id=f"rtb-{n}", vpc_id="vpc-1") for n in (1, 2)]
    # rtb-3 is another stack's: this one adds a route to it.
    route = kept("aws_route.r", id="r", route_table_id="rtb-3", gateway_id="igw-1", destination_cidr_block="0.0.0.0/0")
    found = after(*tables, route, *others).tables
    assert {each.id for each in found if each.main} == main
    assert {each.id for each in found if each.unsure} == {"rtb-3"}


@pytest.mark.parametrize(
    ("others", "own"),
    [
        ((), True),
        (({"address": MAIN_OF, "vpc_id": ["aws_vpc.main.id"]},), False),
        (({"address": "aws_default_route_table.main", "default_route_table_id": ["aws_vpc.main.id"]},), False),
        (({"address": "aws_default_route_table.other", "default_route_table_id": ["aws_vpc.other.id"]},), True),
    ],
)
def test_a_new_vpc_has_a_main_table_that_leads_nowhere_unless_the_plan_gives_it_one(
    others: tuple[dict[str, Any], ...], own: bool
) -> None:
    vpcs = [made(f"aws_vpc.{name}", cidr_block="10.0.0.0/16") for name in ("main", "other")]
    given = [made(each["address"], {key: refs for key, refs in each.items() if key != "address"}) for each in others]
    found = [each for each in after(*vpcs, *given).tables if each.vpc == "aws_vpc.main" and each.main]
    assert [each.id for each in found if not each.id.startswith(("aws_default", "aws_main"))] == (
        ["aws_vpc.main.main_route_table_id"] if own else []
    )
    # Of one that the plan makes the main one and does not name yet nobody knows where it leads.
    assert all(each.routes == () and each.unsure is each.id.startswith("aws_main") for each in found)


KNOWN, OPENS, MAYBE = {"vpc_id": "vpc-1", "route_table_id": "rtb-new"}, Reachable.REACHABLE, Reachable.UNKNOWN


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(
    ("association", "reachable"),
    [
        (change(MAIN_OF, None, KNOWN), OPENS),
        (change(MAIN_OF, {"vpc_id": "vpc-1", "route_table_id": "rtb-old"}, KNOWN), OPENS),
        (made(MAIN_OF, {"vpc_id": ["var.vpc"]}, route_table_id="rtb-new"), OPENS),
        # What is no more the main table by the plan gives way to the one that was it before.
        (
            change(
                MAIN_OF, {"vpc_id": "vpc-1", "route_table_id": "rtb-old", "original_route_table_id": "rtb-new"}, None
            ),
            OPENS,
        ),
        (change(MAIN_OF, {"vpc_id": "vpc-1", "route_table_id": "rtb-old"}, None), MAYBE),
        # Nobody knows yet which table it will be, or even of which VPC.
        (made(MAIN_OF, {"route_table_id": ["var.table"]}, vpc_id="vpc-1"), MAYBE),
        (made(MAIN_OF, {"route_table_id": ["var.table"], "vpc_id": ["var.vpc"]}), MAYBE),
    ],
)
def test_a_table_that_the_plan_makes_the_main_one_opens_what_the_one_of_before_kept_in(
    association: Change, reachable: Reachable, newest_first: bool
) -> None:
    usual = {"number": 100, "allow": True, "protocol": "all", "network": "0.0.0.0/0"}
    lets = [AclEntry.model_validate({**usual, "egress": egress}) for egress in (False, True)]
    out = Route(network="0.0.0.0/0", target=RouteTarget.INTERNET)
    tables = (
        RouteTable(id="rtb-old", vpc="vpc-1", main=True), RouteTable(id="rtb-new", vpc="vpc-1", routes=(out,))
    )  # fmt: skip
    live = Network(
        vpcs=(Vpc(id="vpc-1", networks=("10.0.0.0/16",)),),
        subnets=(Subnet(id="subnet-1", vpc="vpc-1", networks=("10.0.1.0/24",)),),
        tables=tables[::-1] if newest_first else tables,
        acls=(NetworkAcl(id="acl-1", vpc="vpc-1", default=True, entries=tuple(lets)),),
        interfaces=(
            Interface(id="eni-1", name="web-1", vpc="vpc-1", subnets=("subnet-1",), groups=("sg-1",),
                      addresses=("10.0.1.5",), public=("198.51.100.7",)),
        ),
        rules=(network_rule(address="", group="sg-1", source="0.0.0.0/0", from_port=80, to_port=80),),
        ruled=frozenset({"sg-1"}), peopled=frozenset({"sg-1"}), complete=True,
    )  # fmt: skip
    found = told({**association, "change": {**association["change"]}}, live=live)
    entries = found.opened or found.unknown
    assert {(each.reachable, each.interfaces[0].name) for each in entries} == {(reachable, "web-1")}
    assert entries[0].source_kind is ExposureSource.INTERNET
    if reachable is OPENS:
        assert "The internet can newly reach web-1 (198.51.100.7) on tcp 80" in found.sentence


@pytest.mark.parametrize(
    ("values", "routes"),
    [
        ({"cidr_block": "0.0.0.0/0", "gateway_id": "igw-1"}, [("0.0.0.0/0", RouteTarget.INTERNET, "igw-1")]),
        ({"cidr_block": "0.0.0.0/0", "ipv6_cidr_block": "::/0", "gateway_id": "vgw-1"},
         [("0.0.0.0/0", RouteTarget.BEYOND, "vgw-1"), ("::/0", RouteTarget.BEYOND, "vgw-1")]),
        ({"ipv6_cidr_block": "::/0", "gateway_id": "eigw-1"}, [("::/0", RouteTarget.NAT, "eigw-1")]),
        ({"cidr_block": "0.0.0.0/0", "gateway_id": "vpce-1"}, [("0.0.0.0/0", RouteTarget.UNKNOWN, "vpce-1")]),
        ({"cidr_block": "10.0.0.0/16", "gateway_id": "local"}, []),
        *(({"cidr_block": "10.9.0.0/16", "gateway_id": "", name: "x-1"}, [("10.9.0.0/16", target, "x-1")])
          for name, target in (
              ("nat_gateway_id", RouteTarget.NAT), ("egress_only_gateway_id", RouteTarget.NAT),
              ("vpc_peering_connection_id", RouteTarget.BEYOND), ("transit_gateway_id", RouteTarget.BEYOND),
              ("local_gateway_id", RouteTarget.BEYOND), ("core_network_arn", RouteTarget.BEYOND),
              ("carrier_gateway_id", RouteTarget.UNKNOWN), ("vpc_endpoint_id", RouteTarget.UNKNOWN),
              ("network_interface_id", RouteTarget.UNKNOWN), ("instance_id", RouteTarget.UNKNOWN))),
        ({"cidr_block": "10.9.0.0/16"}, [("10.9.0.0/16", RouteTarget.UNKNOWN, "")]),
        # Of a prefix list nobody knows which networks it holds.
        ({"destination_prefix_list_id": "pl-1", "transit_gateway_id": "tgw-1"}, [("", RouteTarget.BEYOND, "tgw-1")]),
        ({"cidr_block": "10.9.0.0/16", "destination_prefix_list_id": "pl-1", "transit_gateway_id": "tgw-1"},
         [("10.9.0.0/16", RouteTarget.BEYOND, "tgw-1")]),
        ({"gateway_id": "igw-1"}, []),
    ],
)  # fmt: skip
def test_a_route_is_the_same_in_its_table_and_apart_from_it(
    values: dict[str, Any], routes: list[tuple[str, RouteTarget, str]]
) -> None:
    wanted = tuple(Route(network=network, target=target, via=via) for network, target, via in routes)
    inline = kept("aws_route_table.t", id="rtb-1", vpc_id="vpc-1", route=[values, None])
    assert after(inline).tables == (RouteTable(id="rtb-1", vpc="vpc-1", routes=wanted),)
    apart = {f"destination_{name}" if "cidr" in name else name: value for name, value in values.items()}
    own = kept("aws_route_table.t", id="rtb-1", vpc_id="vpc-1", route=[])
    route = kept("aws_route.r", id="r", route_table_id="rtb-1", **apart)
    assert after(own, route).tables == (RouteTable(id="rtb-1", vpc="vpc-1", routes=wanted),)


@pytest.mark.parametrize(
    ("references", "values", "route"),
    [
        ({"destination_cidr_block": ["var.network"]}, {"gateway_id": "igw-1"}, ("", RouteTarget.INTERNET, "igw-1")),
        ({"gateway_id": ["aws_internet_gateway.main.id"]}, {"destination_cidr_block": "0.0.0.0/0"},
         ("0.0.0.0/0", RouteTarget.INTERNET, "aws_internet_gateway.main")),
        ({"gateway_id": ["var.gateway"]}, {"destination_cidr_block": "0.0.0.0/0"},
         ("0.0.0.0/0", RouteTarget.UNKNOWN, "")),
        ({"nat_gateway_id": ["var.gateway"]}, {"destination_cidr_block": "0.0.0.0/0"},
         ("0.0.0.0/0", RouteTarget.NAT, "")),
        # One of the two only is given, and nobody knows which.
        ({"nat_gateway_id": ["var.nat"], "gateway_id": ["var.gateway"]}, {"destination_cidr_block": "0.0.0.0/0"},
         ("0.0.0.0/0", RouteTarget.UNKNOWN, "")),
        ({"transit_gateway_id": ["var.gateway"]}, {"destination_cidr_block": "10.9.0.0/16"},
         ("10.9.0.0/16", RouteTarget.UNKNOWN, "")),
    ],
)  # fmt: skip
def test_of_a_route_that_is_not_known_yet_what_is_known_is_said(
    references: dict[str, list[str]], values: dict[str, Any], route: tuple[str, RouteTarget, str]
) -> None:
    network, target, via = route
    gateway = made("aws_internet_gateway.main", vpc_id="vpc-1")
    new = made("aws_route.r", references, route_table_id="rtb-1", **values)
    assert after(gateway, new).tables == (
        RouteTable(id="rtb-1", routes=(Route(network=network, target=target, via=via),), unsure=True),
    )


def own_acl(name: str) -> NetworkAcl:
    """What AWS makes with a VPC, of which no resource speaks: it lets everything through."""
    entries = [
        AclEntry(number=number, egress=egress, allow=True, protocol="all", network=network)
        for number, network in ((100, "0.0.0.0/0"), (101, "::/0"))
        for egress in (False, True)
    ]
    return NetworkAcl(id=f"{name}.default_network_acl_id", vpc=name, entries=tuple(entries), default=True)


@pytest.mark.parametrize(
    ("references", "values", "own"),
    [
        ({"default_network_acl_id": ["aws_vpc.main.default_network_acl_id"]}, {}, False),
        ({"vpc_id": ["aws_vpc.main.id"]}, {}, False),
        ({"default_network_acl_id": ["aws_vpc.other.default_network_acl_id"]}, {}, True),
        ({}, {"default_network_acl_id": "acl-1", "vpc_id": "vpc-9"}, True),
        # Of whichever VPC it is: it may be this one's.
        ({"default_network_acl_id": ["var.acl"]}, {}, False),
    ],
)
def test_a_new_vpc_has_the_acl_that_aws_makes_with_it_unless_the_plan_takes_it_over(
    references: dict[str, list[str]], values: dict[str, Any], own: bool
) -> None:
    vpcs = [made(f"aws_vpc.{name}", cidr_block="10.0.0.0/16") for name in ("main", "other")]
    acl = made("aws_default_network_acl.d", references, ingress=[], egress=[], **values)
    found = {each.id: each for each in after(*vpcs, acl).acls}
    assert found.get("aws_vpc.main.default_network_acl_id") == (own_acl("aws_vpc.main") if own else None)
    assert (found["aws_default_network_acl.d"].default, found["aws_default_network_acl.d"].entries) == (True, ())


def test_of_vpcs_that_were_there_before_no_acl_and_no_table_is_made_up() -> None:
    vpc, default = kept("aws_vpc.main", id="vpc-1"), made("aws_default_vpc.d")
    assert (after(vpc, default).acls, after().tables) == ((), ())
    assert after(made("aws_vpc.new")).acls == (own_acl("aws_vpc.new"),)


LET = {"rule_no": 100, "action": "allow", "protocol": "tcp", "from_port": 80, "to_port": 90, "cidr_block": "10.0.0.0/8"}
LET_IN = AclEntry(number=100, egress=False, allow=True, protocol="tcp", network="10.0.0.0/8", from_port=80, to_port=90)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {}),
        ({"action": "DENY"}, {"allow": False}),
        ({"action": "ALLOW"}, {}),
        ({"cidr_block": None, "ipv6_cidr_block": "2001:db8::/32"}, {"network": "2001:db8::/32"}),
        ({"protocol": "udp", "from_port": 0, "to_port": 0}, {"protocol": "udp", "from_port": 0, "to_port": 0}),
        ({"protocol": "-1", "from_port": 0, "to_port": 0}, {"protocol": "all", "from_port": None, "to_port": None}),
        ({"protocol": "icmp", "icmp_type": 8, "icmp_code": -1}, {"protocol": "icmp", "from_port": 8, "to_port": -1}),
        ({"protocol": "58", "icmp_type": 128, "icmp_code": 0}, {"protocol": "icmpv6", "from_port": 128, "to_port": 0}),
        ({"protocol": "47"}, {"protocol": "47"}),
    ],
)
def test_an_entry_is_the_same_in_its_acl_and_apart_from_it(values: dict[str, Any], expected: dict[str, Any]) -> None:
    given = {**LET, **values}
    entry = LET_IN.model_copy(update=expected)
    both = (entry, entry.model_copy(update={"egress": True}))
    wanted = NetworkAcl(id="acl-1", vpc="vpc-1", entries=both)
    inline = kept("aws_network_acl.a", id="acl-1", vpc_id="vpc-1", ingress=[given], egress=[given])
    assert after(inline).acls == (wanted,)
    apart = {
        {"rule_no": "rule_number", "action": "rule_action"}.get(name, name): value for name, value in given.items()
    }
    own = kept("aws_network_acl.a", id="acl-1", vpc_id="vpc-1", ingress=[], egress=[])
    rules = [
        kept(f"aws_network_acl_rule.r{number}", id=f"r{number}", network_acl_id=acl, egress=way, **apart)
        for number, (acl, way) in enumerate((("acl-1", False), ("acl-1", True), ("acl-2", True)))
    ]
    # Of another stack's it is known that there is this one, and not what else.
    assert after(own, *rules).acls == (wanted, NetworkAcl(id="acl-2", entries=both[1:], unsure=True))


@pytest.mark.parametrize("unknown", ["rule_number", "rule_action", "protocol", "cidr_block", "from_port", "egress"])
def test_an_acl_with_an_entry_of_which_something_is_not_known_may_hold_more(unknown: str) -> None:
    values = {"rule_number": 1, "rule_action": "deny", "protocol": "tcp", "from_port": 1, "to_port": 2,
              "cidr_block": "10.0.0.0/8", "egress": False, "network_acl_id": "acl-1"}  # fmt: skip
    values.pop(unknown)
    own = kept("aws_network_acl.a", id="acl-1", vpc_id="vpc-1", ingress=[LET], egress=[])
    rule = made("aws_network_acl_rule.r", {unknown: ["var.x"]}, **values)
    assert after(own, rule).acls == (NetworkAcl(id="acl-1", vpc="vpc-1", entries=(LET_IN,), unsure=True),)


def test_an_entry_or_a_route_of_nobody_knows_which_list_may_go_into_any() -> None:
    acl = kept("aws_network_acl.a", id="acl-1", vpc_id="vpc-1", ingress=[], egress=[])
    entry = made("aws_network_acl_rule.r", {"network_acl_id": ["var.acl"]}, rule_number=1, egress=False, protocol="tcp",
                 rule_action="deny", cidr_block="10.0.0.0/8", from_port=1, to_port=2)  # fmt: skip
    assert after(acl, entry).acls == (NetworkAcl(id="acl-1", vpc="vpc-1", unsure=True),)
    table = kept("aws_route_table.t", id="rtb-1", vpc_id="vpc-1", route=[])
    route = made(
        "aws_route.r", {"route_table_id": ["var.table"]}, destination_cidr_block="0.0.0.0/0", gateway_id="igw-1"
    )
    assert after(table, route).tables == (RouteTable(id="rtb-1", vpc="vpc-1", unsure=True),)


def test_blocks_that_are_not_known_yet_leave_open_what_stands_and_not_what_is_new() -> None:
    for before, unsure in (({"id": "acl-1", "vpc_id": "vpc-1"}, True), (None, False)):
        acl = change("aws_network_acl.a", before, {"id": "acl-1", "vpc_id": "vpc-1"}, {"ingress": True})
        assert after(acl).acls == (NetworkAcl(id="acl-1", vpc="vpc-1", unsure=unsure),)
        table = change("aws_route_table.t", before and {**before, "id": "rtb-1"}, {"id": "rtb-1", "vpc_id": "vpc-1"},
                       {"route": True})  # fmt: skip
        assert after(table).tables == (RouteTable(id="rtb-1", vpc="vpc-1", unsure=unsure),)


@pytest.mark.parametrize(
    ("values", "others", "expected"),
    [
        ({"cidr_block": "10.0.0.0/16"}, (), {"networks": ("10.0.0.0/16",)}),
        ({"cidr_block": "10.0.0.0/16", "ipv6_cidr_block": "2001:db8::/56"}, (),
         {"networks": ("10.0.0.0/16", "2001:db8::/56")}),
        ({"cidr_block": "10.0.0.0/16"}, (("vpc-1", "10.1.0.0/16"), ("vpc-2", "10.2.0.0/16")),
         {"networks": ("10.0.0.0/16", "10.1.0.0/16")}),
        ({}, (("vpc-1", ""),), {}),
    ],
)  # fmt: skip
def test_a_vpc_is_read_with_the_networks_that_are_added_to_it(
    values: dict[str, Any], others: tuple[tuple[str, str], ...], expected: dict[str, Any]
) -> None:
    more = [kept(f"aws_vpc_ipv4_cidr_block_association.a{n}", id=f"a{n}", vpc_id=vpc, cidr_block=network)
            for n, (vpc, network) in enumerate(others)]  # fmt: skip
    assert after(kept("aws_vpc.v", id="vpc-1", **values), *more).vpcs == (
        Vpc(id="vpc-1").model_copy(update=expected),
    )  # fmt: skip


def test_a_vpc_of_which_a_network_is_not_known_yet_may_have_more() -> None:
    for unknown in ("cidr_block", "ipv6_cidr_block"):
        assert after(made("aws_vpc.v", {unknown: ["var.network"]})).vpcs == (Vpc(id="aws_vpc.v", unsure=True),)


IN_HAND = Interface(id="eni-2", name="web-1", kind="instance", owner="i-1", vpc="vpc-1", subnets=("subnet-1",),
                    groups=("sg-1",), addresses=("10.0.1.9",))  # fmt: skip
SEVEN, EIGHT = "198.51.100.7", "198.51.100.8"
DOUBT = {"unsure": frozenset({"public"})}


@pytest.mark.parametrize(
    ("values", "others", "expected"),
    [
        ({}, (), {}),
        # Its own is what it was given when it was made, and what of an elastic address is still told of it is none.
        ({"public_ip": SEVEN, "associate_public_ip_address": True}, (), {"public": (SEVEN,)}),
        ({"public_ip": SEVEN, "associate_public_ip_address": False}, (), DOUBT),
        ({"public_ip": SEVEN}, (), DOUBT),
        ({"public_ip": SEVEN, "associate_public_ip_address": True},
         (kept("aws_eip.x", id="eipalloc-1", public_ip=SEVEN, instance="i-9"),), DOUBT),
        ({"public_ip": SEVEN}, (kept("aws_eip.x", id="eipalloc-1", public_ip=SEVEN, instance="i-1"),),
         {"public": (SEVEN,)}),
        ({}, (kept("aws_eip.x", id="eipalloc-1", public_ip=SEVEN, instance="i-1"),), {"public": (SEVEN,)}),
        ({}, (kept("aws_eip.x", id="eipalloc-1", public_ip=SEVEN, network_interface="eni-2"),), {"public": (SEVEN,)}),
        ({}, (kept("aws_eip_association.x", id="x", public_ip=SEVEN, instance_id="i-1"),
              kept("aws_eip.y", id="eipalloc-2", public_ip=EIGHT, network_interface="eni-2")),
         {"public": (SEVEN, EIGHT)}),
        ({"public_ip": EIGHT, "associate_public_ip_address": True},
         (kept("aws_eip.x", id="eipalloc-1", public_ip=SEVEN, network_interface="eni-2"),), {"public": (SEVEN, EIGHT)}),
        ({}, (kept("aws_eip.x", id="eipalloc-1", public_ip=SEVEN, instance="i-2"),), {}),
        # Of an elastic address that goes to nobody knows whom it may be the one.
        ({}, (made("aws_eip.x", {"instance": ["var.instance"]}),), DOUBT),
        ({}, (made("aws_eip.x", {"instance": ["aws_instance.host.id"], "public_ip": []}),), {"public": (NEW_ADDRESS,)}),
        ({"ipv6_addresses": ["2001:db8::9"]}, (), {"addresses": ("10.0.1.9", "2001:db8::9")}),
        ({"private_ip": None}, (), {"addresses": (), "unsure": frozenset({"addresses"})}),
        ({"primary_network_interface_id": None}, (), {"id": "i-1"}),
        ({"tags": None}, (), {"name": "aws_instance.host"}),
        ({"tags": None, "tags_all": {"Name": "all"}}, (), {"name": "all"}),
        ({"subnet_id": "subnet-9"}, (), {"vpc": "", "subnets": ("subnet-9",)}),
        ({"subnet_id": None}, (), {"vpc": "", "subnets": (), "unsure": frozenset({"subnets"})}),
    ],
)  # fmt: skip
def test_an_instance_that_is_there_has_the_addresses_that_are_surely_its_own(
    values: dict[str, Any], others: tuple[Change, ...], expected: dict[str, Any]
) -> None:
    copied = [{**each, "change": {**each["change"]}} for each in others]
    found = after(*PLACES, kept("aws_instance.host", **{**HOST, **values}), *copied).interfaces
    assert found == (IN_HAND.model_copy(update=expected),)


@pytest.mark.parametrize(
    ("given", "subnet", "others", "expected"),
    [
        ({"associate_public_ip_address": True}, {}, (), {"public": (NEW_ADDRESS,)}),
        ({"associate_public_ip_address": False}, {"map_public_ip_on_launch": True}, (), {}),
        ({}, {"map_public_ip_on_launch": True}, (), {"public": (NEW_ADDRESS,)}),
        ({}, {"map_public_ip_on_launch": False}, (), {}),
        ({}, {}, (), {}),
        # What an elastic address gives it takes the place of the one that it would have got.
        ({"associate_public_ip_address": True}, {},
         (made("aws_eip_association.x", {"instance_id": ["aws_instance.host.id"]}, public_ip=SEVEN),),
         {"public": (SEVEN,)}),
        ({"associate_public_ip_address": False}, {}, (made("aws_eip.x", {"instance": ["var.instance"]}),), DOUBT),
        ({"associate_public_ip_address": True}, {}, (made("aws_eip.x", {"instance": ["var.instance"]}),),
         {"public": (NEW_ADDRESS,)}),
        ({"subnet_id": "subnet-9"}, {}, (), {"vpc": "", "subnets": ("subnet-9",), **DOUBT}),
        ({"subnet_id": "subnet-9", "associate_public_ip_address": True}, {}, (),
         {"vpc": "", "subnets": ("subnet-9",), "public": (NEW_ADDRESS,)}),
    ],
)  # fmt: skip
def test_a_new_instance_gets_a_public_address_if_it_or_its_subnet_says_so(
    given: dict[str, Any], subnet: dict[str, Any], others: tuple[Change, ...], expected: dict[str, Any]
) -> None:
    place = kept("aws_subnet.s1", id="subnet-1", vpc_id="vpc-1", cidr_block="10.0.1.0/24", **subnet)
    host = made(
        "aws_instance.host",
        **{"subnet_id": "subnet-1", "vpc_security_group_ids": ["sg-1"], "private_ip": "10.0.1.9", **given},
    )
    copied = [{**each, "change": {**each["change"]}} for each in others]
    usual = IN_HAND.model_copy(
        update={"id": "aws_instance.host", "owner": "aws_instance.host", "name": "aws_instance.host (new)"}
    )
    assert after(place, host, *copied).interfaces == (usual.model_copy(update=expected),)


def test_what_the_plan_does_not_know_of_a_new_instance_is_not_made_up() -> None:
    place = made("aws_subnet.s", {"map_public_ip_on_launch": ["var.public"]}, vpc_id="vpc-1", cidr_block="10.0.1.0/24")
    host = made("aws_instance.host",
                {"associate_public_ip_address": ["var.public"], "private_ip": [], "subnet_id": ["aws_subnet.s.id"],
                 "vpc_security_group_ids": ["var.groups"]})  # fmt: skip
    assert after(place, host).interfaces == (
        Interface(id="aws_instance.host", name="aws_instance.host (new)", kind="instance", owner="aws_instance.host",
                  vpc="vpc-1", subnets=("aws_subnet.s",), unsure=frozenset({"groups", "public", "addresses"})),
    )  # fmt: skip


NEW_PLACES = ["aws_subnet.n.id"]
NEW_GROUPS = ["aws_security_group.web.id"]


@pytest.mark.parametrize(
    ("kind", "references", "values", "expected"),
    [
        ("efs_mount_target", {"subnet_id": NEW_PLACES, "security_groups": NEW_GROUPS}, {}, {"kind": "file system"}),
        ("vpc_endpoint", {"subnet_ids": NEW_PLACES, "security_group_ids": NEW_GROUPS}, {}, {"kind": "endpoint"}),
        # What stands in a block is known by the whole of its expression.
        ("lambda_function", {"vpc_config": [*NEW_PLACES, *NEW_GROUPS]}, {"function_name": "f"},
         {"kind": "function", "name": "f"}),
        ("ecs_service", {"network_configuration": [*NEW_PLACES, *NEW_GROUPS]}, {"name": "s"},
         {"kind": "service", "name": "s", "unsure": frozenset({"addresses", "public"})}),
        ("lb", {"subnets": NEW_PLACES, "security_groups": NEW_GROUPS}, {"internal": True}, {"kind": "load balancer"}),
        ("lb", {"subnet_mapping": NEW_PLACES, "security_groups": NEW_GROUPS}, {"internal": True, "subnets": []},
         {"kind": "load balancer"}),
        ("lb", {"subnets": NEW_PLACES, "security_groups": NEW_GROUPS, "internal": ["var.internal"]},
         {"load_balancer_type": "gateway"},
         {"kind": "load balancer", "forwards": True, "unsure": frozenset({"addresses", "public"})}),
        ("lb", {"subnets": NEW_PLACES, "security_groups": NEW_GROUPS, "load_balancer_type": ["var.kind"]},
         {"internal": False}, {"kind": "load balancer", "forwards": True, "public": (NEW_ADDRESS,)}),
        ("db_instance", {"db_subnet_group_name": ["aws_db_subnet_group.g.name"], "vpc_security_group_ids": NEW_GROUPS},
         {"publicly_accessible": True}, {"kind": "database", "public": (NEW_ADDRESS,)}),
        ("db_instance", {"vpc_security_group_ids": NEW_GROUPS}, {"db_subnet_group_name": "new"}, {"kind": "database"}),
        ("db_instance", {"db_subnet_group_name": ["var.places"], "vpc_security_group_ids": NEW_GROUPS}, {},
         {"kind": "database", "subnets": (), "vpc": "", "unsure": frozenset({"addresses", "subnets"})}),
        ("efs_mount_target", {"subnet_id": ["var.place"], "security_groups": ["var.groups"]}, {},
         {"kind": "file system", "groups": (), "subnets": (), "vpc": "",
          "unsure": frozenset({"addresses", "groups", "subnets"})}),
        ("lambda_function", {"vpc_config": ["var.config"]}, {},
         {"kind": "function", "groups": (), "subnets": (), "vpc": "",
          "unsure": frozenset({"addresses", "groups", "subnets"})}),
    ],
)  # fmt: skip
def test_what_the_same_plan_makes_is_found_where_a_new_carrier_names_it(
    kind: str, references: dict[str, list[str]], values: dict[str, Any], expected: dict[str, Any]
) -> None:
    place = made("aws_subnet.n", vpc_id="vpc-1", cidr_block="10.0.1.0/24")
    places = made("aws_db_subnet_group.g", {"subnet_ids": NEW_PLACES}, name="new")
    group, carrier = made("aws_security_group.web", name="web"), made(f"aws_{kind}.x", references, **values)
    address = f"aws_{kind}.x"
    usual = Interface(id=address, owner=address, name=f"{address} (new)", vpc="vpc-1", subnets=("aws_subnet.n",),
                      groups=("aws_security_group.web",), unsure=frozenset({"addresses"}))  # fmt: skip
    assert after(place, places, group, carrier).interfaces == (usual.model_copy(update=expected),)


def test_an_interface_that_is_new_goes_by_the_name_of_the_new_instance_that_is_given_it() -> None:
    own = made("aws_network_interface.own", subnet_id="subnet-1", security_groups=["sg-1"], private_ips=["10.0.1.5"])
    block = change(
        "aws_instance.host", None, {"tags": {"Name": "web-1"}},
        {"id": True, "network_interface": [{"network_interface_id": True}]},
    )  # fmt: skip
    host = {**block, "_references": {"network_interface": ["aws_network_interface.own.id"]}}
    address = "aws_network_interface.own"
    assert after(*PLACES, own, host).interfaces == (
        OWN.model_copy(update={"id": address, "owner": address, "name": "web-1", "kind": "instance"}),
    )


def test_an_accelerator_is_in_any_vpc_and_hands_on() -> None:
    group = "aws_globalaccelerator_endpoint_group.all"
    assert after(kept(group, id="arn:group")).interfaces == (
        Interface(id="arn:group", name=group, kind="accelerator", forwards=True),
    )


def test_whatever_is_only_looked_up_carries_no_group() -> None:
    seen = {"address": "data.aws_mq_broker.b", "mode": "data", "type": "aws_mq_broker", "name": "b",
            "values": {"id": "b-1", "security_groups": ["sg-1"]}}  # fmt: skip
    held = {**seen, "address": "aws_mq_broker.b", "mode": "managed"}
    assert after(looked_up=(seen,)).interfaces == ()
    (found,) = after(looked_up=(held,)).interfaces
    assert (found.id, found.name, found.kind, found.groups) == ("b-1", "aws_mq_broker.b", "mq broker", ("sg-1",))


def test_an_acl_is_its_vpc_s_own_if_it_or_the_vpc_says_so() -> None:
    vpc = kept("aws_vpc.v", id="vpc-1", default_network_acl_id="acl-1")
    acls = [kept(f"aws_network_acl.a{n}", id=f"acl-{n}", vpc_id="vpc-1", ingress=[], egress=[]) for n in (1, 2)]
    default = kept("aws_default_network_acl.d", id="acl-3", vpc_id="vpc-2", ingress=[], egress=[])
    assert {each.id: each.default for each in after(vpc, *acls, default).acls} == {
        "acl-1": True, "acl-2": False, "acl-3": True,
    }  # fmt: skip


def test_groups_of_a_plan_are_found_at_any_depth_and_vpcs_by_their_ids() -> None:
    plan = planned(
        change("aws_lb.a", {"security_groups": ["sg-1"]}, {"security_groups": ["sg-2", "other"]}),
        kept("aws_lambda_function.f", vpc_config=[{"vpc_id": "vpc-8", "security_group_ids": ["sg-3"]}], name="sg"),
        kept("aws_default_vpc.d", id="vpc-3"), kept("aws_subnet.s", id="vpc-9", vpc_id="vpc-4"),
        kept("aws_subnet.t", id="subnet-2", vpc_id="eipalloc-1"), made("aws_vpc.new"),
    )  # fmt: skip
    assert vpcs_of_plan(plan) == (frozenset({"vpc-3", "vpc-4"}), frozenset({"sg-1", "sg-2", "sg-3"}))


def test_the_networks_of_a_plan_hold_its_rules_and_who_is_in_a_group_only_where_it_is_new() -> None:
    values: dict[str, Any] = {**WORLD_RULE, "to_port": 81, "security_group_id": "sg-1"}
    plan = planned(
        kept("aws_security_group.web", id="sg-1", name="web", ingress=[INGRESS], egress=[]),
        made("aws_security_group.new", name="new"),
        made("aws_vpc_security_group_ingress_rule.new", **values),
    )
    rules = rules_from_plan(plan)
    found = networks_from_plan(plan, rules)
    assert [len(rules.before), len(rules.after)] == [1, 2]
    whole = frozenset({"aws_security_group.web", "sg-1", "aws_security_group.new"})
    assert found.before == Network(rules=rules.before, ruled=whole)
    assert found.after == Network(rules=rules.after, ruled=whole, peopled=frozenset({"aws_security_group.new"}))


@pytest.mark.parametrize("subnet", ["each.value", "local.subnets"])
@pytest.mark.parametrize(
    ("kind", "given", "of", "doubt"),
    [
        ("aws_route_table_association", "route_table_id", "aws_route_table", "its routes are not known"),
        ("aws_network_acl_association", "network_acl_id", "aws_network_acl", "its network ACL is not known"),
    ],
)
def test_what_is_of_a_subnet_that_nobody_knows_may_be_of_any_that_has_none(
    subnet: str, kind: str, given: str, of: str, doubt: str
) -> None:
    others = [each for each in copies() if each["address"] != f"{kind}.front"]
    acl = made("aws_network_acl.front", {"vpc_id": ["aws_vpc.main.id"]}, ingress=[], egress=[])
    link = made(f"{kind}.front", {"subnet_id": [subnet], given: [f"{of}.front.id"]})
    (entry,) = [e for e in told(*others, acl, link, instance(True)).opened if str(e.source_kind) == "internet"]
    assert (entry.reachable, entry.why) == (Reachable.UNKNOWN, doubt)


def test_a_network_acl_whose_subnets_nobody_knows_may_be_that_of_any() -> None:
    acl = made("aws_network_acl.front", {"vpc_id": ["aws_vpc.main.id"], "subnet_ids": ["local.subnets"]}, ingress=[])
    (entry,) = [e for e in told(*copies(), acl, instance(True)).opened if str(e.source_kind) == "internet"]
    assert (entry.reachable, entry.why) == (Reachable.UNKNOWN, "its network ACL is not known")


WEB = ["aws_security_group.web.id", "aws_security_group.web"]


def of_block(kind: str, block: str, attribute: str, value: Any = True, refers: list[str] = WEB) -> Exposure:
    """A new rule of the world's in a new group, and something new, of which one block names that group."""
    new = [made("aws_security_group.web", name="web"),
           made("aws_vpc_security_group_ingress_rule.web", {"security_group_id": WEB}, **WORLD_RULE)]  # fmt: skip
    written = [
        {"address": each["address"], "expressions": {k: {"references": v} for k, v in each.pop("_references").items()}}
        for each in new
    ]
    written.append({"address": f"{kind}.x", "expressions": {block: [{attribute: {"references": refers}}]}})
    other = change(f"{kind}.x", None, {block: [{"a": "b"}]}, {"id": True, block: [{attribute: value}]})
    plan = parse_plan({"format_version": "1.2", "resource_changes": [*new, other],
                       "configuration": {"root_module": {"resources": written}}})  # fmt: skip
    rules = rules_from_plan(plan)
    return exposure(rules.before, rules.after, {}, rules.whole_groups, networks_from_plan(plan, rules))


@pytest.mark.parametrize(
    ("kind", "block", "attribute", "value", "found"),
    [
        ("aws_glue_connection", "physical_connection_requirements", "security_group_id_list", True, Reachable.UNKNOWN),
        ("aws_emr_cluster", "ec2_attributes", "emr_managed_master_security_group", True, Reachable.UNKNOWN),
        ("aws_datasync_location_efs", "ec2_config", "security_group_arns", [True], Reachable.UNKNOWN),
        ("aws_vpc_security_group_vpc_association", "block", "security_group_id", True, Reachable.NO_MEMBER),
        ("aws_other", "block", "source_security_group_id", True, Reachable.NO_MEMBER),
        ("aws_other", "block", "note", True, Reachable.NO_MEMBER),
    ],
)
def test_whatever_names_a_group_as_its_own_is_in_it(
    kind: str, block: str, attribute: str, value: Any, found: Reachable
) -> None:
    (entry,) = of_block(kind, block, attribute, value).opened
    assert entry.reachable is found
    assert [each.id for each in entry.interfaces] == [f"{kind}.x"] * (found is Reachable.UNKNOWN)


@pytest.mark.parametrize(
    "values",
    [
        {"ec2_attributes": [{"additional_master_security_groups": "sg-1, sg-2"}]},
        {"ec2_attributes": [{"service_access_security_group": "sg-1", "emr_managed_slave_security_group": "sg-2"}]},
        {"security_group_arns": ["arn:aws:ec2:eu-west-1:1:security-group/sg-1",
                                 "arn:aws:ec2:eu-west-1:1:security-group/sg-2"]},
    ],
)  # fmt: skip
def test_groups_are_read_of_whatever_is_called_so(values: dict[str, Any]) -> None:
    others = {"source_security_group_id": "sg-3", "security_group_names": ["web"], "security_group": None}
    (found,) = after(kept("aws_emr_cluster.x", id="j-1", **values, **others)).interfaces
    assert (sorted(found.groups), sorted(found.unsure)) == (["sg-1", "sg-2"], ["addresses", "public", "subnets"])


@pytest.mark.parametrize(
    ("kind", "references", "values", "holder"),
    [
        ("aws_network_interface_sg_attachment", {}, {"network_interface_id": "eni-9"}, "eni-9"),
        ("aws_network_interface_sg_attachment", {"network_interface_id": ["local.one"]}, {},
         "aws_network_interface_sg_attachment.x.network_interface_id"),
        ("aws_vpc_endpoint_security_group_association", {}, {"vpc_endpoint_id": "vpce-9"}, "vpce-9"),
    ],
)  # fmt: skip
def test_what_is_of_another_stack_or_not_known_yet_and_is_given_a_group_is_in_it(
    kind: str, references: dict[str, list[str]], values: dict[str, Any], holder: str
) -> None:
    group = made("aws_security_group.web", name="web")
    rule = made("aws_vpc_security_group_ingress_rule.web", {"security_group_id": WEB}, **WORLD_RULE)
    (entry,) = told(group, rule, made(f"{kind}.x", {"security_group_id": WEB, **references}, **values)).opened
    assert (entry.reachable, [each.id for each in entry.interfaces]) == (Reachable.UNKNOWN, [holder])
    # Of a group that was there nothing is opened by a rule, but by giving it.
    open_group, given = public_world()[0], {"security_group_id": "sg-1", **values}
    found = told(open_group, made(f"{kind}.x", references, **given))
    assert ("0.0.0.0/0", holder, Reachable.UNKNOWN) in opened(found)
    if not references:
        assert told(open_group, change(f"{kind}.x", {"id": "x", **given}, {"id": "y", **given})).opened == ()


def test_an_endpoint_of_the_stack_has_the_groups_that_associations_give_it() -> None:
    endpoint = kept("aws_vpc_endpoint.s3", id="vpce-1", security_group_ids=["sg-1"], subnet_ids=["subnet-1"])
    given = kept("aws_vpc_endpoint_security_group_association.x", vpc_endpoint_id="vpce-1", security_group_id="sg-2")
    nobody = made("aws_vpc_endpoint_security_group_association.y", {"security_group_id": ["var.group"]},
                  vpc_endpoint_id="vpce-1")  # fmt: skip
    (found,) = after(*PLACES, endpoint, given).interfaces
    assert (found.groups, sorted(found.unsure)) == (("sg-1", "sg-2"), ["addresses"])
    (found,) = after(*PLACES, endpoint, given, nobody).interfaces
    assert (found.groups, sorted(found.unsure)) == (("sg-1", "sg-2"), ["addresses", "groups"])


def test_what_another_stack_made_is_reached_by_the_group_or_the_address_that_it_is_given() -> None:
    attached = made("aws_network_interface_sg_attachment.x", security_group_id="sg-1", network_interface_id="eni-1")
    found = told(attached, live=live("198.51.100.9", ("sg-2",)))
    assert opened(found) == [("0.0.0.0/0", "db-1", Reachable.REACHABLE)]
    for holder in ({"network_interface_id": "eni-1"}, {"instance_id": "i-1"}):
        address = made("aws_eip_association.x", public_ip="198.51.100.7", **holder)
        assert opened(told(address, live=live())) == [("0.0.0.0/0", "db-1", Reachable.REACHABLE)]
        values = {"id": "eipassoc-1", "public_ip": "198.51.100.7", **holder}
        found = told(change("aws_eip_association.x", values, None), live=live("198.51.100.7"))
        assert (found.opened, [each.target for each in found.closed]) == ((), ["db-1"])
