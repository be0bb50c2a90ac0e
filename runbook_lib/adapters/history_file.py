"""The index of run folders: a SQLite file beside them, made from them and never the truth itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..errors import ConfigError, InputError, StoreError
from ..models.history import TABLES, RunRows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HISTORY_FILE", "HistoryFile"]

HISTORY_FILE: Final = "history.sqlite"
RowT = TypeVar("RowT")
# Raised whenever a table, or what is read into one, changes: a file of another number is made anew.
_SCHEMA: Final = 3
_WAIT: Final = 30.0  # seconds for another process that is writing
_TYPES: Final = {"int": "INTEGER", "float": "REAL", "str": "TEXT"}
_MADE_FOR: Final = "made_for"
_REMEDY: Final = "Check the disk's space and rights."


class HistoryFile:
    """The tables of `models.history`, by way of one connection. Use it as a context manager."""

    def __init__(self, path: Path, connection: sqlite3.Connection, fresh: Path | None = None) -> None:
        self.path = path
        self._connection = connection
        self._fresh = fresh  # where it lies until it is filled

    @classmethod
    def read(cls, path: Path) -> HistoryFile:
        """Open it to be asked; InputError if there is none, or it is none of ours."""
        try:
            if path.is_symlink() or not path.is_file():
                raise InputError(f"there is no {path}", "Make it with `runbook history`.")
            opened = cls(path, _connect(path, "ro"))
            if not opened._is_ours():
                raise sqlite3.DatabaseError("made by another version")
        except sqlite3.Error as error:
            raise InputError(f"{path} can't be read: {error}", "Make it anew: runbook history --rebuild") from error
        return opened

    @classmethod
    @contextlib.contextmanager
    def alone(cls, path: Path) -> Iterator[None]:
        """Wait until no other process renews it, and be the only one for as long as this lasts."""
        try:
            number = os.open(path.with_name(f".{path.name}.lock"), os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise StoreError(f"{path}: can't be written: {error}", _REMEDY) from error
        with os.fdopen(number) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @classmethod
    def write(cls, path: Path, made_for: str, *, anew: bool = False) -> tuple[HistoryFile, bool]:
        """Open it to be renewed, and say whether it is new: there was none, or one for something else, or `anew`.

        `made_for` names what its verdicts depend on besides the folders. A new one takes the old one's place when it
        is filled: whoever asks meanwhile is answered by the old one. Be `alone` with it.
        """
        with contextlib.suppress(sqlite3.Error, InputError):
            if path.is_file() and not path.is_symlink() and not anew:
                opened = cls(path, _connect(path, "rw"))
                if opened._is_ours() and opened._meta(_MADE_FOR) == made_for:
                    return opened, False
                opened.close()
        return cls._anew(path, made_for), True

    @classmethod
    def _anew(cls, path: Path, made_for: str) -> HistoryFile:
        fresh = path.with_name(f".{path.name}.new")
        try:
            if path.is_symlink():
                path.unlink()  # somebody put it there: it is not followed
            # What a process that was killed left of one.
            for name in (fresh, *_journals(fresh)):
                name.unlink(missing_ok=True)
            opened = cls(path, _connect(fresh, "rwc"), fresh)
            opened._make(made_for)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{path}: can't be written: {error}", _REMEDY) from error
        return opened

    def __enter__(self) -> HistoryFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._connection.close()
        if kind is None:
            self._put_in_place()
        self.close()

    def close(self) -> None:
        """Let go of the file; of a new one that was not filled to its end nothing is left."""
        self._connection.close()
        if self._fresh is not None:
            self._fresh.unlink(missing_ok=True)

    def stamps(self) -> dict[str, str]:
        """The state of each folder as it was read."""
        with self._asked():
            return dict(self._connection.execute("SELECT run_id, stamp FROM runs"))

    def renew(self, gone: Iterable[str], found: Iterable[RunRows]) -> int:
        """Take out these runs and put in what was found, all of it or nothing; how many were put in."""
        count = 0
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                for run_id in gone:
                    self._remove(run_id)
                for rows in found:
                    self._remove(rows.run.run_id)
                    self._put(rows)
                    count += 1
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: can't be written: {error}", "Try again, or with --rebuild.") from error
        return count

    def _put_in_place(self) -> None:
        if self._fresh is None:
            return
        try:
            # The journal of a process that died would be taken for the new file's.
            for name in _journals(self.path):
                name.unlink(missing_ok=True)
            self._fresh.replace(self.path)
        except OSError as error:
            raise StoreError(f"{self.path}: can't be written: {error.strerror}", _REMEDY) from error
        self._fresh = None

    def say_reviews(self, states: Mapping[str, str]) -> None:
        """Write down the state of each run's review; what it is already is not written again."""
        try:
            for run_id, state in states.items():
                self._connection.execute(
                    "UPDATE runs SET review = ? WHERE run_id = ? AND review <> ?", (state, run_id, state)
                )
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: can't be written: {error}", "Try again, or with --rebuild.") from error

    def rows(self, kind: type[RowT], where: str = "", values: Sequence[Any] = ()) -> Iterator[RowT]:
        """The rows of a table that keep to a condition; `where` is SQL of ours, and `values` stand for its `?`."""
        table = next(name for name, row in TABLES.items() if row is kind)
        names = ", ".join(f'"{one.name}"' for one in fields(kind))  # type: ignore[arg-type]
        condition = f" WHERE {where}" if where else ""
        with self._asked():
            for row in self._connection.execute(f"SELECT {names} FROM {table}{condition}", values):  # noqa: S608
                yield kind(*row)

    def frame(self, query: str, **values: Any) -> pd.DataFrame:
        """The answer to a query as a DataFrame; `values` stand for its `:names`, and nothing can be changed by it."""
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise ConfigError(
                "a table becomes a DataFrame by pandas, which only the extra 'desk' brings",
                "Install it: pip install 'runbook-toolkit[desk]'.",
            ) from error
        with self._asked():
            return pd.read_sql_query(query, self._connection, params=values)

    @contextlib.contextmanager
    def _asked(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise InputError(f"{self.path} can't answer: {error}", "Make it anew: runbook history --rebuild") from error

    def _is_ours(self) -> bool:
        wanted = {f"{table}.{one.name}" for table, row in TABLES.items() for one in fields(row)}
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        found = {
            f"{table}.{column[1]}"
            for table in TABLES
            for column in self._connection.execute(f"PRAGMA table_info({table})")
        }
        # What is no table of ours, a view or a trigger, would act when ours are asked.
        odd = self._connection.execute(
            "SELECT count(*) FROM sqlite_master WHERE type IN ('view', 'trigger')"
        ).fetchone()
        return version == _SCHEMA and found == wanted and odd[0] == 0

    def _meta(self, name: str) -> str:
        found = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else ""

    def _make(self, made_for: str) -> None:
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
            for table, row in TABLES.items():
                columns = ", ".join(_column(table, one.name, str(one.type)) for one in fields(row))
                self._connection.execute(f"CREATE TABLE {table} ({columns})")
                if table != "runs":
                    self._connection.execute(f"CREATE INDEX {table}_run ON {table} (run_id)")
            self._connection.execute("INSERT INTO meta VALUES (?, ?)", (_MADE_FOR, made_for))
            self._connection.execute(f"PRAGMA user_version = {_SCHEMA}")

    def _remove(self, run_id: str) -> None:
        for table in TABLES:
            self._connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))  # noqa: S608

    def _put(self, rows: RunRows) -> None:
        for table, row in TABLES.items():
            held = (rows.run,) if table == "runs" else getattr(rows, table)
            names = [one.name for one in fields(row)]
            marks = ", ".join("?" * len(names))
            # Not by astuple, which copies every text.
            values = map(attrgetter(*names), held)
            self._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608


def _journals(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(f"{path.name}{end}") for end in ("-journal", "-wal", "-shm"))


def _column(table: str, name: str, kind: str) -> str:
    if (table, name) == ("runs", "run_id"):
        return '"run_id" TEXT PRIMARY KEY'
    needed = "" if "None" in kind else " NOT NULL"
    return f'"{name}" {_TYPES[kind.partition(" ")[0]]}{needed}'


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # Written out as an address, so that a `?` or `#` in a folder's name stays a part of the name.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_WAIT, isolation_level=None
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection
