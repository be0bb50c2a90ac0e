"""What the engine does where a system lacks what Linux has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook_lib.engine.saving import RESERVE, LocalFile
from runbook_lib.engine.stopping import program_of

WAIT = "import sys; print(flush=True); sys.stdin.readline()"
# The same program again: only the place of the stack tells that this is another one.
BECOME = f"{WAIT}; import os; os.execv(sys.executable, [sys.executable, '-c', {WAIT!r}])"


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", BECOME]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout
        started.stdout.readline()
        yield started
        started.kill()


@pytest.fixture
def _no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_text(path: Path) -> str:
        raise FileNotFoundError(2, "hidden", str(path))

    monkeypatch.setattr(Path, "read_text", read_text)


@pytest.mark.parametrize("again", [False, True])
def test_a_process_that_becomes_another_program_is_seen(process: subprocess.Popen[str], again: bool) -> None:
    assert process.stdin
    assert process.stdout
    before = program_of(process.pid)
    if again:
        process.stdin.write("\n")
        process.stdin.flush()
        process.stdout.readline()
    assert (program_of(process.pid) != before) == (again and Path("/proc").is_dir())


def test_a_process_that_has_ended_has_become_nothing(process: subprocess.Popen[str]) -> None:
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert program_of(process.pid) == ""
    process.wait()
    assert program_of(process.pid) == ""


@pytest.mark.usefixtures("_no_proc")
def test_a_program_is_told_by_its_file_where_there_is_no_proc(process: subprocess.Popen[str]) -> None:
    assert Path(program_of(process.pid)).samefile(sys.executable)


def test_room_is_kept_where_a_system_can_t_reserve_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    file = LocalFile(tmp_path / "notebook.ipynb")
    file.open()
    (reserve,) = tmp_path.iterdir()
    # Blocks of 512 bytes: a file with holes would keep nothing.
    assert reserve.stat().st_blocks * 512 >= RESERVE
    file.close()
    assert list(tmp_path.iterdir()) == []
