"""Kernels that are forked from one process: as good as started ones, and their imports are done once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from runbook_lib.engine.forking import ForkServer
from runbook_lib.engine.kernels import kernel_environment
from runbook_lib.models.base import Outcome
from runbook_lib.runner.kernel_queue import KILLED

from .conftest import ROOT, wait_for
from .test_sequence import RUN, Sequences

PROBE = "import os, pathlib\npathlib.Path(__file__).with_name('imported').open('a').write(f'{os.getpid()}\\n')\n"
SO_FAR = "print('so far', flush=True)"
STEPS = ("compliance", "plan", "approval")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForkServer]:
    library = tmp_path / "library"
    library.mkdir()
    (library / "probe.py").write_text(PROBE)
    own = {"PYTHONPATH": python_path(tmp_path), "ONLY": "the server's"}
    with ForkServer(("probe",), tmp_path, kernel_environment(own)) as made:
        yield made


def python_path(folder: Path) -> str:
    return os.pathsep.join((str(folder / "library"), str(ROOT)))


@pytest.fixture
def sequences(tmp_path: Path, server: ForkServer) -> Sequences:
    made = Sequences(tmp_path)
    made.job = replace(
        made.job, fork_server=server, environment={"PYTHONPATH": python_path(tmp_path), "OWN": "the kernel's"}
    )
    return made


def text_of(sequences: Sequences, step: str, cell: int) -> str:
    outputs: list[dict[str, Any]] = sequences.notebook(step)["cells"][cell]["outputs"]
    return "".join("".join(output.get("text", "")) for output in outputs)


def told(sequences: Sequences, step: str, expression: str) -> Any:
    """Add a step that prints the expression as JSON; `json` and `os` are there."""
    sequences.step(step, f"import json, os\nprint(json.dumps({expression}))")
    return lambda: json.loads(text_of(sequences, step, 2))


def test_what_several_kernels_import_is_imported_once(sequences: Sequences, tmp_path: Path) -> None:
    kernels = [told(sequences, step, "[os.getpid(), 'probe' in __import__('sys').modules]") for step in STEPS]
    assert sequences.run(preload=dict.fromkeys(STEPS, ("probe",))).exit_status == 0
    answers = [kernel() for kernel in kernels]
    imported = (tmp_path / "library/imported").read_text().split()
    assert len({pid for pid, _ in answers}) == len(STEPS)
    assert [there for _, there in answers] == [True] * len(STEPS)
    assert len(imported) == 1
    assert int(imported[0]) not in {pid for pid, _ in answers}


def test_a_forked_kernel_has_all_that_a_started_one_has_of_its_own(sequences: Sequences, tmp_path: Path) -> None:
    own = "[dict(os.environ), os.getcwd(), os.getsid(0) == os.getpid(), __name__, __import__('random').random()]"
    first, second = told(sequences, "compliance", own), told(sequences, "plan", own)
    assert sequences.run().exit_status == 0
    environment, folder, leads_a_session, name, number = first()
    assert (environment["OWN"], "ONLY" in environment) == ("the kernel's", False)
    assert (folder, leads_a_session, name) == (str(tmp_path), True, "__main__")
    assert number != second()[4]


def test_numbers_of_numpy_differ_between_forked_kernels(sequences: Sequences) -> None:
    numbers = [told(sequences, step, "__import__('numpy').random.rand()") for step in STEPS[:2]]
    sequences.run(preload=dict.fromkeys(STEPS, ("numpy",)))
    assert numbers[0]() != numbers[1]()


def test_figures_are_shown_though_matplotlib_was_imported_before_there_was_a_kernel(sequences: Sequences) -> None:
    sequences.step("compliance", "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()")
    assert sequences.run(preload=dict.fromkeys(STEPS, ("matplotlib.figure",))).exit_status == 0
    outputs = sequences.notebook("compliance")["cells"][2]["outputs"]
    assert "image/png" in outputs[-1]["data"]


def test_what_is_written_past_the_notebook_is_not_in_the_runs_log(capfd: Any, sequences: Sequences) -> None:
    sequences.step("compliance", "import os\n_ = os.write(1, b'past the mask'), os.system('echo and this >&2')")
    assert sequences.run().exit_status == 0
    assert capfd.readouterr() == ("", "")


def test_it_is_said_when_a_kernel_would_not_leave_and_was_killed(capfd: Any, sequences: Sequences) -> None:
    sequences.step("compliance", "import atexit, time\n_ = atexit.register(time.sleep, 600)")
    assert sequences.run().exit_status == 0
    assert KILLED in capfd.readouterr().err


def test_files_beside_the_notebooks_are_not_taken_for_libraries(sequences: Sequences, tmp_path: Path) -> None:
    (tmp_path / "sqlite3.py").write_text("raise RuntimeError('the wrong sqlite3')")
    sequences.step("compliance", "print(1)")
    assert sequences.run(preload={"compliance": ("sqlite3",)}).exit_status == 0


def test_a_forked_kernel_that_is_killed_is_told_from_an_exception(sequences: Sequences) -> None:
    sequences.step(
        "compliance", f"{SO_FAR}\nimport os, signal, time\ntime.sleep(3)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    summary = sequences.run()
    assert summary.exit_status == 3
    assert summary.results[0].error is not None
    assert "the kernel was killed by signal 9" in summary.results[0].error.message
    assert text_of(sequences, "compliance", 2) == "so far\n"


def test_a_forked_kernel_that_ends_by_itself_says_with_which_status(sequences: Sequences) -> None:
    sequences.step("compliance", "import os\nos._exit(7)")
    error = sequences.run().results[0].error
    assert error is not None
    assert "the kernel ended by itself with status 7" in error.message


def test_a_module_that_can_not_be_imported_harms_nobody_who_does_not_need_it(sequences: Sequences) -> None:
    sequences.step("compliance", "print(1)")
    assert sequences.run(preload={"compliance": ("no_such_module",)}).exit_status == 0


def test_kernels_leave_when_what_they_were_forked_from_is_gone_and_others_are_started(
    sequences: Sequences, server: ForkServer
) -> None:
    sequences.step("compliance", "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)")
    sequences.step("plan", "print(1)")
    assert sequences.run().results[0].outcome is Outcome.ERRORED
    assert not server.alive
    again = sequences.run(steps=sequences.job.steps[1:])
    assert again.exit_status == 0


def test_nothing_is_left_when_the_server_is_closed(tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    with ForkServer((), tmp_path, kernel_environment({"PYTHONPATH": str(ROOT)})) as server:
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", str(tmp_path / "k.json")]
        process = server.fork((), command, kernel_environment({}), tmp_path, tmp_path / "stderr")
        kernel = psutil.Process(process.pid)
        assert process.poll() is None
    wait_for(lambda: not kernel.is_running() or kernel.status() == psutil.STATUS_ZOMBIE)
    assert process.poll() == -signal.SIGKILL
    assert set(psutil.Process().children(recursive=True)) <= before


def test_a_cancelled_run_interrupts_a_forked_kernel_and_keeps_its_words(sequences: Sequences, tmp_path: Path) -> None:
    marker = tmp_path / "began"
    sequences.step("compliance", f"{SO_FAR}\nopen({str(marker)!r}, 'w').close()\nimport time; time.sleep(60)")
    sequences.step("plan")
    code = RUN.format(root=str(ROOT), folder=str(tmp_path)).replace(
        "display=Quiet())", "display=Quiet(), fork_server=ForkServer((), folder, kernel_environment({})))"
    )
    code = code.replace("import sys\n", "import sys\n" + IMPORTS.format(root=str(ROOT)), 1)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    wait_for(marker.exists, process)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[0]
    assert (process.returncode, said.splitlines()) == (143, ["compliance interrupted", "sealed"])
    assert text_of(sequences, "compliance", 2) == "so far\n"


IMPORTS = """sys.path.insert(0, {root!r})
from runbook_lib.engine.forking import ForkServer
from runbook_lib.engine.kernels import kernel_environment
"""


def test_the_python_of_another_environment_is_no_kernel_to_fork(tmp_path: Path, server: ForkServer) -> None:
    other = tmp_path / "other/bin/python"
    other.parent.mkdir(parents=True)
    other.symlink_to(sys.executable)
    environment = kernel_environment({"PYTHONPATH": python_path(tmp_path)})
    assert server.can_be([sys.executable, "-m", "ipykernel_launcher", "-f", "k.json"], environment)
    assert not server.can_be([str(other), "-m", "ipykernel_launcher", "-f", "k.json"], environment)


def test_what_a_step_needs_later_a_forked_kernel_has_and_a_started_one_has_not(sequences: Sequences) -> None:
    there = told(sequences, "compliance", "'probe' in __import__('sys').modules")
    steps = tuple(step.model_copy(update={"later": ("probe",)}) for step in sequences.job.steps)
    assert sequences.run(steps=steps).exit_status == 0
    assert there()
    assert sequences.run(steps=steps, fork_server=None).exit_status == 0
    assert not there()
