"""The index of all run folders, made from them and renewed where one changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from ..adapters.history_file import HISTORY_FILE, HistoryFile
from ..errors import InputError
from ..models.history import EvidenceVerdict, RunRow, RunRows
from ..settings import Settings
from .evidence import Expected
from .fetched_reviews import review_states
from .history_rows import read_rows
from .history_values import Held, known_as, look

__all__ = ["FETCHED", "Renewed", "open_history", "renew_history"]

Found = dict[str, tuple[Path, Held]]
# What came from GitLab lies in a folder of its own, with an index of its own.
FETCHED: Final = "fetched"
_NO_FOLDER: Final = "no folder"
_MANY, _CHUNK, _MOST_WORKERS = 200, 20, 4


@dataclass(frozen=True)
class Renewed:
    """The index as it is now: how many folders there are, how many were read, and how many are no longer there."""

    path: Path
    runs: int
    read: int
    gone: int

    @property
    def changed(self) -> bool:
        """Whether it says anything else than before."""
        return bool(self.read or self.gone)


def open_history(outputs: str = "") -> HistoryFile:
    """The index of the repository's run folders, or of those in another folder, as they are now."""
    settings = Settings.load()
    return HistoryFile.read(renew_history(Path(outputs) if outputs else settings.outputs, settings).path)


def renew_history(
    outputs: Path, settings: Settings | None = None, key: Path | None = None, *, rebuild: bool = False
) -> Renewed:
    """Read the folders that changed since the index was made, and take out those that are gone.

    Seals are held to `key`, else to the key that runbook.yml pins. `rebuild` reads all of them.
    """
    if not outputs.is_dir():
        raise InputError(f"there is no folder {outputs}", "Name the folder that holds the run folders, with --outputs.")
    expected = Expected.of(key, settings)
    held_by = expected.id
    path = outputs / HISTORY_FILE
    with HistoryFile.alone(path):
        file, _ = HistoryFile.write(path, held_by, anew=rebuild)
        with file:
            there, known = dict(_folders(outputs)), file.stamps()
            gone = set(known) - set(there)
            changed = {name: held for name, held in there.items() if known.get(name) != held[1].stamp}
            read = file.renew(gone, _read(changed, expected, held_by))
            file.say_reviews(review_states(outputs, file.rows(RunRow, "alone <> ''")))
    return Renewed(path, len(there), read, len(gone))


def _folders(outputs: Path) -> Iterator[tuple[str, tuple[Path, Held]]]:
    """Everything that may be a run folder, by the name under which it is kept."""
    with os.scandir(outputs) as entries:
        for entry in entries:
            # What begins with a dot is ours and no run's; plain files are the index, its page, a note.
            if entry.name.startswith(".") or entry.name == FETCHED or entry.is_file(follow_symlinks=False):
                continue
            path = outputs / entry.name
            name = known_as(entry.name)
            if not entry.is_dir(follow_symlinks=False):
                yield name, (path, Held(stamp=_NO_FOLDER))
                continue
            try:
                yield name, (path, look(path))
            except OSError as error:
                yield (
                    name,
                    (path, Held(stamp=f"unreadable {error.errno}", too_much=f"it can't be read: {error.strerror}")),
                )


def _read(changed: Found, expected: Expected, key: str) -> Iterator[RunRows]:
    asked = [(path, held, expected, key) for _, (path, held) in sorted(changed.items())]
    workers = min(os.cpu_count() or 1, _MOST_WORKERS)
    if len(asked) < _MANY or workers == 1:
        yield from map(_read_one, asked)
        return
    # Most of the time goes into checking signatures and reading JSON: one process can't do two of these at once.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_read_one, asked, chunksize=_CHUNK)


def _read_one(asked: tuple[Path, Held, Expected, str]) -> RunRows:
    path, held, expected, key = asked
    if held.stamp == _NO_FOLDER:
        verdict = EvidenceVerdict.UNREADABLE.value
        why = "it is no folder, but a link or a device"
        return RunRows(RunRow(known_as(path.name), verdict, why, key=key, stamp=held.stamp))
    return read_rows(path, held, expected, key)
