"""What a person sees of a running sequence."""

from __future__ import annotations

import sys
import time
from typing import Protocol, TextIO

from ..models.base import Step
from ..models.results import StepResult

__all__ = ["CiDisplay", "Display", "LineDisplay", "Quiet"]


class Display(Protocol):
    """Told how the sequence goes; texts are masked already."""

    def step_started(self, step: Step) -> None:
        """A step begins."""

    def cell_started(self, index: int, total: int) -> None:
        """A cell of it begins."""

    def text(self, stream: str, text: str) -> None:
        """It writes: `stdout`, `stderr`, or a shown `result`."""

    def step_ended(self, result: StepResult, resumed: bool = False) -> None:
        """It has ended, or was not repeated."""

    def close(self) -> None:
        """Nothing more comes."""


class Quiet:
    """Shows nothing."""

    def step_started(self, step: Step) -> None:
        """Nothing."""

    def cell_started(self, index: int, total: int) -> None:
        """Nothing."""

    def text(self, stream: str, text: str) -> None:
        """Nothing."""

    def step_ended(self, result: StepResult, resumed: bool = False) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class LineDisplay(Quiet):
    """Whole lines as they come, each with its step's name."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._step = ""
        self._rest = ""

    def step_started(self, step: Step) -> None:
        """Say so."""
        self._step = step.value
        self._line("started")

    def text(self, stream: str, text: str) -> None:
        """Lines, with no progress bar's debris."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if shown := line.rstrip("\r").rpartition("\r")[2].rstrip():
                self._line(shown)

    def step_ended(self, result: StepResult, resumed: bool = False) -> None:
        """The outcome in one line."""
        self.text("stdout", "\n" if self._rest else "")
        self._step = result.step.value
        again = " (unchanged, not repeated)" if resumed else ""
        self._line(f"{result.outcome.upper()}: {result.summary}{again}")

    def _line(self, text: str) -> None:
        self._out.write(f"{self._step} │ {text}\n")
        self._out.flush()


class CiDisplay(LineDisplay):
    """Lines within GitLab's collapsible sections."""

    def step_started(self, step: Step) -> None:
        """Open the step's section."""
        self._step = step.value
        self._out.write(
            f"\x1b[0Ksection_start:{int(time.time())}:step_{step.value}\r\x1b[0K\x1b[1m{step.folder}\x1b[0m\n"
        )
        self._out.flush()

    def step_ended(self, result: StepResult, resumed: bool = False) -> None:
        """Close it; the outcome stays visible below."""
        self.text("stdout", "\n" if self._rest else "")
        if not resumed:
            self._out.write(f"\x1b[0Ksection_end:{int(time.time())}:step_{result.step.value}\r\x1b[0K\n")
        super().step_ended(result, resumed)
