"""What a process writes, while it writes and after whoever reads it is gone."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runbook_lib.adapters.transcript import Transcript

READER = """
import subprocess, sys
from runbook_lib.adapters.transcript import Transcript
with Transcript() as transcript:
    script = "read go < go; echo heard; echo heard > heard"
    subprocess.Popen(["sh", "-c", script], cwd=sys.argv[1], stdout=transcript.file, start_new_session=True)
    with transcript.followed(print):
        print("ready", flush=True)
        sys.stdin.read()
"""


def test_a_line_is_given_while_the_process_still_runs() -> None:
    seen = threading.Event()
    with Transcript() as transcript:
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=transcript.file) as process:
            assert process.stdin
            with transcript.followed(lambda line: seen.set()):
                process.stdin.write(b"one\n")
                process.stdin.flush()
                assert seen.wait(30)
                assert process.poll() is None
                process.stdin.close()
                process.wait()
        assert transcript.text() == "one\n"


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\ntwo", ["one", "two"]),
        (b"", []),
        (b"\n\n", ["", ""]),
        ("ä".encode() * 50_000 + b"\n", ["ä" * 50_000]),
        (b"\xff\n", ["�"]),
    ],
)
def test_every_line_is_given_once_and_whole(written: bytes, lines: list[str]) -> None:
    seen: list[str] = []
    with Transcript() as transcript:
        with transcript.followed(seen.append):
            transcript.file.write(written)
            transcript.file.flush()
        assert transcript.text() == written.decode("utf-8", "replace")
    assert seen == lines


def test_a_process_writes_on_when_its_reader_was_killed(tmp_path: Path) -> None:
    subprocess.run(["mkfifo", str(tmp_path / "go")], check=True)
    command = [sys.executable, "-c", READER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout
        assert reader.stdout.readline() == b"ready\n"
        reader.send_signal(signal.SIGKILL)
        reader.wait()
    # Opening waits for the orphan, which then writes to a file that nobody else has open.
    (tmp_path / "go").write_text("go\n")
    subprocess.run(["sh", "-c", "until [ -s heard ]; do sleep 0.01; done"], cwd=tmp_path, timeout=30, check=True)
    assert (tmp_path / "heard").read_text() == "heard\n"
