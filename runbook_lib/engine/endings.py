"""How the execution of a notebook ended."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CellStatus", "Ending", "EndingKind", "left_well"]


class CellStatus(StrEnum):
    """The truth about one cell, where papermill records it: `cell.metadata.papermill.status`."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NOT_RUN = "not_run"


class EndingKind(StrEnum):
    """The ways a notebook's execution comes to its end."""

    COMPLETED = "completed"
    EXCEPTION = "exception"
    COMMAND_FAILED = "command_failed"
    SYSTEM_EXIT = "system_exit"
    CELL_TIMEOUT = "cell_timeout"
    NOTEBOOK_TIMEOUT = "notebook_timeout"
    SIGNAL = "signal"
    KERNEL_DIED = "kernel_died"
    DISK_FULL = "disk_full"
    NOT_STARTED = "not_started"
    USAGE = "usage"


_CELL = {
    EndingKind.COMPLETED: CellStatus.COMPLETED,
    EndingKind.CELL_TIMEOUT: CellStatus.INTERRUPTED,
    EndingKind.NOTEBOOK_TIMEOUT: CellStatus.INTERRUPTED,
    EndingKind.SIGNAL: CellStatus.INTERRUPTED,
    EndingKind.DISK_FULL: CellStatus.INTERRUPTED,
}
# papermill's own statuses where it has one: 1 for an exception, 138 for a dead kernel; 124 is timeout(1)'s.
_STATUS = {
    EndingKind.COMPLETED: 0,
    EndingKind.EXCEPTION: 1,
    EndingKind.COMMAND_FAILED: 1,
    EndingKind.CELL_TIMEOUT: 124,
    EndingKind.NOTEBOOK_TIMEOUT: 124,
    EndingKind.KERNEL_DIED: 138,
    EndingKind.DISK_FULL: 3,
    EndingKind.NOT_STARTED: 3,
    EndingKind.USAGE: 2,
}


def left_well(name: str, value: str) -> bool:
    """Whether an error, as the kernel shows it, is `sys.exit()` with no status or with 0."""
    return name == "SystemExit" and value in {"", "None", "0", "False"}


@dataclass(frozen=True)
class Ending:
    """How it ended. `error_type` and `message` are empty at a normal end; `number` is the signal or sys.exit's."""

    kind: EndingKind
    error_type: str = ""
    message: str = ""
    number: int = 0
    cell_index: int | None = None

    @property
    def cell_status(self) -> CellStatus:
        """What the cell at which it ended has become."""
        if self.kind is EndingKind.SYSTEM_EXIT and self.number == 0:
            return CellStatus.COMPLETED
        return _CELL.get(self.kind, CellStatus.FAILED)

    @property
    def outcome(self) -> str:
        """The notebook's outcome: completed, failed or interrupted."""
        return self.cell_status.value

    @property
    def good(self) -> bool:
        """Whether the notebook came to the end that it was written to come to."""
        return self.cell_status is CellStatus.COMPLETED

    @property
    def exit_status(self) -> int:
        """What `papermill --engine runbook` leaves with."""
        if self.kind is EndingKind.SIGNAL:
            return 128 + self.number
        return self.number if self.kind is EndingKind.SYSTEM_EXIT else _STATUS[self.kind]

    @classmethod
    def by_signal(cls, number: int, cell_index: int | None = None) -> Ending:
        """The ending that a signal brought about."""
        name = signal.Signals(number).name
        return cls(EndingKind.SIGNAL, name, f"stopped by {name}", number, cell_index)
