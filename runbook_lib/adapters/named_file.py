"""Files that a person names: written so that each stays what it is, a link, a device, or somebody's with its rights."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

from .atomic import cannot_write, replace_file

__all__ = ["is_stream", "real_folder", "write_output"]

# As much as a system follows.
LINKS = 40
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_output(path: Path, data: bytes) -> None:
    """Write in one step where that leaves everything else as it was, else into the file; StoreError if refused.

    What a link leads to is written, and the link stays. A device, a pipe and an open file (/dev/stdout) take what
    comes. Mode, owner and attributes of a file that is there stay; where a new file could not have them, is not allowed
    beside it, or would leave other names of it behind, the old one is filled anew.
    """
    try:
        if is_stream(path):
            _pour(path, data)
        else:
            _write_file(Path(os.path.realpath(path)) if path.is_symlink() else path, data)
    except OSError as error:
        raise cannot_write(path, error) from error


def is_stream(path: Path) -> bool:
    """Whether what is written there can't be taken back: a device, a pipe, one of our own open files."""
    if _open_file(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def real_folder(path: Path) -> Path:
    """The folder in which the file lies that the path, perhaps by way of links, means."""
    return Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent


def _open_file(path: Path) -> int | None:
    """The number of our own open file that the path means, as /dev/stdout does and /dev/fd/3."""
    folders = {"/dev/fd", os.path.realpath("/proc/self/fd")}
    for _ in range(LINKS):
        folder = os.path.realpath(path.parent)
        if folder in folders and path.name.isdecimal():
            return int(path.name)
        if not path.is_symlink():
            return None
        path = Path(folder, path.readlink())
    return None


def _pour(path: Path, data: bytes) -> None:
    number = _open_file(path)
    if number in {1, 2}:
        # What was printed before comes before.
        (sys.stdout if number == 1 else sys.stderr).flush()
    # An open file is not opened again: that would begin at its start, and of a socket it can't be done.
    descriptor = os.open(path, os.O_WRONLY | os.O_NOCTTY) if number is None else os.dup(number)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)


def _write_file(path: Path, data: bytes) -> None:
    try:
        old = path.stat()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data)
        return
    if not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        # A rename would not ask.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if old.st_nlink == 1:
        try:
            replace_file(path, data, lambda new: _make_alike(new, path, old))
        except OSError as error:
            if error.errno in FULL:
                raise
        else:
            return
    _fill_anew(path, data)


def _make_alike(new: int, path: Path, old: os.stat_result) -> None:
    made = os.fstat(new)
    if (made.st_uid, made.st_gid) != (old.st_uid, old.st_gid):
        os.fchown(new, old.st_uid, old.st_gid)
    theirs, own = _attributes(path), _attributes(new)
    for name in own.keys() - theirs.keys():
        os.removexattr(new, name)
    for name, value in theirs.items() - own.items():
        os.setxattr(new, name, value)
    # Last, as a change of owner takes some of it away.
    os.fchmod(new, stat.S_IMODE(old.st_mode))


def _attributes(file: Path | int) -> dict[str, bytes]:
    """Extended attributes, lists of who may what among them; empty where a system or a file system has none."""
    if not hasattr(os, "listxattr"):
        return {}
    try:
        return {name: os.getxattr(file, name) for name in os.listxattr(file)}
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return {}
        raise


def _fill_anew(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        size = os.fstat(descriptor).st_size
        try:
            # First the room: what is there is touched only if the rest is sure to fit.
            _write_at(descriptor, size, bytes(max(0, len(data) - size)))
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        _write_at(descriptor, 0, data)
        os.ftruncate(descriptor, len(data))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_at(descriptor: int, place: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, place)
        rest, place = rest[written:], place + written
