"""Kernels started ahead: while one notebook runs, the kernels of the next ones get ready."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from ..adapters.logs import configure_logs
from ..engine.kernels import Kernel, KernelRequest, import_client, start_kernel
from ..engine.loop import LoopThread

if TYPE_CHECKING:
    from ..engine.forking import ForkServer

__all__ = ["KILLED", "KernelQueue"]


AHEAD = 2
KILLED = "a kernel did not leave and was killed: what its exit hooks do was not done"


class KernelQueue:
    """Gives kernels in the order of the requests. All its work is done in the loop."""

    def __init__(self, loop: LoopThread, requests: Iterable[KernelRequest], server: ForkServer | None = None) -> None:
        self._loop = loop
        self._server = server
        self._requests = deque(requests)
        self._starting: deque[tuple[KernelRequest, asyncio.Task[Kernel]]] = deque()
        self._leaving: set[asyncio.Task[None]] = set()
        import_client()
        # The first alone: what the others import would take the processors from it.
        loop.run(self._fill(1))

    async def take(self, request: KernelRequest) -> Kernel:
        """The kernel that was started for an equal request, or a new one."""
        while self._starting:
            waiting, task = self._starting.popleft()
            if waiting == request:
                kernel = await task
                await self._fill()
                return kernel
            self._dismiss(task)
        return await start_kernel(request, self._server)

    def left(self, kernel: Kernel) -> None:
        """A notebook has done with its kernel: let it go in the background."""
        self._background(self._leave(kernel))

    def close(self) -> None:
        """End what waits, and wait for what leaves."""
        self._loop.run(self._close())

    async def _fill(self, ahead: int = AHEAD) -> None:
        while self._requests and len(self._starting) < ahead:
            request = self._requests.popleft()
            self._starting.append((request, asyncio.ensure_future(start_kernel(request, self._server))))

    async def _close(self) -> None:
        self._requests.clear()
        while self._starting:
            self._dismiss(self._starting.popleft()[1])
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _leave(self, kernel: Kernel) -> None:
        if not await kernel.leave():
            import structlog

            configure_logs()
            structlog.get_logger().warning(KILLED, pid=kernel.pid)

    def _dismiss(self, task: asyncio.Task[Kernel]) -> None:
        async def end() -> None:
            with contextlib.suppress(Exception):
                await (await task).kill()

        self._background(end())

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
