"""One stream of one cell: masked, bounded in the notebook, whole in a side file if it is long."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Protocol

from ..domain.redaction import Redactor

__all__ = ["BoundedStream", "SideFiles", "collapse"]

BATCH = 65_536


class SideFiles(Protocol):
    """Opens files beside the notebook for what is too long for it."""

    def open(self, name: str) -> tuple[str, IO[str]] | None:
        """The name to tell a reader and the open file; None where there is no place for one."""


class BoundedStream:
    """Collects text; up to `limit` characters stay whole, else head and tail with a line that says so.

    `tell` gets the masked text as it becomes certain. Text leaves in batches: twenty thousand small writes cost twenty
    thousand list appends.
    """

    def __init__(
        self, redactor: Redactor, limit: int, tell: Callable[[str], None], spill: Callable[[], object]
    ) -> None:
        self._redactor = redactor
        self._mask = redactor.stream()
        self._limit = limit
        self._tell = tell
        self._spill = spill
        self._pending: list[str] = []
        self._pending_size = 0
        self._head = ""
        self._tail = ""
        self._size = 0
        self._lines = 0
        self._file: IO[str] | None = None
        self._file_name = ""

    def feed(self, text: str) -> None:
        """Take a piece as the kernel sent it."""
        self._pending.append(text)
        self._pending_size += len(text)
        if self._pending_size > BATCH:
            self.pump()

    def pump(self) -> None:
        """Pass on what is certain."""
        if self._pending:
            text = "".join(self._pending)
            self._pending.clear()
            self._pending_size = 0
            self._take(self._mask.feed(text))

    def finish(self) -> None:
        """Pass on everything: the cell has ended, or something else was shown in between."""
        self.pump()
        self._take(self._mask.flush())
        if self._file is not None:
            self._file.close()
            self._file = None

    def text(self) -> str:
        """What stands in the notebook."""
        if self._size <= self._limit:
            return self._shown(self._head + self._mask.peek())
        left_out = self._size - len(self._head) - len(self._tail)
        where = f"whole in {self._file_name}" if self._file_name else "not kept"
        note = (
            f"\n[… {left_out:,} of {self._size:,} characters left out here ({self._lines:,} lines in all); {where} …]\n"
        )
        return self._shown(self._head) + note + self._shown(self._tail.partition("\n")[2] or self._tail)

    def _shown(self, text: str) -> str:
        collapsed = collapse(text)
        # A backspace may have kept the parts of a secret asunder.
        return self._redactor.mask(collapsed) if "\b" in text else collapsed

    def _take(self, text: str) -> None:
        if not text:
            return
        self._tell(text)
        before, self._size = self._size, self._size + len(text)
        self._lines += text.count("\n")
        if self._size <= self._limit:
            self._head += text
            return
        if before <= self._limit:
            self._overflow(self._head + text)
            return
        if self._file is not None:
            self._file.write(text)
        self._tail = (self._tail + text)[-self._limit // 2 :]

    def _overflow(self, text: str) -> None:
        opened = self._spill()
        if isinstance(opened, tuple):
            self._file_name, self._file = opened
            self._file.write(text)
        half = self._limit // 2
        self._head, self._tail = text[:half], text[half:][-half:]


def collapse(text: str) -> str:
    """The text as a terminal would leave it: carriage returns and backspaces carried out."""
    if "\b" in text:
        text = _erase(text)
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def _erase(text: str) -> str:
    kept: list[str] = []
    for character in text:
        if character != "\b":
            kept.append(character)
        elif kept and kept[-1] != "\n":
            kept.pop()
    return "".join(kept)
