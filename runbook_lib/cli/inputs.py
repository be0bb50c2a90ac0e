"""Files that a command is given, and a way to keep its stdout for the answer."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError, UsageError

__all__ = ["progress_on_stderr", "read_bounded", "read_bytes"]

MAX_BYTES = 150_000_000


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


def read_bounded(path: Path) -> bytes:
    """A whole input file, or stdin for `-`; InputError if it is missing or too large to be judged in bounded memory."""
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            size = path.stat().st_size
            if size > MAX_BYTES:
                raise _too_large(path, size)
            data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", "Name a file that can be read.") from error
    if len(data) > MAX_BYTES:
        raise _too_large(path, len(data))
    return data


def _too_large(path: Path, size: int) -> InputError:
    limit = MAX_BYTES // 1_000_000
    return InputError(
        f"{path} has {size // 1_000_000} MB; at most {limit} MB are read",
        "Split the root module: no one can review that much.",
    )
