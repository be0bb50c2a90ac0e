"""Where plain papermill's notebook goes: to a file, once to a device or a pipe, or by papermill to an address."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..adapters.named_file import is_stream, write_output
from .options import EngineOptions
from .outputs import SideFiles
from .saving import Destination, FolderSide, NamedFile

__all__ = ["PapermillDestination", "PapermillSaves", "side_files"]


class PapermillDestination:
    """Writes through papermill's handlers, so that every address that it knows works.

    What can't be taken back is written once, when all is over: by papermill, which writes after the engine, or where it
    will not by `deliver`.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        local = _is_local(path)
        self._once = path == "-" or (local and is_stream(_place(path)))
        self._file = NamedFile(_place(path)) if local and not self._once else None
        self._kept: bytes | None = None
        self._handler = _Handler(path) if local else None

    def open(self) -> None:
        """Get ready."""
        if self._file:
            self._file.open()

    def close(self) -> None:
        """Give back what was taken."""
        if self._file:
            self._file.close()

    def write(self, data: bytes) -> None:
        """Replace what is there."""
        if self._once:
            self._kept = data
        elif self._file:
            self._file.write(data)
        else:
            _send(data, self._path)

    def deliver(self) -> None:
        """The execution has ended in a way after which papermill writes nothing more."""
        if self._kept is not None:
            _send(self._kept, self._path)
        if self._handler:
            self._handler.withdraw()


class PapermillSaves:
    """Saves by papermill's own function, for whoever asks for its `autosave_cell_every`; what is written is ours."""

    def __init__(self, destination: Destination, path: str) -> None:
        self._destination, self._path = destination, path
        self.open, self.close = destination.open, destination.close

    @classmethod
    def asked_for(cls, limits: EngineOptions, destination: Destination | None, path: str | None) -> Destination | None:
        """The destination, or this before it; an address is written to by papermill in any case."""
        if destination is None or path is None or "://" in path or limits.autosave is None:
            return destination
        return cls(destination, path)

    def write(self, data: bytes) -> None:
        """Have it written."""
        import nbformat
        from papermill import engines
        from papermill.iorw import papermill_io

        papermill_io.register(self._path, _Through(self._destination.write))
        entry = papermill_io._handlers[0]
        try:
            engines.write_ipynb(nbformat.reads(data.decode(), as_version=nbformat.NO_CONVERT), self._path)
        finally:
            papermill_io._handlers.remove(entry)  # it has no other way to take one back


class _Through:
    """papermill's handler for the moment of one write."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def write(self, buf: str, path: str) -> None:
        """Pass it on."""
        self._write(buf.encode("utf-8", "replace"))


def _send(data: bytes, path: str) -> None:
    from papermill.iorw import papermill_io

    papermill_io.write(data.decode(), path)


class _Handler:
    """papermill's handler for one local path, until it has written there: it too leaves what is there what it is."""

    def __init__(self, path: str) -> None:
        from papermill.iorw import papermill_io

        self._registered = papermill_io._handlers
        # The first one that is found counts.
        papermill_io.register(path, self)
        self._entry = self._registered[0]

    def withdraw(self) -> None:
        """Leave the path to papermill's own."""
        if self._entry in self._registered:
            self._registered.remove(self._entry)

    def read(self, path: str) -> str:
        """The file's text."""
        return _place(path).read_text(encoding="utf-8")

    def listdir(self, path: str) -> list[str]:
        """The names in a folder."""
        return [str(child) for child in _place(path).iterdir()]

    def write(self, buf: str, path: str) -> None:
        """Write once, unless the engine has written the same, and be gone."""
        place, data = _place(path), buf.encode("utf-8", "replace")
        try:
            if not _holds(place, data):
                write_output(place, data)
        finally:
            self.withdraw()

    def pretty_path(self, path: str) -> str:
        """The path."""
        return path


def _holds(place: Path, data: bytes) -> bool:
    # papermill leaves the newline at the end out.
    try:
        return place.is_file() and place.stat().st_size == len(data) + 1 and place.read_bytes() == data + b"\n"
    except OSError:
        return False


def side_files(path: str | None) -> SideFiles | None:
    """Where long outputs go: beside a local notebook; nowhere if it goes to an address, a device or a pipe."""
    if not path or not _is_local(path) or is_stream(_place(path)):
        return None
    # Beside the notebook itself, wherever a link to it lies.
    target = Path(os.path.realpath(_place(path)))
    return FolderSide(target.parent, f"{target.stem}-", target.name)


def _is_local(path: str) -> bool:
    return "://" not in path and path != "-"


def _place(path: str) -> Path:
    # papermill means paths from where it was called; with --cwd the notebook is executed in another folder.
    from papermill.iorw import papermill_io

    local = papermill_io.get_handler("local")
    # It tells the folder only in return for another one.
    called = local.cwd(None)
    local.cwd(called)
    return Path(called or Path.cwd(), path)
