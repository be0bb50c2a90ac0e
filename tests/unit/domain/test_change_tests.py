"""The tests that nobody writes: of what a change opens and closes, as far as it can be known from here."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.change_tests import change_tests
from runbook_lib.models.base import UNKNOWN
from runbook_lib.models.exposure import Exposure, ExposureEntry
from runbook_lib.models.services import Member

FRONT = (
    Member(id="i-1", kind="instance", address="203.0.113.1", private_address="10.0.0.1", ipv6=("2001:db8::1",)),
    Member(id="i-2", kind="instance", address="203.0.113.2", private_address="10.0.0.2"),
)


def entry(**fields: Any) -> ExposureEntry:
    given = {
        "source": "0.0.0.0/0",
        "source_kind": "internet",
        "target": "web",
        "target_kind": "group",
        "target_id": "sg-web",
    }
    return ExposureEntry.model_validate({**given, "protocol": "tcp", "from_port": 80, "to_port": 80, **fields})


def members(identity: str) -> tuple[Member, ...] | str:
    return FRONT if identity == "sg-web" else "the group has no members"


def asked(found: Exposure, *place: str) -> list[tuple[str, str, str]]:
    return [(test.of_change, test.url, test.expect) for test in change_tests(found, members, place).tests]


def why_not(
    *, opened: ExposureEntry | None = None, closed: ExposureEntry | None = None, place: tuple[str, ...] = ()
) -> str:
    found = Exposure(opened=(opened,) if opened else (), closed=(closed,) if closed else ())
    made = change_tests(found, members, place)
    assert made.tests == ()
    ((_, reason),) = made.unknowable
    return reason


def test_what_opens_must_be_reached_and_what_closes_must_not() -> None:
    found = Exposure(opened=(entry(),), closed=(entry(from_port=22, to_port=23),))
    assert asked(found) == [
        ("opened", "tcp://203.0.113.1:80", "answer"),
        ("opened", "tcp://203.0.113.2:80", "answer"),
        ("closed", "tcp://203.0.113.1:22", "unreachable"),
        ("closed", "tcp://203.0.113.2:22", "unreachable"),
        ("closed", "tcp://203.0.113.1:23", "unreachable"),
        ("closed", "tcp://203.0.113.2:23", "unreachable"),
    ]


def test_an_ipv6_source_is_tried_at_the_ipv6_addresses() -> None:
    assert asked(Exposure(opened=(entry(source="::/0"),))) == [("opened", "tcp://[2001:db8::1]:80", "answer")]


def test_a_private_source_is_tried_from_inside_it_at_the_private_addresses() -> None:
    private = entry(source="10.0.0.0/8", source_kind="private", target="web")
    assert [url for _, url, _ in asked(Exposure(opened=(private,)), "10.9.0.0/16")] == [
        "tcp://10.0.0.1:80",
        "tcp://10.0.0.2:80",
    ]


@pytest.mark.parametrize(
    ("opened", "reason"),
    [
        (entry(protocol="udp"), "udp has no connection that says whether one gets there"),
        (
            entry(protocol="all", from_port=None, to_port=None),
            "every protocol has no connection that says whether one gets there",
        ),
        (entry(from_port=None, to_port=None), "all ports: which of them is served is not known"),
        (entry(from_port=8000, to_port=8010), "11 ports: which of them is served is not known"),
        (entry(from_port=UNKNOWN, to_port=UNKNOWN), "all ports: which of them is served is not known"),
        (entry(from_port=80, to_port=UNKNOWN), "all ports: which of them is served is not known"),
        (entry(from_port=UNKNOWN, to_port=80), "all ports: which of them is served is not known"),
        (entry(from_port=0, to_port=0), "nothing can be asked at port 0"),
        (entry(from_port=80, to_port=81), "2 ports: which of them is served is not known"),
        (
            entry(protocol="-1", from_port=None, to_port=None),
            "every protocol has no connection that says whether one gets there",
        ),
        (entry(source="10.0.0.0/8", source_kind="private"), "only 10.0.0.0/8 could try it"),
        (entry(source="bastion", source_kind="group"), "only bastion could try it"),
        (entry(source="pl-1", source_kind="prefix_list"), "only pl-1 could try it"),
        (entry(source="pl-1", source_kind="network"), "whether pl-1 is where this runs is not known"),
        (entry(source=UNKNOWN, source_kind=UNKNOWN), "the plan does not say all of it"),
        (entry(source=UNKNOWN), "the plan does not say all of it"),
        (entry(source_kind=UNKNOWN), "the plan does not say all of it"),
        (entry(target=UNKNOWN), "the plan does not say all of it"),
        (entry(reachable="already_open"), "nothing newly comes through it"),
        *(
            (entry(target_kind=kind), "whom the group's members reach can be tried from those alone")
            for kind in ("network", "private", "prefix_list")
        ),
        (
            entry(target="0.0.0.0/0", target_kind="internet"),
            "whom the group's members reach can be tried from those alone",
        ),
        (entry(target_id="sg-other"), "the group has no members"),
        # Whoever wrote the change has named the group, and may have named it like another.
        (entry(target_id=""), "which group web is, is not told"),
    ],
)
def test_what_cant_be_known_from_here_is_said_with_its_reason(opened: ExposureEntry, reason: str) -> None:
    assert why_not(opened=opened) == reason


def test_a_wide_range_that_closes_is_too_much_to_try() -> None:
    assert why_not(closed=entry(from_port=1, to_port=17)) == "17 ports are too many to try"
    assert len(asked(Exposure(closed=(entry(from_port=1, to_port=16),)))) == 32


def test_what_the_internet_reaches_cant_be_seen_from_a_private_place() -> None:
    assert (
        why_not(opened=entry(), place=("10.0.0.0/8",)) == "only the internet could try it, and this runs in 10.0.0.0/8"
    )


def test_of_ports_that_close_port_0_is_none_that_is_asked() -> None:
    assert why_not(closed=entry(from_port=0, to_port=0)) == "nothing can be asked at port 0"
    closed = asked(Exposure(closed=(entry(from_port=0, to_port=2),)))
    assert sorted({url.rpartition(":")[2] for _, url, _ in closed}) == ["1", "2"]


def test_a_group_may_have_a_name_of_any_length() -> None:
    long = f"module.{'n' * 250}.aws_security_group.web"
    (first, *_) = change_tests(Exposure(opened=(entry(target=long),)), members).tests
    assert first.name == f"opened: {long} tcp 80"


def test_the_internet_is_tried_by_the_addresses_that_whoever_stands_here_has() -> None:
    both = Exposure(opened=(entry(), entry(source="::/0")))
    for place, version, address in (
        ("198.51.100.0/24", 6, "203.0.113.1"), ("2001:db8:9::/48", 4, "2001:db8::1"),
    ):  # fmt: skip
        found = change_tests(both, members, (place,))
        assert found.tests[0].address == address
        ((_, reason),) = found.unknowable
        assert reason == f"only the internet by IPv{version} could try it, and this runs in {place}"


@pytest.mark.parametrize(
    ("source", "place", "reason"),
    [
        ("10.0.0.0/16", ("10.1.0.0/16",), "only 10.0.0.0/16 could try it, and this runs in 10.1.0.0/16"),
        # Whoever stands in more than the source may stand outside of it.
        ("10.0.0.0/16", ("10.0.0.0/8",), "only 10.0.0.0/16 could try it, and this runs in 10.0.0.0/8"),
        (
            "10.0.0.0/16",
            ("10.1.0.0/16", "fd00::/8"),
            "only 10.0.0.0/16 could try it, and this runs in 10.1.0.0/16, fd00::/8",
        ),
        ("fd00::/16", ("10.0.0.0/16",), "only fd00::/16 could try it, and this runs in 10.0.0.0/16"),
        ("10.0.0.0/16", ("10.1.0.0/16", "10.0.0.0/16"), ""),
        ("fd00::/16", ("fd00::/24",), ""),
    ],
)
def test_a_private_network_is_tried_by_whoever_stands_in_it(source: str, place: tuple[str, ...], reason: str) -> None:
    found = change_tests(Exposure(opened=(entry(source=source, source_kind="private"),)), members, place)
    assert [why for _, why in found.unknowable] == ([reason] if reason else [])
    assert bool(found.tests) is not bool(reason)


def test_the_internet_is_tried_from_a_public_place_beside_private_ones() -> None:
    found = Exposure(opened=(entry(),))
    assert len(asked(found, "10.0.0.0/8", "203.0.113.0/24")) == 2
    assert why_not(opened=entry(), place=("10.0.0.0/8", "fd00::/8")) == (
        "only the internet could try it, and this runs in 10.0.0.0/8, fd00::/8"
    )
    # Of what is no network nobody says that it is private.
    assert len(asked(found, "somewhere")) == 2


def test_a_public_network_is_tried_from_inside_it_at_the_public_addresses() -> None:
    office = entry(source="198.51.100.0/24", source_kind="network")
    assert [url for _, url, _ in asked(Exposure(opened=(office,)), "198.51.100.0/25")] == [
        "tcp://203.0.113.1:80",
        "tcp://203.0.113.2:80",
    ]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"from_port": 80, "to_port": 90}, "closed: 0.0.0.0/0 to web udp 80-90"),
        ({"from_port": 80, "to_port": 80}, "closed: 0.0.0.0/0 to web udp 80"),
        ({"from_port": None, "to_port": None}, "closed: 0.0.0.0/0 to web udp"),
    ],
)
def test_what_cant_be_known_is_called_by_what_the_change_does(fields: dict[str, Any], name: str) -> None:
    found = change_tests(Exposure(closed=(entry(protocol="udp", **fields),)), members)
    assert [told for told, _ in found.unknowable] == [name]


def test_a_protocol_by_its_number_is_tried_and_named_like_one_by_its_name() -> None:
    (first, *_) = change_tests(Exposure(opened=(entry(protocol="6"),)), members).tests
    assert (first.name, first.url) == ("opened: web tcp 80", "tcp://203.0.113.1:80")


def test_what_the_plan_leaves_unknown_is_said() -> None:
    ((name, reason),) = change_tests(Exposure(unknown=(entry(),)), members).unknowable
    assert (name, reason) == ("unknown: 0.0.0.0/0 to web tcp 80", "the plan does not say all of it")
    ((_, reason),) = change_tests(Exposure(unknown=(entry(why="who is there is not known"),)), members).unknowable
    assert reason == "who is there is not known"


def test_what_opens_and_is_not_reached_is_not_asked_for() -> None:
    idle = entry(reachable="open_but_not_reachable", why="no public address")
    assert why_not(opened=idle) == "no public address"
    kept_out = {"id": "eni-2", "name": "b", "kind": "instance", "addresses": ("203.0.113.2",),
                "reachable": "open_but_not_reachable"}  # fmt: skip
    found = Exposure(opened=(entry(reachable="reachable", interfaces=(kept_out,)),))
    assert asked(found) == [("opened", "tcp://203.0.113.1:80", "answer")]
    # What closes is closed to those too that nothing came through to.
    closed = Exposure(closed=(entry(reachable="reachable", interfaces=(kept_out,)),))
    assert [url for _, url, _ in asked(closed)] == ["tcp://203.0.113.1:80", "tcp://203.0.113.2:80"]


@pytest.mark.parametrize(
    ("left_open", "place", "reason"),
    [
        (("192.0.2.0/24",), ("192.0.2.128/25",), "192.0.2.0/24 is still let in, and this runs in 192.0.2.128/25"),
        (("192.0.2.7/32",), ("192.0.2.0/24",), "192.0.2.7/32 is still let in, and this runs in 192.0.2.0/24"),
        (
            ("192.0.2.0/24", "pl-office"),
            ("198.51.100.0/24",),
            "whether this runs in pl-office, which is still let in, is",
        ),
    ],
)
def test_whoever_keeps_the_access_that_the_internet_loses_can_not_see_that_it_is_lost(
    left_open: tuple[str, ...], place: tuple[str, ...], reason: str
) -> None:
    assert why_not(closed=entry(left_open=left_open), place=place).startswith(reason)


@pytest.mark.parametrize("place", [(), ("198.51.100.0/24",), ("198.51.100.0/24", "2001:db8::/32")])
def test_everybody_else_can(place: tuple[str, ...]) -> None:
    kept = Exposure(closed=(entry(left_open=("192.0.2.0/24",), from_port=22, to_port=22),))
    assert [url for _, url, _ in asked(kept, *place)] == ["tcp://203.0.113.1:22", "tcp://203.0.113.2:22"]
