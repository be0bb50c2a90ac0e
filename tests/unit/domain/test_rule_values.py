"""Single fields of a rule, in all the spellings that Terraform, AWS and people have for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runbook_lib.domain.rules.declaration import Declaration
from runbook_lib.domain.rules.prefix_lists import ListView, PrefixLists
from runbook_lib.domain.rules.values import boolean, join_unknown, ports, protocol, text, texts
from runbook_lib.errors import InputError
from runbook_lib.models.base import UNKNOWN


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("-1", "all"), (-1, "all"), ("ALL", "all"), (" Tcp ", "tcp"), (6, "tcp"), (17.0, "udp"), ("006", "tcp"),
        ("icmp6", "icmpv6"), ("58", "icmpv6"), ("gre", "47"), ("254", "254"), ("255", "255"),
    ],
)  # fmt: skip
def test_a_protocol_has_one_name_however_it_is_written(written: Any, meant: str) -> None:
    assert protocol(written, "here") == meant


@pytest.mark.parametrize("written", ["256", "nonsense", "", None, UNKNOWN, "1" * 10])
def test_a_protocol_that_nobody_knows_is_unknown(written: Any) -> None:
    assert protocol(written, "here") is UNKNOWN


@pytest.mark.parametrize("written", [True, [], {}, float("nan"), float("inf")])
def test_what_is_no_protocol_is_refused(written: Any) -> None:
    with pytest.raises(InputError) as caught:
        protocol(written, "here")
    assert caught.value.message == "here: protocol is neither text nor a number"
    assert caught.value.remedy == "Check where this input comes from."


@pytest.mark.parametrize(
    ("kind", "given", "meant"),
    [
        ("tcp", (80, 443), (80, 443)),
        ("tcp", ("80", " 443 "), (80, 443)),
        ("udp", (0, 65535), (0, 65535)),
        ("tcp", (None, None), (0, 65535)),
        ("tcp", (-1, -1), (0, 65535)),
        ("tcp", (-1, 80), (0, 80)),
        ("tcp", (80, None), (80, 65535)),
        ("tcp", (UNKNOWN, 80), (UNKNOWN, 80)),
        ("icmp", (None, None), (-1, -1)),
        ("icmp", (8, None), (8, -1)),
        ("icmpv6", (None, 0), (-1, 0)),
        ("icmpv6", (128, 0), (128, 0)),
        ("all", (80, 80), (None, None)),
        ("47", (80, 80), (None, None)),
        (UNKNOWN, (None, 80), (None, 80)),
    ],
)
def test_ports_are_what_the_protocol_makes_of_them(kind: Any, given: tuple[Any, Any], meant: tuple[Any, Any]) -> None:
    assert ports(kind, *given, "here") == meant


@pytest.mark.parametrize("number", ["ssh", True, 65536, -2, 80.5, [], "--1", "1" * 10])
def test_what_is_no_port_is_refused_by_its_name(number: Any) -> None:
    for given, name in (((number, 80), "from_port"), ((80, number), "to_port")):
        with pytest.raises(InputError) as caught:
            ports("tcp", *given, "here")
        assert caught.value.message == f"here: {name} is no port number: {number!r}"
        assert caught.value.remedy == "Check where this input comes from."


@pytest.mark.parametrize(
    ("read", "value", "found"),
    [
        (text, "a", "a"), (text, "", None), (text, None, None), (text, UNKNOWN, UNKNOWN),
        (texts, ["a", None, UNKNOWN], ("a", UNKNOWN)), (texts, None, ()), (texts, UNKNOWN, UNKNOWN),
        (texts, ("a",), ("a",)),
        (boolean, True, True), (boolean, False, False), (boolean, None, False), (boolean, UNKNOWN, UNKNOWN),
        (boolean, "true", True), (boolean, "false", False),
    ],
)  # fmt: skip
def test_a_field_is_read_as_what_it_means(read: Callable[..., Any], value: Any, found: Any) -> None:
    assert read({"field": value}, "field", "here") == found


@pytest.mark.parametrize(
    ("read", "value", "says"),
    [
        (text, 7, "here: field is no text: 7"),
        (texts, "a", "here: field is no list of texts: 'a'"),
        (texts, [7], "here: field is no list of texts: [7]"),
        (boolean, "yes", "here: field is neither true nor false: 'yes'"),
        (boolean, 1, "here: field is neither true nor false: 1"),
    ],
)
def test_a_field_of_another_kind_is_refused(read: Callable[..., Any], value: Any, says: str) -> None:
    with pytest.raises(InputError) as caught:
        read({"field": value}, "field", "here")
    assert (caught.value.message, caught.value.remedy) == (says, "Check where this input comes from.")


@pytest.mark.parametrize(
    ("known", "unknown", "joined"),
    [
        ("a", True, UNKNOWN),
        ("a", False, "a"),
        ("a", None, "a"),
        ({"a": 1}, {"b": True, "c": False}, {"a": 1, "b": UNKNOWN}),
        (None, {"b": True}, {"b": UNKNOWN}),
        ([1], [False, True], [1, UNKNOWN]),
        ([1, 2, 3], [True], [UNKNOWN, 2, 3]),
        (None, [True], [UNKNOWN]),
        ([{"a": 1}], [{"b": True}], [{"a": 1, "b": UNKNOWN}]),
        # Whoever keeps plans may have blanked what is said to be known.
        (None, [False, False], UNKNOWN),
        ("(hidden)", [False], UNKNOWN),
        ([1], [False, False], UNKNOWN),
        ("(hidden)", {"a": False}, UNKNOWN),
        ({"networks": None}, {"networks": [False, False]}, {"networks": UNKNOWN}),
        ({"networks": None}, {"networks": []}, {"networks": None}),
    ],
)
def test_the_unknown_is_put_where_it_belongs(known: Any, unknown: Any, joined: Any) -> None:
    assert join_unknown(known, unknown) == joined


LIST = "aws_ec2_managed_prefix_list.l"


def lists(values: dict[str, Any], written: bool = True, kind: str = "aws_ec2_managed_prefix_list") -> PrefixLists:
    made = PrefixLists()
    made.add(Declaration(LIST, kind, values), entries_written=written)
    return made


def test_a_list_is_known_by_its_address_and_by_its_id() -> None:
    made = lists({"id": "pl-1", "entry": [{"cidr": "10.1.0.0/16"}, {"cidr": "10.0.0.0/16"}]})
    assert made.entries(LIST) == made.entries("pl-1") == (("10.0.0.0/16", "10.1.0.0/16"),)
    assert made.entries("pl-2") == made.entries(UNKNOWN) == (UNKNOWN,)


@pytest.mark.parametrize(
    ("made", "entries"),
    [
        pytest.param(lists({"entries": [{"cidr": "10.0.0.0/8"}]}), (("10.0.0.0/8",),), id="as a data source has them"),
        pytest.param(
            lists({"cidr_blocks": ["10.0.0.0/8"]}, kind="aws_prefix_list"), (("10.0.0.0/8",),), id="AWS's own list"
        ),
        pytest.param(lists({"cidr_blocks": UNKNOWN}, kind="aws_prefix_list"), (UNKNOWN,), id="AWS's own, unknown"),
        pytest.param(
            lists({"entry": [{"cidr": "10.0.0.0/8"}, {"cidr": UNKNOWN}]}), (("10.0.0.0/8",), UNKNOWN), id="one unknown"
        ),
        pytest.param(lists({"entry": ["10.0.0.0/8"]}), (UNKNOWN,), id="an entry that is none"),
        pytest.param(lists({"entry": []}), ((),), id="empty"),
        pytest.param(lists({"entry": UNKNOWN}), (UNKNOWN,), id="all unknown"),
        pytest.param(lists({"entry": UNKNOWN}, written=False), (UNKNOWN,), id="not written, so perhaps none"),
    ],
)
def test_what_a_list_may_hold_besides_is_unknown(made: PrefixLists, entries: tuple[Any, ...]) -> None:
    assert made.entries(LIST) == entries


def test_separate_entries_are_added_and_taken_away() -> None:
    made = lists({"id": "pl-1", "entry": UNKNOWN}, written=False)
    made.add_entry(LIST, "10.0.0.0/8")
    # Other resources bring the entries, so there are no such blocks in the list itself.
    assert made.entries("pl-1") == (("10.0.0.0/8",),)
    made.add_entry("pl-1", "192.0.2.0/24")
    made.remove_entry(LIST, "10.0.0.0/8")
    made.remove_entry(LIST, "198.51.100.0/24")
    assert made.entries("pl-1") == (("192.0.2.0/24",),)


def test_of_a_list_of_another_stack_only_what_is_added_is_known() -> None:
    made = PrefixLists()
    made.add_entry("pl-9", "10.0.0.0/8")
    assert made.entries("pl-9") == (("10.0.0.0/8",), UNKNOWN)


def test_what_goes_into_a_list_that_nobody_knows_is_seen_under_no_name() -> None:
    made = PrefixLists()
    assert made.views() == {}
    made.add_entry(UNKNOWN, "192.0.2.0/24", "a.known")
    made.add_entry(UNKNOWN, UNKNOWN, "a.unknown")
    assert made.views() == {"": ListView("", {"192.0.2.0/24": "a.known"}, ("a.unknown",), more=True)}


@pytest.mark.parametrize("target", [UNKNOWN, "aws_ec2_managed_prefix_list.other[*]"])
def test_an_entry_that_may_go_anywhere_leaves_no_list_certain(target: Any) -> None:
    made = lists({"entry": [{"cidr": "10.0.0.0/8"}]})
    made.add_entry(target, "192.0.2.0/24")
    assert made.entries(LIST) == (("10.0.0.0/8",), UNKNOWN)
