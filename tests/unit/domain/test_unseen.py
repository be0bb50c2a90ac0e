"""What a change opens to whom nobody has seen is unknown, and never nothing."""

from __future__ import annotations

from typing import Any

import pytest
from test_network_from_plan import Change, change, kept, live, made, told

from runbook_lib.domain.risk import RiskFacts, assess_risk
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.plan import Plan
from runbook_lib.models.risk import RiskLevel

OUT = {"cidr_block": "0.0.0.0/0", "gateway_id": "igw-1"}
TABLE = {"id": "rtb-9", "vpc_id": "vpc-1"}
ENTRY = {"network_acl_id": "acl-9", "rule_number": 10, "rule_action": "allow", "protocol": "-1", "egress": False,
         "cidr_block": "0.0.0.0/0"}  # fmt: skip
BALANCER = {"name": "edge", "internal": False, "load_balancer_type": "network", "subnets": ["subnet-9"]}
GROUP = {"security_group_id": "sg-9"}


def whys(found: Exposure) -> list[tuple[str, str]]:
    return [(str(each.target), each.why) for each in found.unknown]


@pytest.mark.parametrize(
    ("new", "target", "why"),
    [
        (made("aws_route.x", route_table_id="rtb-9", destination_cidr_block="0.0.0.0/0", gateway_id="igw-1"), "rtb-9",
         "what stands behind rtb-9, which newly leads to igw-1, is not known"),
        (made("aws_route.x", route_table_id="rtb-9", destination_cidr_block="10.9.0.0/16", transit_gateway_id="tgw-1"),
         "rtb-9", "what stands behind rtb-9, which newly leads to tgw-1, is not known"),
        (change("aws_route_table.x", {**TABLE, "route": []}, {**TABLE, "route": [OUT]}), "rtb-9",
         "what stands behind rtb-9, which newly leads to igw-1, is not known"),
        (made("aws_main_route_table_association.x", vpc_id="vpc-1", route_table_id="rtb-9"), "rtb-9",
         "what stands behind rtb-9, which becomes a VPC's main one, is not known"),
        (made("aws_network_acl_rule.x", **ENTRY), "acl-9",
         "what stands behind acl-9, which newly lets more through, is not known"),
        (change("aws_network_acl_rule.x", {"id": "x", **ENTRY, "rule_action": "deny"}, None), "acl-9",
         "what stands behind acl-9, which newly lets more through, is not known"),
        (made("aws_route_table_association.x", subnet_id="subnet-9", route_table_id="rtb-9"), "subnet-9",
         "what stands in subnet-9, which gets another route table, is not known"),
        (made("aws_network_acl_association.x", subnet_id="subnet-9", network_acl_id="acl-9"), "subnet-9",
         "what stands in subnet-9, which gets another network ACL, is not known"),
        (made("aws_eip_association.x", network_interface_id="eni-9", allocation_id="eipalloc-1"), "eni-9",
         "whom the groups of eni-9, which gets a public address, let in is not known"),
        (made("aws_eip.x", instance="i-9"), "i-9",
         "whom the groups of i-9, which gets a public address, let in is not known"),
        (made("aws_network_interface_sg_attachment.x", network_interface_id="eni-9", **GROUP), "eni-9",
         "whom sg-9, which eni-9 gets, lets in is not known"),
        (made("aws_instance.x", vpc_security_group_ids=["sg-9"], tags={"Name": "web-1"}), "web-1",
         "whom sg-9, which web-1 gets, lets in is not known"),
        (made("aws_lb.x", **BALANCER), "edge", "to whom edge hands connections on is not known"),
    ],
)  # fmt: skip
def test_what_is_opened_of_another_stack_s_network_is_unknown_and_not_nothing(
    new: Change, target: str, why: str
) -> None:
    found = told(new)
    assert (whys(found), found.opened, found.closed) == ([(target, why)], (), ())
    assert found.sentence == f"Not known: {why.removesuffix(' is not known').removesuffix(',')}."
    risk = assess_risk(RiskFacts(plan=Plan(), exposure=found))
    assert risk.level is RiskLevel.HIGH


def test_what_a_rule_opens_to_nobody_knows_whom_is_told_beside_it() -> None:
    route = made("aws_route.x", route_table_id="rtb-9", destination_cidr_block="0.0.0.0/0", gateway_id="igw-1")
    rule = made("aws_vpc_security_group_ingress_rule.x", {"cidr_ipv4": ["var.office"]}, security_group_id="sg-1",
                from_port=80, to_port=80, ip_protocol="tcp")  # fmt: skip
    assert told(route, rule).sentence == (
        "Whom 1 rule lets in is known only after apply."
        " Not known: what stands behind rtb-9, which newly leads to igw-1."
    )


STANDS = {"id": "x", "subnet_id": "subnet-9", "route_table_id": "rtb-9"}


@pytest.mark.parametrize(
    "other",
    [
        # It lets less through, or as much, or nothing of it stands yet.
        change("aws_route_table.x", {**TABLE, "route": [OUT]}, {**TABLE, "route": []}),
        change("aws_route.x", {"id": "r", "route_table_id": "rtb-9", "destination_cidr_block": "0.0.0.0/0",
                               "gateway_id": "igw-1"}, None),
        made("aws_route.x", route_table_id="rtb-9", destination_cidr_block="0.0.0.0/0", nat_gateway_id="nat-1"),
        made("aws_network_acl_rule.x", **{**ENTRY, "rule_action": "deny"}),
        change("aws_network_acl_rule.x", {"id": "x", **ENTRY}, None),
        change("aws_route_table_association.x", STANDS, {**STANDS, "id": "y"}),
        change("aws_network_interface_sg_attachment.x", {"id": "x", "network_interface_id": "eni-9", **GROUP}, None),
        change("aws_instance.x", {"id": "i-9", "vpc_security_group_ids": ["sg-9"]},
               {"id": "i-9", "vpc_security_group_ids": ["sg-9"], "tags": {"a": "b"}}),
        made("aws_lb.x", **{**BALANCER, "internal": True}),
        kept("aws_lb.x", id="lb", **BALANCER),
    ],
)  # fmt: skip
def test_of_what_lets_no_more_through_nothing_is_unknown(other: Change) -> None:
    assert whys(told(other)) == []


def test_of_a_network_that_the_plan_makes_everybody_is_known() -> None:
    mine: dict[str, Any] = {"vpc_id": ["aws_vpc.x.id"]}
    new = (made("aws_vpc.x", cidr_block="10.0.0.0/16"), made("aws_internet_gateway.x", mine),
           made("aws_route_table.x", mine), made("aws_subnet.x", mine, cidr_block="10.0.1.0/24"),
           made("aws_route.x", {"route_table_id": ["aws_route_table.x.id"],
                                "gateway_id": ["aws_internet_gateway.x.id"]}, destination_cidr_block="0.0.0.0/0"),
           made("aws_network_acl.x", {**mine, "subnet_ids": ["aws_subnet.x.id"]}),
           made("aws_route_table_association.x", {"subnet_id": ["aws_subnet.x.id"],
                                                  "route_table_id": ["aws_route_table.x.id"]}),
           made("aws_security_group.x", mine, name="x"),
           made("aws_instance.x", {"vpc_security_group_ids": ["aws_security_group.x.id"],
                                   "subnet_id": ["aws_subnet.x.id"]}),
           made("aws_lb.x", {"subnets": ["aws_subnet.x.id"]}, name="edge", internal=False,
                load_balancer_type="network"))  # fmt: skip
    assert whys(told(*new)) == []


def test_of_a_network_of_which_aws_tells_all_nothing_is_unknown() -> None:
    new = (made("aws_route.x", route_table_id="rtb-1", destination_cidr_block="0.0.0.0/0", gateway_id="igw-1"),
           made("aws_eip_association.x", network_interface_id="eni-1", allocation_id="eipalloc-1"),
           made("aws_network_acl_rule.x", **{**ENTRY, "network_acl_id": "acl-1"}),
           made("aws_network_interface_sg_attachment.x", network_interface_id="eni-1", security_group_id="sg-2"),
           made("aws_lb.x", **{**BALANCER, "subnets": ["subnet-1"]}))  # fmt: skip
    found = told(*new, live=live(routed=False))
    assert (whys(found), [each.target for each in found.opened][:1]) == ([], ["db-1"])
    # What is in no VPC that it tells of is unknown all the same.
    other = made("aws_route.y", route_table_id="rtb-9", destination_cidr_block="0.0.0.0/0", gateway_id="igw-1")
    assert [target for target, _ in whys(told(other, live=live()))] == ["rtb-9"]
