"""Whether the lab that wrote a state file still lives."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from runbook_lib.lab.addresses import REPOSITORY, Credentials, LabAddresses, ProcessId
from runbook_lib.lab.statefile import STATE, alive, end_strays, find_lab, process_id, sweep, write_addresses


def lab(folder: Path, process: ProcessId) -> LabAddresses:
    return LabAddresses(
        process=process,
        started_at=datetime(2026, 1, 2, tzinfo=UTC),
        folder=folder,
        root=folder,
        aws_url="http://127.0.0.1:1",
        gitlab_url="http://127.0.0.1:1",
        slack_url="http://127.0.0.1:1",
        control_url="http://127.0.0.1:1",
        credentials=Credentials.make(),
    )


@pytest.fixture
def sleeper(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A process that waits for the end of its input."""
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


def test_a_lab_is_found_by_its_state_file(tmp_path: Path) -> None:
    written = lab(tmp_path, process_id())
    write_addresses(written)
    assert find_lab(tmp_path) == written


def test_the_state_file_is_its_owners_alone(tmp_path: Path) -> None:
    write_addresses(lab(tmp_path, process_id()))
    assert stat.S_IMODE((tmp_path / STATE).stat().st_mode) == 0o600


def test_a_lab_whose_process_is_gone_is_no_lab(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    write_addresses(lab(tmp_path, process_id(sleeper.pid)))
    assert find_lab(tmp_path) is not None
    sleeper.communicate(b"\n")
    assert find_lab(tmp_path) is None


def test_a_process_that_was_killed_and_not_yet_waited_for_is_gone(sleeper: subprocess.Popen[bytes]) -> None:
    found = process_id(sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert alive(found) is None
    sleeper.communicate()


def test_another_process_with_the_same_number_is_not_the_lab(tmp_path: Path) -> None:
    mine = process_id()
    write_addresses(lab(tmp_path, ProcessId(pid=mine.pid, create_time=mine.create_time - 3600)))
    assert find_lab(tmp_path) is None


@pytest.mark.parametrize("left", ["", "{", '{"process": {"pid": 1}}', "[]"])
def test_a_state_file_that_was_cut_off_is_no_lab(tmp_path: Path, left: str) -> None:
    (tmp_path / STATE).write_text(left)
    assert find_lab(tmp_path) is None


def test_sweeping_removes_what_a_killed_lab_left(tmp_path: Path) -> None:
    (tmp_path / STATE).write_text("{}")
    (tmp_path / REPOSITORY / "terraform").mkdir(parents=True)
    (tmp_path / "lab.log").write_text("what happened")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lab.log"]


def test_terraform_that_still_works_on_a_dead_lab_is_ended_and_nothing_else(tmp_path: Path) -> None:
    # Named so that one looks like Terraform; both wait for the end of their input.
    (tmp_path / "terraform").symlink_to("/bin/cat")
    programs = {"stray": ("mine", "terraform"), "other lab": ("other", "terraform"), "editor": ("mine", "/bin/cat")}
    started = {}
    for name, (lab, program) in programs.items():
        folder = tmp_path / lab / REPOSITORY
        folder.mkdir(parents=True, exist_ok=True)
        started[name] = subprocess.Popen([tmp_path / program], cwd=folder, stdin=subprocess.PIPE)
    end_strays(tmp_path / "mine")
    left = {name for name, process in started.items() if psutil.pid_exists(process.pid)}
    for process in started.values():
        process.communicate()
    assert left == {"other lab", "editor"}
