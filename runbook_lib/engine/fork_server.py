"""A process that imports what kernels need, and becomes a kernel by forking.

Six kernels that each import pandas, boto3 and matplotlib by themselves take longer than what they do. Run as `python -m
runbook_lib.engine.fork_server FD`, it is asked over the connection FD: `("import", modules)`, and `("fork", modules,
command, environment, folder, file)`, answered by `("forked", pid)`. When a kernel has ended it says `("ended", pid,
status)`, with -N for signal N. It leaves when the connection is closed; its kernels see that and leave too.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

__all__ = ["main"]


def main(descriptor: int) -> None:
    """Serve until the other end closes; in a forked process, return when the kernel has ended."""
    connection: Connection[Any, Any] = Connection(descriptor)
    children, wakeup = os.pipe()
    os.set_blocking(children, False)
    os.set_blocking(wakeup, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    while True:
        ready = wait([connection, children])
        if children in ready:
            _report_ended(connection, children)
        if connection in ready:
            try:
                kind, modules, *program = connection.recv()
            except EOFError:
                return
            _import(modules)
            if kind == "fork" and _fork(connection):
                # By its object, which would else close, as it goes, whatever file has its number then.
                connection.close()
                os.close(children)
                os.close(wakeup)
                _become_kernel(program)
                return


def _import(modules: Iterable[str]) -> None:
    for module in modules:
        # What can't be imported here is missed where it is used, and said there.
        with contextlib.suppress(Exception):
            importlib.import_module(module)


def _report_ended(connection: Connection[Any, Any], children: int) -> None:
    with contextlib.suppress(BlockingIOError):
        os.read(children, 4096)
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            connection.send(("ended", ended[0], os.waitstatus_to_exitcode(ended[1])))


def _fork(connection: Connection[Any, Any]) -> bool:
    # Collected garbage would touch, and with that copy, every page that the processes share.
    gc.freeze()
    pid = os.fork()
    if pid:
        connection.send(("forked", pid))
    return pid == 0


def _become_kernel(program: list[Any]) -> None:
    """What starting a program does: a session, signals, environment, folder and files of its own."""
    command, environment, folder, errors = program
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    # Python looks for the time zone once.
    time.tzset()
    os.chdir(folder)
    with open(errors, "wb", buffering=0) as file:  # noqa: PTH123  as low as it gets
        os.dup2(file.fileno(), 2)
    if "numpy" in sys.modules:
        # Python's own random numbers differ after a fork; these would be the same in every kernel.
        sys.modules["numpy"].random.seed()
    launcher = importlib.util.find_spec(command[2])
    sys.argv = [str(launcher and launcher.origin), *command[3:]]
    sys.orig_argv = command
    from ipykernel.kernelapp import IPKernelApp

    # By this a kernel sees that its parent, which ends with the run, is gone.
    IPKernelApp.launch_instance(parent_handle=os.getppid())


if __name__ == "__main__":
    if sys.path and Path(sys.path[0]) == Path.cwd():
        # As ipykernel's own launcher: files beside the notebooks must not be taken for libraries.
        del sys.path[0]
    main(int(sys.argv[1]))
