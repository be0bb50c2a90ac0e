"""Progress on stderr, for what takes long enough that somebody wonders."""

from __future__ import annotations

import sys
import time
from types import TracebackType

__all__ = ["Progress"]


class Progress:
    """Call it with done and total: a terminal hears of it once a second, a log every five."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._next = time.monotonic() + 1.0
        self._spoke = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._spoke and sys.stderr.isatty():
            sys.stderr.write("\n")

    def __call__(self, done: int, total: int) -> None:
        """Tell, if it is time to."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next, self._spoke = now + (1.0 if sys.stderr.isatty() else 5.0), True
        # A terminal gets one line that is written over; a log gets a line each.
        start, end = ("\r", "") if sys.stderr.isatty() else ("", "\n")
        percent = 100 * done // total if total else 100
        sys.stderr.write(f"{start}{self._verb} {percent}% ({done // 1000} of {total // 1000} KB){end}")
        sys.stderr.flush()
