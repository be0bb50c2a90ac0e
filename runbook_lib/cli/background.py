"""Work in a second thread that an interrupt of the first one can always be rid of."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Background"]

# Terraform is ended by force after three seconds; the rest is for a busy machine.
GIVE_UP_SECONDS = 30


class Background(threading.Thread):
    """Carries `work` out and calls `ended`, whatever came of it.

    No executor: an exception from a signal handler inside `submit` leaves a thread that nobody knows and for which
    Python waits at its end.
    """

    def __init__(self, work: Callable[[], object], ended: Callable[[], None]) -> None:
        super().__init__(name="background", daemon=True)
        self._work = work
        self._ended = ended
        self._error: BaseException | None = None
        self._given_up = False

    def run(self) -> None:
        """Do the work, unless it was given up before it began."""
        try:
            if not self._given_up:
                self._work()
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that asks for the result
            self._error = error
        finally:
            self._ended()

    def result(self) -> None:
        """Wait for the end; raise what the work raised."""
        self.join()
        if self._error is not None:
            raise self._error

    def give_up(self, end: Callable[[], None]) -> None:
        """Call `end`, which ends what the work waits for, until the work has ended."""
        self._given_up = True
        for _ in range(GIVE_UP_SECONDS):
            # An interrupt may come before the work has started what is to be ended.
            end()
            if not self.is_alive():
                return
            self.join(timeout=1)
