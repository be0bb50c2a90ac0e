"""Whether a packet from outside would get to a subnet, and an answer back: its routes, and its network ACL."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Any

__all__ = ["keeps_out"]

# The ports that a visitor's system chooses for the answers.
_ANSWERS = (32768, 60999)
_TCP = {"-1", "6", "tcp"}


def keeps_out(ec2: Any, subnet: str, port: int, source: str) -> str:
    """What keeps a TCP connection from this address out of the subnet, in words; empty if nothing does."""
    found = {"Name": "association.subnet-id", "Values": [subnet]}
    vpc = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
    tables = ec2.describe_route_tables(Filters=[found])["RouteTables"]
    main = {"Name": "association.main", "Values": ["true"]}
    tables = tables or ec2.describe_route_tables(Filters=[main, {"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    if not any(_leads_out(table["Routes"], source) for table in tables):
        return "no route to an internet gateway"
    acls = ec2.describe_network_acls(Filters=[found])["NetworkAcls"]
    entries = [entry for acl in acls for entry in acl["Entries"]]
    answered = any(_lets(entries, True, answer, source) for answer in _ANSWERS)
    return "" if _lets(entries, False, port, source) and answered else "the network ACL"


def _leads_out(routes: Iterable[dict[str, Any]], source: str) -> bool:
    """Whether of all that fit the narrowest route leads to an internet gateway."""
    fitting = [route for route in routes if _holds(route.get("DestinationCidrBlock"), source)]
    if not fitting:
        return False
    best = max(fitting, key=lambda route: ip_network(route["DestinationCidrBlock"]).prefixlen)
    return str(best.get("GatewayId", "")).startswith("igw-") and best.get("State") != "blackhole"


def _lets(entries: Iterable[dict[str, Any]], egress: bool, port: int, source: str) -> bool:
    for entry in sorted(entries, key=lambda each: int(each["RuleNumber"])):
        if bool(entry["Egress"]) != egress or not _holds(entry.get("CidrBlock"), source):
            continue
        ports = entry.get("PortRange") or {}
        every = str(entry["Protocol"]) == "-1" or not ports
        if str(entry["Protocol"]) in _TCP and (every or int(ports["From"]) <= port <= int(ports["To"])):
            return str(entry["RuleAction"]) == "allow"
    return False


def _holds(network: str | None, source: str) -> bool:
    return bool(network) and ip_address(source) in ip_network(str(network))
