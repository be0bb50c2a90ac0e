"""A run folder as whoever may have made it: what lies in it, and values of it that any table and any page take."""

from __future__ import annotations

import hashlib
import marshal
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from ..adapters.store import RUN_ID
from ..errors import RunbookError

__all__ = ["LARGEST_READ", "NOT_READ", "Cleaner", "Held", "known_as", "look"]

# What a folder that somebody made can do to a reader, beside our own errors.
NOT_READ: Final = (RunbookError, OSError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError)
LARGEST_READ: Final = 64_000_000
_LONGEST: Final = 500
_MOST_FILES, _MOST_BYTES = 20_000, 4_000_000_000
_LARGEST_NUMBER: Final = 2**63 - 1
_FIRST_YEAR: Final = 2015
_AHEAD: Final = timedelta(days=1)


@dataclass(frozen=True)
class Held:
    """What lies in a folder: the size of each plain file, what else there is, and a stamp of all of it."""

    files: dict[str, int] = field(default_factory=dict)
    odd: tuple[str, ...] = ()
    stamp: str = ""
    too_much: str = ""


def known_as(name: str) -> str:
    """The name of a folder in the index: its own if it can be a run's id, else one that any reader takes."""
    return name if RUN_ID.fullmatch(name) else ascii(name)


def look(folder: Path) -> Held:
    """See what is there without reading it; links are not followed. Any write changes the stamp."""
    files: dict[str, int] = {}
    odd: list[str] = []
    marks: list[tuple[str, int, int, int]] = []
    # Asked of thousands of folders whenever a list is wanted: a folder within is not asked for its state, and a path
    # is put together once.
    waiting, base = [""], f"{folder}/"
    while waiting:
        above = waiting.pop()
        with os.scandir(base + above) as entries:
            for entry in entries:
                name = above + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{name}/")
                    continue
                found = entry.stat(follow_symlinks=False)
                if entry.is_file(follow_symlinks=False):
                    files[name] = found.st_size
                else:
                    odd.append(name)
                # Whoever writes can set every time of a file but this one.
                marks.append((name, found.st_size, found.st_ctime_ns, found.st_ino))
                if len(marks) > _MOST_FILES:
                    return Held(files, tuple(odd), _stamp(marks), f"more than {_MOST_FILES:,} files lie in it")
    size = sum(files.values())
    too_much = f"{size / 1e9:.1f} GB lie in it" if size > _MOST_BYTES else ""
    return Held(files, tuple(sorted(odd)), _stamp(marks), too_much)


def _stamp(marks: list[tuple[str, int, int, int]]) -> str:
    marks.sort()
    # Form 2 is the same for the same values on every Python.
    told = marshal.dumps(marks, 2)
    return f"{len(marks)}-{hashlib.blake2b(told, digest_size=12).hexdigest()}"


class Cleaner:
    """Texts, numbers and times of a folder as they can be kept; what can't be true becomes a problem."""

    def __init__(self, folder: Path, held: Held, now: datetime) -> None:
        self.folder = folder
        self.held = held
        self.latest = now + _AHEAD
        self.problems: list[str] = []

    def refused(self) -> str:
        """Why nothing of it is read; empty if it is."""
        if not RUN_ID.fullmatch(self.folder.name):
            return "its name is no run's id"
        if self.held.too_much:
            return f"{self.held.too_much}: it was not read"
        return ""

    def said(self) -> str:
        """What is wrong with the folder, a line each."""
        return "\n".join(dict.fromkeys(self.text(problem) for problem in self.problems[:20]))

    def text(self, value: object, longest: int = _LONGEST) -> str:
        """A text that any file and any reader takes: short, one line, no half characters."""
        if value is None:
            return ""
        given = str(value)[: longest + 1].encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
        one_line = " ".join(given.split())
        return one_line if len(one_line) <= longest else f"{one_line[: longest - 1]}…"

    def number(self, value: object) -> int | None:
        """A whole number that a table can hold."""
        return value if isinstance(value, int) and abs(value) <= _LARGEST_NUMBER else None

    def seconds(self, value: object) -> float | None:
        """A duration."""
        return float(value) if isinstance(value, int | float) and 0 <= value < 1e9 else None

    def at(self, moment: datetime | None, what: str) -> str:
        """A time, if it can be true."""
        if moment is None:
            return ""
        if moment.tzinfo is None or moment.year < _FIRST_YEAR or moment > self.latest:
            self.problems.append(f"{what} is {moment.isoformat()}, which can't be true")
            return ""
        return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
