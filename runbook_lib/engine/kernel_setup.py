"""What a Python kernel is told before the first cell: failing commands are errors, no output evades the engine."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

__all__ = ["FAILED_COMMAND", "setup_code"]

FAILED_COMMAND = "CalledProcessError"
# Sent as text, since the kernel's environment need not have this package. It leaves no name behind in the notebook's.
_SETUP = """
def setup(shell, modules, folders):
    import gc, importlib, sys, warnings
    # What lies in the working folder is no library; what the runbook names may be one, after all that is installed.
    if folders is not None:
        sys.path[:] = [path for path in sys.path if path not in ("", ".")]
        sys.path.extend(folders)
    # IPython's hint at sys.exit is meant for a person at a prompt.
    warnings.filterwarnings("ignore", message="To exit: use")
    make_failing_commands_errors(shell)
    show_usage_errors_as_errors(shell)
    take_children_at_their_word()
    drop_no_message(shell)
    tame_flushes(shell)
    end_children_with_their_cell(shell)
    let_no_child_hold_the_kernel(shell.kernel)
    let_the_last_word_be_said(shell.kernel)
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception:
            pass
    # What was imported here is never garbage: Python need not look through it again and again, nor at its end.
    gc.freeze()

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

def show_usage_errors_as_errors(shell):
    # A magic that is called wrongly says so on stderr alone, which %%capture keeps to itself.
    plain = shell.show_usage_error
    def show_usage_error(error):
        plain(error)
        shell._showtraceback(type(error), error, [f"{type(error).__name__}: {error}"])
    if hasattr(shell, "_showtraceback"):
        shell.show_usage_error = show_usage_error

def drop_no_message(shell):
    # Of more than a thousand that wait for a busy reader the rest would be dropped, and with it the end of the cell.
    thread = getattr(shell.kernel, "iopub_thread", None)
    if thread is not None:
        import zmq
        thread.schedule(lambda: thread.socket.setsockopt(zmq.SNDHWM, 0))

def tame_flushes(shell):
    # A flush waits for another thread and sends a message. The first ones of a cell do, so that nothing is lost if the
    # kernel dies; of a flood, fifty a second do, and the stream's own timer takes the rest.
    import select, sys, time
    allowed, pause = 500, 0.02
    refreshed = []
    def tame(stream):
        plain, state = stream.flush, [allowed, 0.0]
        def flush():
            # The kernel flushes four times a cell: where nothing was written there is nothing to wait for. What a child
            # wrote is read by another thread.
            pipe, until = getattr(stream, "_fid", None), time.monotonic() + 0.5
            while pipe is not None and select.select([pipe], [], [], 0)[0] and time.monotonic() < until:
                time.sleep(0.002)
            written = getattr(stream, "_flush_pending", True) or getattr(stream, "_subprocess_flush_pending", True)
            if written and (state[0] > 0 or time.monotonic() - state[1] >= pause):
                state[:] = state[0] - 1, time.monotonic()
                plain()
        def refresh():
            state[0] = allowed
        stream.flush = flush
        stream.flush_interval = 0.05
        refreshed.append(refresh)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "flush_interval"):
            tame(stream)
    def allow_again():
        # The kernel itself flushes after each cell.
        for refresh in refreshed:
            refresh()
    shell.events.register("post_execute", allow_again)

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

def end_children_with_their_cell(shell):
    # IPython catches sys.exit in a forked child too, which would then go on as a second kernel on the same sockets.
    import os, sys
    kernel = os.getpid()
    def leave(result):
        if os.getpid() == kernel:
            return
        error = result.error_before_exec or result.error_in_exec
        code = error.code if isinstance(error, SystemExit) else error and 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))
    shell.events.register("post_run_cell", leave)

def let_no_child_hold_the_kernel(kernel):
    # A kernel that leaves ends its children, and takes one that nobody has waited for to be alive, for nine seconds.
    import asyncio, os
    plain = kernel.do_shutdown
    async def reap():
        try:
            while True:
                if not os.waitpid(-1, os.WNOHANG)[0]:
                    await asyncio.sleep(0.005)
        except ChildProcessError:
            pass
    def do_shutdown(restart):
        kernel.reaping = asyncio.ensure_future(reap())
        return plain(restart)
    kernel.do_shutdown = do_shutdown

def let_the_last_word_be_said(kernel):
    # At its exit ipykernel ends the thread that sends, then the one that obeyed the wish to leave, and which may still
    # have to send that it did: to nobody, for ever. What is registered last is called first.
    import atexit
    def end_control():
        thread = getattr(kernel.parent, "control_thread", None)
        if thread is not None and thread.is_alive():
            thread.stop()
            thread.join(2)
    atexit.register(end_control)

setup(get_ipython(), MODULES, FOLDERS)
"""


def setup_code(preload: Iterable[str] = (), import_from: Iterable[str] | None = ()) -> str:
    """The code to execute silently in a new IPython kernel, which may import from these folders too.

    With None for them it imports from its working folder, as any does.
    """
    source = textwrap.dedent(_SETUP).replace("MODULES", repr(tuple(preload)))
    source = source.replace("FOLDERS", repr(None if import_from is None else tuple(import_from)))
    return f"exec(compile({source!r}, '<runbook>', 'exec'), {{'get_ipython': get_ipython}})"
