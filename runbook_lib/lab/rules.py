"""Whether AWS would let a connection in: the groups, routes and ACL of the interface with the public address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from .addresses import REGION
from .clients import AwsClients
from .paths import keeps_out

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
        return not self.refusal(address, port, source)

    def refusal(self, address: str, port: int, source: str = OUTSIDE) -> str:
        """What keeps such a connection out, in words; empty if nothing does."""
        interface = self.public_addresses().get(address)
        if interface is None:
            return "nobody has this address"
        ec2 = self.aws.ec2_in(interface["Region"])
        groups = [group["GroupId"] for group in interface.get("Groups") or ()]
        if not groups or not any(self._admits(ec2, rule, port, source) for rule in self._ingress(ec2, groups)):
            return "the security groups"
        return keeps_out(ec2, interface["SubnetId"], port, source)

    def behind(self, address: str, port: int) -> tuple[str, int] | None:
        """The address and port of whom a load balancer leads to; None if this is none's address, or it leads nowhere.

        The balancer's own interface must be let in by the groups of its target, as any other's.
        """
        interface = self.public_addresses().get(address)
        if interface is None or not str(interface.get("Description", "")).startswith("ELB "):
            return None
        region = interface["Region"]
        own = {group["GroupId"] for group in interface["Groups"]}
        for instance, inner in self.aws.targets(str(interface["Description"]).removeprefix("ELB "), port, region):
            for found in self._interfaces():
                if (found.get("Attachment") or {}).get("InstanceId") == instance and self._lets_inside(
                    found, inner, (own, str(interface["PrivateIpAddress"]))
                ):
                    return str(found["PrivateIpAddress"]), inner
        return None

    def _lets_inside(self, interface: dict[str, Any], port: int, peer: tuple[set[str], str]) -> bool:
        ec2, (groups, address) = self.aws.ec2_in(interface["Region"]), peer
        for rule in self._ingress(ec2, [group["GroupId"] for group in interface["Groups"]]):
            named = (rule.get("ReferencedGroupInfo") or {}).get("GroupId") in groups
            every = rule["IpProtocol"] == "-1" or rule["FromPort"] <= port <= rule["ToPort"]
            if (named and every) or self._admits(ec2, rule, port, address):
                return True
        return False

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
