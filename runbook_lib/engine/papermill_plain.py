"""Plain papermill through this engine: its options, its output path, its exceptions."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from .endings import Ending, EndingKind, NotebookStopped
from .kernels import Kernel, KernelRequest, start_kernel
from .loop import LoopThread
from .options import EngineOptions
from .papermill_listener import PapermillListener
from .papermill_output import PapermillDestination, side_files
from .papermill_parameters import correct_parameters
from .secrets import environment_redactor
from .session import Session
from .signals import StopRequest

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["execute_plainly"]


def execute_plainly(
    nb: NotebookNode, kernel_name: str, output_path: str | None, options: Mapping[str, Any]
) -> NotebookNode:
    """Execute and raise what papermill expects, or `NotebookStopped` where it has nothing."""
    correct_parameters(nb)
    redactor = environment_redactor()
    measures = _measures(options)
    name = Path(str(options.get("input_path") or output_path or "notebook")).stem
    listener = PapermillListener(name, options)

    async def kernel() -> Kernel:
        return await start_kernel(KernelRequest(kernel_name, Path.cwd(), start_timeout=measures.start_timeout))

    with LoopThread() as loop:
        session = Session(loop, StopRequest(loop.loop), redactor, kernel, measures, listener)
        session.destination = PapermillDestination(output_path) if output_path else None
        session.side = side_files(output_path)
        try:
            ending = session.execute(nb)
        except StoreError as error:
            # Nothing was executed: there is no place to write what would happen.
            ending = Ending(EndingKind.DISK_FULL, type(error).__name__, error.message)
        finally:
            listener.close(session.ending)
    _raise(ending)
    return nb


def _measures(options: Mapping[str, Any]) -> EngineOptions:
    given: dict[str, Any] = dict(EngineOptions.from_environment())
    if seconds := options.get("execution_timeout") or options.get("timeout"):
        given["cell_timeout"] = seconds
    names = ("notebook_timeout", "grace", "child_grace", "start_timeout", "save_every", "stream_limit")
    given |= {name: options[name] for name in names if options.get(name) is not None}
    return EngineOptions(**given)


def _raise(ending: Ending) -> None:
    if ending.good or ending.kind in {EndingKind.EXCEPTION, EndingKind.COMMAND_FAILED}:
        # papermill reads exceptions from the cells' outputs, marks the place and raises its own.
        return
    print(f"error: {ending.message}", file=sys.stderr)  # noqa: T201  papermill would say nothing
    if ending.kind is EndingKind.KERNEL_DIED:
        from nbclient.exceptions import DeadKernelError

        raise DeadKernelError(ending.message)
    raise NotebookStopped(ending)
