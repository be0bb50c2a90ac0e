"""Where the notebook goes: saved by time, atomically, with its long outputs beside it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from ..adapters.atomic import write_atomic
from ..adapters.named_file import real_folder, write_output
from ..errors import StoreError
from .outputs import told
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
    """Side files in a folder, their names after `prefix`, for the notebook of that name."""

    def __init__(self, folder: Path, prefix: str = "", notebook: str = "notebook.ipynb") -> None:
        self._folder = folder
        self._prefix = prefix
        self._notebook = folder / notebook
        self._name = re.compile(rf"{re.escape(prefix)}output-\d{{3,}}-(?:stdout|stderr|data|outputs)(?:-\d+)?\.[a-z]+")
        self._opened: set[str] = set()

    def open(self, name: str) -> tuple[str, IO[str]] | None:
        """A new file in the folder; None if that takes no new ones."""
        name = self._prefix + name
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = (self._folder / name).open("w", encoding="utf-8", errors="replace")
        except OSError as error:
            if error.errno in CLOSED:
                return None
            raise
        self._opened.add(name)
        return name, file

    def refer(self, text: str) -> set[str]:
        """The names of such files that a text tells."""
        return set(self._name.findall(text))

    def remove(self, names: Iterable[str]) -> None:
        """Remove those of them that were opened here."""
        for name in self._opened.intersection(names):
            self._opened.discard(name)
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()

    def adopt_earlier(self) -> None:
        """Count as our own what the last execution has left, as its notebook says: `settle` removes it."""
        if not any(map(self._name.fullmatch, _names(self._folder))):
            return
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            nb = json.loads(self._notebook.read_text(encoding="utf-8"))
            self._opened |= self.refer(told([output for cell in nb["cells"] for output in cell.get("outputs", ())]))

    def settle(self, outputs: Sequence[Mapping[str, Any]]) -> None:
        """Remove what these, all outputs that are left, do not name."""
        if self._opened:
            self.remove(self._opened - self.refer(told(outputs)))


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  names alone: the folder may hold many
    except OSError:
        return []


class Saver:
    """Saves a record when it has changed, at most every so many seconds.

    `within` is how often to save while a cell runs, counted from its start; 0 is never, None is `every`.
    """

    def __init__(
        self, record: NotebookRecord, destination: Destination | None, every: float, within: float | None = None
    ) -> None:
        self._record = record
        self._destination = destination
        self._every = every
        self._within = within
        self._last = time.monotonic()
        self._cell_began = 0.0
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

    def cell_started(self) -> None:
        """A cell begins, and with it the time within it; StoreError if the disk refuses."""
        now = time.monotonic()
        # Before the first one nothing has happened that would be worth it.
        if self._within is not None and self._cell_began and now - self._last >= self._every:
            self.save()
        self._cell_began = now

    def _due(self) -> bool:
        now = time.monotonic()
        if self._within is None:
            return now - self._last >= self._every
        return self._within > 0 and now - max(self._last, self._cell_began) >= self._within

    def close(self) -> None:
        """Nothing more is saved."""
        if self._destination is not None:
            self._destination.close()

    def save_at_any_price(self) -> bool:
        """The disk is full: free the reserve, save without long outputs. If that fails too, the last save stays."""
        self.close()
        self._record.shrink()
        try:
            self.save()
        except StoreError:
            return False
        return True

    async def keep_saving(self, pump: Callable[[], None], refresh: Callable[[], None]) -> None:
        """Save by time until cancelled or until the disk refuses.

        `pump` moves output on, many times a second; `refresh` brings the record up to date before a save.
        """
        while True:
            await asyncio.sleep(min(0.1, self._every))
            pump()
            if self._due():
                refresh()
                if self._record.changed:
                    self.save()
