"""A folder out of a zip that anybody may have made: plain files below it, and nothing anywhere else."""

from __future__ import annotations

import errno
import lzma
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from ..errors import InputError, StoreError

__all__ = ["check_name", "open_zip", "unpack"]

_MOST_FILES, _MOST_BYTES = 20_000, 4_000_000_000
_LONGEST_NAME, _LONGEST_PATH = 255, 1_000  # bytes
_REMEDY = "Look at it by hand, and don't open what is in it."
# What zipfile and what it unpacks with make of bytes that are no zip, or of one that they can't read.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError, RuntimeError, EOFError,
    ValueError, OverflowError,
)  # fmt: skip


@contextmanager
def open_zip(archive: IO[bytes] | Path) -> Iterator[zipfile.ZipFile]:
    """A zip, as long as this lasts; InputError for whatever is wrong with it, whenever it is met."""
    try:
        with zipfile.ZipFile(archive) as opened:
            yield opened
    except _BROKEN as error:
        raise InputError(f"it is no zip, or a broken one: {error}", "Fetch it again.") from error
    except OSError as error:
        # The system's own errors have a number; that of bzip2 for bytes that are none of its has not. A place before
        # the beginning, which only a broken zip names, is an invalid argument.
        if error.errno not in {None, errno.EINVAL}:
            raise
        raise InputError(f"it is no zip, or a broken one: {error}", "Fetch it again.") from error


def unpack(archive: IO[bytes] | Path, below: str, folder: Path) -> int:
    """Write the files that lie below a folder of the zip into a new folder; how many there were.

    InputError for links, for names that lead elsewhere, for a file twice, and for more than anybody's run holds;
    StoreError if there is no room for them.
    """
    try:
        with open_zip(archive) as opened:
            wanted = _wanted(opened, below)
            for name, entry in wanted.items():
                with opened.open(entry) as source, _created(folder / name) as stream:
                    # Not more than the entry says it has: zipfile itself reads no further.
                    shutil.copyfileobj(source, stream)
    except OSError as error:
        raise StoreError(
            f"{folder}: can't be written: {error.strerror}", "Check the disk's space and rights."
        ) from error
    return len(wanted)


def _created(target: Path) -> IO[bytes]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return target.open("xb")
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise InputError("two of its names can't both be files", _REMEDY) from error


def check_name(name: str) -> None:
    """InputError for the path of a file that is not taken out of an archive, and so may not be put into one."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or str(path) != name:
        raise InputError(f"the name {name[:200]!r} in it leads elsewhere", _REMEDY)
    if len(os.fsencode(name)) > _LONGEST_PATH or any(len(os.fsencode(p)) > _LONGEST_NAME for p in path.parts):
        raise InputError(f"the name {name[:200]!r} in it is too long", _REMEDY)
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the name {name[:200]!r} in it is no text", _REMEDY) from error


def _wanted(opened: zipfile.ZipFile, below: str) -> dict[str, zipfile.ZipInfo]:
    start, found, size = f"{below.rstrip('/')}/", {}, 0
    for entry in opened.infolist():
        if not entry.filename.startswith(start) or entry.is_dir():
            continue
        name = entry.filename.removeprefix(start)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        check_name(name)
        if kind not in {0, stat.S_IFREG}:
            raise InputError(f"{name[:200]!r} in it is no plain file", _REMEDY)
        if name in found:
            raise InputError(f"{name[:200]!r} is in it twice", _REMEDY)
        found[name] = entry
        size += entry.file_size
    if len(found) > _MOST_FILES or size > _MOST_BYTES:
        raise InputError(f"{len(found):,} files of {size / 1e9:.1f} GB are in it", _REMEDY)
    return found
