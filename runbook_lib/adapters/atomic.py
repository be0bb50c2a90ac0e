"""One file replaced in one step. Apart from the store, since the engine needs it before pydantic is worth its time."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import IO

from ..errors import StoreError

__all__ = ["cannot_write", "replace_file", "write_atomic"]


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file of ours: beside the target, flushed to disk, renamed over it; StoreError if the disk refuses.

    A link, which somebody may have put there, is replaced and not followed; for files that a person names there is
    `named_file.write_output`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data)
    except OSError as error:
        raise cannot_write(path, error) from error


def replace_file(path: Path, data: bytes, prepare: Callable[[int], None] = lambda descriptor: None) -> None:
    """Put a new file in the place of whatever is there; OSError if that can't be done, and nothing is left beside.

    `prepare` gets the new file's descriptor before the rename.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        if not _name_when_whole(temporary, data, prepare):
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            with os.fdopen(descriptor, "wb") as stream:
                _fill(stream, data, prepare)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _fill(stream: IO[bytes], data: bytes, prepare: Callable[[int], None]) -> None:
    stream.write(data)
    stream.flush()
    prepare(stream.fileno())
    os.fsync(stream.fileno())


def _name_when_whole(path: Path, data: bytes, prepare: Callable[[int], None]) -> bool:
    """Write a file that has no name before it is whole: nobody who is killed leaves half of one. Linux has these."""
    if not hasattr(os, "O_TMPFILE"):
        return False
    try:
        descriptor = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o666)
    except OSError:
        # Not every file system has them; where the folder is at fault, the next attempt says so.
        return False
    with os.fdopen(descriptor, "wb") as stream:
        _fill(stream, data, prepare)
        try:
            # A folder's descriptor, which an absolute path does without, makes Python follow the link.
            os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor)
        except OSError:
            return False
    return True


def cannot_write(path: Path, error: OSError) -> StoreError:
    """What is said when the system refuses."""
    return StoreError(f"{path}: can't be written: {error.strerror}", "Check the disk's space and rights.")
