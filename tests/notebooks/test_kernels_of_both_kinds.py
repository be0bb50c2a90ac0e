"""A kernel that was forked, held to one that was started: what it is given, what it has of its own, how it leaves."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from runbook_lib.engine.forking import ForkServer
from runbook_lib.engine.kernels import Kernel, KernelRequest, kernel_environment, start_kernel

from .conftest import ROOT

pytestmark = pytest.mark.usefixtures("unusual")
KINDS = ("forked", "started")
UMASK = 0o027
TELL = """
import json
with open("told.json", "w") as file:
    json.dump(globals().get("answer"), file)
"""


@pytest.fixture
def unusual(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the run itself has, and its kernels should: this package, a mask for new files, settings of Python."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHONWARNINGS", "error::ResourceWarning")
    before = os.umask(UMASK)
    yield
    os.umask(before)


@pytest.fixture
def server(tmp_path: Path, unusual: None) -> Iterator[ForkServer]:
    with ForkServer(("numpy",), tmp_path, kernel_environment({})) as made:
        yield made


class Kernels:
    """Executes code on a kernel of either kind; gives what the code calls `answer`, and how the kernel left."""

    def __init__(self, folder: Path, server: ForkServer) -> None:
        self.folder = folder
        self._server = server
        self.went: list[bool] = []
        self.statuses: list[int | None] = []

    def ask(self, kind: str, code: str, environment: Mapping[str, str] | None = None) -> Any:
        told = self.folder / "told.json"
        told.unlink(missing_ok=True)
        request = KernelRequest("python3", self.folder, environment or {}, ("numpy",))
        asyncio.run(self._execute(request, kind, code + TELL))
        return json.loads(told.read_text())

    def both(self, code: str, environment: Mapping[str, str] | None = None) -> tuple[Any, Any]:
        forked, started = (self.ask(kind, code, environment) for kind in KINDS)
        return forked, started

    async def _execute(self, request: KernelRequest, kind: str, code: str) -> None:
        kernel = await start_kernel(request, self._server if kind == "forked" else None)
        await _finished(kernel, code)
        self.went.append(await kernel.leave(patience=8))
        self.statuses.append(kernel.returncode)


async def _finished(kernel: Kernel, code: str) -> None:
    request = kernel.client.execute(code)
    while (message := await kernel.client.get_shell_msg(timeout=60))["parent_header"].get("msg_id") != request:
        pass
    assert message["content"]["status"] == "ok", message["content"]


@pytest.fixture
def kernels(tmp_path: Path, server: ForkServer) -> Kernels:
    return Kernels(tmp_path, server)


@pytest.fixture(params=KINDS)
def run(request: pytest.FixtureRequest, kernels: Kernels) -> Callable[..., Any]:
    """Execute code on a kernel of the parameter's kind."""
    return lambda code, environment=None: kernels.ask(request.param, code, environment)


def test_a_kernel_leaves_with_status_0_and_does_what_it_has_to_at_its_exit(
    run: Callable[..., Any], kernels: Kernels
) -> None:
    run(
        "import atexit, pathlib\n"
        "atexit.register(pathlib.Path('hook').write_text, 'it ran')\n"
        "kept_open = open('unclosed', 'w')\n"
        "_ = kept_open.write('written')"
    )
    assert (kernels.went, kernels.statuses) == ([True], [0])
    assert (kernels.folder / "hook").read_text() == "it ran"
    assert (kernels.folder / "unclosed").read_text() == "written"


def test_files_that_a_cell_has_opened_stay_open_and_its_own(run: Callable[..., Any]) -> None:
    # The lowest free numbers are those that the process before the fork had for its own.
    code = (
        "import gc, os\n"
        "files = [open(f'opened{n}', 'w+') for n in range(20)]\n"
        "for n, file in enumerate(files):\n    _ = file.write(str(n)), file.flush()\n"
        "_ = [gc.collect() for _ in range(3)]\n"
        "answer = [os.pread(file.fileno(), 9, 0).decode() for file in files]"
    )
    assert run(code) == [str(n) for n in range(20)]


def test_of_thirty_kernels_in_a_row_none_has_to_be_killed(kernels: Kernels) -> None:
    for _ in range(30):
        kernels.ask("forked", "import threading")
    assert kernels.went == [True] * 30
    assert kernels.statuses == [0] * 30


# In a function, as a shell that ends forgets the names of its cells.
SLOW_TO_SAY_THE_LAST_WORD = """
def slow(sender):
    import threading, time
    gone, is_alive, join = threading.Event(), sender.is_alive, sender.join
    def asked():
        alive = is_alive()
        if threading.current_thread().name == "Control":
            gone.wait(0.5)
        return alive
    def waited_for(timeout=None):
        join(timeout)
        gone.set()
        time.sleep(0.3)
    sender.is_alive, sender.join = asked, waited_for
slow(get_ipython().kernel.iopub_thread.thread)
"""


def test_a_kernel_that_is_slow_to_say_its_last_word_leaves_all_the_same(
    run: Callable[..., Any], kernels: Kernels
) -> None:
    run(SLOW_TO_SAY_THE_LAST_WORD)
    assert (kernels.went, kernels.statuses) == ([True], [0])


@pytest.mark.parametrize(
    "code",
    [
        "import os, sys\nif os.fork() == 0:\n    sys.exit(3)",
        "import os, time\nif os.fork() == 0:\n    time.sleep(600)",
        "import subprocess\nleft_running = subprocess.Popen(['sleep', '600'])",
        "import subprocess, time\nnever_waited_for = subprocess.Popen(['true'])\ntime.sleep(0.2)",
    ],
    ids=["sys.exit", "asleep", "command", "zombie"],
)
def test_a_child_of_a_cell_holds_no_kernel(run: Callable[..., Any], kernels: Kernels, code: str) -> None:
    before = set(psutil.Process().children(recursive=True))
    run(code)
    assert (kernels.went, kernels.statuses) == ([True], [0])
    after = {process for process in psutil.Process().children(recursive=True) if "sleep" in process.name()}
    assert after <= before


@pytest.mark.parametrize(
    ("leaving", "status"), [("sys.exit(3)", 3), ("sys.exit('why')", 1), ("sys.exit()", 0), ("1 / 0", 1), ("pass", 0)]
)
def test_a_forked_child_ends_with_its_cell_as_a_program_of_its_own_would(
    run: Callable[..., Any], leaving: str, status: int
) -> None:
    code = (
        f"import os, sys\nchild = os.fork()\nif child == 0:\n    {leaving}\nelse:\n"
        "    answer = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
    )
    assert run(code) == status


GIVEN = """
import os, signal, sys, threading, time, warnings
volatile = ("JPY_PARENT_PID", "MPLBACKEND", "OWN", "IPYTHONDIR")
answer = {
    "environment": {name: value for name, value in os.environ.items() if name not in volatile},
    "own": os.environ.get("OWN"),
    "folder": os.getcwd(),
    "umask": os.umask(0),
    "arguments": [part if "/rb-" not in part else "connection file" for part in sys.argv],
    "command": [part if "/rb-" not in part else "connection file" for part in sys.orig_argv],
    "name": __name__,
    "path": sys.path,
    "flags": list(sys.flags),
    "warnings": sys.warnoptions,
    "zone": [time.strftime("%Z"), time.localtime(0).tm_hour],
    "leads": os.getsid(0) == os.getpid() == os.getpgrp(),
    "signals": {str(number): str(signal.getsignal(number)).split(" at ")[0] for number in signal.valid_signals()},
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "threads": sorted(thread.name for thread in threading.enumerate()),
    "priority": os.nice(0),
    "input": sys.stdin.read(),
    "encodings": [sys.getfilesystemencoding(), sys.stdout.encoding],
}
"""


def test_a_forked_kernel_is_given_what_a_started_one_is(kernels: Kernels) -> None:
    forked, started = kernels.both(GIVEN, {"OWN": "the kernel's", "TZ": "Asia/Tokyo"})
    assert forked == started
    assert (forked["own"], forked["folder"], forked["umask"]) == ("the kernel's", str(kernels.folder), UMASK)
    assert forked["zone"] == ["JST", 9]


HASH = "hash('text')"
HASH_OF_A_CHILD = (
    f"""int(__import__("subprocess").check_output([__import__("sys").executable, "-c", "print({HASH})"]))"""
)


@pytest.mark.parametrize(
    ("environment", "code", "expected"),
    [
        ({"PYTHONHASHSEED": "0"}, f"answer = {HASH} == {HASH_OF_A_CHILD}", True),
        ({"PYTHONWARNINGS": "error"}, "import sys\nanswer = sys.warnoptions", ["error"]),
        ({"PYTHONPATH": f"{ROOT}:/elsewhere"}, "import sys\nanswer = '/elsewhere' in sys.path", True),
        ({"PYTHONUTF8": "1"}, "import sys\nanswer = sys.flags.utf8_mode", 1),
        ({"PYTHONOPTIMIZE": "1"}, "assert False\nanswer = __debug__", False),
        ({"MPLBACKEND": "agg"}, "import os\nanswer = os.environ['MPLBACKEND']", "agg"),
    ],
)
def test_what_python_reads_at_its_start_is_honoured(
    run: Callable[..., Any], environment: dict[str, str], code: str, expected: object
) -> None:
    assert run(code, environment) == expected


def test_no_number_that_should_be_random_is_in_two_forked_kernels(kernels: Kernels) -> None:
    code = (
        "import random, secrets, tempfile, uuid, numpy\nanswer = [random.random(), secrets.token_hex(), "
        "str(uuid.uuid1()), str(uuid.uuid4()), numpy.random.rand(), numpy.random.default_rng().random(), "
        "tempfile.mktemp()]"
    )
    first, second = (kernels.ask("forked", code) for _ in range(2))
    assert [one == other for one, other in zip(first, second, strict=True)] == [False] * 7


def test_an_interrupt_is_an_exception_in_the_cell(run: Callable[..., Any]) -> None:
    code = (
        "import os, signal, time\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(30)\n"
        "except KeyboardInterrupt:\n    answer = 'interrupted'"
    )
    assert run(code) == "interrupted"


def test_a_variable_that_is_no_pythons_does_not_cost_a_start_of_its_own(kernels: Kernels) -> None:
    code = "import os, psutil\nanswer = psutil.Process(os.getppid()).cmdline()[2]"
    assert kernels.ask("forked", code, {"OWN": "value"}) == "runbook_lib.engine.fork_server"
    assert kernels.ask("forked", code, {"PYTHONHASHSEED": "1"}) != "runbook_lib.engine.fork_server"
