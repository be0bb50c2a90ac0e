"""The life and death of a lab's process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from runbook_lib.errors import AdapterError, UsageError
from runbook_lib.lab.addresses import LabAddresses
from runbook_lib.lab.process import control, running_lab, start_process, stop_process
from runbook_lib.lab.statefile import STATE, find_lab

ROOT = Path(__file__).parents[2]
# Starts a lab, tells it whether the lab is let go, and waits to be killed.
BUILDER = """
import sys
from pathlib import Path
from runbook_lib.lab.process import control, start_process
lab = start_process(Path(sys.argv[1]), Path(sys.argv[2]))
if sys.argv[3] != "building":
    control(lab, "POST", "/lab/ready", {"tied": sys.argv[3] == "tied"})
print("started", flush=True)
input()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "lab"
    stop_process(tmp_path / "lab")


def listens(lab: LabAddresses) -> list[str]:
    open_ones = []
    for name in ("aws_url", "gitlab_url", "slack_url", "control_url"):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", urlsplit(getattr(lab, name)).port or 0)) == 0:
                open_ones.append(name)
    return open_ones


def terraform_in(folder: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found


def killed_builder(folder: Path, then: str) -> LabAddresses:
    command = [sys.executable, "-c", BUILDER, str(folder), str(ROOT), then]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as builder:
        assert builder.stdout is not None
        assert builder.stdout.readline() == b"started\n"
        lab = running_lab(folder)
        builder.kill()
    return lab


def test_every_part_answers_as_soon_as_it_is_started_and_none_after_it_was_stopped(folder: Path) -> None:
    lab = start_process(folder, ROOT)
    assert listens(lab) == ["aws_url", "gitlab_url", "slack_url", "control_url"]
    stopped = stop_process(folder)
    assert stopped == lab
    assert listens(lab) == []
    assert not psutil.pid_exists(lab.process.pid)
    assert not (folder / STATE).exists()


def test_a_lab_that_does_not_end_when_asked_is_killed_and_leaves_no_state(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook_lib.lab.process.STOP_SECONDS", 1)
    lab = start_process(folder, ROOT)
    psutil.Process(lab.process.pid).suspend()
    assert stop_process(folder) == lab
    assert not psutil.pid_exists(lab.process.pid)
    assert not (folder / STATE).exists()


def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="can't be used: Not a directory") as caught:
        start_process(tmp_path / "file" / "lab", ROOT)
    assert "--dir" in caught.value.remedy


def test_stopping_what_does_not_run_is_no_error(folder: Path) -> None:
    assert stop_process(folder) is None


def test_after_a_kill_the_next_one_starts(folder: Path) -> None:
    killed = start_process(folder, ROOT)
    process = psutil.Process(killed.process.pid)
    process.kill()
    process.wait(timeout=30)
    assert find_lab(folder) is None
    assert start_process(folder, ROOT).process != killed.process


def test_of_two_started_at_once_one_runs_and_the_other_says_so(folder: Path) -> None:
    def start(_: int) -> str:
        try:
            return str(start_process(folder, ROOT).process.pid)
        except UsageError as error:
            return error.message

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(start, range(2)))
    pids = [word for word in said if word.isdigit()]
    assert pids == [str(running_lab(folder).process.pid)]
    (refusal,) = [word for word in said if not word.isdigit()]
    assert "a lab is" in refusal


def test_two_labs_in_two_folders_do_not_meet(folder: Path, tmp_path: Path) -> None:
    one = start_process(folder, ROOT)
    other = start_process(tmp_path / "other", ROOT)
    assert one.process != other.process
    stop_process(tmp_path / "other")
    assert len(listens(one)) == 4


@pytest.mark.parametrize("then", ["building", "tied"])
def test_a_lab_ends_with_the_process_that_needs_it_even_if_that_is_killed(folder: Path, then: str) -> None:
    lab = killed_builder(folder, then)
    process = psutil.Process(lab.process.pid) if psutil.pid_exists(lab.process.pid) else None
    if process is not None:
        process.wait(timeout=30)
    assert listens(lab) == []
    assert not (folder / STATE).exists()


def test_a_lab_that_was_let_go_outlives_its_builder(folder: Path) -> None:
    lab = killed_builder(folder, "ready")
    assert control(lab, "GET", "/lab/status")["phase"] == "ready"
    assert running_lab(folder).builder is None


def test_a_lab_that_cannot_start_says_why_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"web_front\.py is not there") as caught:
        start_process(folder, tmp_path)
    assert str(folder / "lab.log") in caught.value.remedy
    assert find_lab(folder) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_up_that_is_stopped_while_it_builds_leaves_nothing(folder: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "RUNBOOK_LAB_DIR": str(folder), "RUNBOOK_OUTPUTS": str(folder.parent / "outputs")}
    command = [sys.executable, "-m", "runbook_lib.cli", "lab", "up"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as up:
        try:
            assert up.stderr is not None
            assert any("network: terraform apply" in line for line in up.stderr)
            lab = running_lab(folder)
            process = psutil.Process(lab.process.pid)
            up.send_signal(number)
            status = up.wait(timeout=90)
        finally:
            up.kill()
    if psutil.pid_exists(process.pid):
        process.wait(timeout=60)
    assert status == (-number if number is signal.SIGKILL else 128 + number)
    assert listens(lab) == []
    assert terraform_in(folder) == []
    assert find_lab(folder) is None
