"""The fault table of docs/engine.md, row by row: how a notebook can end, and what is left."""

from __future__ import annotations

import json
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from .conftest import Papermill, wait_for

Make = Callable[..., Path]
SLEEP = "import pathlib, time\nprint('began', flush=True)\npathlib.Path('began').touch()\ntime.sleep(120)"


def test_normal_end_completes_every_cell(papermill: Papermill, notebook: Make) -> None:
    done = papermill.run(notebook("# Title", "print(1)", "2 + 2"))
    assert done.status == 0
    assert done.statuses == ["completed"] * 3
    assert done.about["outcome"] == "completed"
    assert done.about["exception"] is None
    for cell in done.cells[1:]:
        about = cell["metadata"]["papermill"]
        assert about["start_time"] < about["end_time"]
        assert about["duration"] > 0


def test_exception_fails_its_cell_and_leaves_the_rest_not_run(papermill: Papermill, notebook: Make) -> None:
    done = papermill.run(notebook("print(1)", "print('before'); 1 / 0", "print(2)"))
    assert done.status == 1
    assert done.statuses == ["completed", "failed", "not_run"]
    assert done.about["outcome"] == "failed"
    assert done.about["exception"] is True
    assert done.about["error"] == {"type": "ZeroDivisionError", "message": "division by zero"}
    assert "before" in done.output(1)
    assert "ZeroDivisionError" in done.text


@pytest.mark.parametrize("source", ["!false", "found = !false", "%%bash\nfalse"])
def test_failing_command_is_an_error(papermill: Papermill, notebook: Make, source: str) -> None:
    done = papermill.run(notebook(source, "print(2)"))
    assert done.status == 1
    assert done.statuses == ["failed", "not_run"]
    assert done.about["ending"] == "command_failed"


def test_failing_command_passes_where_the_notebook_says_so(papermill: Papermill, notebook: Make) -> None:
    done = papermill.run(notebook("!false || true", "print(2)"))
    assert done.status == 0
    assert done.statuses == ["completed", "completed"]


def test_sys_exit_ends_with_its_own_status(papermill: Papermill, notebook: Make) -> None:
    done = papermill.run(notebook("import sys\nprint('bye')\nsys.exit(5)", "print(2)"))
    assert done.status == 5
    assert done.statuses == ["failed", "not_run"]
    assert done.about["ending"] == "system_exit"
    assert done.about["exception"] is True
    assert "bye" in done.output(0)
    assert "papermill-error-cell" in done.path.read_text()
    assert "error: sys.exit(5)" in done.text
    assert "most recent call last" not in done.text


def test_sys_exit_zero_is_a_good_end_and_no_exception(papermill: Papermill, notebook: Make) -> None:
    done = papermill.run(notebook("import sys\nsys.exit(0)", "print(2)"))
    assert done.status == 0
    assert done.statuses == ["completed", "not_run"]
    assert done.about["outcome"] == "completed"
    assert done.about["exception"] is None
    assert "error" not in done.about
    # As papermill's own engine leaves it: what the kernel has shown.
    assert [(output["ename"], output["evalue"]) for output in done.cells[0]["outputs"]] == [("SystemExit", "0")]


def test_cell_timeout_interrupts_the_cell_and_keeps_its_output(papermill: Papermill, notebook: Make) -> None:
    done = papermill.run(notebook("print(1)", SLEEP, "print(2)"), "--execution-timeout", "5")
    assert done.status == 124
    assert done.statuses == ["completed", "interrupted", "not_run"]
    assert done.about["ending"] == "cell_timeout"
    assert done.about["exception"] is True
    assert "began" in done.output(1)


def test_notebook_timeout_counts_all_cells_together(papermill: Papermill, notebook: Make) -> None:
    done = papermill.run(notebook("print(1)", SLEEP, "print(2)"), environ={"RUNBOOK_NOTEBOOK_TIMEOUT": "5"})
    assert done.status == 124
    assert done.statuses == ["completed", "interrupted", "not_run"]
    assert done.about["ending"] == "notebook_timeout"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_interrupts_keeps_the_last_output_and_leaves_with_128_plus_it(
    papermill: Papermill, notebook: Make, tmp_path: Path, number: signal.Signals
) -> None:
    path = notebook("print(1)", SLEEP, "print(2)")
    process = papermill.start(path, "--no-progress-bar")
    wait_for((tmp_path / "began").exists, process)
    process.send_signal(number)
    done = papermill.finish(process, path)
    assert done.status == 128 + number
    assert done.statuses == ["completed", "interrupted", "not_run"]
    assert done.about["outcome"] == "interrupted"
    assert done.about["exception"] is True
    assert done.about["error"]["type"] == number.name
    assert "began" in done.output(1)


def test_kernel_that_ignores_the_interrupt_is_killed_after_the_grace(
    papermill: Papermill, notebook: Make, tmp_path: Path
) -> None:
    deaf = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    path = notebook(deaf + SLEEP, "print(2)")
    process = papermill.start(path, "--no-progress-bar", environ={"RUNBOOK_GRACE": "0.5"})
    wait_for((tmp_path / "began").exists, process)
    process.send_signal(signal.SIGTERM)
    done = papermill.finish(process, path)
    assert done.status == 143
    assert done.statuses == ["interrupted", "not_run"]
    assert "was killed" in done.about["error"]["message"]
    assert "began" in done.output(0)


def test_killed_kernel_is_told_from_an_exception(papermill: Papermill, notebook: Make) -> None:
    source = "import os, signal, sys\nprint('last words', flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    done = papermill.run(notebook("print(1)", source, "print(2)"))
    assert done.status == 138
    assert done.statuses == ["completed", "failed", "not_run"]
    assert done.about["ending"] == "kernel_died"
    assert "signal 9" in done.about["error"]["message"]
    assert done.about["exception"] is True


def test_kernel_out_of_memory_is_an_exception_or_a_dead_kernel_but_never_completed(
    papermill: Papermill, notebook: Make
) -> None:
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\nb'x' * (4 << 30)"
    done = papermill.run(notebook(limit, "print(2)"))
    assert done.status in {1, 138}
    assert done.statuses == ["failed", "not_run"]


def test_full_disk_ends_the_run_and_the_small_notebook_still_says_so(papermill: Papermill, notebook: Make) -> None:
    def no_file_above_300_kb() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    flood = "for _ in range(400):\n    print('x' * 999)"
    done = papermill.run(
        notebook("print(1)", flood, "import time; time.sleep(0.5)", flood), preexec_fn=no_file_above_300_kb
    )
    assert done.status == 3
    assert done.about["ending"] == "disk_full"
    assert done.statuses[0] == "completed"
    assert done.about["exception"] is True
    assert sorted(path.name for path in done.path.parent.iterdir() if path.name.startswith(".")) == []


def test_kernel_that_does_not_exist_is_said_before_anything_runs(papermill: Papermill, notebook: Make) -> None:
    done = papermill.run(notebook("print(1)"), "-k", "no-such-kernel")
    assert done.status == 3
    assert done.statuses == ["not_run"]
    assert "no-such-kernel" in done.text


def test_kill_9_leaves_the_last_save_readable(papermill: Papermill, notebook: Make, tmp_path: Path) -> None:
    path = notebook("print(1)", SLEEP, "print(2)")
    process = papermill.start(path, "--no-progress-bar", environ={"RUNBOOK_SAVE_EVERY": "0.1"})
    out = path.with_suffix(".out.ipynb")
    wait_for(lambda: out.exists() and "began\\n" in out.read_text(), process)
    process.kill()
    done = papermill.finish(process, path)
    assert done.status == -signal.SIGKILL
    assert done.statuses == ["completed", "running", "pending"]
    assert done.about["outcome"] == "running"


CHILD = """
import pathlib, signal, sys, time
count = 0
def note(number, frame):
    global count
    count += 1
signal.signal(signal.SIGINT, note)
pathlib.Path("child").touch()
while not count:
    time.sleep(0.01)
deadline = time.monotonic() + 1
while time.monotonic() < deadline:
    time.sleep(0.01)
pathlib.Path("count").write_text(str(count))
"""
PLAIN_CHILD = "import subprocess, sys\nsubprocess.Popen([sys.executable, 'child.py']).wait()"
TERRAFORM_CHILD = """
import os, pathlib, sys
from runbook_lib.adapters.terraform import Terraform
from runbook_lib.adapters.terraform_binary import TerraformBinary
import inspect, runbook_lib.adapters.terraform_binary as module
binary = TerraformBinary.__new__(TerraformBinary)
for name, value in (("command", (sys.executable, "child.py")), ("version", "1.11.4")):
    object.__setattr__(binary, name, value)
Terraform(pathlib.Path.cwd(), binary, os.environ).run("apply")
"""


@pytest.mark.parametrize("source", [PLAIN_CHILD, TERRAFORM_CHILD], ids=["same process group", "terraform"])
def test_a_child_gets_exactly_one_interrupt_and_is_waited_for(
    papermill: Papermill, notebook: Make, tmp_path: Path, source: str
) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    path = notebook(source, "print(2)")
    process = papermill.start(path, "--no-progress-bar")
    wait_for((tmp_path / "child").exists, process)
    process.send_signal(signal.SIGTERM)
    done = papermill.finish(process, path)
    assert (tmp_path / "count").read_text() == "1"
    assert done.status == 143
    assert done.statuses == ["interrupted", "not_run"]


def test_a_terraform_orphaned_by_its_kernel_is_interrupted_once_and_waited_for(
    papermill: Papermill, notebook: Make, tmp_path: Path
) -> None:
    (tmp_path / "terraform_child.py").write_text(CHILD)
    source = (
        "import os, pathlib, signal, subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, 'terraform_child.py'], start_new_session=True)\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.01)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = notebook(source)
    process = papermill.start(path, "--no-progress-bar")
    wait_for((tmp_path / "child").exists, process)
    # The engine looks at the processes once a second: let it have seen this one.
    begin = time.monotonic()
    wait_for(lambda: time.monotonic() - begin > 5, process)
    (tmp_path / "go").touch()
    done = papermill.finish(process, path)
    assert (tmp_path / "count").read_text() == "1"
    assert done.status == 138


def test_nothing_is_left_running_or_lying_about(papermill: Papermill, notebook: Make, tmp_path: Path) -> None:
    temporary = tmp_path / "t"
    temporary.mkdir()
    done = papermill.run(
        notebook("import os\nprint(os.getpid())"), environ={"TMPDIR": str(temporary), "RUNBOOK_GRACE": "5"}
    )
    kernel = int(done.output(0))
    assert not psutil.pid_exists(kernel)
    assert [path for path in temporary.iterdir() if path.name.startswith("rb-")] == []
    names: Any = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["in.ipynb", "in.out.ipynb", "said", "t"]
    assert json.loads(done.path.read_text())["nbformat"] == 4
