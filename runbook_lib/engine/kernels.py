"""Kernels: started early, over IPC, asked to leave without a second interrupt."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import EngineError
from .kernel_folder import KernelFolder
from .kernel_setup import setup_code
from .last_words import LastWords

if TYPE_CHECKING:
    from jupyter_client.asynchronous.client import AsyncKernelClient
    from jupyter_client.manager import AsyncKernelManager

    from .forking import ForkServer

__all__ = ["Kernel", "KernelRequest", "import_client", "kernel_environment", "start_kernel"]

SETUP_TIMEOUT = 300
# The run signs, not its notebooks; and nobody needs the other.
WITHHELD = frozenset({"RUNBOOK_SIGNING_KEY", "RUNBOOK_LISTENER_KEY", "SLACK_APP_TOKEN"})
IPYTHON_OPTIONS = ["--HistoryManager.hist_file=:memory:"]
SAFE_PATH = "--IPKernelApp.ignore_cwd=True"


@dataclass(frozen=True)
class KernelRequest:
    """Which kernel, where, with what around it; `preload` are modules that it imports while it waits.

    What lies in `cwd` is no library, unless `import_from` names a folder: after all that is installed; and a person's
    profile of IPython does not count. For one that is not `isolated` both is as with any kernel of Jupyter's.
    What it needs `later` only a forked one has imported, which costs it nothing.
    """

    name: str
    cwd: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    preload: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    start_timeout: float = 60
    import_from: tuple[str, ...] = ()
    isolated: bool = True


@dataclass
class Kernel:
    """A kernel that is ready, and the client that talks to it."""

    manager: AsyncKernelManager
    client: AsyncKernelClient
    home: KernelFolder
    language_info: dict[str, Any]
    words: LastWords | None = None

    @property
    def folder(self) -> Path:
        """Where its sockets and keys lie."""
        return self.home.path

    @property
    def pid(self) -> int:
        """The kernel's process id, which is also its process group's; 0 if it is not a local process."""
        return int(getattr(self.manager.provisioner, "pid", None) or 0)

    @property
    def returncode(self) -> int | None:
        """The process's exit status, -N for signal N, None while it is alive or if nobody knows."""
        process = getattr(self.manager.provisioner, "process", None)
        return None if process is None else process.poll()

    async def alive(self) -> bool:
        """Whether the process is there."""
        return bool(await self.manager.is_alive())

    async def interrupt(self) -> None:
        """One SIGINT to the kernel's process group, or a message to a kernel that wants one."""
        with contextlib.suppress(RuntimeError, OSError):
            await self.manager.interrupt_kernel()

    async def leave(self, patience: float = 5) -> bool:
        """Ask the kernel to go, so that its exit hooks run; kill it when patience ends, and say so by False.

        jupyter_client's shutdown_kernel would interrupt the process group first: a second SIGINT for Terraform.
        """
        with contextlib.suppress(RuntimeError, OSError):
            if await self.alive():
                await self.manager.request_shutdown()
                deadline = asyncio.get_running_loop().time() + patience
                while await self.alive() and asyncio.get_running_loop().time() < deadline:
                    await asyncio.sleep(0.02)
        went = not await self.alive()
        await self.kill()
        return went

    async def kill(self) -> None:
        """End it at once and remove what it leaves."""
        with contextlib.suppress(RuntimeError, OSError):
            if self.manager.provisioner is not None and await self.alive():
                await self.manager.signal_kernel(9)
                await self.manager.provisioner.wait()
        if self.words is not None:
            self.words.close()
        self.client.stop_channels()
        await self.manager.cleanup_resources()
        self.home.remove()


def import_client() -> None:
    """Import jupyter_client now, in the thread that asks.

    Its modules import each other in a circle: two threads that import it at once see halves of it.
    """
    importlib.import_module("jupyter_client.manager")


async def start_kernel(request: KernelRequest, server: ForkServer | None = None) -> Kernel:
    """Start a kernel, forked from `server` if there is one, and wait until it is ready; EngineError if it never is.

    Cancelled, it leaves nothing behind.
    """
    from jupyter_client.kernelspec import NoSuchKernel
    from jupyter_client.manager import AsyncKernelManager

    home = KernelFolder()
    manager = AsyncKernelManager(kernel_name=request.name, connection_file=str(home.path / "k.json"))
    try:
        # ipykernel warns about unencrypted TCP on every start; not every other kernel speaks IPC.
        ipython = any("ipykernel" in part for part in manager.kernel_spec.argv)  # type: ignore[union-attr]
        manager.transport = "ipc" if ipython else "tcp"
    except NoSuchKernel as error:
        home.remove()
        raise EngineError(f"there is no kernel named {request.name!r}", "See `jupyter kernelspec list`.") from error
    if server is not None:
        _fork_from(server, manager, (*request.preload, *request.later))
    # Not before the transport is chosen: the client copies the addresses.
    kernel = Kernel(manager, manager.client(), home, {})
    try:
        await _launch(kernel, request, ipython)
    except (OSError, EngineError) as error:
        said = _last_words(home.path) or str(error) or f"no answer in {request.start_timeout:g} s"
        await kernel.kill()
        remedy = f"Start it by hand: `jupyter console --kernel {request.name}`."
        raise EngineError(f"kernel {request.name!r} did not start: {said}", remedy) from error
    except BaseException:
        await kernel.kill()
        raise
    return kernel


def _fork_from(server: ForkServer, manager: AsyncKernelManager, modules: tuple[str, ...]) -> None:
    from .fork_provisioner import ForkProvisioner

    manager.kernel_id = uuid.uuid4().hex
    provisioner = ForkProvisioner(kernel_id=manager.kernel_id, kernel_spec=manager.kernel_spec, parent=manager)
    provisioner.fork_server, provisioner.modules = server, modules
    manager.provisioner = provisioner


async def _launch(kernel: Kernel, request: KernelRequest, ipython: bool) -> None:
    import zmq

    manager = kernel.manager
    # A person's own profile has files that IPython would execute first.
    profile = {"IPYTHONDIR": str(kernel.folder / "ipython")} if request.isolated else {}
    options = [*IPYTHON_OPTIONS, *([SAFE_PATH] if request.isolated else [])] if ipython else []
    with (kernel.folder / "stderr").open("wb") as stderr:
        await manager.start_kernel(
            cwd=str(request.cwd),
            env=kernel_environment({**request.environment, **profile}, safe_path=request.isolated),
            # Kernels talk over their channels; what they write elsewhere nobody would mask.
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            extra_arguments=options,
        )
    kernel.client = manager.client()
    # Of more than a thousand messages that wait to be read the rest would be dropped, and with it the end of a cell.
    # Sockets are made with what their context says.
    kernel.client.context.setsockopt(zmq.RCVHWM, 0)
    kernel.client.start_channels()
    kernel.client.allow_stdin = False
    kernel.language_info = await asyncio.wait_for(_ready(kernel), request.start_timeout)
    if ipython:
        with contextlib.suppress(OSError):
            kernel.words = LastWords(kernel.folder)
        path = str(kernel.words.path) if kernel.words else ""
        code = setup_code(request.preload, request.import_from if request.isolated else None, path)
        await asyncio.wait_for(_execute_silently(kernel, code), SETUP_TIMEOUT)
        if kernel.words:
            kernel.words.hide()


def _last_words(folder: Path) -> str:
    try:
        return (folder / "stderr").read_text(errors="replace").strip()[-500:]
    except OSError:
        return ""


async def _ready(kernel: Kernel) -> dict[str, Any]:
    # The first answer on the shell channel says that it is up, the first message on the other that nothing gets lost.
    kernel.client.kernel_info()
    info: dict[str, Any] = {}
    subscribed = False
    while not (info and subscribed):
        if not info and (message := await _message(kernel.client.shell_channel, 0.5)):
            info = message["content"].get("language_info", {})
        elif info and not subscribed:
            subscribed = bool(await _message(kernel.client.iopub_channel, 0.5))
            if not subscribed:
                kernel.client.kernel_info()
        if not await kernel.alive():
            raise EngineError(f"it ended with status {kernel.returncode}")
    return info


async def _message(channel: Any, timeout: float) -> dict[str, Any] | None:
    from queue import Empty

    try:
        message: dict[str, Any] = await channel.get_msg(timeout=timeout)
    except Empty:
        return None
    return message


async def _execute_silently(kernel: Kernel, code: str) -> None:
    request = kernel.client.execute(code, silent=True, store_history=False)
    while True:
        message = await _message(kernel.client.shell_channel, 0.5)
        if message and message["parent_header"].get("msg_id") == request:
            return
        if not message and not await kernel.alive():
            raise EngineError(f"it ended with status {kernel.returncode} while it was set up")


def kernel_environment(extra: Mapping[str, str], *, safe_path: bool = True) -> dict[str, str]:
    """The environment of a kernel: ours with `extra` variables, without what only the run itself needs.

    With a safe path files beside the notebooks are not taken for libraries: a repository may hold a boto3.py.
    """
    ours = {name: value for name, value in os.environ.items() if name not in WITHHELD}
    # Frozen modules make the debugger warn in every kernel; nobody debugs here.
    own = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"} | ({"PYTHONSAFEPATH": "1"} if safe_path else {})
    return {**ours, **own, **extra}
