"""Signals that ask the run to stop: noted by the main thread, acted upon by the engine's loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["StopRequest", "trap_signals"]

TRAPPED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest:
    """The first signal counts; a third one ends the patience with a kernel that does not stop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event: asyncio.Event | None = None
        self._impatient: asyncio.Event | None = None
        self.number = 0
        self.count = 0

    def __call__(self, number: int, frame: FrameType | None = None) -> None:
        """Note a signal; this is the handler."""
        self.count += 1
        self.number = self.number or number
        self._loop.call_soon_threadsafe(self._tell)

    async def wait(self) -> None:
        """Come back when a stop is asked for."""
        self._event = self._event or asyncio.Event()
        self._tell()
        await self._event.wait()

    async def wait_impatient(self) -> None:
        """Come back when a person has asked three times."""
        self._impatient = self._impatient or asyncio.Event()
        self._tell()
        await self._impatient.wait()

    def _tell(self) -> None:
        if self.count and self._event:
            self._event.set()
        if self.count >= 3 and self._impatient:
            self._impatient.set()


@contextlib.contextmanager
def trap_signals(stop: StopRequest) -> Iterator[None]:
    """Send stop signals to `stop`; only the main thread may do so, in another one nothing is trapped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A hang-up that nohup made ignored stays ignored.
    numbers = [number for number in TRAPPED if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
