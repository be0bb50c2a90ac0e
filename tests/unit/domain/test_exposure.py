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
    assert found.sentence == "Whom 1 rule lets in is known only after apply."


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
        ("10.0.0.0/8", "private", "web", "group"),
        ("8.8.8.0/24", "network", "web", "group"),
        (WORLD, "internet", "web", "group"),
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
