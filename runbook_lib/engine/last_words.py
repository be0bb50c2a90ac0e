"""What a kernel has flushed, kept where its death does not reach: messages that it could not send any more are lost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["FORM", "STREAMS", "LastWords"]

# Bytes before a stream's text, and the characters of it that are kept: the last ones, in a ring.
HEADER: Final = 512
ROOM: Final = 131_072
WIDTH: Final = 4
STREAMS: Final = ("stdout", "stderr")
# What the kernel has to know.
FORM: Final = (HEADER, ROOM, WIDTH)


class LastWords:
    """A file that a kernel has in its memory and the engine reads; OSError if there is no room for it.

    For each stream it says how many characters the present cell has written, and holds the last ones, four bytes each.
    Nothing in it is masked: it has a name no longer than the kernel needs to open it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "words"
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        # All of it at once: a process that writes to memory for which the disk has no room is killed.
        _reserve(self._file, len(STREAMS) * (HEADER + WIDTH * ROOM))

    def hide(self) -> None:
        """The kernel has opened it: nobody else shall."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Nobody needs it any more."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def after(self, stream: str, request: str, heard: int) -> str:
        """What a cell wrote behind the characters that were heard."""
        begin = STREAMS.index(stream) * (HEADER + WIDTH * ROOM)
        written, _, cell = self._read(begin, HEADER).partition(b"\n")[0].decode("ascii", "replace").partition(" ")
        if cell != request or not written.isdigit():
            return ""
        missing = int(written) - heard
        kept = min(missing, ROOM)
        if kept <= 0:
            return ""
        at, text = (int(written) - kept) % ROOM, begin + HEADER
        before_end = min(kept, ROOM - at)
        ring = self._read(text + WIDTH * at, WIDTH * before_end) + self._read(text, WIDTH * (kept - before_end))
        lost = f"\n[… {missing - kept:,} characters were lost with the kernel …]\n" if missing > kept else ""
        return lost + ring.decode("utf-32-le", "replace")

    def _read(self, at: int, size: int) -> bytes:
        return os.pread(self._file, size, at)


def _reserve(file: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:  # macOS
        os.pwrite(file, bytes(size), 0)
