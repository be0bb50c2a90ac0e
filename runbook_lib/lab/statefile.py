"""The state folder of a lab: its state.json, and whether the lab that wrote it still lives."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import psutil
from pydantic import ValidationError

from .addresses import REPOSITORY, LabAddresses, ProcessId

__all__ = [
    "LOG",
    "READY",
    "STATE",
    "alive",
    "end_strays",
    "find_lab",
    "process_id",
    "read_addresses",
    "sweep",
    "write_addresses",
    "write_profiles",
]

STATE = "state.json"
LOG = "lab.log"
# What the starter reads on the lab's standard output once every server listens.
READY = "ready"


def process_id(pid: int | None = None) -> ProcessId:
    """Identify a process by its number; without one, the process that asks."""
    process = psutil.Process(pid)
    return ProcessId(pid=process.pid, create_time=process.create_time())


def alive(process: ProcessId) -> psutil.Process | None:
    """The process, unless it is gone or its number now belongs to another one."""
    try:
        found = psutil.Process(process.pid)
        # The start is counted in clock ticks from boot; a correction of the clock may shift it a little.
        same = abs(found.create_time() - process.create_time) < 1
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def write_addresses(lab: LabAddresses) -> None:
    """Write state.json whole, readable by its owner alone: it holds tokens."""
    path = lab.folder / STATE
    temporary = path.with_suffix(".new")
    temporary.touch(mode=0o600)
    temporary.write_text(lab.model_dump_json(indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)


def write_profiles(lab: LabAddresses, names: Iterable[str] = ()) -> None:
    """Write AWS's own files, in which each profile that a shell or a provider names has the lab's keys alone."""
    shell = (os.environ.get("AWS_PROFILE"), os.environ.get("AWS_DEFAULT_PROFILE"))
    profiles = sorted({"default", *names, *filter(None, shell)})
    told = lab.aws_environment()
    keys = f"aws_access_key_id = {told['AWS_ACCESS_KEY_ID']}\naws_secret_access_key = {told['AWS_SECRET_ACCESS_KEY']}\n"
    for variable, text in (
        ("AWS_CONFIG_FILE", "".join(f"[profile {name}]\nregion = {told['AWS_REGION']}\n" for name in profiles)),
        ("AWS_SHARED_CREDENTIALS_FILE", "".join(f"[{name}]\n{keys}" for name in profiles)),
    ):
        path = Path(told[variable])
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")


def read_addresses(folder: Path) -> LabAddresses | None:
    """What state.json says, of a lab that may have been killed since; None without a whole one."""
    try:
        return LabAddresses.model_validate_json((folder / STATE).read_bytes())
    except (OSError, ValidationError):
        return None


def find_lab(folder: Path) -> LabAddresses | None:
    """The lab that runs in this folder; None if there is none, or what is left of one that was killed."""
    lab = read_addresses(folder)
    return lab if lab is not None and alive(lab.process) else None


def sweep(folder: Path) -> None:
    """Remove what an earlier lab left in the folder, but not its log."""
    end_strays(folder)
    (folder / STATE).unlink(missing_ok=True)
    shutil.rmtree(folder / REPOSITORY, ignore_errors=True)


def end_strays(folder: Path) -> None:
    """End the Terraform processes that still work on this lab: their AWS is gone, and they would retry for long."""
    strays = [process for process in psutil.process_iter() if _is_stray(process, folder / REPOSITORY)]
    for process in strays:
        _signal(process, hard=False)
    for process in psutil.wait_procs(strays, timeout=3)[1]:
        _signal(process, hard=True)


def _is_stray(process: psutil.Process, repository: Path) -> bool:
    try:
        words = " ".join(process.cmdline()[:3])
        return ("terraform" in words or "tofu" in words) and Path(process.cwd()).is_relative_to(repository)
    except (psutil.Error, OSError):
        return False


def _signal(process: psutil.Process, *, hard: bool) -> None:
    try:
        if hard:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        return
