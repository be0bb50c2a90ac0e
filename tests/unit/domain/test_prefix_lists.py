"""What a prefix list holds at one time, by the list itself and by entries that stand apart."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.domain.rules import ListView
from runbook_lib.domain.rules.declaration import Declaration
from runbook_lib.domain.rules.prefix_lists import PrefixLists
from runbook_lib.models.base import UNKNOWN

LIST, LOOKED_UP = "aws_ec2_managed_prefix_list.l", "data.aws_prefix_list.s3"
A, B = "10.0.0.0/8", "192.0.2.0/24"


def listed(values: dict[str, Any], *, written: bool = True) -> PrefixLists:
    found = PrefixLists()
    found.add(Declaration(LIST, "aws_ec2_managed_prefix_list", values), entries_written=written)
    return found


def view(**fields: Any) -> ListView:
    usual = {"name": LIST, "networks": {}, "unknown": (), "more": False}
    return ListView(**{**usual, **fields})


@pytest.mark.parametrize(
    ("values", "written", "expected", "entries"),
    [
        ({}, True, {}, ((),)),
        ({"entry": []}, True, {}, ((),)),
        ({"entry": None}, False, {}, ((),)),
        ({"entry": [{"cidr": B}, {"cidr": A}]}, True, {"networks": {B: LIST, A: LIST}}, ((A, B),)),
        # As a data source shows them.
        ({"entries": [{"cidr": A}]}, True, {"networks": {A: LIST}}, ((A,),)),
        ({"entry": [{"cidr": A}], "entries": [{"cidr": B}]}, True, {"networks": {A: LIST}}, ((A,),)),
        ({"max_entries": 9, "address_family": "IPv4"}, True, {"most": 9, "family": "IPv4"}, ((),)),
        ({"max_entries": True, "address_family": UNKNOWN}, True, {}, ((),)),
        ({"max_entries": UNKNOWN, "address_family": 4}, True, {}, ((),)),
        ({"entry": [{"cidr": A}, {"cidr": UNKNOWN}]}, True,
         {"networks": {A: LIST}, "unknown": (LIST,), "more": True}, ((A,), UNKNOWN)),
        ({"entry": [UNKNOWN]}, True, {"unknown": (LIST,), "more": True}, (UNKNOWN,)),
        # Blocks that somebody wrote, and that are not known; or that nobody wrote, and that may be dynamic.
        ({"entry": UNKNOWN}, True, {"unknown": (LIST,), "more": True}, (UNKNOWN,)),
        ({"entry": UNKNOWN}, False, {"unknown": (LIST,), "more": True}, (UNKNOWN,)),
    ],
)  # fmt: skip
def test_a_list_holds_the_entries_that_it_is_written_with(
    values: dict[str, Any], written: bool, expected: dict[str, Any], entries: tuple[Any, ...]
) -> None:
    found = listed(values, written=written)
    assert found.views() == {LIST: view(**expected)}
    assert found.entries(LIST) == entries
    named = listed({**values, "id": "pl-1"}, written=written)
    assert named.views() == {LIST: view(**expected), "pl-1": view(**expected)}
    assert named.entries("pl-1") == entries


@pytest.mark.parametrize(
    ("networks", "entries"), [([A, B], ((A, B),)), (None, ((),)), ([], ((),)), (UNKNOWN, (UNKNOWN,))]
)
def test_a_list_of_aws_s_own_is_looked_up_with_its_networks(networks: Any, entries: tuple[Any, ...]) -> None:
    found = PrefixLists()
    values = {"id": "pl-2", "cidr_blocks": networks, "entry": [{"cidr": "192.0.2.9/32"}]}
    found.add(Declaration(LOOKED_UP, "aws_prefix_list", values), entries_written=True)
    assert found.entries("pl-2") == found.entries(LOOKED_UP) == entries


def test_of_a_list_that_was_never_seen_nothing_is_known() -> None:
    found = listed({"id": "pl-1"})
    for name in ("pl-9", UNKNOWN, "aws_ec2_managed_prefix_list.m"):
        assert found.entries(name) == (UNKNOWN,)
    assert PrefixLists().views() == {}


def test_entries_that_stand_apart_come_and_go_with_who_brings_them() -> None:
    found = listed({"id": "pl-1", "entry": UNKNOWN}, written=False)
    found.add_entry("pl-1", A, "entry.a")
    found.add_entry(LIST, B, "entry.b")
    # Where other resources bring the entries there are no blocks that nobody knows.
    assert found.views()["pl-1"] == view(networks={A: "entry.a", B: "entry.b"})
    assert found.entries("pl-1") == ((A, B),)
    found.remove_entry("pl-1", A)
    found.remove_entry("pl-1", "198.51.100.0/24")
    assert found.entries(LIST) == ((B,),)
    found.add_entry("pl-1", UNKNOWN, "entry.c")
    assert found.views()[LIST] == view(networks={B: "entry.b"}, unknown=("entry.c",), more=True)
    assert found.entries(LIST) == ((B,), UNKNOWN)


def test_an_entry_that_the_list_newly_writes_itself_stays_when_the_resource_of_the_same_network_goes() -> None:
    before, after = (
        listed({"id": "pl-1", "entry": [{"cidr": B}]}),
        listed({"id": "pl-1", "entry": [{"cidr": A}, {"cidr": B}]}),
    )
    after.mark_new(before)
    after.remove_entry("pl-1", A)
    after.remove_entry("pl-1", B)
    assert after.entries("pl-1") == ((A,),)


def test_of_another_stack_s_list_it_is_known_what_this_one_adds() -> None:
    found = PrefixLists()
    found.add_entry("pl-9", A, "entry.a")
    assert found.views() == {"pl-9": ListView("pl-9", {A: "entry.a"}, (), more=True)}
    assert found.entries("pl-9") == ((A,), UNKNOWN)
    found.remove_entry("pl-9", A)
    assert found.entries("pl-9") == (UNKNOWN,)


@pytest.mark.parametrize("name", [UNKNOWN, "aws_ec2_managed_prefix_list.l[*]"])
def test_what_goes_into_nobody_knows_which_list_may_go_into_any(name: Any) -> None:
    found = listed({"entry": [{"cidr": B}]})
    found.add_entry(name, A, "entry.a")
    assert found.views() == {
        LIST: view(networks={B: LIST}, more=True), "": ListView("", {A: "entry.a"}, (), more=True),
    }  # fmt: skip
    assert found.entries(LIST) == ((B,), UNKNOWN)
    # Which network it is may be unknown as well; and what may leave any list leaves none for certain.
    other = listed({})
    other.add_entry(name, UNKNOWN, "entry.b")
    assert other.views()[""] == ListView("", {}, ("entry.b",), more=True)
    gone = listed({"entry": [{"cidr": A}]})
    gone.remove_entry(name, A)
    assert gone.views() == {LIST: view(networks={A: LIST}, more=True)}
