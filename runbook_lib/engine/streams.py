"""A stream's text: masked, as a terminal would leave it, and of a bounded length."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO

from ..domain.masked_stream import StreamMask
from ..domain.redaction import Redactor
from .terminal import Screen, collapse, moves

__all__ = ["BoundedStream"]

BATCH = 65_536


class BoundedStream:
    """Collects text; up to `limit` characters stay whole, else head and tail with a line that says so.

    `tell` gets the masked text as it becomes certain. Text leaves in batches: twenty thousand small writes cost twenty
    thousand list appends.
    """

    def __init__(
        self, redactor: Redactor, limit: int, tell: Callable[[str], None], spill: Callable[[], object]
    ) -> None:
        self._redactor = redactor
        self._mask = StreamMask(redactor)
        self._screen = Screen()
        self._limit = limit
        self._tell = tell
        self._spill = spill
        self._pending: list[str] = []
        self._pending_size = 0
        self._head = ""
        self._tail = ""
        self._size = 0
        self._lines = 0
        self._edited = False
        self._file: IO[str] | None = None
        self._file_name = ""

    def feed(self, text: str) -> None:
        """Take a piece as the kernel sent it."""
        self._pending.append(text)
        self._pending_size += len(text)
        if self._pending_size > BATCH:
            self.pump()

    def hurry(self, redactor: Redactor) -> None:
        """From now on mask with this one."""
        self._mask.hurry(redactor)

    def pump(self) -> None:
        """Pass on what is certain."""
        if self._pending:
            text = "".join(self._pending)
            self._pending.clear()
            self._pending_size = 0
            self._tell_and_keep(self._mask.feed(text))

    def finish(self) -> None:
        """Pass on everything: the cell has ended, or something else was shown in between."""
        self.pump()
        self._tell_and_keep(self._mask.flush())
        self._keep(self._screen.rest())
        self._screen = Screen()
        if self._file is not None:
            self._file.close()
            self._file = None

    def text(self) -> str:
        """What stands in the notebook."""
        # The last lines may still be written over: they count when the cursor has left them.
        within_reach = self._screen.then(self._mask.peek())
        if self._size <= self._limit:
            return self._shown(self._head + within_reach)
        left_out = self._size - len(self._head) - len(self._tail)
        where = f"whole in {self._file_name}" if self._file_name else "not kept"
        note = (
            f"\n[… {left_out:,} of {self._size:,} characters left out here ({self._lines:,} lines in all); {where} …]\n"
        )
        tail = (self._tail.partition("\n")[2] or self._tail) + within_reach
        return self._shown(self._head) + note + self._shown(tail)

    def _shown(self, text: str) -> str:
        # What was written over may have kept the parts of a secret asunder.
        return self._redactor.mask(text) if self._edited or self._screen.edited else text

    def _tell_and_keep(self, text: str) -> None:
        if text:
            self._tell(self._safe(text))
            self._keep(self._screen.feed(text))

    def _safe(self, text: str) -> str:
        # Who hears it carries out what it says: nothing may come together there.
        if not moves(text):
            return text
        left = collapse(text)
        masked = self._redactor.mask(left)
        return text if masked == left else masked

    def _keep(self, text: str) -> None:
        if not text:
            return
        self._edited = self._edited or self._screen.edited
        text = self._shown(text)
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
