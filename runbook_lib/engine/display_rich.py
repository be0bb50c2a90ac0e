"""Running notebooks on a terminal: one moving line, and a line that stays for each that has ended."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

__all__ = ["RichDisplay"]

SIGNS = {
    "PASSED": "[green]✔",
    "COMPLETED": "[green]✔",
    "WARNED": "[yellow]▲",
    "BLOCKED": "[red]■",
    "ERRORED": "[magenta]✘",
}


class RichDisplay:
    """Shows which cell runs, for how long, and the last line written."""

    def __init__(self, out: TextIO) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[last]}"),
            console=Console(file=out, highlight=False),
            transient=True,
        )
        self._task: TaskID | None = None
        self._name = ""

    def started(self, name: str, title: str) -> None:
        """A line begins to move."""
        self._name = name
        self._progress.start()
        self._task = self._progress.add_task(name, total=None, last="")

    def cell_started(self, index: int, total: int) -> None:
        """It moves on."""
        if self._task is not None:
            self._progress.update(self._task, completed=index, total=total)

    def text(self, stream: str, text: str) -> None:
        """The last line, as long as the terminal is wide."""
        lines = [line for line in text.replace("\r", "\n").split("\n") if line.strip()]
        if lines and self._task is not None:
            self._progress.update(self._task, last=escape(lines[-1].strip()[:80]))

    def ended(self, line: str) -> None:
        """The outcome stays."""
        if self._task is not None:
            elapsed = self._progress.tasks[-1].elapsed or 0
            self._progress.remove_task(self._task)
            self._task = None
            self._say(self._name, line, f"{elapsed:.1f} s")

    def resumed(self, name: str, line: str) -> None:
        """The outcome as it was."""
        self._say(name, line, "unchanged, not repeated")

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._progress.stop()

    def _say(self, name: str, line: str, note: str) -> None:
        outcome, _, rest = line.partition(": ")
        sign = SIGNS.get(outcome, "[dim]●")
        self._progress.console.print(
            f"{sign} {outcome.lower():<11}[/] [bold]{name:<13}[/] {escape(rest)} [dim]({note})"
        )
