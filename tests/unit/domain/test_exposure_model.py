"""The arithmetic against a model that asks every point by itself."""

from __future__ import annotations

import ipaddress
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.domain.exposure import exposure
from runbook_lib.models.exposure import ExposureEntry
from runbook_lib.models.rules import Rule

NETWORKS = ("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/8", "10.0.0.0/9", "10.64.0.0/10", "203.0.113.0/24",
            "203.0.113.7/32", "::/0", "2001:db8::/32", "fd00::/8", "fd00::/9")  # fmt: skip
ADDRESSES = tuple(ipaddress.ip_network(network)[0] for network in NETWORKS) + tuple(
    ipaddress.ip_address(text) for text in ("10.127.255.255", "10.200.0.1", "198.51.100.1", "2001:db9::1", "fd80::1")
)
PORTS = (0, 1, 79, 80, 81, 90, 91, 65535)
NAMED = ("tcp", "udp", "icmp", "icmpv6")
PROTOCOLS = ("tcp", "udp", "icmp", "47", "99")

Point = tuple[str, str, object]


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    protocol = draw(st.sampled_from(["tcp", "tcp", "tcp", "udp", "icmp", "all", "47", "6"]))
    ports = sorted(draw(st.tuples(st.sampled_from(PORTS), st.sampled_from(PORTS))))
    if protocol == "icmp":
        ports = draw(st.sampled_from([[-1, -1], [8, -1], [8, 0], [0, 0]]))
    if protocol in {"all", "47"}:
        ports = [None, None]
    source, kind = draw(
        st.one_of(
            st.tuples(st.sampled_from(NETWORKS), st.just("network")),
            st.tuples(st.sampled_from(["sg-1", "sg-2"]), st.just("group")),
            st.just(("self", "self")),
        )
    )
    group = draw(st.sampled_from(["sg-1", "sg-2"]))
    return Rule.model_validate(
        {"direction": "ingress", "protocol": protocol, "from_port": ports[0], "to_port": ports[1]}
        | {"source": source, "source_kind": kind, "group": group}
    )


def points(protocol: str) -> list[object]:
    if protocol == "icmp":
        return [(kind, code) for kind in (0, 7, 8, 9) for code in (0, 1, 255)]
    return list(PORTS) if protocol in {"tcp", "udp"} else [None]


def ports_match(protocol: str, low: object, high: object, point: object) -> bool:
    if point is None or low in {None, -1}:
        return True
    if protocol == "icmp":
        return point[0] == low and high in {-1, point[1]}  # type: ignore[index]
    return low <= point <= high  # type: ignore[operator]


def rule_allows(rule: Rule, group: str, protocol: str, port: object, party: object) -> bool:
    named = {"6": "tcp"}.get(str(rule.protocol), str(rule.protocol))
    if rule.group != group or named not in {protocol, "all"}:
        return False
    if not ports_match(protocol, rule.from_port, rule.to_port, port):
        return False
    if rule.source_kind in {"group", "self"}:
        return party == (rule.group if rule.source_kind == "self" else rule.source)
    return not isinstance(party, str) and party in ipaddress.ip_network(str(rule.source))


def allows(rules: list[Rule], group: str, protocol: str, port: object, party: object) -> bool:
    if any(rule_allows(rule, group, protocol, port, party) for rule in rules):
        return True
    # Whatever lets in all of IPv4 lets in every group. No rule but /0, or both /1, holds all these addresses.
    return isinstance(party, str) and all(
        any(rule_allows(rule, group, protocol, port, address) for rule in rules)
        for address in ADDRESSES
        if address.version == 4
    )


def entry_says(entry: ExposureEntry, group: str, protocol: str, port: object, party: object) -> bool:
    named = entry.protocol in {protocol, "all"}
    if entry.target != group or not named or not ports_match(protocol, entry.from_port, entry.to_port, port):
        return False
    if isinstance(party, str) or entry.source_kind == "group":
        return party == entry.source
    return party in ipaddress.ip_network(str(entry.source))


def check(entries: tuple[ExposureEntry, ...], winners: list[Rule], losers: list[Rule]) -> None:
    internet = [entry for entry in entries if entry.source_kind == "internet"]
    exact = [entry for entry in entries if entry.source_kind != "internet"]
    spelt = {(rule.group, rule.protocol) for rule in (*winners, *losers)}
    for group in ("sg-1", "sg-2"):
        for protocol in PROTOCOLS:
            for port in points(protocol):
                for party in (*ADDRESSES, "sg-1", "sg-2"):
                    where = (group, protocol, port, party)
                    gained = allows(winners, *where) and not allows(losers, *where)
                    names = {protocol} if protocol in NAMED or (group, protocol) in spelt else {protocol, "other"}
                    told = any(entry_says(entry, group, name, port, party) for entry in exact for name in names)
                    widely = any(entry_says(entry, group, name, port, party) for entry in internet for name in names)
                    if isinstance(party, str) and not any(rule_allows(rule, *where) for rule in winners):
                        continue  # a group that gains through the internet alone is told as the internet
                    assert gained <= (told or widely), where
                    assert told <= gained, where
                    assert widely <= allows(winners, *where), where


@settings(deadline=None)
@given(st.lists(rules(), max_size=6), st.lists(rules(), max_size=6))
def test_exposure_agrees_with_a_model_that_asks_every_point(before: list[Rule], after: list[Rule]) -> None:
    found = exposure(before, after)
    check(found.opened, after, before)
    check(found.closed, before, after)


@settings(deadline=None)
@given(st.lists(rules(), max_size=8), st.randoms())
def test_the_order_of_the_rules_does_not_matter(after: list[Rule], chance: random.Random) -> None:
    shuffled = list(after)
    chance.shuffle(shuffled)
    assert exposure([], after) == exposure([], shuffled)


@settings(deadline=None)
@given(st.lists(rules(), max_size=8))
def test_the_same_rules_on_both_sides_expose_nothing(same: list[Rule]) -> None:
    found = exposure(same, list(reversed(same)))
    assert (found.opened, found.closed) == ((), ())


@settings(deadline=None)
@given(st.lists(rules(), max_size=6), st.lists(rules(), max_size=6))
def test_going_back_closes_what_going_forth_opened(before: list[Rule], after: list[Rule]) -> None:
    closed = exposure(after, before).closed
    # Of what closes it is told as well who keeps it.
    assert exposure(before, after).opened == tuple(entry.model_copy(update={"left_open": ()}) for entry in closed)
