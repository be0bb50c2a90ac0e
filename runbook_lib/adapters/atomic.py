"""One file replaced in one step. Apart from the store, since the engine needs it before pydantic is worth its time."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from ..errors import StoreError

__all__ = ["write_atomic"]


def write_atomic(path: Path, data: bytes) -> None:
    """Write beside the target, flush to disk, rename over it; StoreError if the disk refuses.

    A device or a pipe is written to: a file in the place of /dev/null would take that from everybody.
    """
    temporary = None
    try:
        if _is_special(path):
            path.write_bytes(data)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes files that only their owner may read; artifacts follow the umask as other files do.
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink(missing_ok=True)
        raise StoreError(f"{path}: can't be written: {error.strerror}", "Check the disk's space and rights.") from error


def _is_special(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or stat.S_ISBLK(mode)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
