"""What surrounds one execution of a notebook: its kernel gets up while all that talks to it is imported."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import EngineError
from .endings import Ending, EndingKind
from .kernels import Kernel, import_client
from .loop import LoopThread
from .notebook_files import light_imports
from .options import EngineOptions
from .stopping import StopRequest, trap_signals

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from ..domain.redaction import Redactor
    from .execution import Execution, ExecutionListener
    from .outputs import SideFiles
    from .saving import Destination

__all__ = ["Session", "Silent"]


class Silent:
    """Hears everything and says nothing."""

    def text(self, stream: str, text: str) -> None:
        """Nothing."""

    def cell_started(self, index: int, total: int) -> None:
        """Nothing."""


@dataclass
class Session:
    """What surrounds one execution. `kernel` gives a ready one, in the loop; `ending` is set at the end.

    `prepare` sets what is not set yet, the redactor at the latest, when the kernel has begun to get up: what it imports
    costs no time then. `in_place` says that the notebook is written over itself: its sources stay as they are.
    `meanwhile` is called while the kernel gets up, in the thread that waits for it; it raises nothing.
    """

    loop: LoopThread
    stop: StopRequest
    redactor: Redactor | None
    kernel: Callable[[], Awaitable[Kernel]]
    options: EngineOptions = field(default_factory=EngineOptions)
    listener: ExecutionListener = field(default_factory=Silent)
    destination: Destination | None = None
    side: SideFiles | None = None
    in_place: bool = False
    ending: Ending | None = None
    kernel_left: Callable[[Kernel], None] | None = None
    meanwhile: Callable[[], object] = lambda: None
    prepare: Callable[[Session], object] = lambda session: None

    def execute(self, nb: NotebookNode) -> Ending:
        """Execute the notebook in place, from the main thread; StoreError if nothing can be saved."""
        import_client()
        with trap_signals(self.stop):
            # The kernel gets up while this thread imports what it needs to talk to it.
            starting = self.loop.submit(self._start())
            return self._execute(nb, starting)

    def _execute(self, nb: NotebookNode, starting: Future[Kernel]) -> Ending:
        try:
            execution = self._begin(nb)
        except BaseException:
            self._dismiss(starting)
            raise
        try:
            running = self.loop.submit(self._run(execution, starting))
            self.meanwhile()
            self.ending = running.result()
        except EngineError as error:
            self.ending = execution.finish(Ending(EndingKind.NOT_STARTED, type(error).__name__, error.message))
        return self.ending

    def _begin(self, nb: NotebookNode) -> Execution:
        with light_imports():
            from .execution import Execution

        self.prepare(self)
        assert self.redactor is not None  # noqa: S101  for the type checker: it is set above
        execution = Execution(
            nb,
            self.redactor,
            self.options,
            self.listener,
            self.stop,
            destination=self.destination,
            side=self.side,
            in_place=self.in_place,
        )
        execution.begin()
        return execution

    def _dismiss(self, starting: Future[Kernel]) -> None:
        if not starting.cancel() and starting.exception() is None:
            self.loop.run(starting.result().kill())

    async def _start(self) -> Kernel:
        return await self.kernel()

    async def _run(self, execution: Execution, starting: Future[Kernel]) -> Ending:
        wanted = asyncio.wrap_future(starting)
        stopping = asyncio.ensure_future(self.stop.wait())
        both: set[asyncio.Future[Any]] = {wanted, stopping}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not wanted.done():
            wanted.cancel()
            return execution.finish(Ending.by_signal(self.stop.number))
        stopping.cancel()
        kernel = wanted.result()
        try:
            return await execution.run(kernel)
        finally:
            if self.kernel_left is None:
                await kernel.leave()
            else:
                self.kernel_left(kernel)
