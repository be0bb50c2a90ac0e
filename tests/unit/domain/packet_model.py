"""A little network that forwards packets hop by hop: what the arithmetic of the exposure is held against.

Written from AWS's documentation with `ipaddress` alone, and with nothing of what it is held against.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

ANSWERS = (1024, 5432, 32768, 50000, 65535)
PORTS = (40, 79, 80, 81, 300, 443, 1000, 3000, 5432, 6000, 40000)
PROTOCOLS = ("tcp", "udp", "47")
NUMBERS = {"tcp": "6", "udp": "17", "47": "47"}
NETWORKS = ("0.0.0.0/0", "0.0.0.0/0", "203.0.113.0/24", "203.0.113.0/25", "10.0.0.0/8", "10.0.1.0/24", "10.0.2.0/24",
            "172.16.0.0/12", "::/0", "2600:1::/32")  # fmt: skip
SPANS = ((80, 80), (79, 81), (443, 443), (5432, 5432), (0, 65535), (80, 443))
ip_network = cache(ipaddress.ip_network)
ip_address = cache(ipaddress.ip_address)
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass
class Host:
    """An interface: `public` is its IPv4 address outside, `six` one of IPv6; empty for none."""

    name: str
    subnet: str
    private: str
    groups: list[str]
    public: str = ""
    six: str = ""


@dataclass
class World:
    """All of it. Rules are (group, egress, protocol, low, high, other end); routes (network, target)."""

    vpcs: dict[str, str] = field(default_factory=dict)
    subnets: dict[str, dict[str, str]] = field(default_factory=dict)
    tables: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    acls: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    rules: list[tuple[str, bool, str, int, int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Packet:
    """From and to a host by its name, or an address outside."""

    source: str
    target: str
    protocol: str
    port: int
    version: int


def passes(world: World, packet: Packet) -> bool:
    """Whether the packet gets there, and for TCP an answer comes back."""
    if not _goes(world, packet, answer=False):
        return False
    if packet.protocol != "tcp":
        return True
    return any(
        _goes(world, Packet(packet.target, packet.source, "tcp", port, packet.version), answer=True) for port in ANSWERS
    )


def _goes(world: World, packet: Packet, *, answer: bool) -> bool:
    source, target = world.hosts.get(packet.source), world.hosts.get(packet.target)
    if source is None and target is None:
        return False
    seen_as = _address(source, packet.source, packet.version)
    goes_to = _address(target, packet.target, packet.version)
    if seen_as is None or goes_to is None:
        return False
    # The connection's first packet alone is asked by security groups: they remember.
    if source and not answer and not _group(world, source, True, packet, (goes_to, target)):
        return False
    if source and not _leaves(world, source, packet, goes_to, target):
        return False
    if target and not _arrives(world, target, packet, seen_as, source):
        return False
    return not target or answer or _group(world, target, False, packet, (seen_as, source))


def _address(host: Host | None, outside: str, version: int) -> Address | None:
    if host is None:
        address = ip_address(outside)
        return address if address.version == version else None
    text = host.private if version == 4 else host.six
    return ip_address(text) if text else None


def _leaves(world: World, host: Host, packet: Packet, goes_to: Address, target: Host | None) -> bool:
    subnet = world.subnets[host.subnet]
    if target and target.subnet == host.subnet:
        return True
    if not _acl(world, subnet["acl"], True, packet, goes_to):
        return False
    hop = _route(world, subnet, goes_to)
    if hop == "local" or target:
        return hop == "local" and target is not None
    if hop == "igw":
        return _is_public(goes_to) and bool(host.public if packet.version == 4 else host.six)
    if hop == "nat":
        return _is_public(goes_to)
    return hop == "vpn" and _is_far(goes_to)


def _arrives(world: World, host: Host, packet: Packet, seen_as: Address, source: Host | None) -> bool:
    subnet = world.subnets[host.subnet]
    if source and source.subnet == host.subnet:
        return True
    if source and world.subnets[source.subnet]["vpc"] != subnet["vpc"]:
        return False
    if source is None:
        # Where its answers go is where such packets come from: a gateway that nothing leads to brings none.
        hop = _route(world, subnet, seen_as)
        if hop == "igw":
            if not _is_public(seen_as) or not (host.public if packet.version == 4 else host.six):
                return False
        elif hop == "nat":
            # What answers a connection that went out through it comes back, and nothing else.
            if not _is_public(seen_as):
                return False
        elif hop != "vpn" or not _is_far(seen_as):
            return False
    return _acl(world, subnet["acl"], False, packet, seen_as)


def comes_by_nat(world: World, packet: Packet) -> bool:
    """Whether a packet from outside would have to come in by a NAT gateway, which lets in answers only."""
    target = world.hosts.get(packet.target)
    if target is None or packet.source in world.hosts:
        return False
    return _route(world, world.subnets[target.subnet], ip_address(packet.source)) == "nat"


def _route(world: World, subnet: dict[str, str], to: Address) -> str:
    known = [(world.vpcs[subnet["vpc"]], "local"), ("2600:9::/56", "local"), *world.tables[subnet["table"]]]
    fitting = [(ip_network(net), hop) for net, hop in known]
    fitting = [(net, hop) for net, hop in fitting if net.version == to.version and to in net]
    return max(fitting, key=lambda each: each[0].prefixlen)[1] if fitting else "nowhere"


def _acl(world: World, name: str, egress: bool, packet: Packet, other: Address) -> bool:
    for entry in sorted(world.acls[name], key=lambda each: each["number"]):
        network = ip_network(entry["network"])
        if entry["egress"] != egress or network.version != other.version or other not in network:
            continue
        if entry["protocol"] not in {"-1", NUMBERS[packet.protocol]}:
            continue
        if entry["protocol"] != "-1" and not entry["low"] <= packet.port <= entry["high"]:
            continue
        return bool(entry["allow"])
    return False


def _group(world: World, host: Host, egress: bool, packet: Packet, peer: tuple[Address, Host | None]) -> bool:
    for group, outward, protocol, low, high, other in world.rules:
        if group not in host.groups or outward != egress:
            continue
        if protocol not in {"-1", packet.protocol} or (protocol != "-1" and not low <= packet.port <= high):
            continue
        if other.startswith("sg-"):
            if peer[1] and other in peer[1].groups:
                return True
        elif peer[0].version == ip_network(other).version and peer[0] in ip_network(other):
            return True
    return False


def _is_public(address: Address) -> bool:
    if address.version == 6:
        return address in ip_network("2000::/3")
    inside = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8")
    return 1 <= int(address) >> 24 <= 223 and not any(address in ip_network(net) for net in inside)


def _is_far(address: Address) -> bool:
    """Whether machines of another private network have such addresses."""
    far = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
    return any(address in ip_network(net) for net in far if ip_network(net).version == address.version)


def make_world(chance: random.Random) -> World:
    """A VPC, at times two, of a few subnets, tables, ACLs, groups and hosts."""
    world = World(vpcs={"vpc-1": "10.0.0.0/16"})
    if chance.random() < 0.2:
        world.vpcs["vpc-2"] = "10.7.0.0/16"
    for number in range(chance.randint(1, 3)):
        world.tables[f"rtb-{number}"] = _routes(chance)
        world.acls[f"acl-{number}"] = _entries(chance)
    for number in range(chance.randint(1, 4)):
        vpc = chance.choice(list(world.vpcs))
        net = f"10.{0 if vpc == 'vpc-1' else 7}.{number + 1}.0/24"
        world.subnets[f"subnet-{number}"] = {
            "vpc": vpc, "network": net, "table": chance.choice(list(world.tables)),
            "acl": chance.choice(list(world.acls)),
        }  # fmt: skip
    for number in range(chance.randint(1, 5)):
        name = chance.choice(list(world.subnets))
        world.hosts[f"eni-{number}"] = Host(
            f"eni-{number}", name, world.subnets[name]["network"].replace("0/24", str(10 + number)), _groups(chance),
            f"198.51.100.{10 + number}" if chance.random() < 0.5 else "",
            f"2600:9::{number + 1}" if chance.random() < 0.3 else "",
        )  # fmt: skip
    world.rules = [_rule(chance) for _ in range(chance.randint(0, 8))]
    return world


def _routes(chance: random.Random) -> list[tuple[str, str]]:
    routes = []
    if chance.random() < 0.7:
        routes.append(("0.0.0.0/0", chance.choice(["igw", "igw", "igw", "nat", "vpn"])))
    if chance.random() < 0.3:
        routes.append(("::/0", chance.choice(["igw", "igw", "nat"])))
    if chance.random() < 0.3:
        routes.append((chance.choice(["203.0.113.0/24", "172.16.0.0/12", "10.0.0.0/8"]), chance.choice(["vpn", "igw"])))
    return routes


def _entries(chance: random.Random) -> list[dict[str, Any]]:
    if chance.random() < 0.4:
        return [_entry(number, egress, True, net) for number, net in ((100, "0.0.0.0/0"), (101, "::/0"))
                for egress in (False, True)]  # fmt: skip
    numbers = chance.sample(range(1, 300), k=6)
    made = []
    for number in numbers:
        low, high = chance.choice([*SPANS, (1024, 65535), (32768, 65535), (0, 1023)])
        net = chance.choice(["0.0.0.0/0", "0.0.0.0/0", "203.0.113.0/24", "10.0.0.0/16", "10.0.1.0/24", "::/0"])
        what = (chance.choice(["-1", "-1", "6", "17"]), low, high)
        made.append(_entry(number, chance.random() < 0.5, chance.random() < 0.75, net, what))
    return made


def _entry(
    number: int, egress: bool, allow: bool, network: str, what: tuple[str, int, int] = ("-1", 0, 65535)
) -> dict[str, Any]:
    return {"number": number, "egress": egress, "allow": allow, "protocol": what[0], "network": network,
            "low": what[1], "high": what[2]}  # fmt: skip


def _groups(chance: random.Random) -> list[str]:
    return sorted(chance.sample(["sg-1", "sg-2", "sg-3"], k=chance.randint(1, 2)))


def _rule(chance: random.Random) -> tuple[str, bool, str, int, int, str]:
    protocol = chance.choice(["tcp", "tcp", "udp", "-1"])
    low, high = (0, 65535) if protocol == "-1" else chance.choice(SPANS)
    other = chance.choice([*NETWORKS, "sg-1", "sg-2", "sg-3"])
    return chance.choice(["sg-1", "sg-2", "sg-3"]), chance.random() < 0.45, protocol, low, high, other


def changed(world: World, chance: random.Random) -> World:
    """The world after one, two or three changes of any kind."""
    rules, hosts = list(world.rules), {name: Host(**vars(host)) for name, host in world.hosts.items()}
    tables, acls = {k: list(v) for k, v in world.tables.items()}, {k: list(v) for k, v in world.acls.items()}
    subnets = {name: dict(subnet) for name, subnet in world.subnets.items()}
    for _ in range(chance.randint(1, 3)):
        what, host = chance.randrange(8), chance.choice(list(hosts))
        if what < 3:
            rules.append(_rule(chance))
        elif what == 3 and rules:
            rules.pop(chance.randrange(len(rules)))
        elif what == 4:
            hosts[host].groups = _groups(chance)
        elif what == 5:
            hosts[host].public = "" if hosts[host].public else "198.51.100.99"
        elif what == 6:
            tables[chance.choice(list(tables))] = _routes(chance)
        elif what == 7:
            acls[chance.choice(list(acls))] = _entries(chance)
    return World(world.vpcs, subnets, tables, acls, hosts, rules)


def packets(*worlds: World) -> Iterator[Packet]:
    """One packet for each way in which any two could differ."""
    outside = {"8.8.8.8", "2600:1::5", "172.16.5.5", "10.9.0.1", "192.168.3.3", "100.64.1.1"}
    for network in map(ip_network, NETWORKS):
        for address in (network[0], network[-1]):
            inner = address.version == 6 or 1 < int(address) < 2**31 * 3
            steps = [step for step in (-1, 0, 1) if inner and 0 < int(address) + step < 2**address.max_prefixlen]
            outside |= {str(address + step) for step in steps}
    ends = sorted(outside)
    hosts = sorted(worlds[1].hosts)
    for protocol in PROTOCOLS:
        for port in PORTS:
            for host in hosts:
                for end in ends:
                    version = ip_address(end).version
                    yield Packet(end, host, protocol, port, version)
                    yield Packet(host, end, protocol, port, version)
                for other in hosts:
                    if other != host:
                        yield Packet(host, other, protocol, port, 4)
                        yield Packet(host, other, protocol, port, 6)


def described(world: World) -> dict[str, Any]:
    """The world as AWS describes it."""
    return {
        "vpcs": [{"VpcId": name, "CidrBlock": net, "CidrBlockAssociationSet": [{"CidrBlock": net}],
                  "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2600:9::/56"}]}
                 for name, net in world.vpcs.items()],
        "subnets": [{"SubnetId": name, "VpcId": each["vpc"], "CidrBlock": each["network"]}
                    for name, each in world.subnets.items()],
        "tables": [{"RouteTableId": name, "VpcId": "", "Routes": [_described_route(*route) for route in routes],
                    "Associations": [{"SubnetId": s} for s, each in world.subnets.items() if each["table"] == name]}
                   for name, routes in world.tables.items()],
        "acls": [{"NetworkAclId": name, "Entries": [_described_entry(entry) for entry in entries],
                  "Associations": [{"SubnetId": s} for s, each in world.subnets.items() if each["acl"] == name]}
                 for name, entries in world.acls.items()],
        "interfaces": [_described_host(world, host) for host in world.hosts.values()],
        "groups": [_described_group(world, group) for group in ("sg-1", "sg-2", "sg-3")],
    }  # fmt: skip


def _described_route(network: str, hop: str) -> dict[str, Any]:
    key = "DestinationIpv6CidrBlock" if ":" in network else "DestinationCidrBlock"
    ways = {"igw": {"GatewayId": "igw-1"}, "nat": {"NatGatewayId": "nat-1"}, "vpn": {"GatewayId": "vgw-1"}}
    return {key: network, "State": "active", **ways[hop]}


def _described_entry(entry: dict[str, Any]) -> dict[str, Any]:
    key = "Ipv6CidrBlock" if ":" in entry["network"] else "CidrBlock"
    ports = {} if entry["protocol"] == "-1" else {"PortRange": {"From": entry["low"], "To": entry["high"]}}
    action = "allow" if entry["allow"] else "deny"
    return {"RuleNumber": entry["number"], "Egress": entry["egress"], "RuleAction": action, key: entry["network"],
            "Protocol": entry["protocol"], **ports}  # fmt: skip


def _described_host(world: World, host: Host) -> dict[str, Any]:
    return {
        "NetworkInterfaceId": host.name, "SubnetId": host.subnet, "VpcId": world.subnets[host.subnet]["vpc"],
        "PrivateIpAddresses": [{"PrivateIpAddress": host.private}], "Groups": [{"GroupId": g} for g in host.groups],
        "Ipv6Addresses": [{"Ipv6Address": host.six}] if host.six else [],
        **({"Association": {"PublicIp": host.public}} if host.public else {}),
    }  # fmt: skip


def _described_group(world: World, group: str) -> dict[str, Any]:
    found: dict[str, Any] = {"GroupId": group, "IpPermissions": [], "IpPermissionsEgress": []}
    for owner, egress, protocol, low, high, other in world.rules:
        if owner == group:
            ports = {} if protocol == "-1" else {"FromPort": low, "ToPort": high}
            key = {"s": "UserIdGroupPairs", ":": "Ipv6Ranges"}.get(
                "s" if other[0] == "s" else ":" if ":" in other else "", "IpRanges"
            )
            name = {"UserIdGroupPairs": "GroupId", "Ipv6Ranges": "CidrIpv6", "IpRanges": "CidrIp"}[key]
            found["IpPermissionsEgress" if egress else "IpPermissions"].append(
                {"IpProtocol": protocol, **ports, key: [{name: other}]}
            )
    return found
