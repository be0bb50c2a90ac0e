"""A notebook's execution where the system has no /proc, as macOS has none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runbook_lib.engine import kernel_folder
from runbook_lib.engine.kernel_folder import NO_BOOT, OWNER, KernelFolder

from .conftest import PAPERMILL, ROOT

# Few descriptors: without /proc the standard library tries to close every one there may be before it starts a program.
HIDE = 'ulimit -n 1024 && mount -t tmpfs none /proc && exec "$@"'
# Where no namespace may be made: whoever opens or lists something of /proc does not find it.
PATCH = """
import sys

def hide(event, arguments):
    if event in {"open", "os.listdir", "os.scandir"} and str(arguments[0]).startswith("/proc"):
        raise FileNotFoundError(2, "hidden", arguments[0])

sys.addaudithook(hide)
"""
WATCHED = "import os, time\ntime.sleep(2.5)\nprint('awake', os.path.exists('/proc/self'))"


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder with a short name, for sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="np-", dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.fixture
def without_proc(tmp_path: Path) -> tuple[list[str], dict[str, str]]:
    """What to put before a command, and into its environment, so that it sees no /proc."""
    if not Path("/proc/self").exists():
        return [], {}
    for options in ((), ("--map-root-user",)) if shutil.which("unshare") else ():
        command = ["unshare", "--mount", *options, "sh", "-c", HIDE, "sh"]
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command, {}
    (tmp_path / "patch").mkdir()
    (tmp_path / "patch/sitecustomize.py").write_text(PATCH)
    return [], {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path / 'patch'}"}


def test_notebook_is_executed_and_no_folder_of_another_run_is_removed(
    notebook: Callable[..., Path],
    tmp_path: Path,
    temporary: Path,
    without_proc: tuple[list[str], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefix, environment = without_proc
    # As the other run would have made them here.
    monkeypatch.setattr(kernel_folder, "_boot", lambda: NO_BOOT)
    living = KernelFolder()
    dead = temporary / "rb-dead"
    dead.mkdir()
    (dead / OWNER).write_bytes(kernel_folder._mark(dead.name))
    done = subprocess.run(
        [*prefix, sys.executable, "-c", PAPERMILL, "--engine", "runbook", "--no-progress-bar",
         str(notebook("print(1)", WATCHED)), str(tmp_path / "out.ipynb")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), **environment},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = (tmp_path / "out.ipynb").read_text()
    assert "awake False" in said or not prefix
    assert sorted(temporary.glob("rb-*")) == [living.path]
