"""What a caller of papermill's Python API catches: papermill's and nbclient's own exceptions, with the ending in them.

A notebook that raised, or that left with a status, ends as with any engine: papermill itself raises
PapermillExecutionError. Imported where it is raised, since papermill is not to be imported before.
"""

from __future__ import annotations

from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillException, PapermillMissingParameterException

from .endings import Ending, EndingKind

__all__ = [
    "KernelDiedError",
    "KernelStartError",
    "NotebookStoppedError",
    "NotebookTimeoutError",
    "ParameterMissingError",
    "ParameterRefusedError",
    "stopped",
]


class NotebookStoppedError(PapermillException):  # type: ignore[misc]
    """A notebook ended in a way that papermill has no exception for; `ending` says in which."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.message)
        self.ending = ending

    def __str__(self) -> str:
        return self.ending.message

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.ending,)


class NotebookTimeoutError(NotebookStoppedError, CellTimeoutError):
    """A cell or the notebook took too long; a TimeoutError too."""


class KernelDiedError(NotebookStoppedError, DeadKernelError):
    """The kernel went away; a RuntimeError too."""


class KernelStartError(NotebookStoppedError, RuntimeError):
    """There is no such kernel, or it did not get up."""


class ParameterRefusedError(NotebookStoppedError, ValueError):
    """An unknown parameter, or one of another type than the notebook declares."""


class ParameterMissingError(ParameterRefusedError, PapermillMissingParameterException):  # type: ignore[misc]
    """A parameter without a default was not given."""


_KINDS: dict[EndingKind, type[NotebookStoppedError]] = {
    EndingKind.CELL_TIMEOUT: NotebookTimeoutError,
    EndingKind.NOTEBOOK_TIMEOUT: NotebookTimeoutError,
    EndingKind.KERNEL_DIED: KernelDiedError,
    EndingKind.NOT_STARTED: KernelStartError,
    EndingKind.USAGE: ParameterRefusedError,
}


def stopped(ending: Ending) -> NotebookStoppedError:
    """The exception for an ending."""
    return _KINDS.get(ending.kind, NotebookStoppedError)(ending)
