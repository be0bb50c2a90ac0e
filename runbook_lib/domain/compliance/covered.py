"""How many points some intervals cover together, while intervals come and go."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from ..intervals import Interval

__all__ = ["Covered"]


class Covered:
    """A segment tree over the borders of all intervals that will ever come: each change takes logarithmic time."""

    def __init__(self, intervals: Iterable[Interval]) -> None:
        every = list(intervals)
        self._borders = sorted({border for low, high in every for border in (low, high + 1)})
        leaves = max(len(self._borders) - 1, 1)
        self._size = 1 << (leaves - 1).bit_length()
        self._times = [0] * (2 * self._size)
        self._covered = [0] * (2 * self._size)
        self._widths = [0] * (2 * self._size)
        for index in range(len(self._borders) - 1):
            self._widths[self._size + index] = self._borders[index + 1] - self._borders[index]
        for node in range(self._size - 1, 0, -1):
            self._widths[node] = self._widths[2 * node] + self._widths[2 * node + 1]

    @property
    def length(self) -> int:
        """How many points are covered now."""
        return self._covered[1]

    def change(self, interval: Interval, by: int) -> None:
        """Let an interval come (1) or go (-1); it must be one of those given at first."""
        low = self._size + bisect_left(self._borders, interval[0])
        high = self._size + bisect_left(self._borders, interval[1] + 1)
        changed = set()
        while low < high:
            if low & 1:
                self._times[low] += by
                changed.add(low)
                low += 1
            if high & 1:
                high -= 1
                self._times[high] += by
                changed.add(high)
            low, high = low >> 1, high >> 1
        # From below upwards: each level after the one beneath it.
        while changed:
            above = set()
            for node in changed:
                self._renew(node)
                if node > 1:
                    above.add(node >> 1)
            changed = above

    def _renew(self, node: int) -> None:
        if self._times[node]:
            self._covered[node] = self._widths[node]
        elif node >= self._size:
            self._covered[node] = 0
        else:
            self._covered[node] = self._covered[2 * node] + self._covered[2 * node + 1]
