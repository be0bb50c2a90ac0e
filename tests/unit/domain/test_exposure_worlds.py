"""What is said to be reachable, against a network that forwards packets hop by hop."""

from __future__ import annotations

import ipaddress
import random

import pytest
from packet_model import Packet, World, changed, comes_by_nat, described, make_world, packets, passes

from runbook_lib.domain.exposure import exposure
from runbook_lib.domain.network import network_from_aws
from runbook_lib.models.exposure import ExposureEntry, Reachable
from runbook_lib.models.network import Networks

WORLDS = 540


def newly(before: World, after: World) -> set[Packet]:
    return {
        packet
        for packet in packets(before, after)
        if passes(after, packet) and not comes_by_nat(after, packet)
        and not (passes(before, packet) and not comes_by_nat(before, packet))
    }  # fmt: skip


def is_end(name: str, kind: str, world: World, end: str, version: int) -> bool:
    host = world.hosts.get(end)
    if kind == "group":
        return host is not None and name in host.groups
    if kind == "interface":
        return host is not None and end in name.split(", ")
    text = (host.private if version == 4 else host.six) if host else end
    network = ipaddress.ip_network(name)
    return bool(text) and network.version == version and ipaddress.ip_address(text) in network


def fits(entry: ExposureEntry, packet: Packet, world: World, interface: str) -> bool:
    # No rule and no ACL names ICMP: what is so of it is so of every other protocol that none names.
    others = {"other", "icmp", "icmpv6"} if packet.protocol == "47" else set()
    if entry.protocol not in {packet.protocol, "all", *others}:
        return False
    if (
        packet.protocol != "47"
        and isinstance(entry.from_port, int)
        and not entry.from_port <= packet.port <= int(str(entry.to_port))
    ):
        return False
    ends = {"source": packet.source, "target": packet.target}
    if interface not in ends.values():
        return False
    kinds = (str(entry.source_kind), entry.target_kind)
    named = (str(entry.source), str(entry.target))
    return all(
        is_end(name, kind, world, end, packet.version)
        for name, kind, end in zip(named, kinds, ends.values(), strict=True)
    )


def own_end(entry: ExposureEntry, packet: Packet) -> str:
    """Which end the entry's interfaces are."""
    inward = entry.target_kind in {"group", "interface"} and str(entry.source_kind) not in {"group", "interface"}
    return packet.target if inward else packet.source


def covers(entry: ExposureEntry, packet: Packet, world: World) -> bool:
    return any(
        shown.reachable is Reachable.REACHABLE and fits(entry, packet, world, shown.id)
        for shown in entry.interfaces
        if shown.id in {packet.source, packet.target}
    )


def by_gateway(world: World) -> bool:
    """Whether public addresses lie behind a VPN, of which nobody can say who is there."""
    return any(hop == "vpn" and net in {"0.0.0.0/0", "203.0.113.0/24"} for routes in world.tables.values()
               for net, hop in routes)  # fmt: skip


@pytest.mark.parametrize("part", range(6))
def test_what_is_said_to_be_reachable_is_what_packets_newly_get_to(part: int) -> None:
    chance = random.Random(20261127 + part)
    for number in range(WORLDS // 6):
        before = make_world(chance)
        after = changed(before, chance)
        networks = Networks(before=network_from_aws(described(before)), after=network_from_aws(described(after)))
        found = exposure(networks.before.rules, networks.after.rules, {}, networks.after.ruled, networks)
        gained = newly(before, after)
        reached = [entry for entry in found.opened if entry.reachable is Reachable.REACHABLE]
        where = f"world {part}/{number}"
        for packet in gained:
            assert any(covers(entry, packet, after) for entry in reached), (where, packet, before, after)
        for entry in reached:
            for shown in entry.interfaces:
                if shown.reachable is Reachable.REACHABLE:
                    assert any(fits(entry, packet, after, shown.id) for packet in gained), (where, entry, before, after)
        if not by_gateway(after):
            assert not any(entry.reachable is Reachable.UNKNOWN for entry in found.opened), where
