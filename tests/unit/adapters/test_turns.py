"""Whose turn it is, with attempts that end when the test says so and never by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from runbook_lib.adapters.probes.turns import Bounds, Turns

Attempt = Callable[[int], Awaitable[float | None]]
# Longer than any of these tests takes: nobody hands anything on.
FOR_EVER = 3600.0
SOON = 0.001


def carry_out(tests: int, bounds: Bounds, attempt: Attempt) -> None:
    async def whole() -> None:
        async with asyncio.timeout(60):
            await Turns(tests, bounds).carry_out(attempt)

    asyncio.run(whole())


class Endpoints:
    """Some that hang until all the others have answered; who is asked, and how many at once."""

    def __init__(self, hang: range, good: int) -> None:
        self.hang, self.good = hang, good
        self.answered: list[int] = []
        self.now = self.most = 0
        self.all_answered = asyncio.Event()

    async def ask(self, test: int) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        if test in self.hang:
            await self.all_answered.wait()
        else:
            await asyncio.sleep(0)
        self.answered.append(test)
        if sum(one not in self.hang for one in self.answered) == self.good:
            self.all_answered.set()
        self.now -= 1


@pytest.mark.parametrize("slots", [1, 3, 10])
def test_more_may_hang_than_there_are_slots_and_the_good_ones_have_their_turn(slots: int) -> None:
    hanging = 4 * slots
    ends = Endpoints(range(hanging), good=20)
    carry_out(hanging + 20, Bounds(slots, hanging, SOON), ends.ask)
    assert sorted(ends.answered) == list(range(hanging + 20))
    assert set(ends.answered[:20]) == set(range(hanging, hanging + 20))
    assert ends.most <= slots + hanging


def test_no_more_wait_beside_the_others_than_are_allowed() -> None:
    ends = Endpoints(range(50), good=5)
    limit = asyncio.Event()

    async def ask(test: int) -> None:
        if ends.now == 4:  # this is the fifth: two at once, and three beside them
            limit.set()
        await ends.ask(test)

    async def let_go() -> None:
        await limit.wait()
        for _ in range(100):
            await asyncio.sleep(SOON)
        ends.all_answered.set()

    async def whole() -> None:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(let_go())
            group.create_task(Turns(55, Bounds(2, 3, SOON)).carry_out(ask))

    asyncio.run(whole())
    assert (ends.most, sorted(ends.answered)) == (5, list(range(55)))


def test_without_anybody_who_waits_only_so_many_are_under_way() -> None:
    ends = Endpoints(range(0), good=40)
    carry_out(40, Bounds(4, 16, FOR_EVER), ends.ask)
    assert (ends.most, len(ends.answered)) == (4, 40)


def test_what_comes_again_comes_after_the_first_turns_of_all_others_and_waits_for_nobody() -> None:
    turns: list[int] = []
    done = asyncio.Event()

    async def ask(test: int) -> float | None:
        turns.append(test)
        if test == 0:  # it hangs until the failing one had its last turn
            await done.wait()
        if test == 1 and turns.count(1) < 3:
            return 0.0
        if test == 1:
            done.set()
        return None

    carry_out(5, Bounds(2, 0, FOR_EVER), ask)
    assert turns == [0, 1, 2, 3, 4, 1, 1]


def test_whoever_waited_and_comes_again_has_another_turn() -> None:
    asked: list[int] = []
    answered = asyncio.Event()

    async def ask(test: int) -> float | None:
        asked.append(test)
        if test == 0 and asked.count(0) == 1:
            await answered.wait()
            return 0.0
        if test == 9:
            answered.set()
        return None

    carry_out(10, Bounds(1, 1, SOON), ask)
    assert (asked[0], asked[-1], sorted(set(asked)), len(asked)) == (0, 0, list(range(10)), 11)


def test_attempts_that_all_take_long_hand_on_nothing() -> None:
    # As on a machine that is busy: what takes no longer than the others does not wait for its endpoint.
    ends = Endpoints(range(40), good=0)
    turns = Turns(40, Bounds(4, 16, SOON))
    turns._usual = FOR_EVER  # the last ones took so long

    async def whole() -> None:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(turns.carry_out(ends.ask))
            for _ in range(50):
                await asyncio.sleep(SOON)
            assert ends.most == 4
            ends.all_answered.set()

    asyncio.run(whole())
    assert len(ends.answered) == 40


def test_a_failure_of_ours_ends_all_of_it() -> None:
    async def ask(test: int) -> None:
        raise ValueError("ours")

    with pytest.raises(ExceptionGroup):
        carry_out(3, Bounds(2, 2, SOON), ask)


def test_nothing_to_do_is_done() -> None:
    carry_out(0, Bounds(3, 3, SOON), Endpoints(range(0), 0).ask)
