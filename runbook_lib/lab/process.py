"""Start, find and stop the process of a lab, and talk to its control routes."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import AdapterError, UsageError
from .addresses import LabAddresses, World
from .statefile import LOG, READY, STATE, alive, end_strays, find_lab, read_addresses, sweep

__all__ = ["control", "give_faults", "running_lab", "start_process", "stop_process"]

LOCK = "lock"
# The servers take three seconds to import; a busy machine ten times as long.
START_SECONDS = 120
# It ends in half a second; on a machine whose every core is taken, in many.
STOP_SECONDS = 60


def start_process(folder: Path, root: Path, world: World | None = None) -> LabAddresses:
    """Start the lab of this folder and wait until every server listens; UsageError if one runs there already.

    Without a `world` it is the story's, whose web front lies in `root`.
    """
    with _locked(folder) as lock:
        sweep(folder)
        arguments = [sys.executable, "-m", "runbook_lib.lab.serve", str(folder), str(root), str(os.getpid())]
        arguments += [world.model_dump_json()] if world else []
        (folder / LOG).write_bytes(b"")
        with (folder / LOG).open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                # The lab inherits the lock and keeps it for as long as it lives, however it ends.
                pass_fds=(lock,),
            )
    if not _said_ready(process):
        process.kill()
        process.wait()
        raise AdapterError(f"the lab did not start: {_last_line(folder / LOG)}", f"Its log is {folder / LOG}.")
    return running_lab(folder)


def running_lab(folder: Path) -> LabAddresses:
    """The lab that runs in this folder; UsageError if none does."""
    lab = find_lab(folder)
    if lab is None:
        raise UsageError(f"no lab is running in {folder}", "Start one: runbook lab up")
    return lab


def stop_process(folder: Path) -> LabAddresses | None:
    """Stop the lab of this folder with everything that belongs to it; None if none was running."""
    lab = find_lab(folder)
    process = alive(lab.process) if lab else None
    if process is not None:
        family = [process, *process.children(recursive=True)]
        process.terminate()
        if _killed(family) and lab == read_addresses(folder):
            # It could not put its state away by itself. What another lab wrote there meanwhile is that one's.
            (folder / STATE).unlink(missing_ok=True)
    if folder.is_dir():
        end_strays(folder)
    return lab


def control(lab: LabAddresses, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Call one of the lab's control routes."""
    import requests

    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.request(method, lab.control_url + path, json=body, timeout=30)
            answer.raise_for_status()
            return dict(answer.json())
        except (requests.RequestException, ValueError) as error:
            raise AdapterError(
                f"the lab does not answer: {error}", "Start it anew: runbook lab down, lab up"
            ) from error


def give_faults(lab: LabAddresses, order: Mapping[str, Any]) -> None:
    """Let something fail, or heal it: see `FaultOrder`, of which this is the JSON."""
    control(lab, "POST", "/lab/faults", dict(order))


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UsageError(
            f"the lab's folder {folder} can't be used: {error.strerror}", "Name another one with --dir."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise UsageError(_taken(folder), "Use it (runbook lab env), or end it first: runbook lab down") from None
    try:
        yield lock
    finally:
        os.close(lock)


def _taken(folder: Path) -> str:
    lab = find_lab(folder)
    if lab is None:
        return f"a lab is just being started in {folder}"
    return (
        f"a lab is already running in {folder}: process {lab.process.pid}, started {lab.started_at:%Y-%m-%d %H:%M} "
        f"UTC, its page is {lab.slack_url}/"
    )


def _said_ready(process: subprocess.Popen[bytes]) -> bool:
    assert process.stdout is not None  # noqa: S101  # asked for above
    with process.stdout as stream:
        readable, _, _ = select.select([stream], [], [], START_SECONDS)
        return bool(readable) and stream.readline().decode().strip() == READY


def _killed(family: list[Any]) -> bool:
    import psutil

    left = psutil.wait_procs(family, timeout=STOP_SECONDS)[1]
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=STOP_SECONDS)
    return bool(left)


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines() if path.is_file() else []
    return lines[-1] if lines else "it said nothing"
