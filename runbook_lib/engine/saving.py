"""Where the notebook goes: saved by time, atomically, with its long outputs beside it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

from ..adapters.atomic import write_atomic
from ..adapters.named_file import real_folder, write_output
from ..errors import StoreError
from .record import NotebookRecord

__all__ = ["Destination", "FolderSide", "LocalFile", "NamedFile", "Saver"]


# A notebook without long outputs fits into it. It is written, since macOS has no posix_fallocate.
RESERVE = 262_144
CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}


class Destination(Protocol):
    """Takes the whole notebook."""

    def open(self) -> None:
        """Get ready; StoreError if nothing can be written there."""

    def write(self, data: bytes) -> None:
        """Replace what is there; StoreError if that can't be done."""

    def close(self) -> None:
        """Give back what `open` took; what is written stays."""


class LocalFile:
    """A file of ours, replaced in one step; some room is kept free for the day when the disk is full."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reserve: IO[bytes] | None = None

    def open(self) -> None:
        """Take the reserve."""
        self.reserve(self.path.parent)

    def reserve(self, folder: Path) -> None:
        """Keep some room in the folder; StoreError if there is none, or if nothing can be written there."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # It has no name, so that whoever is killed leaves none.
            self._reserve = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  it is kept open, and that is its use
            self._reserve.write(bytes(RESERVE))
            self._reserve.flush()
        except OSError as error:
            self.close()
            raise StoreError(f"{folder}: {error.strerror}", "Make room on the disk, or look at its rights.") from error

    def write(self, data: bytes) -> None:
        """Write beside, flush, rename."""
        write_atomic(self.path, data)

    def close(self) -> None:
        """Free the reserve."""
        if self._reserve is not None:
            with contextlib.suppress(OSError):
                self._reserve.close()
            self._reserve = None


class NamedFile(LocalFile):
    """A file that a person names: it stays what it is, and in its folder there may be no place for a reserve."""

    def open(self) -> None:
        """Take the reserve, if that may be."""
        try:
            self.reserve(real_folder(self.path))
        except StoreError:
            if not self.path.is_file():
                raise

    def write(self, data: bytes) -> None:
        """Write what the path leads to."""
        write_output(self.path, data)


class FolderSide:
    """Side files in a folder, their names after `prefix`."""

    def __init__(self, folder: Path, prefix: str = "") -> None:
        self._folder = folder
        self._prefix = prefix

    def open(self, name: str) -> tuple[str, IO[str]] | None:
        """A new file in the folder; None if that takes no new ones."""
        name = self._prefix + name
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return name, (self._folder / name).open("w", encoding="utf-8", errors="replace")
        except OSError as error:
            if error.errno in CLOSED:
                return None
            raise


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

    def open(self) -> None:
        """Make sure that there is a place to save to; StoreError if not."""
        if self._destination is not None:
            self._destination.open()

    def close(self) -> None:
        """Nothing more is saved."""
        if self._destination is not None:
            self._destination.close()

    def save_at_any_price(self) -> None:
        """The disk is full: free the reserve, save without long outputs. If that fails too, the last save stays."""
        self.close()
        self._record.shrink()
        with contextlib.suppress(StoreError):
            self.save()

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
