"""Stopping a kernel: one interrupt, patience while Terraform is still at work, nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from .kernels import Kernel
from .options import EngineOptions

if TYPE_CHECKING:
    import psutil

__all__ = ["Descendants", "StopRequest", "program_of", "stop_kernel", "trap_signals"]


# Processes that must not be cut off: they hold the state's lock.
CAREFUL = ("terraform", "tofu")


class Descendants:
    """The processes below a kernel, remembered: when it dies they have no parent that could be asked for them."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._known: dict[int, psutil.Process] = {}

    def look(self, itself: bool = False) -> None:
        """Note who is there now; `itself` counts what was the kernel in."""
        import psutil

        # Where the system does not let us look, psutil lets some of its errors through.
        with contextlib.suppress(psutil.Error, ValueError, OSError):
            kernel = psutil.Process(self._pid)
            for child in (*kernel.children(recursive=True), *([kernel] if itself else [])):
                self._known.setdefault(child.pid, child)

    def careful(self) -> bool:
        """Whether Terraform is among those who are alive."""
        self.look()
        return any(_is_careful(process) for process in self._alive())

    async def settle(self, options: EngineOptions) -> None:
        """After the kernel's death: one SIGINT to each tree of orphans, and patience; what stays on is killed."""
        alive = self._alive()
        pids = {process.pid for process in alive}
        roots = [process for process in alive if _parent(process) not in pids]
        for process in roots:
            _send(process, signal.SIGINT)
        for process in await self.gone(options):
            _send(process, signal.SIGKILL)

    async def gone(self, options: EngineOptions, impatient: asyncio.Future[None] | None = None) -> list[psutil.Process]:
        """Wait until they are gone, for a grace, or for Terraform's longer one; gives those who stay."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        while (alive := self._alive()) and not (impatient and impatient.done()):
            if loop.time() - started > (options.child_grace if any(map(_is_careful, alive)) else options.grace):
                break
            await asyncio.sleep(0.1)
        return alive

    def _alive(self) -> list[psutil.Process]:
        return [process for process in self._known.values() if _is_alive(process)]


async def stop_kernel(
    kernel: Kernel, cell: asyncio.Future[Any], stop: StopRequest, below: Descendants, options: EngineOptions
) -> bool:
    """Interrupt the running cell and wait for its end; False if the kernel had to be killed.

    The interrupt is sent once: a second SIGINT makes Terraform leave without releasing the state's lock.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    below.look()
    await kernel.interrupt()
    impatient = asyncio.ensure_future(stop.wait_impatient())
    try:
        while not cell.done() and not impatient.done():
            waited = loop.time() - started
            if waited > options.child_grace or (waited > options.grace and not below.careful()):
                break
            if not await kernel.alive():
                break
            await asyncio.wait({cell, impatient}, timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
        if cell.done():
            cell.exception()
            # The cell is over; what it had started may not be, and a kernel that leaves kills its children.
            await below.gone(options, impatient)
            return True
    finally:
        impatient.cancel()
    await _give_up(kernel, cell)
    return False


async def _give_up(kernel: Kernel, cell: asyncio.Future[Any]) -> None:
    with contextlib.suppress(RuntimeError, OSError):
        await kernel.manager.signal_kernel(signal.SIGKILL)
    # What the dead kernel had sent still lies in the socket.
    await asyncio.wait({cell}, timeout=1.5)
    cell.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await cell


def program_of(pid: int) -> str:
    """What changes when a process becomes another program; empty where nobody can tell.

    Linux knows the place of its stack, which changes with the same program too; elsewhere it is the executable's path.
    """
    try:
        place = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[25]
        # A zombie has no stack any more, and has not become anything.
        return "" if place == "0" else place
    except (OSError, IndexError):
        import psutil

        with contextlib.suppress(psutil.Error, OSError, ValueError):
            return str(psutil.Process(pid).exe())
        return ""


def _send(process: psutil.Process, number: int) -> None:
    import psutil

    with contextlib.suppress(psutil.Error):
        process.send_signal(number)


def _is_alive(process: psutil.Process) -> bool:
    import psutil

    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _is_careful(process: psutil.Process) -> bool:
    import psutil

    try:
        # The program, or the script that it runs; folders and files may be called like that for other reasons.
        words = (process.name(), *(Path(word).name for word in process.cmdline()[:2]))
    except psutil.Error:
        return False
    return any(name in word.lower() for word in words for name in CAREFUL)


def _parent(process: psutil.Process) -> int:
    import psutil

    try:
        return int(process.ppid())
    except psutil.Error:
        return 0


TRAPPED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest:
    """The first signal counts; a third one ends the patience with a kernel that does not stop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event: asyncio.Event | None = None
        self._impatient: asyncio.Event | None = None
        self.number = 0
        self.count = 0

    def __call__(self, number: int, frame: FrameType | None = None) -> None:
        """Note a signal; this is the handler."""
        self.count += 1
        self.number = self.number or number
        self._loop.call_soon_threadsafe(self._tell)

    async def wait(self) -> None:
        """Come back when a stop is asked for."""
        self._event = self._event or asyncio.Event()
        self._tell()
        await self._event.wait()

    async def wait_impatient(self) -> None:
        """Come back when a person has asked three times."""
        self._impatient = self._impatient or asyncio.Event()
        self._tell()
        await self._impatient.wait()

    def _tell(self) -> None:
        if self.count and self._event:
            self._event.set()
        if self.count >= 3 and self._impatient:
            self._impatient.set()


@contextlib.contextmanager
def trap_signals(stop: StopRequest) -> Iterator[None]:
    """Send stop signals to `stop`; only the main thread may do so, in another one nothing is trapped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A hang-up that nohup made ignored stays ignored.
    numbers = [number for number in TRAPPED if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
