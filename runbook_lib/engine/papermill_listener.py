"""Plain papermill's ways to show output while a notebook runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from .display import Display, Quiet, choose_display
from .endings import Ending

__all__ = ["PapermillListener"]

logger = logging.getLogger("papermill")


class PapermillListener:
    """Sends output where papermill's options ask for it: its log, files, or the display in a progress bar's place."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self._log = bool(options.get("log_output"))
        self._files = {"stdout": options.get("stdout_file"), "stderr": options.get("stderr_file")}
        self._display: Display = choose_display() if options.get("progress_bar") and not self._log else Quiet()
        self._display.started(name, name)

    def text(self, stream: str, text: str) -> None:
        """Masked output as it comes."""
        if file := self._files.get(stream):
            file.write(text)
            file.flush()
        if self._log and text.strip():
            logger.log(logging.WARNING if stream == "stderr" else logging.INFO, "%s", text.rstrip("\n"))
        self._display.text(stream, text)

    def cell_started(self, index: int, total: int) -> None:
        """A cell begins."""
        if self._log:
            logger.info("Executing Cell %s", f"{index + 1:-<40}")
        self._display.cell_started(index, total)

    def close(self, ending: Ending | None) -> None:
        """The notebook has ended."""
        if ending is not None:
            self._display.ended(f"{ending.outcome.upper()}: {ending.message or 'all cells ran'}")
        self._display.close()
