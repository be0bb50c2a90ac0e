"""Whose turn it is: so many attempts at once, those that wait for an answer beside them, and a second one later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import islice
from typing import Final

__all__ = ["Bounds", "Turns"]

# An attempt waits for its endpoint if it takes so many times as long as attempts take.
_UNUSUAL: Final = 4
# How many of the last attempts say how long they take.
_LAST: Final = 16


@dataclass(frozen=True)
class Bounds:
    """How many attempts make headway at once, and how many may wait beside them.

    An attempt waits if it has taken `patience` seconds, and longer than attempts take.
    """

    slots: int
    waiting: int
    patience: float


class Turns:
    """Gives so many tests their attempts, numbered from 0; those that come again after all that had none yet.

    An endpoint that does not answer holds up no other: who waits for it hands on the slot, up to a bound. Nothing
    waits for the end of a round either: a test comes again when its own pause is over.
    """

    def __init__(self, tests: int, bounds: Bounds) -> None:
        self._tests, self._bounds = tests, bounds
        self._begun = 0
        self._again: list[tuple[float, int]] = []
        # Since when each attempt is under way, the oldest first; those that handed on their slot are counted alone.
        self._since: dict[int, float] = {}
        self._waiting = self._working = 0
        self._usual = 0.0

    async def carry_out(self, attempt: Callable[[int], Awaitable[float | None]]) -> None:
        """Call `attempt` with each test; what it gives are the seconds before another one, or None for the last."""
        self._attempt = attempt
        watch = asyncio.create_task(self._watch())
        try:
            async with asyncio.TaskGroup() as self._group:
                for _ in range(min(self._bounds.slots, self._tests)):
                    self._begin_worker()
        finally:
            watch.cancel()

    def _begin_worker(self) -> None:
        self._working += 1
        self._group.create_task(self._work())

    async def _work(self) -> None:
        clock = asyncio.get_running_loop().time
        while (test := await self._next()) is not None:
            self._since[test] = began = clock()
            pause = await self._attempt(test)
            ended = clock()
            if pause is not None:
                heappush(self._again, (ended + pause, test))
            if self._since.pop(test, None) is not None:
                self._usual += (ended - began - self._usual) / _LAST
                continue
            self._waiting -= 1
            if self._working >= self._bounds.slots:
                return  # whoever got the slot goes on with it, and with the test if it comes again
            self._working += 1
        self._working -= 1

    async def _next(self) -> int | None:
        """The test whose turn it is, when its pause is over; None if there is none."""
        if self._begun < self._tests:
            self._begun += 1
            return self._begun - 1
        if not self._again:
            return None
        due, test = heappop(self._again)
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        return test

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._bounds.patience / 2)
            self._hand_on(asyncio.get_running_loop().time())

    def _hand_on(self, now: float) -> None:
        """Hand on the slots of those who wait, as long as there is somebody to have one."""
        # On a busy machine all attempts take long, and none of them because of its endpoint.
        limit = max(self._bounds.patience, _UNUSUAL * self._usual)
        room = min(self._bounds.waiting - self._waiting, self._tests - self._begun + len(self._again))
        for test in list(islice(self._since, max(0, room))):
            if now - self._since[test] < limit:
                return
            del self._since[test]
            self._waiting += 1
            self._working -= 1
            self._begin_worker()
