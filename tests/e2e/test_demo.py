"""The demo as a newcomer runs it: a command, and nothing left but the run folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from desk import eventually
from foreign import unpacked_wheel

from runbook_lib.models.steps import BUILT_IN
from runbook_lib.runner.evidence import prove_folder

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "runbook_lib.cli", "demo"]
# What a newcomer's clone holds and the demo reads.
PARTS = ("notebooks", "policies", "terraform")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    for name in PARTS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".terraform*"))
    for name in ("runbook.yml", ".gitignore"):
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def environment(clone: Path, mark: str, **more: str) -> dict[str, str]:
    return {**os.environ, "RUNBOOK_ROOT": str(clone), "TF_VAR_test_mark": mark, **more}


def marked(mark: str) -> Iterator[psutil.Process]:
    """The living processes that inherited the mark, however they were detached."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("TF_VAR_test_mark") == mark and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue


def demo(clone: Path, mark: str, *options: str, **more: str) -> subprocess.CompletedProcess[str]:
    command, variables = [*COMMAND, *options], environment(clone, mark, **more)
    return subprocess.run(command, cwd=clone, env=variables, capture_output=True, text=True, timeout=500, check=False)


def check_told(done: subprocess.CompletedProcess[str], clone: Path) -> None:
    """It came to its good end: the page before and after, the evidence, and nothing of the lab."""
    assert done.returncode == 0, done.stderr[-3000:]
    assert "before: the page is unreachable" in done.stdout
    assert re.search(r"after: the page answers 200, its picture 200 \(image/png, \d+ bytes\)", done.stdout)
    assert re.search(r"evidence: \d+ files verify, signed by [0-9a-f]{16}", done.stdout)
    page = Path(re.search(r"to read: (.*)", done.stdout)[1])  # type: ignore[index]
    assert page.is_relative_to(clone / "outputs")
    assert prove_folder(page.parent, clone / f"outputs/{page.parent.name}.pub").valid
    assert {folder.name for folder in page.parent.iterdir() if folder.is_dir()} >= {step.folder for step in BUILT_IN}


def test_the_wheel_alone_opens_the_page_proves_it_and_leaves_nothing_running(tmp_path: Path) -> None:
    mark, empty = uuid.uuid4().hex, tmp_path / "empty"
    empty.mkdir()
    package = unpacked_wheel(tmp_path / "package")
    check_told(demo(empty, mark, PYTHONPATH=str(package), PYTHONSAFEPATH="1", RUNBOOK_ROOT=""), empty)
    assert list(marked(mark)) == []
    assert {path.name for path in empty.iterdir()} == {".lab", "outputs"}
    assert not (empty / ".lab/demo/state.json").exists()


def test_a_demo_that_was_killed_half_way_is_in_nobody_s_way(clone: Path) -> None:
    killed, mark = uuid.uuid4().hex, uuid.uuid4().hex
    with subprocess.Popen(
        COMMAND, cwd=clone, env=environment(clone, killed), stderr=subprocess.PIPE, text=True
    ) as first:
        assert first.stderr is not None
        told: list[str] = []
        for line in first.stderr:
            told.append(line)
            if line.startswith("plan │ "):
                break
        assert told[-1].startswith("plan │ "), "".join(told)[-3000:]
        first.kill()
    # Its lab is built and its run goes on as far as it is to go.
    again = demo(clone, mark, "--break", "compliance")
    assert again.returncode == 1, again.stderr[-3000:]
    assert re.search(r"evidence: \d+ files verify, signed by [0-9a-f]{16}", again.stdout)
    assert list(marked(mark)) == []
    eventually(lambda: not list(marked(killed)), "what the killed demo had started ends by itself")
