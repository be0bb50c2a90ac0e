"""Plain papermill through this engine: its options, its output path, its exceptions."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .endings import Ending, EndingKind, NotebookStopped
from .kernels import Kernel, KernelRequest, start_kernel
from .loop import LoopThread
from .options import EngineOptions
from .papermill_output import PapermillDestination, side_files
from .secrets import environment_redactor
from .session import Session
from .signals import StopRequest

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["execute_plainly"]

logger = logging.getLogger("papermill")


class PapermillListener:
    """Sends output where papermill's options ask for it."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._log = bool(options.get("log_output"))
        self._files = {"stdout": options.get("stdout_file"), "stderr": options.get("stderr_file")}
        self._bar: Any = None
        self._progress = options.get("progress_bar", True)

    def text(self, stream: str, text: str) -> None:
        """Masked output as it comes."""
        if file := self._files.get(stream):
            file.write(text)
            file.flush()
        if self._log and text.strip():
            level = logging.WARNING if stream == "stderr" else logging.INFO
            logger.log(level, "%s", text.rstrip("\n"))

    def cell_started(self, index: int, total: int) -> None:
        """A cell begins."""
        if self._log:
            logger.info("Executing Cell %s", f"{index + 1:-<40}")


def execute_plainly(
    nb: NotebookNode, kernel_name: str, output_path: str | None, options: Mapping[str, Any]
) -> NotebookNode:
    """Execute and raise what papermill expects, or `NotebookStopped` where it has nothing."""
    redactor = environment_redactor()
    measures = _measures(options)

    async def kernel() -> Kernel:
        return await start_kernel(KernelRequest(kernel_name, Path.cwd(), start_timeout=measures.start_timeout))

    with LoopThread() as loop:
        session = Session(loop, StopRequest(loop.loop), redactor, kernel, measures, PapermillListener(options))
        session.destination = PapermillDestination(output_path, redactor) if output_path else None
        session.side = side_files(output_path)
        ending = session.execute(nb)
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
