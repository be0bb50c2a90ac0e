"""What a Python kernel is told before the first cell: failing commands are errors, no output evades the engine."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from .last_words import FORM

__all__ = ["FAILED_COMMAND", "setup_code"]

FAILED_COMMAND = "CalledProcessError"
# Sent as text, since the kernel's environment need not have this package. It leaves no name behind in the notebook's.
_SETUP = """
def setup(shell, modules, folders, words):
    import gc, importlib, sys, warnings
    # What lies in the working folder is no library; what the runbook names may be one, after all that is installed.
    if folders is not None:
        sys.path[:] = [path for path in sys.path if path not in ("", ".")]
        sys.path.extend(folders)
    # IPython's hint at sys.exit is meant for a person at a prompt.
    warnings.filterwarnings("ignore", message="To exit: use")
    make_failing_commands_errors(shell)
    show_usage_errors_as_errors(shell)
    make_a_missing_folder_an_error(shell)
    let_exit_end_the_notebook(shell)
    take_children_at_their_word()
    drop_no_message(shell)
    tame_flushes(shell, keep_last_words(*words))
    keep_old_line_ends()
    end_children_with_their_cell(shell)
    let_no_child_hold_the_kernel(shell.kernel)
    let_the_last_word_be_said(shell.kernel)
    # What is imported here is never garbage: Python need not look through it again and again, nor at its end.
    gc.disable()
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception:
            pass
    gc.freeze()
    gc.enable()

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

def make_a_missing_folder_an_error(shell):
    # %cd prints what went wrong, and the cells that follow work in the wrong folder. IPython imports it with its like
    # where one of them is called, which takes a while.
    import os
    def begin(info):
        if not any(word in info.raw_cell for word in ("cd", "pushd", "%run", "magic")):
            return
        shell.events.unregister("pre_run_cell", begin)
        shell.find_line_magic("cd")
        magics = shell.magics_manager.registry.get("OSMagics")
        if magics is not None:
            magics.cd = shell.magics_manager.magics["line"]["cd"] = strict(magics.cd)
    def strict(plain):
        def cd(parameter=""):
            errors, chdir = [], os.chdir
            def change(path):
                try:
                    chdir(path)
                except OSError as error:
                    errors.append(error)
                    raise
            os.chdir = change
            try:
                result = plain(parameter)
            finally:
                os.chdir = chdir
            if errors:
                raise errors[0]
            return result
        return cd
    shell.events.register("pre_run_cell", begin)

def let_exit_end_the_notebook(shell):
    # IPython's own `exit` and `quit` ask whoever shows the notebook to end the kernel: the cells that follow run.
    exiter = getattr(shell, "exiter", None)
    if exiter is not None:
        def leave(exiter, code=None, keep_kernel=None):
            raise SystemExit(code)
        type(exiter).__call__ = leave

def drop_no_message(shell):
    # Of more than a thousand that wait for a busy reader the rest would be dropped, and with it the end of the cell.
    thread = getattr(shell.kernel, "iopub_thread", None)
    if thread is not None:
        import zmq
        thread.schedule(lambda: thread.socket.setsockopt(zmq.SNDHWM, 0))

def keep_last_words(path, header, room, width):
    # What is flushed waits in this process for its turn to be sent, and is lost if the kernel dies. Hence it is written
    # first into memory that another process has as well. Each message says how far it goes. Gives for each stream what
    # does this at once.
    import mmap, os, sys
    taking = {}
    if not path:
        return taking
    kernel = os.getpid()
    with open(path, "r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
    def keep(stream, begin):
        lock, held, place, sent = stream._buffer_lock, [], [None, b"", 0], [None]
        start = begin + header
        def write(parent, text):
            cell = (getattr(stream, "_parent_header_global", None) or stream.parent_header).get("msg_id")
            if not cell or ("msg_id", cell) not in parent or os.getpid() != kernel:
                return None
            if place[0] != cell:
                place[:] = cell, cell.encode(), 0
            last = text[-room:]
            at = width * ((place[2] + len(text) - len(last)) % room)
            data = last.encode("utf-32-le", "surrogatepass")
            fits = width * room - at
            memory[start + at : start + at + len(data[:fits])] = data[:fits]
            if len(data) > fits:
                memory[start : start + len(data) - fits] = data[fits:]
            place[2] += len(text)
            said = b"%d %s\\n" % (place[2], place[1])
            memory[begin : begin + len(said)] = said
            return place[2]
        def take():
            with lock:
                for parent, buffer in stream._rotate_buffers().items():
                    text = buffer.getvalue()
                    if text:
                        held.append((parent, text, write(parent, text)))
        def flush_buffers():
            with lock:
                take()
                taken = held[:]
                del held[:]
            joined = {}
            for parent, text, position in taken:
                texts = joined.setdefault(parent, [[], None])
                texts[0].append(text)
                texts[1] = position
            for parent, (texts, position) in joined.items():
                sent[0] = position
                yield dict(parent), "".join(texts)
        def say_how_far(message):
            if sent[0] is not None:
                message["content"]["position"] = sent[0]
            return message
        stream._flush_buffers = flush_buffers
        stream.pub_thread.schedule(lambda: stream.register_hook(say_how_far))
        os.register_at_fork(after_in_child=held.clear)
        taking[stream] = take
    for number, stream in enumerate((sys.stdout, sys.stderr)):
        if all(hasattr(stream, name) for name in ("_flush_buffers", "_rotate_buffers", "register_hook")):
            keep(stream, number * (header + width * room))
    return taking

def tame_flushes(shell, taking):
    # A flush waits for another thread and sends a message. The first ones of a cell do; of a flood, fifty a second do,
    # and the stream's own timer takes the rest. Should the kernel die, what was flushed is written down.
    import select, sys, time
    allowed, pause = 500, 0.02
    refreshed = []
    def tame(stream):
        plain, state, take = stream.flush, [allowed, 0.0], taking.get(stream, lambda: None)
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
            elif written:
                take()
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

def keep_old_line_ends():
    # A carriage return goes back to the line's beginning. A text that is written at once and has several without any
    # line feed, none at its beginning, has lines that end so, unless these differ in their numbers alone: a progress.
    import collections, io, re, sys
    def letters(line):
        return "".join(filter(str.isalpha, line))
    def differ(lines):
        words = set(map(letters, lines))
        table = all(re.search("[0-9][,;\\t] *[0-9]", line) for line in lines)
        return len(words) > 1 or (words == {""} and table)
    def read(text):
        body = text.rstrip("\\r\\n")
        lines = [line for line in body.split("\\r") if line.strip()]
        several = len(lines) > 2 or (len(lines) == 2 and text[len(body):].startswith("\\r"))
        if several and "\\n" not in body and body[0] != "\\r" and differ(lines):
            return re.sub("\\r\\n?", "\\n", text)
        return text
    class Buffer(io.StringIO):
        # Not the stream's own method: IPython puts another one in its place with every cell.
        def write(self, text, plain=io.StringIO.write):
            return plain(self, read(text) if "\\r" in text else text)
    def watch(stream):
        def rotate():
            with stream._buffer_lock:
                full, stream._buffers = stream._buffers, collections.defaultdict(Buffer)
            return full
        stream._buffers = collections.defaultdict(Buffer, stream._buffers)
        stream._rotate_buffers = rotate
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "_rotate_buffers"):
            watch(stream)

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

setup(get_ipython(), MODULES, FOLDERS, LAST_WORDS)
"""


def setup_code(preload: Iterable[str] = (), import_from: Iterable[str] | None = (), last_words: str = "") -> str:
    """The code to execute silently in a new IPython kernel, which may import from these folders too.

    With None for them it imports from its working folder, as any does. `last_words` is the path of the file for what it
    flushes.
    """
    folders = None if import_from is None else tuple(import_from)
    source = textwrap.dedent(_SETUP).replace("MODULES", repr(tuple(preload)))
    source = source.replace("FOLDERS", repr(folders)).replace("LAST_WORDS", repr((last_words, *FORM)))
    return f"exec(compile({source!r}, '<runbook>', 'exec'), {{'get_ipython': get_ipython}})"
