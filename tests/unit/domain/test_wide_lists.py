"""What is added to a prefix list is judged by itself, by all that the list then holds, whichever rules name it."""

from __future__ import annotations

from typing import Any

import pytest
from compliance_samples import change, changes_of, judged
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.domain.compliance.networks import WORLD
from runbook_lib.domain.compliance.wide_lists import widened_lists
from runbook_lib.models.compliance import Scope

ENTRY, LIST = "aws_ec2_managed_prefix_list_entry", "aws_ec2_managed_prefix_list"


def entry(
    network: str | None, name: str = "e", actions: str = "create", target: str | None = "pl-1", **fields: Any
) -> Any:
    made = {"prefix_list_id": target, "cidr": network}
    unknown = fields.pop("unknown", {})
    known = {key: value for key, value in made.items() if key not in unknown}
    before = made if actions in {"no-op", "delete"} else None
    after = None if actions == "delete" else known
    return change([actions], before, after, address=f"{ENTRY}.{name}", type=ENTRY, name=name, unknown=unknown)


def whole(*networks: str, before: tuple[str, ...] | None = None, **fields: Any) -> Any:
    made = {"id": "pl-1", "max_entries": 9, "entry": [{"cidr": network} for network in networks]}
    old = None if before is None else {**made, "entry": [{"cidr": network} for network in before]}
    actions = ["create"] if old is None else ["no-op"] if before == networks else ["update"]
    return change(actions, old, made, address=f"{LIST}.l", type=LIST, name="l", **fields)


def found(*changes: Any, scope: Scope = Scope.CHANGED) -> list[tuple[str, str]]:
    report = judged(changes_of(*changes), scope)
    return [(str(f.verdict), f.address) for f in report.findings if f.policy == "prefix-list-widened"]


@pytest.mark.parametrize(
    ("network", "wide"),
    [
        ("0.0.0.0/0", True), ("128.0.0.0/1", True), ("3.0.0.0/7", True), ("10.0.0.0/6", True), ("::/0", True),
        ("2000::/3", True), ("2a00::/31", True), ("10.0.0.0/8", False), ("172.16.0.0/12", False), ("fc00::/7", False),
        ("203.0.113.0/24", False), ("2a00::/48", False), ("224.0.0.0/4", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("inline", [True, False])
def test_a_network_that_is_the_world_is_found_in_a_new_list(network: str, wide: bool, inline: bool) -> None:
    changes = [whole(network)] if inline else [whole(), entry(network)]
    assert found(*changes) == ([("failed", f"{LIST}.l" if inline else f"{ENTRY}.e")] if wide else [])


def test_entries_add_up_each_named_where_it_is_written() -> None:
    halves = [entry("3.0.0.0/8", "one"), entry("4.0.0.0/8", "two")]
    assert found(whole(), *halves) == [("failed", f"{ENTRY}.one"), ("failed", f"{ENTRY}.two")]
    assert found(whole(), halves[0]) == []
    assert found(whole("3.0.0.0/8", "4.0.0.0/8")) == [("failed", f"{LIST}.l")]


def test_what_was_in_the_list_before_counts_with_what_is_added() -> None:
    assert found(whole("3.0.0.0/8", "4.0.0.0/8", before=("3.0.0.0/8",))) == [("failed", f"{LIST}.l")]
    assert found(whole("3.0.0.0/8", before=("3.0.0.0/8",)), entry("4.0.0.0/9")) == [("failed", f"{ENTRY}.e")]


def test_a_narrow_network_that_makes_it_the_world_is_found() -> None:
    assert found(whole("3.0.0.0/8", "4.0.0.0/24", before=("3.0.0.0/8",))) == [("failed", f"{LIST}.l")]


@pytest.mark.parametrize("written", [True, False])
def test_entries_that_nobody_knows_yet_are_unknown(written: bool) -> None:
    made = {"max_entries": 9}
    new = change(["create"], None, made, address=f"{LIST}.l", type=LIST, name="l", unknown={"entry": True, "id": True})
    entries = {"entry": {"references": ["var.networks"]}} if written else {}
    resource = {"address": f"{LIST}.l", "mode": "managed", "type": LIST, "name": "l", "expressions": entries}
    report = judged(changes_of(new, configuration={"root_module": {"resources": [resource]}}))
    assert [str(f.verdict) for f in report.findings if f.policy == "prefix-list-widened"] == ["unknown"]


def test_a_list_that_is_the_world_already_hides_no_wide_addition_and_takes_an_office() -> None:
    standing = ("0.0.0.0/1",)
    assert found(whole(*standing, "128.0.0.0/2", before=standing)) == [("failed", f"{LIST}.l")]
    assert found(whole(*standing, "203.0.113.0/24", before=standing)) == []


def test_what_goes_or_stays_is_no_addition() -> None:
    assert found(whole("10.0.0.0/8", before=("10.0.0.0/8", "0.0.0.0/0"))) == []
    assert found(whole("0.0.0.0/0", before=("0.0.0.0/0",))) == []
    assert found(entry("0.0.0.0/0", actions="no-op")) == []
    assert found(entry("0.0.0.0/0", actions="delete")) == []
    assert found(whole("0.0.0.0/0", before=("0.0.0.0/0",)), scope=Scope.ALL) == [("failed", f"{LIST}.l")]


def test_the_other_networks_of_another_stack_s_list_are_unknown() -> None:
    assert found(entry("0.0.0.0/0")) == [("failed", f"{ENTRY}.e")]
    # With another one that nobody sees here it may be the world.
    assert found(entry("3.0.0.0/9")) == [("unknown", f"{ENTRY}.e")]
    assert found(entry("3.0.0.0/16")) == []
    assert found(entry("10.0.0.0/8")) == []


def test_an_unknown_network_is_unknown_and_an_unknown_list_hides_none() -> None:
    assert found(entry(None, unknown={"cidr": True})) == [("unknown", f"{ENTRY}.e")]
    assert found(entry("0.0.0.0/0", unknown={"prefix_list_id": True})) == [("failed", f"{ENTRY}.e")]
    assert found(whole("0.0.0.0", "10.0.0.0/8")) == [("unknown", f"{LIST}.l")]


networks = st.tuples(st.integers(1, 9), st.integers(0, 3), st.integers(7, 12)).map(
    lambda parts: (parts[0] * 2**24 + parts[1] * 2**22, parts[2])
)


def _text(low: int, width: int) -> str:
    low &= -1 << (32 - width)
    return f"{low >> 24}.{low >> 16 & 255}.{low >> 8 & 255}.{low & 255}/{width}"


@settings(max_examples=150, deadline=None)
@given(st.lists(networks, max_size=4), st.lists(networks, min_size=1, max_size=4))
def test_a_list_is_widened_where_a_count_of_its_blocks_says_so(old: list[Any], new: list[Any]) -> None:
    before, after = ({_text(*network) for network in part} for part in (old, [*old, *new]))
    changes = changes_of(whole(*sorted(after), before=tuple(sorted(before))))
    told = [truth for _, truth, _ in widened_lists(changes, everything=False)]
    # Every /12 of the public blocks by itself: 10.0.0.0/8 is none of them.
    blocks = {text: _blocks(text) for text in after}
    had = set().union(*(blocks[text] for text in before))
    has = set().union(*blocks.values())
    added = set().union(*(blocks[text] for text in after - before))
    limit = WORLD[4] >> 20
    assert told == ([True] if len(has) > limit and (len(had) <= limit or len(added) * 64 >= limit) and added else [])


def _blocks(text: str) -> set[int]:
    address, _, width = text.partition("/")
    first, second = (int(part) for part in address.split(".")[:2])
    low = (first << 4) + (second >> 4)
    return {block for block in range(low, low + (1 << 12 - int(width))) if block >= 16 and block >> 4 != 10}
