"""One execution by papermill, wired up: what plain papermill gets by default, and what the sequence passes in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..domain.redaction import Redactor
from ..errors import EngineError
from .endings import Ending, EndingKind
from .loop import LoopThread
from .options import EngineOptions
from .signals import StopRequest, trap_signals

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from .execution import ExecutionListener
    from .kernels import Kernel
    from .saving import Destination
    from .streams import SideFiles

__all__ = ["Session", "Silent"]


class Silent:
    """Hears everything and says nothing."""

    def text(self, stream: str, text: str) -> None:
        """Nothing."""

    def cell_started(self, index: int, total: int) -> None:
        """Nothing."""


@dataclass
class Session:
    """What surrounds one execution. `kernel` gives a ready one, in the loop; `ending` is set at the end."""

    loop: LoopThread
    stop: StopRequest
    redactor: Redactor
    kernel: Callable[[], Awaitable[Kernel]]
    options: EngineOptions = field(default_factory=EngineOptions)
    listener: ExecutionListener = field(default_factory=Silent)
    destination: Destination | None = None
    side: SideFiles | None = None
    ending: Ending | None = None
    kernel_left: Callable[[Kernel], None] | None = None

    def execute(self, nb: NotebookNode) -> Ending:
        """Execute the notebook in place, from the main thread."""
        from .execution import Execution

        execution = Execution(
            nb, self.redactor, self.options, self.listener, self.stop, destination=self.destination, side=self.side
        )
        with trap_signals(self.stop):
            execution.begin()
            try:
                self.ending = self.loop.run(self._run(execution))
            except EngineError as error:
                self.ending = execution.finish(Ending(EndingKind.NOT_STARTED, type(error).__name__, error.message))
        return self.ending

    async def _run(self, execution: object) -> Ending:
        from .execution import Execution

        assert isinstance(execution, Execution)  # noqa: S101  keeps nbclient out of this module's imports
        import asyncio

        starting = asyncio.ensure_future(self.kernel())
        stopping = asyncio.ensure_future(self.stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return execution.finish(Ending.by_signal(self.stop.number))
        stopping.cancel()
        kernel = starting.result()
        try:
            return await execution.run(kernel)
        finally:
            if self.kernel_left is None:
                await kernel.leave()
            else:
                self.kernel_left(kernel)
