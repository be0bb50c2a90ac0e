"""Files that a command is given, and a way to keep its stdout for the answer."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import UsageError

__all__ = ["progress_on_stderr", "read_bytes"]


def read_bytes(path: Path) -> bytes:
    """The file's content, or stdin's for `-`."""
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}", "Name a file that exists.") from error


@contextlib.contextmanager
def progress_on_stderr() -> Iterator[None]:
    """What steps print for a notebook's reader is progress here, and stdout carries the answer alone."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
