"""Temporary folders of kernels: short enough for sockets, kept while their run lives, removed if it was killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from runbook_lib.engine.kernels import LONGEST_FOLDER, OWNER, SETTLED_SECONDS, _short_folder

ROOT = Path(__file__).parents[3]
RUN = (
    "import sys; sys.path.insert(0, sys.argv[1]); from runbook_lib.engine.kernels import _short_folder;"
    "print(_short_folder(), flush=True); sys.stdin.read()"
)


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    # Pytest's own folders may be longer than what a socket's path has room for.
    monkeypatch.setattr("runbook_lib.engine.kernels.LONGEST_FOLDER", 1000)
    return tmp_path


def aged(folder: Path) -> Path:
    """The folder, made so long ago that whoever made it must have locked it."""
    then = time.time() - SETTLED_SECONDS - 1
    os.utime(folder, (then, then))
    return folder


def abandoned(base: Path) -> Path:
    folder = base / "rb-left"
    folder.mkdir()
    (folder / OWNER).touch()
    return folder


def run_of_another_process(base: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(ROOT)],
        env={**os.environ, "TMPDIR": str(base)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def test_folder_of_a_living_run_stays_however_old_it_is() -> None:
    mine = aged(_short_folder())
    assert _short_folder() != mine
    assert mine.is_dir()


def test_folder_of_another_run_stays_while_it_lives_and_goes_when_it_was_killed(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="k-") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        process, folder = run_of_another_process(Path(short))
        with process:
            aged(folder)
            _short_folder()
            assert folder.is_dir()
            process.kill()
        _short_folder()
        assert not folder.exists()


def test_folder_that_was_made_this_moment_stays_before_it_is_locked(base: Path) -> None:
    new = abandoned(base)
    _short_folder()
    assert new.is_dir()
    aged(new)
    _short_folder()
    assert not new.exists()


def test_folder_that_no_run_has_made_stays(base: Path) -> None:
    strange = base / "rb-12-x"
    strange.mkdir()
    aged(strange)
    _short_folder()
    assert strange.is_dir()


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_lock_of_a_folder_that_was_removed_is_given_back() -> None:
    before = open_files()
    for _ in range(5):
        shutil.rmtree(_short_folder())
    _short_folder()
    assert open_files() <= before + 1


def test_sockets_fit_into_the_shortest_path_that_a_system_allows(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    macos = 103
    monkeypatch.undo()
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        long = Path(short) / ("x" * (LONGEST_FOLDER - len(short) - 1))
        long.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(long))
        folder = _short_folder()
        assert folder.parent == long
        # jupyter_client numbers the sockets of a kernel from 1 on.
        assert len(os.fsencode(folder / "k-ipc-99")) <= macos


def test_folder_for_which_no_socket_s_path_has_room_is_made_in_tmp(monkeypatch: pytest.MonkeyPatch, base: Path) -> None:
    monkeypatch.setattr("runbook_lib.engine.kernels.LONGEST_FOLDER", len(str(base)) - 1)
    folder = _short_folder()
    assert folder.parent == Path("/tmp")
    shutil.rmtree(folder)
