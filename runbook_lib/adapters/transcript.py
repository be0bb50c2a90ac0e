"""What a process writes, kept in a file and read line by line as it grows.

A pipe would be the end of the process that writes: once its reader was killed, the next line kills the writer too, and
Terraform would leave half an apply and a locked state behind. A file takes the line, whoever reads it.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import IO

__all__ = ["Transcript"]

POLL_SECONDS = 0.05
CHUNK = 1 << 16


class Transcript:
    """A file without a name, gone when the last process has closed it; `file` is where the process writes."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Transcript:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()

    def text(self) -> str:
        """All that was written so far."""
        return os.pread(self.file.fileno(), os.fstat(self.file.fileno()).st_size, 0).decode("utf-8", "replace")

    @contextmanager
    def followed(self, on_line: Callable[[str], None]) -> Iterator[None]:
        """Give each line as it comes, from another thread, and the rest at the end."""
        ended = threading.Event()
        # A file of its own: an interrupt may end the wait for the reader before the reader has ended.
        own = os.fdopen(os.dup(self.file.fileno()), "rb")
        reader = threading.Thread(target=_follow, args=(own, on_line, ended), daemon=True)
        reader.start()
        try:
            yield
        finally:
            ended.set()
            reader.join()


def _follow(file: IO[bytes], on_line: Callable[[str], None], ended: threading.Event) -> None:
    position, rest = 0, b""
    with file:
        while True:
            last = ended.is_set()
            # The file's own position is the writer's: this reads past it.
            data = os.pread(file.fileno(), CHUNK, position)
            position += len(data)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                on_line(line.decode("utf-8", "replace"))
            if not data and last:
                break
            if not data:
                ended.wait(POLL_SECONDS)
    if rest:
        on_line(rest.decode("utf-8", "replace"))
