"""Where the notebook goes: saved by time, atomically, with its long outputs beside it."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

from ..adapters.store import write_atomic
from ..errors import StoreError
from .record import NotebookRecord

__all__ = ["Destination", "FolderSide", "LocalFile", "Saver", "is_disk_full"]


class Destination(Protocol):
    """Takes the whole notebook."""

    def write(self, data: bytes) -> None:
        """Replace what is there; StoreError if that can't be done."""


class LocalFile:
    """A file on this machine, replaced in one step."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, data: bytes) -> None:
        """Write beside, flush, rename."""
        write_atomic(self.path, data)


class FolderSide:
    """Side files in a folder, their names after `prefix`."""

    def __init__(self, folder: Path, prefix: str = "") -> None:
        self._folder = folder
        self._prefix = prefix

    def open(self, name: str) -> tuple[str, IO[str]] | None:
        """A new file in the folder."""
        name = self._prefix + name
        return name, (self._folder / name).open("w", encoding="utf-8", errors="replace")


class Saver:
    """Saves a record when it has changed, at most every so many seconds."""

    def __init__(self, record: NotebookRecord, destination: Destination | None, every: float) -> None:
        self._record = record
        self._destination = destination
        self._every = every
        self._last = time.monotonic()
        self.written = 0

    def save(self) -> None:
        """Write now; StoreError if the disk refuses."""
        self._last = time.monotonic()
        if self._destination is not None:
            data = self._record.render()
            self._destination.write(data)
            self.written += len(data)
        self._record.changed = False

    async def keep_saving(self, pump: Callable[[], None], refresh: Callable[[], None]) -> None:
        """Save by time until cancelled or until the disk refuses.

        `pump` moves output on, many times a second; `refresh` brings the record up to date before a save.
        """
        while True:
            await asyncio.sleep(min(0.1, self._every))
            pump()
            if time.monotonic() - self._last >= self._every:
                refresh()
                if self._record.changed:
                    self.save()


def is_disk_full(error: BaseException) -> bool:
    """Whether no space, rather than something else, stopped a write."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            return True
        cause = cause.__cause__ or cause.__context__
    return isinstance(error, StoreError)
