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


def blocks(folder: Path) -> int:
    return sum(os.fstat(int(number.name)).st_blocks for number in opened_below(folder))


def opened_below(folder: Path) -> list[Path]:
    files = Path("/proc/self/fd").iterdir()
    return [file for file in files if os.path.realpath(file).startswith(f"{folder}/")]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc here tells of open files")
def test_room_is_kept_and_no_name_is_seen_of_it(tmp_path: Path) -> None:
    file = LocalFile(tmp_path / "notebook.ipynb")
    file.open()
    # Blocks of 512 bytes: a file with holes would keep nothing.
    assert blocks(tmp_path) * 512 >= RESERVE
    assert list(tmp_path.iterdir()) == []
    file.close()
    assert opened_below(tmp_path) == []
