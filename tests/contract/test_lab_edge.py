"""The edge lets in whom the security groups let in, as they are at that moment."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
            return requests.get(f"http://127.0.0.1:{local}/", timeout=10).text == "the page"
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
        socket.create_connection(("127.0.0.1", local), timeout=5).close()
