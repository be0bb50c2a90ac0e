"""Temporary folders of kernels: short enough for sockets, kept while their run lives, removed if it was killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runbook_lib.engine.kernel_folder import LONGEST_FOLDER, OWNER, KernelFolder

ROOT = Path(__file__).parents[3]
RUN = (
    "import sys; sys.path.insert(0, sys.argv[1]); from runbook_lib.engine.kernel_folder import KernelFolder;"
    "print((folder := KernelFolder()).path, flush=True); sys.stdin.read()"
)


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    # Pytest's own folders may be longer than what a socket's path has room for.
    monkeypatch.setattr("runbook_lib.engine.kernel_folder.LONGEST_FOLDER", 1000)
    return tmp_path


@contextmanager
def another_run(*before: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run of another process and its folder; the command may be preceded by one that starts it somewhere else."""
    code = RUN.replace(
        "KernelFolder;", "KernelFolder; import runbook_lib.engine.kernel_folder as m; m.LONGEST_FOLDER = 999;"
    )
    process = subprocess.Popen(
        [*before, sys.executable, "-c", code, str(ROOT)],
        env={**os.environ, "TMPDIR": tempfile.gettempdir()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    # The one at the end of the command may take a moment longer.
    assert process.stdout
    process.stdout.read()


def abandoned(base: Path) -> Path:
    """What a run that was killed has left."""
    with another_run() as (process, folder):
        end(process)
    assert (folder / OWNER).exists()
    assert folder.parent == base
    return folder


def test_folder_of_a_living_run_stays() -> None:
    mine = KernelFolder()
    assert KernelFolder().path != mine.path
    assert mine.path.is_dir()


def test_folder_of_another_run_stays_while_it_lives_and_goes_when_it_was_killed() -> None:
    with another_run() as (process, folder):
        KernelFolder()
        assert folder.is_dir()
        end(process)
        KernelFolder()
        assert not folder.exists()


# A run in a container has a number that means another process outside, or none.
CONTAINER = ("unshare", "--pid", "--fork", "--kill-child")


@pytest.mark.skipif(
    not shutil.which("unshare")
    or subprocess.run([*CONTAINER, "true"], check=False, capture_output=True).returncode != 0,
    reason="no process namespace can be made here",
)
def test_folder_of_a_run_in_another_container_stays_while_it_lives_and_goes_after_it() -> None:
    with another_run(*CONTAINER) as (process, folder):
        KernelFolder()
        assert folder.is_dir()
        with another_run(*CONTAINER):
            assert folder.is_dir()
        end(process)
        KernelFolder()
        assert not folder.exists()


def test_folder_of_a_run_whose_number_another_process_has_goes(base: Path) -> None:
    left = abandoned(base)
    KernelFolder()
    assert not left.exists()


def test_folder_that_is_not_ours_stays_whatever_it_is_called(base: Path) -> None:
    mine = base / "rb-mine"
    mine.mkdir()
    (mine / OWNER).write_text("somebody")
    (mine / "work").write_text("a year's")
    KernelFolder()
    assert (mine / "work").read_text() == "a year's"


def test_copy_of_a_folder_under_another_name_stays(base: Path) -> None:
    left = abandoned(base)
    copy = base / "rb-copy"
    shutil.copytree(left, copy)
    KernelFolder()
    assert (copy.exists(), left.exists()) == (True, False)


def test_folder_to_which_a_link_leads_stays(base: Path) -> None:
    left = abandoned(base)
    elsewhere = base / "elsewhere" / left.name
    elsewhere.parent.mkdir()
    left.rename(elsewhere)
    left.symlink_to(elsewhere)
    KernelFolder()
    assert (elsewhere / OWNER).exists()
    assert left.is_symlink()


def test_folder_of_another_machine_that_shares_the_files_and_not_the_locks_stays(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = abandoned(base)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("runbook_lib.engine.kernel_folder._boot", lambda: "of the other machine")
        KernelFolder()
    assert left.exists()
    KernelFolder()
    assert not left.exists()


def test_where_there_are_no_locks_nothing_says_that_a_folder_is_abandoned(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*arguments: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    unlocked = KernelFolder()
    assert (unlocked.path / OWNER).read_bytes() == b""
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(base))
    monkeypatch.setattr("runbook_lib.engine.kernel_folder.LONGEST_FOLDER", 1000)
    KernelFolder()
    assert unlocked.path.exists()


def test_pipe_in_the_place_of_an_owner_file_holds_nobody(base: Path) -> None:
    (base / "rb-pipe").mkdir()
    os.mkfifo(base / "rb-pipe" / OWNER)
    KernelFolder()
    assert (base / "rb-pipe").exists()


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_lock_of_a_folder_that_was_removed_is_given_back() -> None:
    before = open_files()
    for _ in range(5):
        folder = KernelFolder()
        folder.remove()
        folder.remove()
        assert not folder.path.exists()
    assert open_files() == before


def test_sockets_fit_into_the_shortest_path_that_a_system_allows(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    macos = 103
    monkeypatch.undo()
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        long = Path(short) / ("x" * (LONGEST_FOLDER - len(short) - 1))
        long.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(long))
        folder = KernelFolder().path
        assert folder.parent == long
        # jupyter_client numbers the sockets of a kernel from 1 on.
        assert len(os.fsencode(folder / "k-ipc-99")) <= macos


def test_folder_for_which_no_socket_s_path_has_room_is_made_in_tmp(monkeypatch: pytest.MonkeyPatch, base: Path) -> None:
    monkeypatch.setattr("runbook_lib.engine.kernel_folder.LONGEST_FOLDER", len(str(base)) - 1)
    folder = KernelFolder().path
    assert folder.parent == Path("/tmp")
    shutil.rmtree(folder)
