"""Stopping a kernel: one interrupt, patience while a child of it is still at work, its last output collected."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from .kernels import Kernel
from .options import EngineOptions
from .signals import StopRequest

__all__ = ["stop_kernel"]


async def stop_kernel(kernel: Kernel, cell: asyncio.Future[Any], stop: StopRequest, options: EngineOptions) -> bool:
    """Interrupt the running cell and wait for its end; False if the kernel had to be killed.

    The interrupt is sent once: a second SIGINT makes Terraform leave without releasing the state's lock.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    await kernel.interrupt()
    impatient = asyncio.ensure_future(stop.wait_impatient())
    try:
        while not cell.done() and not impatient.done():
            waited = loop.time() - started
            if waited > options.child_grace or (waited > options.grace and not _children(kernel.pid)):
                break
            await asyncio.wait({cell, impatient}, timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
    finally:
        impatient.cancel()
    if cell.done():
        cell.exception()
        return True
    await _give_up(kernel, cell)
    return False


async def _give_up(kernel: Kernel, cell: asyncio.Future[Any]) -> None:
    with contextlib.suppress(RuntimeError, OSError):
        await kernel.manager.signal_kernel(9)
    # What the dead kernel had sent still lies in the socket.
    await asyncio.wait({cell}, timeout=1.5)
    cell.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await cell


def _children(pid: int) -> bool:
    import psutil

    try:
        return any(child.status() != psutil.STATUS_ZOMBIE for child in psutil.Process(pid).children(recursive=True))
    except (psutil.Error, ValueError):
        return False
