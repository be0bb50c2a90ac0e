"""Kernels forked from one process that has imported what they need, in place of starting one Python each."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

__all__ = ["ForkServer", "ForkedProcess"]


START_SECONDS = 60
# As a kernel has it before it imports anything: matplotlib looks for it once, and would show nothing without it.
INLINE = "module://matplotlib_inline.backend_inline"
LAUNCHER = ["-m", "ipykernel_launcher"]
# Who reads these does so once, as Python or a library starts: Python, the loader, the C library and those that count.
READ_AT_START = ("PYTHON", "LD_", "LANG", "LC_", "GLIBC_", "MALLOC_", "OPENSSL_", "OMP_", "OPENBLAS_", "MKL_", "MPL")
# What every kernel imports as it starts.
BASE = ("ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell")


class ForkServer:
    """The process to fork from, started at once; it imports `modules` while nobody has asked for a kernel yet."""

    def __init__(self, modules: Iterable[str], cwd: Path, environment: Mapping[str, str]) -> None:
        self._at_start = _read_at_start(environment)
        self._connection, theirs = multiprocessing.Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "runbook_lib.engine.fork_server", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # Kernels talk over their channels; what they write elsewhere nobody would mask.
                stdout=subprocess.DEVNULL,
                cwd=cwd,
                env={"MPLBACKEND": INLINE, **environment},
                # An interrupt at the terminal is for the run alone.
                start_new_session=True,
            )
        self._pids: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._forked: list[int] = []
        self._statuses: dict[int, int] = {}
        self._asking = threading.Lock()
        self._listener = threading.Thread(target=self._listen, name="fork-server", daemon=True)
        self._listener.start()
        self._connection.send(("import", (*BASE, *modules)))

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether a kernel can be had."""
        return self._listener.is_alive() and self._process.poll() is None

    def can_be(self, command: list[str], environment: Mapping[str, str]) -> bool:
        """Whether a forked process can be that kernel: ipykernel on this very Python, started as this one was."""
        # Links are not followed: the Pythons of two environments often are links to one.
        ours = command[1:3] == LAUNCHER and Path(command[0]).absolute() == Path(sys.executable).absolute()
        return self.alive and ours and _read_at_start(environment) == self._at_start

    def fork(
        self, modules: Iterable[str], command: list[str], environment: Mapping[str, str], cwd: Path, errors: Path
    ) -> ForkedProcess:
        """A new kernel process that has imported `modules`; its standard error goes into the file `errors`.

        OSError if the server is gone.
        """
        with self._asking:
            self._connection.send(("fork", tuple(modules), command, dict(environment), str(cwd), str(errors)))
            try:
                pid = self._pids.get(timeout=START_SECONDS)
            except queue.Empty:
                pid = 0
        if not pid:
            raise ChildProcessError("the process that kernels are forked from is gone")
        self._forked.append(pid)
        return ForkedProcess(self, pid)

    def status(self, pid: int) -> int | None:
        """The exit status of a kernel, -N for signal N; None while it runs."""
        if pid not in self._statuses and not self._listener.is_alive() and _is_gone(pid):
            # Nobody is left who could say how it ended.
            self._statuses[pid] = -signal.SIGKILL
        return self._statuses.get(pid)

    def close(self) -> None:
        """End the process, and whatever kernels are left."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        self._connection.close()
        for pid in self._forked:
            if self.status(pid) is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _listen(self) -> None:
        try:
            while True:
                kind, pid, *status = self._connection.recv()
                if kind == "forked":
                    self._pids.put(pid)
                else:
                    self._statuses[pid] = status[0]
        except (EOFError, OSError):
            self._pids.put(0)


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}


def _is_gone(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


class ForkedProcess:
    """What jupyter_client wants to know of a process that it believes to have started itself."""

    stdin = stdout = stderr = None

    def __init__(self, server: ForkServer, pid: int) -> None:
        self._server = server
        self.pid = pid

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        return self._server.status(self.pid)

    def wait(self) -> int | None:
        """The exit status of a process that has ended."""
        return self.poll()

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)
