"""What AWS describes of some VPCs, read value by value as the network that exposure is judged by."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.network import network_from_aws
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


def test_of_nothing_described_the_network_is_empty_and_whole() -> None:
    assert network_from_aws({}) == Network(complete=True)


@pytest.mark.parametrize(
    ("item", "networks"),
    [
        ({"CidrBlock": "10.0.0.0/16"}, ("10.0.0.0/16",)),
        ({"CidrBlock": "10.0.0.0/16", "CidrBlockAssociationSet": [{"CidrBlock": "10.0.0.0/16"},
                                                                 {"CidrBlock": "10.1.0.0/16"}]},
         ("10.0.0.0/16", "10.1.0.0/16")),
        ({"CidrBlock": "10.0.0.0/16", "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8::/56"}, {}]},
         ("10.0.0.0/16", "2001:db8::/56")),
        ({}, ()),
    ],
)  # fmt: skip
def test_a_vpc_has_all_networks_that_were_ever_added_to_it(item: dict[str, Any], networks: tuple[str, ...]) -> None:
    assert network_from_aws({"vpcs": [{"VpcId": "vpc-1", **item}]}).vpcs == (Vpc(id="vpc-1", networks=networks),)


SUBNET = {"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}


@pytest.mark.parametrize(
    ("item", "others", "expected"),
    [
        ({}, {}, {}),
        ({"MapPublicIpOnLaunch": True}, {}, {"gives_public": True}),
        ({"Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8::/64"}, {}]}, {},
         {"networks": ("10.0.1.0/24", "2001:db8::/64")}),
        # An IPv6 subnet has no network of IPv4.
        ({"CidrBlock": None, "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8::/64"}]}, {},
         {"networks": ("2001:db8::/64",)}),
        ({"VpcId": None}, {}, {"vpc": ""}),
        ({}, {"tables": [{"RouteTableId": "rtb-1", "Associations": [{"Main": True}, {"SubnetId": "subnet-1"}]},
                         {"RouteTableId": "rtb-2", "Associations": [{"SubnetId": "subnet-2"}]},
                         {"RouteTableId": "rtb-3"}]}, {"table": "rtb-1"}),
        ({}, {"acls": [{"NetworkAclId": "acl-1", "Associations": [{}, {"SubnetId": "subnet-1"}]},
                       {"NetworkAclId": "acl-2", "Associations": [{"SubnetId": "subnet-2"}]},
                       {"NetworkAclId": "acl-3"}]}, {"acl": "acl-1"}),
    ],
)  # fmt: skip
def test_a_subnet_is_read_with_the_table_and_the_acl_that_name_it(
    item: dict[str, Any], others: dict[str, Any], expected: dict[str, Any]
) -> None:
    usual = Subnet(id="subnet-1", vpc="vpc-1", networks=("10.0.1.0/24",))
    assert network_from_aws({"subnets": [{**SUBNET, **item}], **others}).subnets == (
        usual.model_copy(update=expected),
    )  # fmt: skip


def test_a_table_says_whose_it_is_and_whether_it_is_the_main_one() -> None:
    found = network_from_aws({"tables": [
        {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{"SubnetId": "subnet-1"}, {"Main": True}]},
        {"RouteTableId": "rtb-2", "Associations": [{"Main": False}]},
        {"RouteTableId": "rtb-3", "VpcId": "vpc-1"},
    ]}).tables  # fmt: skip
    assert found == (
        RouteTable(id="rtb-1", vpc="vpc-1", main=True), RouteTable(id="rtb-2"), RouteTable(id="rtb-3", vpc="vpc-1"),
    )  # fmt: skip


ANY = {"DestinationCidrBlock": "0.0.0.0/0"}


@pytest.mark.parametrize(
    ("item", "routes"),
    [
        ({**ANY, "GatewayId": "igw-1"}, [("0.0.0.0/0", RouteTarget.INTERNET, "igw-1")]),
        ({**ANY, "GatewayId": "vgw-1"}, [("0.0.0.0/0", RouteTarget.BEYOND, "vgw-1")]),
        ({**ANY, "GatewayId": "vpce-1"}, [("0.0.0.0/0", RouteTarget.UNKNOWN, "vpce-1")]),
        ({**ANY, "GatewayId": "cagw-1"}, [("0.0.0.0/0", RouteTarget.UNKNOWN, "cagw-1")]),
        ({"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}, []),
        ({**ANY, "NatGatewayId": "nat-1"}, [("0.0.0.0/0", RouteTarget.NAT, "nat-1")]),
        ({"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"},
         [("::/0", RouteTarget.NAT, "eigw-1")]),
        ({**ANY, "TransitGatewayId": "tgw-1"}, [("0.0.0.0/0", RouteTarget.BEYOND, "tgw-1")]),
        ({**ANY, "VpcPeeringConnectionId": "pcx-1"}, [("0.0.0.0/0", RouteTarget.BEYOND, "pcx-1")]),
        ({**ANY, "LocalGatewayId": "lgw-1"}, [("0.0.0.0/0", RouteTarget.BEYOND, "lgw-1")]),
        ({**ANY, "CoreNetworkArn": "arn:core"}, [("0.0.0.0/0", RouteTarget.BEYOND, "arn:core")]),
        ({**ANY, "OdbNetworkArn": "arn:odb"}, [("0.0.0.0/0", RouteTarget.BEYOND, "arn:odb")]),
        ({**ANY, "NetworkInterfaceId": "eni-1", "InstanceId": "i-1"}, [("0.0.0.0/0", RouteTarget.UNKNOWN, "eni-1")]),
        ({**ANY, "InstanceId": "i-1"}, [("0.0.0.0/0", RouteTarget.UNKNOWN, "i-1")]),
        (ANY, [("0.0.0.0/0", RouteTarget.UNKNOWN, "")]),
        # What the route led to is gone: it leads nowhere, and still shadows the wider ones.
        ({**ANY, "GatewayId": "igw-1", "State": "blackhole"}, [("0.0.0.0/0", RouteTarget.NOWHERE, "igw-1")]),
        ({**ANY, "GatewayId": "igw-1", "State": "active"}, [("0.0.0.0/0", RouteTarget.INTERNET, "igw-1")]),
        # To a gateway endpoint go its service's networks; of any other list nobody knows what it holds.
        ({"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1"}, []),
        ({"DestinationPrefixListId": "pl-1", "TransitGatewayId": "tgw-1"}, [("", RouteTarget.BEYOND, "tgw-1")]),
        ({"GatewayId": "igw-1"}, []),
    ],
)  # fmt: skip
def test_a_route_leads_where_what_it_names_leads(
    item: dict[str, Any], routes: list[tuple[str, RouteTarget, str]]
) -> None:
    (table,) = network_from_aws({"tables": [{"RouteTableId": "rtb-1", "Routes": [item]}]}).tables
    assert table.routes == tuple(Route(network=network, target=target, via=via) for network, target, via in routes)


ENTRY = {"RuleNumber": 100, "Egress": True, "RuleAction": "allow", "Protocol": "6", "CidrBlock": "10.0.0.0/8",
         "PortRange": {"From": 80, "To": 90}}  # fmt: skip


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({}, {}),
        ({"Egress": False}, {"egress": False}),
        ({"RuleAction": "ALLOW"}, {}),
        ({"RuleAction": "deny"}, {"allow": False}),
        ({"Protocol": "17"}, {"protocol": "udp"}),
        ({"CidrBlock": None, "Ipv6CidrBlock": "2001:db8::/32"}, {"network": "2001:db8::/32"}),
        ({"CidrBlock": None}, {"network": ""}),
        ({"PortRange": {"From": 0, "To": 0}}, {"from_port": 0, "to_port": 0}),
        ({"PortRange": None}, {"from_port": None, "to_port": None}),
        # All protocols have no ports, whatever stands there.
        ({"Protocol": "-1"}, {"protocol": "all", "from_port": None, "to_port": None}),
        ({"Protocol": "1", "IcmpTypeCode": {"Type": 8, "Code": -1}},
         {"protocol": "icmp", "from_port": 8, "to_port": -1}),
        ({"Protocol": "58", "IcmpTypeCode": {"Type": 128, "Code": 0}},
         {"protocol": "icmpv6", "from_port": 128, "to_port": 0}),
        ({"Protocol": "1"}, {"protocol": "icmp", "from_port": None, "to_port": None}),
    ],
)  # fmt: skip
def test_an_entry_of_an_acl_is_read_as_it_stands(item: dict[str, Any], expected: dict[str, Any]) -> None:
    usual = AclEntry(
        number=100, egress=True, allow=True, protocol="tcp", network="10.0.0.0/8", from_port=80, to_port=90
    )
    acl = {"NetworkAclId": "acl-1", "VpcId": "vpc-1", "IsDefault": True, "Entries": [{**ENTRY, **item}]}
    assert network_from_aws({"acls": [acl]}).acls == (
        NetworkAcl(id="acl-1", vpc="vpc-1", default=True, entries=(usual.model_copy(update=expected),)),
    )


def test_an_acl_with_an_entry_of_a_protocol_that_nobody_knows_may_hold_more_than_is_said() -> None:
    described = {"acls": [{"NetworkAclId": "acl-1", "Entries": [{**ENTRY, "Protocol": "no such"}]},
                          {"NetworkAclId": "acl-2"}]}  # fmt: skip
    assert network_from_aws(described).acls == (NetworkAcl(id="acl-1", unsure=True), NetworkAcl(id="acl-2"))


ENI = {"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1", "SubnetId": "subnet-1",
       "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.5"}], "Groups": [{"GroupId": "sg-1"}]}  # fmt: skip
PUBLIC = {"Association": {"PublicIp": "198.51.100.7"}}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({}, {}),
        ({"VpcId": None, "SubnetId": None, "Groups": None}, {"vpc": "", "subnets": (), "groups": ()}),
        ({"Groups": [{"GroupId": "sg-2"}, {"GroupId": "sg-1"}]}, {"groups": ("sg-2", "sg-1")}),
        ({"Owner": "i-1", "Kind": "instance"}, {"name": "i-1", "owner": "i-1", "kind": "instance"}),
        # By the name that is known of its owner, else by its own tag, else by what AWS calls the owner.
        ({"Owner": "i-7", "TagSet": [{"Key": "Name", "Value": "tagged"}]}, {"name": "shop", "owner": "i-7"}),
        ({"TagSet": [{"Key": "Team", "Value": "x"}, {"Key": "Name", "Value": "tagged"}]}, {"name": "tagged"}),
        ({"TagSet": [{"Key": "Name"}]}, {}),
        ({"Owner": "app/web/50dc6c495c0c9188"}, {"name": "web", "owner": "app/web/50dc6c495c0c9188"}),
        ({"Owner": "app/web"}, {"name": "app/web", "owner": "app/web"}),
        ({"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.5"}, {"PrivateIpAddress": "10.0.1.6"}, {}],
          "Ipv6Addresses": [{"Ipv6Address": "2001:db8::5"}, {}]},
         {"addresses": ("10.0.1.5", "10.0.1.6", "2001:db8::5")}),
        ({"PrivateIpAddresses": None, "PrivateIpAddress": "10.0.1.8"}, {"addresses": ("10.0.1.8",)}),
        ({"PrivateIpAddresses": None}, {"addresses": ()}),
        (PUBLIC, {"public": ("198.51.100.7",)}),
        # Each public address once, whether AWS says it of the interface, of its private addresses or of both.
        ({**PUBLIC, "PrivateIpAddresses": [
            {"PrivateIpAddress": "10.0.1.5", **PUBLIC},
            {"PrivateIpAddress": "10.0.1.6", "Association": {"PublicIp": "198.51.100.8"}},
            {"PrivateIpAddress": "10.0.1.7", "Association": {"IpOwnerId": "amazon"}}]},
         {"addresses": ("10.0.1.5", "10.0.1.6", "10.0.1.7"), "public": ("198.51.100.7", "198.51.100.8")}),
        ({"InterfaceType": "network_load_balancer", **PUBLIC}, {"public": ("198.51.100.7",), "forwards": True}),
        ({"InterfaceType": "gateway_load_balancer", **PUBLIC}, {"public": ("198.51.100.7",), "forwards": True}),
        ({"InterfaceType": "network_load_balancer"}, {}),
        ({"InterfaceType": "global_accelerator_managed"}, {"forwards": True}),
        ({"InterfaceType": "nat_gateway", **PUBLIC}, {"public": ("198.51.100.7",)}),
    ],
)  # fmt: skip
def test_an_interface_is_read_with_its_name_its_place_and_its_addresses(
    item: dict[str, Any], expected: dict[str, Any]
) -> None:
    usual = Interface(id="eni-1", name="eni-1", owner="eni-1", vpc="vpc-1", subnets=("subnet-1",), groups=("sg-1",),
                      addresses=("10.0.1.5",))  # fmt: skip
    found = network_from_aws({"interfaces": [{**ENI, **item}], "names": {"i-7": "shop"}}).interfaces
    assert found == (usual.model_copy(update=expected),)


def test_a_group_goes_by_its_tag_else_by_its_name_and_all_of_each_is_known() -> None:
    found = network_from_aws({"groups": [
        {"GroupId": "sg-1", "GroupName": "terraform-1", "Tags": [{"Key": "Name", "Value": "web"}]},
        {"GroupId": "sg-2", "GroupName": "db", "Tags": [{"Key": "Team", "Value": "shop"}]},
        {"GroupId": "sg-3"},
    ]})  # fmt: skip
    assert found == Network(
        complete=True, ruled=frozenset({"sg-1", "sg-2", "sg-3"}), peopled=frozenset({"sg-1", "sg-2", "sg-3"}),
        names={"sg-1": "web", "sg-2": "db", "sg-3": ""},
    )  # fmt: skip


def test_each_other_end_of_a_group_s_permission_is_a_rule_of_its_own() -> None:
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 23}
    found = network_from_aws({
        "groups": [{
            "GroupId": "sg-1",
            "IpPermissions": [{
                **ssh, "IpRanges": [{"CidrIp": "10.0.0.0/8"}], "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}],
                "PrefixListIds": [{"PrefixListId": "pl-1"}, {"PrefixListId": "pl-2"}],
                "UserIdGroupPairs": [{"GroupId": "sg-2"}, {"UserId": "111122223333"}],
            }],
            "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
        }],
        "lists": {"pl-1": ("192.0.2.0/24",)},
    }).rules  # fmt: skip
    ends: list[dict[str, Any]] = [
        {"source": "10.0.0.0/8"},
        {"source": "2001:db8::/32"},
        {"source": "pl-1", "source_kind": SourceKind.PREFIX_LIST, "entries": ("192.0.2.0/24",)},
        {"source": "pl-2", "source_kind": SourceKind.PREFIX_LIST},
        {"source": "sg-2", "source_kind": SourceKind.GROUP},
    ]
    usual = {"direction": Direction.INGRESS, "protocol": "tcp", "from_port": 22, "to_port": 23, "group": "sg-1"}
    outward = {"direction": Direction.EGRESS, "protocol": "all", "from_port": None, "to_port": None,
               "source": "0.0.0.0/0", "group": "sg-1"}  # fmt: skip
    assert found == tuple(Rule.model_validate(each) for each in (*({**usual, **end} for end in ends), outward))
