"""Whether AWS would let a connection in: the security groups of the interface that has the public address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from .addresses import REGION
from .clients import AwsClients

__all__ = ["OUTSIDE", "SecurityGroups"]

# Where the lab's visitors come from: an address that belongs to examples.
OUTSIDE = "203.0.113.10"


@dataclass(frozen=True)
class SecurityGroups:
    """Asks AWS anew for every connection, in these regions."""

    aws: AwsClients
    regions: tuple[str, ...] = (REGION,)

    def public_addresses(self) -> dict[str, dict[str, Any]]:
        """The network interface behind each public address, and its region under `Region`."""
        return {i["Association"]["PublicIp"]: i for i in self._interfaces() if i.get("Association", {}).get("PublicIp")}

    def _interfaces(self) -> Iterator[dict[str, Any]]:
        for region in self.regions:
            for page in self.aws.ec2_in(region).get_paginator("describe_network_interfaces").paginate():
                yield from ({**found, "Region": region} for found in page["NetworkInterfaces"])

    def allow(self, address: str, port: int, source: str = OUTSIDE) -> bool:
        """Whether a TCP connection from `source` reaches this port of the public address."""
        interface = self.public_addresses().get(address)
        if interface is None or not interface.get("Groups"):
            return False
        ec2 = self.aws.ec2_in(interface["Region"])
        groups = [group["GroupId"] for group in interface["Groups"]]
        return any(self._admits(ec2, rule, port, source) for rule in self._ingress(ec2, groups))

    def _ingress(self, ec2: Any, groups: list[str]) -> Iterator[dict[str, Any]]:
        pages = ec2.get_paginator("describe_security_group_rules")
        for page in pages.paginate(Filters=[{"Name": "group-id", "Values": groups}]):
            yield from (rule for rule in page["SecurityGroupRules"] if not rule["IsEgress"])

    def _admits(self, ec2: Any, rule: dict[str, Any], port: int, source: str) -> bool:
        every = rule["IpProtocol"] == "-1"
        if not every and (rule["IpProtocol"] not in {"tcp", "6"} or not rule["FromPort"] <= port <= rule["ToPort"]):
            return False
        return any(ip_address(source) in ip_network(network) for network in self._networks(ec2, rule))

    def _networks(self, ec2: Any, rule: dict[str, Any]) -> list[str]:
        # A visitor from outside is no member of a group, so a rule that refers to one has no network to offer.
        if prefix_list := rule.get("PrefixListId"):
            entries = ec2.get_managed_prefix_list_entries(PrefixListId=prefix_list)["Entries"]
            return [entry["Cidr"] for entry in entries]
        return [rule[name] for name in ("CidrIpv4", "CidrIpv6") if rule.get(name)]
