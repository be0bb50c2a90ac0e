"""Cases that a person can check by eye; test_exposure_model.py has the rest."""

from __future__ import annotations

import pytest

from runbook_lib.domain.exposure import exposure
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.rules import Rule, SourceKind

WORLD = "0.0.0.0/0"
NAMES = {"sg-1": "web", "sg-2": "front"}


def rule(source: object, protocol: str = "tcp", ports: object = 80, **fields: object) -> Rule:
    low, high = ports if isinstance(ports, tuple) else (ports, ports)
    return Rule.model_validate(
        {"direction": "ingress", "protocol": protocol, "from_port": low, "to_port": high, "source": source}
        | {"group": "sg-1"}
        | fields
    )


def lines(exposure: Exposure, part: str) -> list[str]:
    return [
        f"{e.source} ({e.source_kind}) > {e.target} {e.protocol} {e.from_port}-{e.to_port}"
        for e in getattr(exposure, part)
    ]


def opened(before: list[Rule], after: list[Rule]) -> list[str]:
    return lines(exposure(before, after, NAMES), "opened")


def closed(before: list[Rule], after: list[Rule]) -> list[str]:
    return lines(exposure(before, after, NAMES), "closed")


def test_moving_the_web_rule_to_its_port_opens_one_port_and_closes_the_other() -> None:
    found = exposure([rule(WORLD, ports=8000)], [rule(WORLD)], NAMES)
    assert lines(found, "opened") == ["0.0.0.0/0 (internet) > web tcp 80-80"]
    assert lines(found, "closed") == ["0.0.0.0/0 (internet) > web tcp 8000-8000"]
    assert found.sentence == (
        "The internet can newly reach web on tcp 80. The internet can no longer reach web on tcp 8000."
    )


def test_an_entry_knows_its_group_by_more_than_what_it_is_called() -> None:
    made = "aws_security_group.web"
    outward = {"direction": "egress", "source_kind": SourceKind.GROUP, "ports": 5432}
    found = exposure([rule(WORLD)], [rule(WORLD, group=made), rule("sg-2", **outward)], {**NAMES, made: "web (new)"})
    assert [(e.target, e.target_id) for e in found.opened] == [("web (new)", made), ("front", "sg-2")]
    assert [(e.target, e.target_id) for e in found.closed] == [("web", "sg-1")]
    away = exposure([], [rule(WORLD, direction="egress")], NAMES)
    assert [(e.source, e.target_id) for e in away.opened] == [("web", "")]


def test_widening_a_port_interval_opens_the_new_ports_only() -> None:
    assert opened([rule(WORLD)], [rule(WORLD, ports=(80, 90))]) == ["0.0.0.0/0 (internet) > web tcp 81-90"]


def test_narrowing_a_port_interval_closes_and_opens_nothing() -> None:
    assert opened([rule(WORLD, ports=(80, 90))], [rule(WORLD)]) == []
    assert closed([rule(WORLD, ports=(80, 90))], [rule(WORLD)]) == ["0.0.0.0/0 (internet) > web tcp 81-90"]


def test_a_change_of_description_alone_changes_nobodys_access() -> None:
    found = exposure([rule(WORLD, description="old")], [rule(WORLD, description="new")])
    assert found == Exposure(sentence="Nobody gains or loses access.")


def test_a_rule_within_a_wider_one_opens_nothing() -> None:
    wide = rule(WORLD, "all", None)
    assert opened([wide], [wide, rule("203.0.113.0/24", ports=22), rule("sg-2", source_kind="group")]) == []


def test_swapping_a_rule_for_two_that_hold_the_same_changes_nothing() -> None:
    halves = [rule("0.0.0.0/1"), rule("128.0.0.0/1")]
    assert exposure([rule(WORLD)], halves).sentence == "Nobody gains or loses access."


def test_both_halves_of_the_world_are_the_internet() -> None:
    assert opened([], [rule("0.0.0.0/1"), rule("128.0.0.0/1")]) == ["0.0.0.0/0 (internet) > web tcp 80-80"]


def test_the_world_is_the_internet_even_where_an_office_had_access_before() -> None:
    assert opened([rule("198.51.100.0/24")], [rule(WORLD)]) == ["0.0.0.0/0 (internet) > web tcp 80-80"]


def test_what_the_internet_loses_says_who_keeps_it() -> None:
    office, other_port, whole_port = rule("192.0.2.0/24"), rule("198.51.100.0/24", ports=443), rule("0.0.0.0/0")
    (entry,) = exposure([whole_port], [office, other_port, rule("2001:db8::/32"), rule("10.0.0.0/8", "all")]).closed
    assert (entry.source, entry.left_open) == ("0.0.0.0/0", ("10.0.0.0/8", "192.0.2.0/24"))
    # Told as all of it where there are too many, and never of what opens.
    many = [rule(f"192.0.{n}.{m}/32") for n in range(2) for m in range(0, 120, 2)]
    assert exposure([whole_port], many).closed[0].left_open == ("0.0.0.0/0",)
    assert [entry.left_open for entry in exposure([office], [whole_port]).opened] == [()]
    (entry,) = exposure([rule("10.0.0.0/8")], [rule("10.0.0.0/9")]).closed
    assert (entry.source, entry.left_open) == ("10.128.0.0/9", ())


def test_each_port_that_the_internet_loses_has_its_own_who_keep_it() -> None:
    ports, kept = (22, 80, 443, 8080), {22: "10.0.0.0/8", 80: "192.0.2.0/24", 443: "192.0.2.0/24"}
    before = [rule("0.0.0.0/0", ports=port) for port in ports]
    after = [rule(source, ports=port) for port, source in kept.items()]
    after += [rule("198.51.100.0/24", ports=(400, 500)), rule("203.0.113.0/24", protocol="udp", ports=8080)]
    found = {entry.from_port: (entry.source, entry.left_open) for entry in exposure(before, after).closed}
    assert found == {
        22: ("0.0.0.0/0", ("10.0.0.0/8",)),
        80: ("0.0.0.0/0", ("192.0.2.0/24",)),
        443: ("0.0.0.0/0", ("192.0.2.0/24", "198.51.100.0/24")),
        8080: ("0.0.0.0/0", ()),
    }


def test_widening_a_network_opens_the_new_addresses_only() -> None:
    assert opened([rule("10.0.0.0/9")], [rule("10.0.0.0/8")]) == ["10.128.0.0/9 (private) > web tcp 80-80"]


def test_ipv6_opens_apart_from_ipv4() -> None:
    assert opened([rule(WORLD)], [rule(WORLD), rule("::/0")]) == ["::/0 (internet) > web tcp 80-80"]
    assert opened([], [rule("fd00::/8")]) == ["fd00::/8 (private) > web tcp 80-80"]


def test_all_protocols_open_whatever_was_not_open_yet() -> None:
    found = exposure([rule(WORLD)], [rule(WORLD, "all", None)], NAMES)
    assert {(e.protocol, e.from_port, e.to_port) for e in found.opened} == {
        ("tcp", 0, 79),
        ("tcp", 81, 65535),
        ("udp", None, None),
        ("icmp", -1, -1),
        ("icmpv6", -1, -1),
        ("other", None, None),
    }
    assert found.sentence == "The internet can newly reach web on everything but tcp 80; nobody loses access."


def test_all_protocols_where_nothing_was_open_are_one_entry() -> None:
    assert opened([], [rule(WORLD, "all", None), rule(WORLD, "-1", None)]) == [
        "0.0.0.0/0 (internet) > web all None-None"
    ]


def test_a_protocol_by_number_is_the_protocol_by_name() -> None:
    assert opened([rule(WORLD, "6")], [rule(WORLD, "tcp")]) == []


def test_icmp_types_and_codes_are_no_ports() -> None:
    assert opened([rule(WORLD, "icmp", (8, 0))], [rule(WORLD, "icmp", (8, -1))])[:2] == [
        "0.0.0.0/0 (internet) > web icmp 8-1",
        "0.0.0.0/0 (internet) > web icmp 8-2",
    ]
    assert opened([rule(WORLD, "icmp", (-1, -1))], [rule(WORLD, "icmp", (8, -1))]) == []


def test_a_new_prefix_list_is_named_and_its_known_part_is_left_out() -> None:
    held = rule("pl-1", source_kind="prefix_list", entries=("10.0.0.0/24", "10.9.0.0/24"))
    assert opened([], [held]) == ["pl-1 (prefix_list) > web tcp 80-80"]
    assert opened([rule("10.0.0.0/16")], [held]) == ["10.9.0.0/24 (private) > web tcp 80-80"]


def test_a_prefix_list_that_holds_the_world_is_the_internet() -> None:
    held = rule("pl-1", source_kind="prefix_list", entries=(WORLD,))
    assert opened([], [held]) == ["0.0.0.0/0 (internet) > web tcp 80-80"]


def test_a_prefix_list_known_on_one_side_only_is_the_same_list() -> None:
    bare = rule("pl-1", source_kind="prefix_list")
    held = rule("pl-1", source_kind="prefix_list", entries=("10.0.0.0/24",))
    assert exposure([held], [bare]).sentence == "Nobody gains or loses access."


def test_a_group_that_all_of_ipv4_let_in_gains_nothing() -> None:
    assert opened([rule(WORLD)], [rule("sg-2", source_kind="group")]) == []
    assert closed([rule(WORLD)], [rule("sg-2", source_kind="group")]) == ["0.0.0.0/0 (internet) > web tcp 80-80"]


def test_self_is_the_group_itself() -> None:
    found = exposure([], [rule("self", source_kind="self", ports=9000)], NAMES)
    assert lines(found, "opened") == ["web (group) > web tcp 9000-9000"]
    assert found.sentence == "web can newly reach itself on tcp 9000; nobody loses access."


def test_an_egress_rule_lets_the_group_out_to_its_target() -> None:
    found = exposure([], [rule(WORLD, ports=443, direction="egress")], NAMES)
    entry = found.opened[0]
    assert (entry.source, entry.source_kind, entry.target, entry.target_kind) == ("web", "group", WORLD, "internet")
    assert found.sentence == "web can newly reach the internet on tcp 443; nobody loses access."


@pytest.mark.parametrize("field", ["source", "protocol", "from_port", "to_port", "group", "direction"])
def test_an_unknown_field_is_told_and_neither_opened_nor_denied(field: str) -> None:
    found = exposure([], [rule(WORLD).model_copy(update={field: UNKNOWN})], NAMES)
    assert (len(found.opened), len(found.unknown)) == (0, 1)
    whom = "Whom 1 rule lets in is known only after apply."
    assert found.sentence == (whom if field != "group" else "The internet may newly reach an unknown group on tcp 80.")


def test_a_prefix_list_made_by_the_same_plan_is_unknown() -> None:
    found = exposure([], [rule("pl-1", source_kind=SourceKind.PREFIX_LIST, entries=UNKNOWN)], NAMES)
    assert [(e.source, e.source_kind) for e in found.unknown] == [("pl-1", "prefix_list")]


def test_a_source_that_is_no_network_is_unknown_rather_than_nothing() -> None:
    assert len(exposure([], [rule("tomorrow")]).unknown) == 1


def test_both_ip_versions_and_several_ports_make_one_statement() -> None:
    after = [rule(source, ports=port) for source in (WORLD, "::/0") for port in (443, 80)]
    assert exposure([], after, NAMES).sentence == (
        "The internet can newly reach web on tcp 80 and 443; nobody loses access."
    )


def test_two_groups_of_one_name_are_told_apart() -> None:
    after = [rule(WORLD), rule(WORLD, group="sg-9")]
    found = exposure([], after, {"sg-1": "web", "sg-9": "web"})
    assert [e.target for e in found.opened] == ["web (sg-1)", "web (sg-9)"]


def test_many_changes_are_summed_up() -> None:
    after = [rule("10.0.0.0/8", ports=port, group=f"sg-{port}") for port in range(20)]
    assert exposure([], after).sentence.endswith("; 18 more such changes; nobody loses access.")


def test_what_is_unknown_is_listed_with_all_that_is_known_of_it() -> None:
    unknown = {"protocol": UNKNOWN, "ports": (22, 22)}
    given = [
        rule("10.0.0.0/8", **unknown),
        rule("8.8.8.0/24", **unknown),
        rule(WORLD, **unknown),
        rule("sg-2", source_kind=SourceKind.GROUP, **unknown),
        rule("self", source_kind=SourceKind.SELF, **unknown),
        rule("pl-1", source_kind=SourceKind.PREFIX_LIST, **unknown),
        rule("the office", **unknown),
        rule(UNKNOWN),
    ]
    found = exposure([], given, NAMES).unknown
    assert [(str(entry.source), str(entry.source_kind), entry.target, entry.target_kind) for entry in found] == [
        (WORLD, "internet", "web", "group"),
        ("10.0.0.0/8", "private", "web", "group"),
        ("8.8.8.0/24", "network", "web", "group"),
        ("front", "group", "web", "group"),
        ("web", "group", "web", "group"),
        ("pl-1", "prefix_list", "web", "group"),
        ("the office", "unknown", "web", "group"),
        ("unknown", "unknown", "web", "group"),
    ]
    assert [(str(entry.protocol), entry.from_port, entry.to_port) for entry in found[:2]] == [
        ("unknown", 22, 22),
        ("unknown", 22, 22),
    ]


def test_an_unknown_rule_outwards_has_the_group_as_its_source() -> None:
    (entry,) = exposure([], [rule("10.0.0.0/8", protocol=UNKNOWN, direction="egress")], NAMES).unknown
    assert (entry.source, str(entry.source_kind), entry.target, entry.target_kind) == (
        "web",
        "group",
        "10.0.0.0/8",
        "private",
    )


def test_a_rule_of_an_unknown_group_is_unknown() -> None:
    (entry,) = exposure([], [rule(WORLD, group=UNKNOWN)], NAMES).unknown
    assert entry.target is UNKNOWN


def test_what_was_unknown_before_is_not_told_again() -> None:
    same = rule(UNKNOWN)
    assert exposure([same], [same], NAMES).unknown == ()
    assert len(exposure([same], [same, rule(UNKNOWN, ports=443), rule(UNKNOWN, ports=443)], NAMES).unknown) == 1


def test_the_internet_comes_first_and_where_it_gets_in_before_where_one_gets_out() -> None:
    given = [
        rule("10.0.0.0/8", group="sg-0"),
        rule(WORLD, direction="egress", group="sg-0"),
        rule(WORLD, group="sg-1"),
        rule("sg-2", source_kind=SourceKind.GROUP, group="sg-0"),
    ]
    assert opened([], given) == [
        "0.0.0.0/0 (internet) > web tcp 80-80",
        "sg-0 (group) > 0.0.0.0/0 tcp 80-80",
        "10.0.0.0/8 (private) > sg-0 tcp 80-80",
        "front (group) > sg-0 tcp 80-80",
    ]


def test_icmp_is_told_by_type_and_code() -> None:
    assert opened([], [rule(WORLD, "icmp", (8, -1))]) == ["0.0.0.0/0 (internet) > web icmp 8--1"]
    assert opened([rule(WORLD, "icmp", (3, 4))], [rule(WORLD, "icmp", (3, 4)), rule(WORLD, "icmp", (3, 5))]) == [
        "0.0.0.0/0 (internet) > web icmp 3-5"
    ]
    assert opened([], [rule(WORLD, "icmp", (-1, -1))]) == ["0.0.0.0/0 (internet) > web icmp -1--1"]


@pytest.mark.parametrize(
    ("ports", "told"),
    [
        ((80, None), "80-80"),
        ((90, 80), "80-90"),
        ((None, None), "None-None"),
        ((-1, -1), "None-None"),
        ((0, 65535), "None-None"),
        ((0, 0), "0-0"),
        ((65535, 65535), "65535-65535"),
    ],
)
def test_ports_are_told_as_they_are_meant(ports: tuple[object, object], told: str) -> None:
    assert opened([], [rule(WORLD, ports=ports)]) == [f"0.0.0.0/0 (internet) > web tcp {told}"]


@pytest.mark.parametrize(
    ("protocol", "ports", "told"),
    [
        ("icmp", (8, 0), "icmp 8-0"),
        ("icmp", (8, None), "icmp 8--1"),
        ("icmpv6", (128, 3), "icmpv6 128-3"),
        ("1", (255, 255), "icmp 255-255"),
        ("47", (80, 80), "47 None-None"),
        ("TCP", (80, 80), "tcp 80-80"),
        ("17", (53, 53), "udp 53-53"),
        ("icmp6", (-1, -1), "icmpv6 -1--1"),
        ("58", (None, None), "icmpv6 -1--1"),
    ],
)
def test_every_protocol_is_told_by_its_one_name(protocol: str, ports: tuple[object, object], told: str) -> None:
    assert opened([], [rule(WORLD, protocol, ports)]) == [f"0.0.0.0/0 (internet) > web {told}"]


def test_protocols_stand_in_one_order_and_networks_by_their_addresses() -> None:
    given = [
        rule(source, protocol, (1, 1))
        for source in ("203.0.113.0/24", "9.0.0.0/8", "2001:db8::/32")
        for protocol in ("132", "icmpv6", "47", "udp", "icmp", "tcp")
    ]
    told = ["tcp 1-1", "udp 1-1", "icmp 1-1", "icmpv6 1-1", "47 None-None", "132 None-None"]
    assert opened([], given) == [
        f"{source} (network) > web {what}"
        for source in ("9.0.0.0/8", "203.0.113.0/24", "2001:db8::/32")
        for what in told
    ]


def test_the_internet_stands_before_networks_and_these_before_lists_and_groups() -> None:
    public = rule("pl-6", ports=81, source_kind=SourceKind.PREFIX_LIST, entries=("2000::/3",))
    unread = rule("pl-1", ports=83, source_kind=SourceKind.PREFIX_LIST)
    front = rule("sg-2", ports=84, source_kind=SourceKind.GROUP)
    # All of IPv4, all of IPv6, and a list by its name that holds all that is public of IPv6.
    assert opened([], [front, unread, rule("9.0.0.0/8", ports=82), public, rule("::/0"), rule(WORLD)]) == [
        "0.0.0.0/0 (internet) > web tcp 80-80",
        "::/0 (internet) > web tcp 80-80",
        "pl-6 (internet) > web tcp 81-81",
        "9.0.0.0/8 (network) > web tcp 82-82",
        "pl-1 (prefix_list) > web tcp 83-83",
        "front (group) > web tcp 84-84",
    ]


def test_whole_types_and_single_codes_of_icmp_are_told_apart() -> None:
    wide, narrow = rule(WORLD, "icmp", (-1, -1)), rule(WORLD, "icmp", (3, 4))
    told = [line.split(" > web icmp ")[1] for line in opened([narrow], [wide])]
    before, after = ["0--1", "1--1", "2--1"], [f"{number}--1" for number in range(4, 256)]
    assert told == [*before, *(f"3-{code}" for code in range(256) if code != 4), *after]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(["0.0.0.0/2"], [WORLD], ["0.0.0.0/0 (internet)"], id="a quarter had access"),
        pytest.param(["0.0.0.0/1", "128.0.0.0/2"], [WORLD], ["192.0.0.0/2 (network)"], id="three quarters had access"),
        pytest.param([], ["0.0.0.0/1"], ["0.0.0.0/1 (network)"], id="half of it"),
        pytest.param([], ["172.16.0.0/12"], ["172.16.0.0/12 (private)"], id="private"),
        pytest.param(["fd00::/9"], ["fd00::/8"], ["fd80::/9 (private)"], id="private IPv6"),
        pytest.param([], ["2000::/3"], ["2000::/3 (internet)"], id="all that is public of IPv6"),
        pytest.param(["::/0"], [WORLD, "::/0"], ["0.0.0.0/0 (internet)"], id="IPv6 had it already"),
    ],
)
def test_who_gains_is_called_by_what_his_addresses_are(before: list[str], after: list[str], told: list[str]) -> None:
    assert opened([rule(each) for each in before], [rule(each) for each in after]) == [
        f"{who} > web tcp 80-80" for who in told
    ]


GROUP = rule("sg-2", source_kind=SourceKind.GROUP)
BARE = rule("pl-1", source_kind=SourceKind.PREFIX_LIST)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param([WORLD], GROUP, [], id="IPv4 holds every member of a group"),
        pytest.param(["::/0"], GROUP, ["front (group)"], id="IPv6 does not"),
        pytest.param([WORLD], BARE, ["pl-1 (prefix_list)"], id="a list may hold IPv6 too"),
        pytest.param(["::/0"], BARE, ["pl-1 (prefix_list)"], id="a list may hold IPv4 too"),
        pytest.param([WORLD, "::/0"], BARE, [], id="both hold every list"),
        pytest.param(["0.0.0.0/1"], GROUP, ["front (group)"], id="half of IPv4 does not"),
    ],
)
def test_whoever_has_no_address_of_his_own_is_held_by_all_addresses(
    before: list[str], after: Rule, told: list[str]
) -> None:
    found = opened([rule(each) for each in before], [*(rule(each) for each in before), after])
    assert found == [f"{who} > web tcp 80-80" for who in told]


def test_a_list_of_which_a_part_is_new_is_told_by_its_new_networks() -> None:
    held = rule("pl-1", source_kind=SourceKind.PREFIX_LIST, entries=("9.0.0.0/8", "2001:db8::/32"))
    assert opened([rule("9.0.0.0/8")], [held]) == ["pl-1 (prefix_list) > web tcp 80-80"]
    assert opened([rule("9.0.0.0/9"), rule("2001:db8::/32")], [held]) == ["9.128.0.0/9 (network) > web tcp 80-80"]
    both = [held, rule("203.0.113.0/24")]
    assert opened([], both) == ["203.0.113.0/24 (network) > web tcp 80-80", "pl-1 (prefix_list) > web tcp 80-80"]


def test_a_list_that_one_rule_knows_is_known_of_every_rule() -> None:
    held = rule("pl-1", source_kind=SourceKind.PREFIX_LIST, entries=("9.0.0.0/8",))
    bare = rule("pl-1", source_kind=SourceKind.PREFIX_LIST, ports=443)
    assert opened([rule("9.0.0.0/8", ports=443)], [rule("9.0.0.0/8", ports=443), held, bare]) == [
        "pl-1 (prefix_list) > web tcp 80-80"
    ]


def test_what_all_protocols_lose_is_told_like_what_they_gain() -> None:
    assert closed([rule(WORLD, "all", None)], []) == ["0.0.0.0/0 (internet) > web all None-None"]
    assert closed([rule(WORLD, "all", None)], [rule(WORLD, "udp", None)]) == [
        f"0.0.0.0/0 (internet) > web {what}"
        for what in ("tcp None-None", "icmp -1--1", "icmpv6 -1--1", "other None-None")
    ]
    assert opened([rule(WORLD, "47", None)], [rule(WORLD, "all", None)]) == [
        f"0.0.0.0/0 (internet) > web {what}"
        for what in ("tcp None-None", "udp None-None", "icmp -1--1", "icmpv6 -1--1", "other None-None")
    ]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"sg-1": "web", "sg-9": "db"}, ["db", "web"]),
        ({"sg-1": "web"}, ["sg-9", "web"]),
        ({"sg-1": "web", "sg-9": "web"}, ["web (sg-1)", "web (sg-9)"]),
        ({"sg-1": "web", "sg-5": "web"}, ["sg-9", "web"]),
        ({"sg-1": "", "sg-9": ""}, ["sg-1", "sg-9"]),
    ],
)
def test_groups_are_called_and_sorted_by_their_names(names: dict[str, str], told: list[str]) -> None:
    found = exposure([], [rule("8.0.0.0/8"), rule("8.0.0.0/8", group="sg-9")], names)
    assert [entry.target for entry in found.opened] == told


def test_two_groups_of_one_name_are_told_apart_though_one_only_is_a_source() -> None:
    found = exposure([], [rule("sg-2", source_kind=SourceKind.GROUP)], {"sg-1": "web", "sg-2": "web"})
    assert (found.opened[0].source, found.opened[0].target) == ("web (sg-2)", "web (sg-1)")


@pytest.mark.parametrize(
    ("gains", "loses", "unknown", "sentence"),
    [
        ([], [], 0, "Nobody gains or loses access."),
        ([80], [], 0, "front can newly reach web on tcp 80; nobody loses access."),
        ([], [80], 0, "front can no longer reach web on tcp 80; nobody gains access."),
        ([80], [22], 0, "front can newly reach web on tcp 80. front can no longer reach web on tcp 22."),
        ([], [], 1, "Whom 1 rule lets in is known only after apply."),
        ([], [], 2, "Whom 2 rules let in is known only after apply."),
        ([80], [], 1, "front can newly reach web on tcp 80. Whom 1 rule lets in is known only after apply."),
        (
            [80],
            [22],
            1,
            (
                "front can newly reach web on tcp 80. front can no longer reach web on tcp 22."
                " Whom 1 rule lets in is known only after apply."
            ),
        ),
    ],
)
def test_one_sentence_says_who_gains_who_loses_and_what_is_not_known(
    gains: list[int], loses: list[int], unknown: int, sentence: str
) -> None:
    def front(port: int) -> Rule:
        return rule("sg-2", ports=port, source_kind=SourceKind.GROUP)

    hidden = [rule(UNKNOWN, ports=1000 + number) for number in range(unknown)]
    assert exposure(map(front, loses), [*map(front, gains), *hidden], NAMES).sentence == sentence


def test_three_statements_are_said_and_of_more_the_first_two() -> None:
    def sentence(count: int) -> str:
        return exposure([], [rule("8.0.0.0/8", ports=port, group=f"sg-{port}") for port in range(count)]).sentence

    said = [f"8.0.0.0/8 can newly reach sg-{port} on tcp {port}" for port in range(3)]
    assert sentence(3) == f"{'; '.join(said)}; nobody loses access."
    assert sentence(4) == f"{'; '.join(said[:2])}; 2 more such changes; nobody loses access."


def test_the_internet_is_said_first_whether_it_gets_in_or_is_reached() -> None:
    given = [
        rule("8.0.0.0/8", ports=1, group="sg-0"),
        rule(WORLD, ports=2, direction="egress", group="sg-0"),
        rule(WORLD, ports=3, group="sg-1"),
    ]
    assert exposure([], given).sentence == (
        "The internet can newly reach sg-1 on tcp 3; sg-0 can newly reach the internet on tcp 2;"
        " 8.0.0.0/8 can newly reach sg-0 on tcp 1; nobody loses access."
    )


def test_those_who_gain_the_same_are_said_in_one_breath() -> None:
    given = [rule(source, ports=port) for source in ("8.0.0.0/8", "9.0.0.0/8", "11.0.0.0/8") for port in (80, 443)]
    assert exposure([], given, NAMES).sentence == (
        "8.0.0.0/7 and 11.0.0.0/8 can newly reach web on tcp 80 and 443; nobody loses access."
    )


def out_to(group: str, **fields: object) -> Rule:
    return rule(group, source_kind="group", direction="egress", ports=5432, group="sg-web", **fields)


def into(source: object, **fields: object) -> Rule:
    return rule(source, ports=fields.pop("ports", (5000, 6000)), group="sg-db", **fields)


FROM_WEB = {"source_kind": "group"}


@pytest.mark.parametrize(
    ("there", "reaches"),
    [
        pytest.param([], False, id="nobody is let in"),
        pytest.param([into("sg-web", **FROM_WEB)], True, id="the group is let in"),
        pytest.param([into("sg-other", **FROM_WEB)], False, id="another group is let in"),
        pytest.param([into("10.0.0.0/8")], True, id="a network may hold its members"),
        pytest.param([into("pl-1", source_kind="prefix_list", entries=UNKNOWN)], True, id="so may a list"),
        pytest.param([into("sg-web", ports=443, **FROM_WEB)], False, id="let in elsewhere"),
        pytest.param([into("sg-web", protocol="udp", **FROM_WEB)], False, id="let in by another protocol"),
        pytest.param([into("sg-web", protocol="all", ports=None, **FROM_WEB)], True, id="let in by all"),
        pytest.param([into(UNKNOWN)], True, id="nobody knows who is let in"),
        pytest.param([into(WORLD, direction=UNKNOWN)], True, id="a rule that may let in"),
        pytest.param([into(WORLD).model_copy(update={"group": UNKNOWN})], True, id="a rule that may be its own"),
        pytest.param([into(WORLD, direction="egress")], False, id="a way out is no way in"),
    ],
)
def test_out_of_one_group_nobody_reaches_more_of_another_than_it_lets_in(there: list[Rule], reaches: bool) -> None:
    found = exposure(there, [*there, out_to("sg-db")], groups={"sg-db"})
    assert [(e.source, e.target, e.from_port, e.to_port) for e in found.opened] == (
        [("sg-web", "sg-db", 5432, 5432)] if reaches else []
    )
    assert len(exposure([*there, out_to("sg-db")], there, groups={"sg-db"}).closed) == reaches


def test_of_a_group_that_is_somebody_else_s_it_is_not_known_whom_it_lets_in() -> None:
    assert len(exposure([], [out_to("sg-db")], groups={"sg-other"}).opened) == 1


def test_the_two_halves_of_a_path_together_are_one() -> None:
    found = exposure([], [out_to("sg-db"), into("sg-web", ports=5432, **FROM_WEB)], groups={"sg-db"})
    assert found.sentence == "sg-web can newly reach sg-db on tcp 5432; nobody loses access."


def test_one_of_several_groups_is_called_by_all_of_their_names() -> None:
    group = "aws_security_group.a or aws_security_group.b[*]"
    found = exposure([], [rule(WORLD, group=group)], {"aws_security_group.a": "a (new)"})
    assert found.sentence == (
        "The internet can newly reach a (new) or aws_security_group.b on tcp 80; nobody loses access."
    )
