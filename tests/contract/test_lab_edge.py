"""The edge lets in whom the security groups let in, as they are at that moment."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
import requests
from lab_aws import WORLD, Front, LabAws, running_aws
from pytest_httpserver import HTTPServer

from runbook_lib.lab.edge import Edge
from runbook_lib.lab.rules import SecurityGroups


@dataclass
class Outside:
    """A visitor who knocks at the public address."""

    edge: Edge
    front: Front

    def gets_in(self, port: int = 80) -> bool:
        local = self.edge.refresh()[self.front.address, port]
        try:
            return requests.get(f"http://127.0.0.1:{local}/", timeout=60).text == "the page"
        except requests.ConnectionError:
            return False


@pytest.fixture(scope="module")
def aws() -> Iterator[LabAws]:
    with running_aws() as running:
        yield running


@pytest.fixture
def outside(aws: LabAws, httpserver: HTTPServer) -> Iterator[Outside]:
    httpserver.expect_request("/").respond_with_data("the page")
    front = aws.front()
    served = {(front.address, 80): httpserver.port}
    edge = Edge(SecurityGroups(aws.clients), lambda address, port: served.get((address, port)))
    edge.start()
    yield Outside(edge, front)
    edge.stop()


def test_a_group_without_rules_keeps_everybody_out(outside: Outside) -> None:
    assert not outside.gets_in()


def test_a_rule_opens_the_port_and_its_removal_closes_it(aws: LabAws, outside: Outside) -> None:
    rule = aws.allow(outside.front.group, "tcp", 80, IpRanges=[{"CidrIp": WORLD}])
    assert outside.gets_in()
    aws.forbid(outside.front.group, rule)
    assert not outside.gets_in()


def test_a_rule_for_another_port_opens_nothing(aws: LabAws, outside: Outside) -> None:
    aws.allow(outside.front.group, "tcp", 8000, IpRanges=[{"CidrIp": WORLD}])
    assert not outside.gets_in(80)


def test_an_open_port_where_nothing_is_served_answers_nobody(aws: LabAws, outside: Outside) -> None:
    aws.allow(outside.front.group, "tcp", 8000, IpRanges=[{"CidrIp": WORLD}])
    assert not outside.gets_in(8000)


@pytest.mark.parametrize(
    ("protocol", "source"),
    [
        ("tcp", {"IpRanges": [{"CidrIp": "10.20.0.0/16"}]}),
        ("tcp", {"IpRanges": [{"CidrIp": "203.0.113.11/32"}]}),
        ("tcp", {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}),
        ("udp", {"IpRanges": [{"CidrIp": WORLD}]}),
    ],
    ids=["private network", "somebody else", "IPv6 alone", "another protocol"],
)
def test_a_rule_that_does_not_mean_the_visitor_opens_nothing(
    aws: LabAws, outside: Outside, protocol: str, source: dict[str, Any]
) -> None:
    aws.allow(outside.front.group, protocol, 80, **source)
    assert not outside.gets_in()


def test_a_rule_that_refers_to_a_group_opens_nothing_to_the_outside(aws: LabAws, outside: Outside) -> None:
    group = outside.front.group
    aws.allow(group, "tcp", 80, UserIdGroupPairs=[{"GroupId": group}])
    assert not outside.gets_in()


@pytest.mark.parametrize("network", [WORLD, "128.0.0.0/1", "203.0.113.0/24", "203.0.113.10/32"])
def test_any_network_with_the_visitor_in_it_lets_him_in(aws: LabAws, outside: Outside, network: str) -> None:
    aws.allow(outside.front.group, "tcp", 80, IpRanges=[{"CidrIp": network}])
    assert outside.gets_in()


def test_all_protocols_are_every_port(aws: LabAws, outside: Outside) -> None:
    permission = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": WORLD}]}
    aws.ec2.authorize_security_group_ingress(GroupId=outside.front.group, IpPermissions=[permission])
    assert outside.gets_in()


def test_a_prefix_list_counts_by_its_entries(aws: LabAws, outside: Outside) -> None:
    made = aws.ec2.create_managed_prefix_list(
        PrefixListName="visitors", AddressFamily="IPv4", MaxEntries=5, Entries=[{"Cidr": "203.0.113.0/28"}]
    )
    prefix_list = made["PrefixList"]["PrefixListId"]
    aws.allow(outside.front.group, "tcp", 80, PrefixListIds=[{"PrefixListId": prefix_list}])
    assert outside.gets_in()


def test_an_address_keeps_its_port_when_the_edge_looks_again(outside: Outside) -> None:
    assert outside.edge.refresh() == outside.edge.refresh()


def test_an_edge_that_was_stopped_listens_no_more(aws: LabAws) -> None:
    front = aws.front()
    edge = Edge(SecurityGroups(aws.clients), lambda address, port: None)
    edge.start()
    local = edge.refresh()[front.address, 80]
    edge.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", local), timeout=60).close()


def test_without_a_route_to_the_internet_nobody_gets_in(aws: LabAws, outside: Outside) -> None:
    aws.allow(outside.front.group, "tcp", 80, IpRanges=[{"CidrIp": WORLD}])
    aws.ec2.delete_route(RouteTableId=outside.front.table, DestinationCidrBlock=WORLD)
    assert not outside.gets_in()


def test_a_narrower_route_elsewhere_keeps_its_network_out(aws: LabAws, outside: Outside) -> None:
    aws.allow(outside.front.group, "tcp", 80, IpRanges=[{"CidrIp": WORLD}])
    private = aws.ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    aws.ec2.create_route(RouteTableId=outside.front.table, DestinationCidrBlock="203.0.113.0/24", GatewayId=private)
    assert not outside.gets_in()


@pytest.mark.parametrize(
    ("egress", "ports", "gets_in"),
    [(False, (80, 80), False), (False, (443, 443), True), (True, (1024, 65535), False), (True, (80, 80), True)],
    ids=["the port itself", "another port", "the answers", "other answers"],
)
def test_a_network_acl_denies_what_the_group_lets_in(
    aws: LabAws, outside: Outside, egress: bool, ports: tuple[int, int], gets_in: bool
) -> None:
    aws.allow(outside.front.group, "tcp", 80, IpRanges=[{"CidrIp": WORLD}])
    found = [{"Name": "association.subnet-id", "Values": [outside.front.subnet]}]
    (acl,) = aws.ec2.describe_network_acls(Filters=found)["NetworkAcls"]
    aws.ec2.create_network_acl_entry(
        NetworkAclId=acl["NetworkAclId"], RuleNumber=1, Protocol="6", RuleAction="deny", Egress=egress,
        CidrBlock=WORLD, PortRange={"From": ports[0], "To": ports[1]},
    )  # fmt: skip
    assert outside.gets_in() is gets_in


def test_a_load_balancer_leads_to_a_target_that_lets_it_in(aws: LabAws, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/").respond_with_data("the page")
    front = aws.front()
    elb = boto3.client("elbv2", endpoint_url=aws.ec2.meta.endpoint_url, region_name="eu-west-1",
                       aws_access_key_id="x", aws_secret_access_key="y")  # fmt: skip
    group = aws.ec2.create_security_group(GroupName="lb", Description="lb", VpcId=front.vpc)["GroupId"]
    made = elb.create_load_balancer(Name="web", Subnets=[front.subnet], SecurityGroups=[group])["LoadBalancers"][0]
    target = elb.create_target_group(Name="web", Protocol="HTTP", Port=8080, VpcId=front.vpc)["TargetGroups"][0]
    found = aws.ec2.describe_network_interfaces(Filters=[{"Name": "group-id", "Values": [front.group]}])
    (instance,) = [each for each in found["NetworkInterfaces"] if each.get("Attachment")]
    elb.register_targets(TargetGroupArn=target["TargetGroupArn"],
                         Targets=[{"Id": instance["Attachment"]["InstanceId"], "Port": 8080}])  # fmt: skip
    action = {"Type": "forward", "TargetGroupArn": target["TargetGroupArn"]}
    elb.create_listener(LoadBalancerArn=made["LoadBalancerArn"], Port=80, Protocol="HTTP", DefaultActions=[action])
    own = aws.ec2.describe_network_interfaces(Filters=[{"Name": "group-id", "Values": [group]}])["NetworkInterfaces"]
    address = own[0]["Association"]["PublicIp"]
    served = {(instance["PrivateIpAddress"], 8080): httpserver.port}
    edge = Edge(SecurityGroups(aws.clients), lambda where, port: served.get((where, port)))
    edge.start()
    visitor = Outside(edge, Front(address, group))
    aws.allow(group, "tcp", 80, IpRanges=[{"CidrIp": WORLD}])
    assert not visitor.gets_in()
    aws.allow(front.group, "tcp", 8080, UserIdGroupPairs=[{"GroupId": group}])
    assert visitor.gets_in()
    elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
    assert not visitor.edge.groups.allow(address, 80)
    edge.stop()
