"""What a person sees of running notebooks: lines with a prefix, in GitLab within collapsible sections."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TextIO

from .terminal import collapse

__all__ = ["CiDisplay", "Display", "LineDisplay", "Quiet", "Room", "choose_display"]


class Display(Protocol):
    """Told how it goes, on stderr; texts are masked already."""

    def started(self, name: str, title: str) -> None:
        """A notebook begins: a step's name and folder."""

    def cell_started(self, index: int, total: int) -> None:
        """A cell of it begins, counted from 0."""

    def text(self, stream: str, text: str) -> None:
        """It writes: `stdout`, `stderr`, or a shown `result`."""

    def ended(self, line: str) -> None:
        """It has ended: outcome and summary."""

    def resumed(self, name: str, line: str) -> None:
        """A notebook is not repeated: the line says how it ended before."""

    def close(self) -> None:
        """Nothing more comes."""


class Quiet:
    """Shows nothing."""

    def started(self, name: str, title: str) -> None:
        """Nothing."""

    def cell_started(self, index: int, total: int) -> None:
        """Nothing."""

    def text(self, stream: str, text: str) -> None:
        """Nothing."""

    def ended(self, line: str) -> None:
        """Nothing."""

    def resumed(self, name: str, line: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class LineDisplay(Quiet):
    """Whole lines as they come, each with its step's name."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out: TextIO | None = out or sys.stderr
        self._name = ""
        self._rest = ""
        self._stream = ""
        self._last = ""

    def started(self, name: str, title: str) -> None:
        """Say so."""
        self._name = name
        self._line(f"started {title}")

    def text(self, stream: str, text: str) -> None:
        """Lines, with no progress bar's debris; what another stream begins has a line of its own."""
        if stream != self._stream:
            self._flush()
            self._stream = stream
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if shown := collapse(line).rstrip():
                self._line(shown)

    def ended(self, line: str) -> None:
        """The outcome in one line, unless the notebook has just said it itself."""
        self._flush()
        if line != self._last:
            self._line(line)

    def resumed(self, name: str, line: str) -> None:
        """The outcome as it was."""
        self._name = name
        self._line(f"{line} (unchanged, not repeated)")

    def _flush(self) -> None:
        if self._rest:
            self.text(self._stream, "\n")

    def _line(self, text: str) -> None:
        self._last = text
        self._write(f"{self._name} │ {text}\n")

    def _write(self, text: str) -> None:
        if self._out is not None:
            try:
                self._out.write(text)
                self._out.flush()
            except BrokenPipeError:
                # A reader that went away is no reason to stop.
                self._out = None


# GitLab cuts a job's log at 4 MB, and what comes last says how the job ended.
LOG_BYTES = 1_000_000
LINE_CHARACTERS = 2_000
LAST_LINES = 50


@dataclass
class Room:
    """How much of a job's log is left in bytes for all that one process shows, and for the last lines of its steps."""

    left: int = LOG_BYTES
    last: int = LOG_BYTES // 2


_ROOM = Room()


class CiDisplay(LineDisplay):
    """Lines within GitLab's collapsible sections: as many as the log has room for, then the last ones.

    Whatever is left out here is in the notebook, whole.
    """

    def __init__(self, out: TextIO | None = None, room: Room | None = None) -> None:
        super().__init__(out)
        self._room = room or _ROOM
        self._title = ""
        self._held: deque[str] = deque(maxlen=LAST_LINES)
        self._left_out = 0

    def text(self, stream: str, text: str) -> None:
        """The same, while there is room; what the log has no room for is counted."""
        super().text(stream, text)
        if len(self._rest) > 2 * LINE_CHARACTERS:
            # A line without an end need not be held either.
            self._rest = self._rest[: 2 * LINE_CHARACTERS]

    def _line(self, text: str) -> None:
        if len(text) > LINE_CHARACTERS:
            text = f"{text[:LINE_CHARACTERS]}… ({len(text):,} characters)"
        self._room.left -= len(text.encode(errors="replace"))
        if self._room.left > 0:
            super()._line(text)
        else:
            self._left_out += len(self._held) == LAST_LINES
            self._held.append(text)

    def _show_last(self) -> None:
        if self._left_out:
            where = f"{self._title}/notebook.ipynb, which the job keeps"
            super()._line(f"… {self._left_out:,} lines are left out here; all of them are in {where} …")
        for line in self._held:
            self._room.last -= len(line.encode(errors="replace"))
            if self._room.last > 0:
                super()._line(line)
        self._held.clear()
        self._left_out = 0

    def started(self, name: str, title: str) -> None:
        """Open the section."""
        self._name, self._title = name, title
        self._write(f"\x1b[0Ksection_start:{int(time.time())}:step_{name}\r\x1b[0K\x1b[1m{title}\x1b[0m\n")

    def ended(self, line: str) -> None:
        """Close it; the outcome stays visible below."""
        self._flush()
        self._show_last()
        self._write(f"\x1b[0Ksection_end:{int(time.time())}:step_{self._name}\r\x1b[0K\n")
        super()._line(line)


def choose_display(environ: Mapping[str, str] = os.environ, out: TextIO | None = None) -> Display:
    """Sections in GitLab, a moving display on a terminal, else plain lines."""
    out = out or sys.stderr
    if environ.get("GITLAB_CI"):
        return CiDisplay(out)
    if out.isatty() and environ.get("TERM", "dumb") != "dumb":
        from .display_rich import RichDisplay

        return RichDisplay(out)
    return LineDisplay(out)
