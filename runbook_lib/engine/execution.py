"""One execution of a notebook by papermill: cell after cell, until it ends in one of the ways of `endings`."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import re
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from ..domain.redaction import Redactor
from ..domain.secret_patterns import named_secrets
from ..errors import StoreError
from .client import CellClient
from .endings import CellStatus, Ending, EndingKind, left_well
from .kernel_setup import FAILED_COMMAND
from .kernels import Kernel
from .options import EngineOptions
from .outputs import LONGEST_MESSAGE, CellOutputs, OutputListener, SideFiles, shortened
from .record import NotebookRecord
from .saving import Destination, Saver
from .stopping import Descendants, StopRequest, program_of, stop_kernel

__all__ = ["Execution", "ExecutionListener"]


NUMBER = re.compile(r"-?[0-9]{1,18}")
COMMAND = re.compile(r"(?m)(^|=)\s*!|^\s*%")


class ExecutionListener(OutputListener, Protocol):
    """Hears how far the notebook is, besides what it writes."""

    def cell_started(self, index: int, total: int) -> None:
        """The cell, counted from 0, is about to run."""


@dataclass
class Execution:
    """Everything that one execution needs. `run` does it and gives the ending; it raises nothing."""

    nb: NotebookNode
    redactor: Redactor
    options: EngineOptions
    listener: ExecutionListener
    stop: StopRequest
    destination: Destination | None = None
    side: SideFiles | None = None
    in_place: bool = False
    record: NotebookRecord = field(init=False)

    def __post_init__(self) -> None:
        self.record = NotebookRecord(self.nb, self.redactor, in_place=self.in_place)
        self.saver = Saver(self.record, self.destination, self.options.save_every, self.options.autosave)
        self._outputs = CellOutputs(self.redactor, self.options, self.listener)
        self._cell = 0
        self._replaced = False

    def begin(self) -> None:
        """Clear the notebook and save it, before a kernel is there; StoreError if it can't be written."""
        given = self.nb.metadata.papermill.get("parameters") or {}
        texts = {name: value for name, value in given.items() if isinstance(value, str)}
        self.redactor.add(named_secrets(texts, os.path.exists).values())
        self.record.begin()
        try:
            if self.side is not None:
                self.side.adopt_earlier()
            self.saver.open()
            self.saver.save()
            self._settle()
        except BaseException:
            self.saver.close()
            raise

    async def run(self, kernel: Kernel) -> Ending:
        """Execute all cells on the kernel."""
        self.nb.metadata["language_info"] = kernel.language_info
        client = CellClient(self.nb, kernel, self._outputs, self._learn, self.record.touch)
        for name in ("allow_errors", "allow_error_names", "force_raise_errors", "skip_cells_with_tag"):
            setattr(client, name, getattr(self.options, name))
        client.reset_execution_trackers()
        self._below = Descendants(kernel.pid)
        saving = asyncio.ensure_future(self.saver.keep_saving(self._outputs.pump, self._refresh))
        stopping = asyncio.ensure_future(self.stop.wait())
        watching = asyncio.ensure_future(self._watch(kernel))
        try:
            ending = await self._cells(client, kernel, (stopping, saving, watching))
        except Exception as error:  # noqa: BLE001  whatever the engine did not think of, the record says it
            ending = Ending(EndingKind.EXCEPTION, type(error).__name__, str(error), 0, self._cell)
            self.record.cell_ended(self._cell, ending.cell_status)
        finally:
            for task in (saving, stopping, watching):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, StoreError, OSError):
                    await task
        client.set_widgets_metadata()
        if self._replaced:
            self._below.look(itself=True)
        if self._replaced or not await kernel.alive():
            await self._below.settle(self.options)
        return self.finish(ending)

    def finish(self, ending: Ending) -> Ending:
        """Write the truth down; the ending may become another one if the disk refuses."""
        with contextlib.suppress(OSError):
            self._outputs.finish()
        self.record.end(ending)
        saved = True
        try:
            self.saver.save()
        except StoreError as error:
            ending = Ending(EndingKind.DISK_FULL, "StoreError", str(error), 0, ending.cell_index)
            self.record.end(ending)
            saved = self.saver.save_at_any_price()
        self.saver.close()
        if saved:
            self._settle()
        return ending

    def _settle(self) -> None:
        # Not before the notebook is saved that no longer names them.
        if self.side is not None:
            self.side.settle([output for cell in self.nb.cells for output in cell.get("outputs", ())])

    async def _cells(self, client: CellClient, kernel: Kernel, watched: tuple[asyncio.Future[Any], ...]) -> Ending:
        deadline = self._after(self.options.notebook_timeout)
        for index, cell in enumerate(self.nb.cells):
            self._cell = index
            if self.stop.count:
                return Ending.by_signal(self.stop.number, index)
            if cell.cell_type == "code" and client.skip_cells_with_tag in cell.metadata.get("tags", []):
                self.record.cell_skipped(index)
                continue
            self.record.cell_started(index)
            ending = None
            if cell.cell_type == "code" and cell.source.strip():
                self.listener.cell_started(index, len(self.nb.cells))
                self._outputs.begin(index, self.side)
                try:
                    self.saver.cell_started()
                except StoreError as error:
                    ending = self._disk_full(error)
                ending = ending or self._finish_outputs(await self._code(client, kernel, watched, deadline))
            self.record.cell_ended(index, ending.cell_status if ending else CellStatus.COMPLETED)
            if ending:
                return ending
        return Ending(EndingKind.COMPLETED)

    def _finish_outputs(self, ending: Ending | None) -> Ending | None:
        try:
            self._outputs.finish()
        except OSError as error:
            return ending or self._disk_full(error)
        return ending

    def _disk_full(self, error: Exception) -> Ending:
        return Ending(EndingKind.DISK_FULL, type(error).__name__, str(error), 0, self._cell)

    async def _code(
        self, client: CellClient, kernel: Kernel, watched: tuple[asyncio.Future[Any], ...], deadline: float | None
    ) -> Ending | None:
        cell = self.nb.cells[self._cell]
        task = asyncio.ensure_future(client.run_cell(cell, self._cell))
        seconds = self._cell_timeout(cell)
        limits = {
            EndingKind.CELL_TIMEOUT: self._after(seconds),
            EndingKind.NOTEBOOK_TIMEOUT: deadline,
        }
        kind, limit = min(limits.items(), key=lambda item: item[1] or float("inf"))
        patience = None if limit is None else max(0.0, limit - time.monotonic())
        await asyncio.wait({task, *watched}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if watched[2].done():
            await self._hear_out(client, task)
        if task.done():
            return self._judge(task)
        if watched[2].done():
            task.cancel()
            self._hear_last_words(client)
            return Ending(EndingKind.KERNEL_DIED, "DeadKernelError", self._death(kernel), 0, self._cell)
        ending = self._cause(kind, watched, seconds if kind is EndingKind.CELL_TIMEOUT else None)
        goes_on = ending.kind is EndingKind.CELL_TIMEOUT and self.options.interrupt_on_timeout
        if not goes_on:
            self._outputs.hurry()
        answered = await stop_kernel(kernel, task, self.stop, self._below, self.options)
        if answered and goes_on and not self.stop.count:
            judged = self._judge(task)
            interrupted = judged is not None and judged.error_type == "KeyboardInterrupt"
            return dataclasses.replace(judged, message=ending.message) if judged and interrupted else judged
        if not answered:
            self._hear_last_words(client)
            message = f"{ending.message}; the kernel did not answer the interrupt and was killed"
            ending = Ending(ending.kind, ending.error_type, message, ending.number, ending.cell_index)
        return ending

    @staticmethod
    async def _hear_out(client: CellClient, task: asyncio.Future[Any]) -> None:
        # What the dead kernel had sent still lies in the socket, perhaps a lot.
        heard = -1
        while not task.done() and client.heard != heard:
            heard = client.heard
            await asyncio.wait({task}, timeout=0.5)

    def _hear_last_words(self, client: CellClient) -> None:
        with contextlib.suppress(OSError):
            client.hear_last_words(self.nb.cells[self._cell], self._cell)

    def _cell_timeout(self, cell: NotebookNode) -> float | None:
        function = self.options.timeout_func
        seconds = self.options.cell_timeout if function is None else function(cell)
        return seconds if seconds and seconds > 0 else None

    def _cause(self, kind: EndingKind, watched: tuple[asyncio.Future[Any], ...], seconds: float | None) -> Ending:
        if self.stop.count:
            return Ending.by_signal(self.stop.number, self._cell)
        if watched[1].done():
            return Ending(EndingKind.DISK_FULL, "StoreError", str(watched[1].exception()), 0, self._cell)
        seconds = seconds or self.options.notebook_timeout
        what = "cell" if kind is EndingKind.CELL_TIMEOUT else "notebook"
        return Ending(kind, "TimeoutError", f"the {what} took longer than {seconds:g} s", 0, self._cell)

    def _judge(self, task: asyncio.Future[Any]) -> Ending | None:
        error = task.exception()
        if error is None:
            return None
        if isinstance(error, CellExecutionError):
            return self._raised(error)
        if isinstance(error, OSError | StoreError):
            return self._disk_full(error)
        return Ending(EndingKind.EXCEPTION, type(error).__name__, str(error), 0, self._cell)

    def _raised(self, error: CellExecutionError) -> Ending:
        name, value = error.ename, shortened(self.redactor.mask(error.evalue), LONGEST_MESSAGE)
        if name == "SystemExit":
            return self._left(value)
        if name == "KeyboardInterrupt" and self.stop.count:
            return Ending.by_signal(self.stop.number, self._cell)
        command = name == FAILED_COMMAND and COMMAND.search(self.nb.cells[self._cell].source)
        kind = EndingKind.COMMAND_FAILED if command else EndingKind.EXCEPTION
        # An `assert` says nothing but its name.
        return Ending(kind, name, value or name, 0, self._cell)

    def _left(self, value: str) -> Ending:
        if not left_well("SystemExit", value):
            number = int(value) if NUMBER.fullmatch(value) else 1
            # The system keeps the lowest byte; what is left of 256 would say that all went well.
            number = number & 0xFF or 1
            return Ending(EndingKind.SYSTEM_EXIT, "SystemExit", f"sys.exit({value})", number, self._cell)
        # A good end. The kernel shows it as an error all the same, and papermill takes this form of it alone for none.
        cell = self.nb.cells[self._cell]
        cell.outputs = [
            output for output in cell.outputs if output["output_type"] != "error" or output["evalue"] in {"", "0"}
        ]
        return Ending(EndingKind.SYSTEM_EXIT, cell_index=self._cell)

    async def _watch(self, kernel: Kernel) -> None:
        # Until the kernel dies. It can't say then which Terraform it has left behind: look now and again.
        looked, program = time.monotonic(), program_of(kernel.pid)
        while await kernel.alive():
            await asyncio.sleep(0.1)
            if kernel.pid and time.monotonic() - looked > 1:
                self._below.look()
                looked = time.monotonic()
                # Another program in the kernel's place (os.execv) would never say that the cell has ended.
                self._replaced = program_of(kernel.pid) not in {program, ""} and await kernel.alive()
                if self._replaced:
                    return

    def _refresh(self) -> None:
        if self._outputs.render():
            self.record.touch(self._cell)

    def _learn(self, values: list[str]) -> None:
        self.redactor.add(values)
        self.record.clean_metadata()

    def _death(self, kernel: Kernel) -> str:
        if self._replaced:
            return "the kernel replaced itself by another program"
        status = kernel.returncode
        if status is not None and status < 0:
            hint = ", perhaps for lack of memory" if status == -9 else ""
            return f"the kernel was killed by signal {-status}{hint}"
        return f"the kernel ended by itself with status {status}"

    @staticmethod
    def _after(seconds: float | None) -> float | None:
        return None if seconds is None else time.monotonic() + seconds
