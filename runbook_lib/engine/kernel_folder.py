"""A kernel's temporary folder: its sockets and keys, and the mark by which another run knows whether it is in use."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

__all__ = ["KernelFolder"]

PREFIX = "rb-"
# A socket's path may be 107 bytes long at most, 103 on macOS; ours adds twenty to it.
LONGEST_FOLDER = 80
# The file that the run keeps locked for as long as it lives. A process id would not do: it says nothing in another
# container that shares the temporary folder, and not every system can be asked about it.
OWNER = "owner"
NO_BOOT = "unknown"


class KernelFolder:
    """A new folder, owned by this process until it removes it or ends, in whichever way.

    What earlier runs have left is removed by the way: a folder whose owner file says that it is one of these, and whose
    owner has ended, since nobody holds the lock.
    """

    def __init__(self) -> None:
        base = tempfile.gettempdir()
        if len(os.fsencode(base)) > LONGEST_FOLDER:
            base = "/tmp"  # noqa: S108  what is made there is private
        _sweep(Path(base))
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        self._owner = os.open(self.path / OWNER, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        # Where the file system knows no locks the mark is missing: nobody can tell whether the owner lives.
        with contextlib.suppress(OSError):
            fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Not before it is locked: whoever finds the mark and no lock knows that the owner is gone.
            os.write(self._owner, _mark(self.path.name))

    def remove(self) -> None:
        """Remove it with all that is in it; it may be gone already."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._owner >= 0:
            os.close(self._owner)
            self._owner = -1


def _mark(name: str) -> bytes:
    return f"the folder {name} of a kernel that runbook started on boot {_boot()}\n".encode()


def _boot() -> str:
    # Machines that share a file system need not share its locks.
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return NO_BOOT


def _sweep(base: Path) -> None:
    # A run that was killed could not remove its folders; nothing but sockets and keys of kernels is in them.
    for folder in base.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            state = folder.lstat()
            if stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid():
                _remove_if_abandoned(folder)


def _remove_if_abandoned(folder: Path) -> None:
    owner = os.open(folder / OWNER, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        expected = _mark(folder.name)
        if os.read(owner, len(expected) + 1) == expected:
            # An error if it is held. We keep it meanwhile, so that only one removes it.
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(owner)
