from __future__ import annotations

import ipaddress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.domain.intervals import (
    PRIVATE,
    PUBLIC,
    WHOLE,
    Interval,
    contains,
    network_interval,
    networks,
    size,
    subtract,
    union,
)

INTERVALS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda pair: (min(pair), max(pair))))


def points(intervals: tuple[Interval, ...] | list[Interval]) -> set[int]:
    return {point for low, high in intervals for point in range(low, high + 1)}


@given(INTERVALS)
def test_a_union_holds_the_same_points_in_sorted_intervals_that_do_not_touch(intervals: list[Interval]) -> None:
    merged = union(intervals)
    assert points(merged) == points(intervals)
    assert all(left[1] + 1 < right[0] for left, right in pairwise(merged))
    assert size(merged) == len(points(intervals))


@given(INTERVALS, INTERVALS)
def test_subtraction_leaves_the_points_that_the_other_lacks(left: list[Interval], right: list[Interval]) -> None:
    rest = subtract(union(left), union(right))
    assert points(rest) == points(left) - points(right)
    assert rest == union(rest)
    assert contains(union(left), union(right)) == (points(right) <= points(left))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**12))
def test_networks_hold_exactly_the_addresses_of_an_interval(low: int, length: int) -> None:
    high = min(low + length, 2**32 - 1)
    assert union(network_interval(text)[1] for text in networks(4, ((low, high),))) == ((low, high),)


@pytest.mark.parametrize("text", ["", "x", "10.0.0.0/33", "10.0.0", "::/129", "sg-1"])
def test_what_is_no_network_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        network_interval(text)


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("8.8.8.8", True), ("10.1.2.3", False), ("172.31.0.1", False), ("172.32.0.1", True), ("192.168.1.1", False),
        ("100.64.0.1", False), ("169.254.169.254", False), ("224.0.0.1", False), ("0.0.0.1", False),
        ("2001:4860::1", True), ("fd00::1", False), ("fe80::1", False), ("::1", False),
    ],
)  # fmt: skip
def test_the_internet_is_what_can_be_routed_to(text: str, public: bool) -> None:
    version, interval = network_interval(text)
    assert contains(PUBLIC[version], (interval,)) is public


@pytest.mark.parametrize("version", [4, 6])
def test_private_and_public_do_not_overlap_and_lie_within_the_whole(version: int) -> None:
    assert subtract(PUBLIC[version], PRIVATE[version]) == PUBLIC[version]
    assert contains((WHOLE[version],), union(PUBLIC[version] + PRIVATE[version]))
    assert ipaddress.ip_network("0.0.0.0/0" if version == 4 else "::/0").num_addresses == size((WHOLE[version],))
