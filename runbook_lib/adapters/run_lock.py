"""Who carries a run out: one process at a time, which alone tells what becomes of its steps."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from ..errors import UsageError

__all__ = ["carries_out", "is_carried_out"]


@contextlib.contextmanager
def carries_out(outputs: Path, run_id: str) -> Iterator[None]:
    """Carry this run out, alone; UsageError if another process does. The lock ends with the process that holds it."""
    path = _path(outputs, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path, run_id) as file:
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now(UTC).isoformat()}
        file.truncate(0)
        file.write(json.dumps(holder))
        file.flush()
        try:
            yield
        finally:
            # While it is held still: whoever gets this very file finds that it is gone, and makes another one.
            path.unlink(missing_ok=True)


def is_carried_out(outputs: Path, run_id: str) -> bool:
    """Whether some process carries this run out now."""
    try:
        with _path(outputs, run_id).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _locked(path: Path, run_id: str) -> IO[str]:
    while True:
        file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise UsageError(
                f"run {run_id} is being carried out{_holder(path)}", "Wait for its end, or name another run."
            ) from error
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                return file
        # Who held it took it away between our opening it and its end: it is nobody's lock any more.
        file.close()


def _path(outputs: Path, run_id: str) -> Path:
    # Beside the run folder: what is in there is evidence.
    return outputs / f".{run_id}.lock"


def _holder(path: Path) -> str:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return f" by process {held['pid']} of {held['host']} since {str(held['since'])[:19].replace('T', ' ')} UTC"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
