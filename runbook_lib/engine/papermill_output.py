"""papermill's output path: written atomically, by us and by papermill itself after us."""

from __future__ import annotations

from pathlib import Path

from ..adapters.atomic import write_atomic
from .saving import FolderSide, LocalFile
from .streams import SideFiles

__all__ = ["PapermillDestination", "side_files"]


class PapermillDestination:
    """Writes through papermill's handlers, so that every address that it knows works."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = "://" not in path and path != "-"
        self._file = LocalFile(_place(path))
        if self._local:
            from papermill.iorw import papermill_io

            # papermill itself writes once more after the engine: in one step as well, if this handler is found first.
            papermill_io.register(path, AtomicHandler())

    def open(self) -> None:
        """Get ready."""
        if self._local:
            self._file.open()

    def close(self) -> None:
        """Give back what was taken."""
        if self._local:
            self._file.close()

    def write(self, data: bytes) -> None:
        """Replace what is there."""
        if self._local:
            self._file.write(data)
            return
        from papermill.iorw import papermill_io

        papermill_io.write(data.decode(), self._path)


class AtomicHandler:
    """papermill's handler for one local path."""

    def read(self, path: str) -> str:
        """The file's text."""
        return Path(path).read_text(encoding="utf-8")

    def listdir(self, path: str) -> list[str]:
        """The names in a folder."""
        return [str(child) for child in Path(path).iterdir()]

    def write(self, buf: str, path: str) -> None:
        """Replace the file in one step."""
        write_atomic(Path(path), buf.encode("utf-8", "replace"))

    def pretty_path(self, path: str) -> str:
        """The path."""
        return path


def side_files(path: str | None) -> SideFiles | None:
    """Where long outputs go: beside a local notebook; nowhere if it goes to an address or a pipe."""
    if not path or path == "-" or "://" in path:
        return None
    target = _place(path)
    return FolderSide(target.parent, f"{target.stem}-")


def _place(path: str) -> Path:
    # papermill means paths from where it was called; with --cwd the notebook is executed in another folder.
    from papermill.iorw import papermill_io

    called = getattr(papermill_io.get_handler("local"), "_cwd", None)
    return Path(called or Path.cwd(), path).resolve()
