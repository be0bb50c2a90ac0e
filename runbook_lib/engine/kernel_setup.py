"""What a Python kernel is told before the first cell: failing commands are errors, no output evades the engine."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

__all__ = ["FAILED_COMMAND", "setup_code"]

FAILED_COMMAND = "CalledProcessError"
# Sent as text, since the kernel's environment need not have this package. It leaves no name behind in the notebook's.
_SETUP = """
def setup(shell, modules):
    import importlib, warnings
    # IPython's hint at sys.exit is meant for a person at a prompt.
    warnings.filterwarnings("ignore", message="To exit: use")
    make_failing_commands_errors(shell)
    take_children_at_their_word()
    tame_flushes(shell)
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception:
            pass

def make_failing_commands_errors(shell):
    import subprocess
    if hasattr(type(shell), "system_raise_on_error"):
        shell.system_raise_on_error = True
        return
    plain = shell.system
    def system(command):
        plain(command)
        status = shell.user_ns.get("_exit_code", 0)
        if status:
            raise subprocess.CalledProcessError(status, command)
    shell.system = system

def tame_flushes(shell):
    # A flush waits for another thread and sends a message. The first ones of a cell do, so that nothing is lost if the
    # kernel dies; of a flood, fifty a second do, and the stream's own timer takes the rest.
    import sys, time
    allowed, pause = 500, 0.02
    flushes = []
    def tame(stream):
        plain, state = stream.flush, [allowed, 0.0]
        def flush():
            if state[0] > 0 or time.monotonic() - state[1] >= pause:
                state[0], state[1] = state[0] - 1, time.monotonic()
                plain()
        def refresh():
            plain()
            state[0] = allowed
        stream.flush = flush
        stream.flush_interval = 0.05
        flushes.append(refresh)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "flush_interval"):
            tame(stream)
    def flush_all():
        for refresh in flushes:
            refresh()
    shell.events.register("post_execute", flush_all)

def take_children_at_their_word():
    # What child processes write reaches the engine, and would go to where the kernel's own output went as well: past
    # every mask into the log. A child that is given sys.stdout as its file would write there alone.
    import os, sys
    for stream in (sys.stdout, sys.stderr):
        copy = getattr(stream, "_original_stdstream_copy", None)
        if copy is not None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, copy)
            os.close(nowhere)
            stream.fileno = lambda watched=stream._original_stdstream_fd: watched

setup(get_ipython(), MODULES)
"""


def setup_code(preload: Iterable[str] = ()) -> str:
    """The code to execute silently in a new IPython kernel."""
    source = textwrap.dedent(_SETUP).replace("MODULES", repr(tuple(preload)))
    return f"exec(compile({source!r}, '<runbook>', 'exec'), {{'get_ipython': get_ipython}})"
