"""How many points intervals cover together, while they come and go, is what counting them one by one says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.domain.compliance.covered import Covered
from runbook_lib.domain.intervals import Interval

# Their borders part them into five pieces, of a tree that has room for eight.
EVERY: tuple[Interval, ...] = ((0, 9), (10, 29), (30, 39), (40, 40), (41, 99), (0, 99), (10, 39), (30, 99), (0, 40))


@pytest.mark.parametrize(("interval", "points"), [*zip(EVERY, (10, 20, 10, 1, 59, 100, 30, 70, 41), strict=True)])
def test_one_interval_covers_its_own_points_until_it_goes(interval: Interval, points: int) -> None:
    covered = Covered(EVERY)
    assert covered.length == 0
    covered.change(interval, 1)
    assert covered.length == points
    covered.change(interval, -1)
    assert covered.length == 0


@pytest.mark.parametrize("only", [(5, 5), (0, 2**32 - 1)])
def test_an_interval_that_is_alone_is_counted_as_often_as_it_comes_and_covers_once(only: Interval) -> None:
    covered = Covered([only])
    points = only[1] - only[0] + 1
    for by, length in ((1, points), (1, points), (-1, points), (-1, 0)):
        covered.change(only, by)
        assert covered.length == length


def test_where_no_interval_will_ever_come_nothing_is_covered() -> None:
    assert Covered([]).length == 0


spans = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda ends: (min(ends), max(ends)))


@settings(max_examples=200, deadline=None)
@given(st.lists(spans, min_size=1, max_size=8), st.lists(st.integers(0, 7), max_size=20))
def test_whatever_comes_and_goes_the_count_is_that_of_the_points(every: list[Interval], moves: list[int]) -> None:
    covered, there = Covered(every), dict.fromkeys(range(len(every)), False)
    for move in moves:
        index = move % len(every)
        covered.change(every[index], -1 if there[index] else 1)
        there[index] = not there[index]
        points = {point for at, (low, high) in enumerate(every) if there[at] for point in range(low, high + 1)}
        assert covered.length == len(points)
