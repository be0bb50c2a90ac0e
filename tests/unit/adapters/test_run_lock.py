"""One process carries a run out, and whoever asks is told who does."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import pytest

from runbook_lib.adapters.run_lock import carries_out, is_carried_out
from runbook_lib.errors import UsageError

HOLD = """
import sys, time
from pathlib import Path
from runbook_lib.adapters.run_lock import carries_out
with carries_out(Path(sys.argv[1]), "r1"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_run_is_carried_out_as_long_as_somebody_holds_it(tmp_path: Path) -> None:
    assert not is_carried_out(tmp_path, "r1")
    with carries_out(tmp_path, "r1"):
        assert is_carried_out(tmp_path, "r1")
        assert not is_carried_out(tmp_path, "r2")
    assert not is_carried_out(tmp_path, "r1")
    assert list(tmp_path.iterdir()) == []


def test_a_second_process_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    try:
        assert is_carried_out(tmp_path, "r1")
        with (
            pytest.raises(UsageError, match=f"run r1 is being carried out by process {process.pid} of"),
            carries_out(tmp_path, "r1"),
        ):
            pytest.fail("two processes carry one run out")
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    # Killed, it leaves its file behind, and nobody takes that for a run that is carried out.
    assert not is_carried_out(tmp_path, "r1")
    with carries_out(tmp_path, "r1"):
        assert is_carried_out(tmp_path, "r1")


def test_who_comes_as_the_first_one_ends_has_a_lock_that_others_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, lock = ExitStack(), fcntl.flock
    first.enter_context(carries_out(tmp_path, "r1"))

    def end_first(file: IO[str], how: int) -> None:
        first.close()
        lock(file, how)

    monkeypatch.setattr("runbook_lib.adapters.run_lock.fcntl.flock", end_first)
    with carries_out(tmp_path, "r1"):
        assert is_carried_out(tmp_path, "r1")
        with pytest.raises(UsageError, match="run r1 is being carried out by process"), carries_out(tmp_path, "r1"):
            pytest.fail("two processes carry one run out")
    assert list(tmp_path.iterdir()) == []


def test_a_run_whose_outputs_are_not_there_yet_can_be_carried_out(tmp_path: Path) -> None:
    with carries_out(tmp_path / "outputs", "r1"):
        assert is_carried_out(tmp_path / "outputs", "r1")
