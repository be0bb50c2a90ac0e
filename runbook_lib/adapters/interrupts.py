"""Interrupts kept back while a child process works: it hears of the first, and we of it when the child has ended."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

__all__ = ["ForwardedInterrupt"]

KEPT_BACK = (signal.SIGINT, signal.SIGTERM)


class ForwardedInterrupt:
    """Between entering and leaving, a SIGINT or SIGTERM gives `process` exactly one SIGINT, however many come.

    What the signal means to this process happens on leaving. Signals reach the main thread only; elsewhere there is
    nothing to keep back.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._before: dict[int, Callable[[int, FrameType | None], object]] = {}
        self._seen: tuple[int, FrameType | None] | None = None
        self._told = False

    def watch(self, process: subprocess.Popen[bytes]) -> None:
        """Name the process; it is told at once if an interrupt came while it was being started."""
        self._process = process
        self._tell()

    def __enter__(self) -> ForwardedInterrupt:
        if threading.current_thread() is threading.main_thread():
            for number in KEPT_BACK:
                handler = signal.getsignal(number)
                # Ignored signals stay ignored, and what would end this process outright still does.
                if callable(handler):
                    self._before[number] = handler
                    signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._seen is not None:
            self._before[self._seen[0]](*self._seen)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._seen = self._seen or (number, frame)
        self._tell()

    def _tell(self) -> None:
        if self._seen and self._process and not self._told:
            self._told = True
            self._process.send_signal(signal.SIGINT)
