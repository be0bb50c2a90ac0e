"""A copy that nobody else can change between the look at it and its use."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

from ..errors import InputError

__all__ = ["PrivateFolder"]


class PrivateFolder:
    """A folder for this user alone, gone when the object is."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="runbook-")  # mode 0700

    def path(self, name: str) -> Path:
        """Where a file of this name belongs in it."""
        return Path(self._folder.name) / name

    def copy(self, source: Path) -> Path:
        """A copy of a plain file; InputError for a link, a pipe, or anything else that is none."""
        target = self.path(source.name)
        try:
            # Without waiting for a pipe's other end, and not by a link, wherever it leads.
            descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise InputError(f"{source.name} can't be read: {error.strerror}", "It must be a plain file.") from error
        with os.fdopen(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise InputError(f"{source.name} is no plain file", "Begin a new run.")
            with target.open("xb") as copy:
                shutil.copyfileobj(stream, copy)
        return target
