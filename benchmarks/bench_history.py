"""`make bench-history`: how long the index of many run folders takes to make and to renew, and its page to open.

    python -m benchmarks.bench_history [--runs 2000]

Run folders of a team's year are made, sealed and signed; the index is built cold by `runbook history`, and renewed
after one more run, each as a process of its own, with all that it starts. Exit status 1 if a promise is broken.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import sync_playwright

from benchmarks.made_history import MadeHistory

ROOT = Path(__file__).resolve().parent.parent
COLD_SECONDS, COLD_MEGABYTES, RENEWED_SECONDS, OPENED_SECONDS = 20.0, 300, 1.0, 2.0
# A phone's and a desk's.
WIDTHS = (390, 1440)
# Twice as many runs may take so many times as long.
MOST_GROWTH = 2.6
RENEWAL = """
import sys, time
from pathlib import Path
from runbook_lib.runner.history import renew_history
started = time.perf_counter()
renewed = renew_history(Path(sys.argv[1]), key=Path(sys.argv[2]))
print(renewed.read, time.perf_counter() - started)
"""


@dataclass(frozen=True)
class Measured:
    """A command's seconds on the clock and of processors, and the most memory that all its processes held."""

    seconds: float
    cpu: float
    megabytes: float
    said: str


def main() -> None:
    """Measure half as many runs, then all of them, and print what came out beside what is promised."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=2000)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        half = measured(Path(folder) / "half", given.runs // 2)
        whole = measured(Path(folder) / "whole", given.runs)
    growth = whole["cold"].seconds / half["cold"].seconds
    renewed = float(whole["renewed"].said.split()[1])
    rows = [
        (f"index of {given.runs} runs, cold", f"{whole['cold'].seconds:.1f} s", f"{COLD_SECONDS:.0f} s",
         whole["cold"].seconds <= COLD_SECONDS),
        ("  processor time of all its processes", f"{whole['cold'].cpu:.1f} s", "", True),
        ("  memory, with its children", f"{whole['cold'].megabytes:.0f} MB", f"{COLD_MEGABYTES} MB",
         whole["cold"].megabytes <= COLD_MEGABYTES),
        (f"  beside {given.runs // 2} runs ({half['cold'].seconds:.1f} s)", f"{growth:.2f} times",
         f"{MOST_GROWTH} times", growth <= MOST_GROWTH),
        ("renewed by one more run", f"{renewed:.2f} s", f"{RENEWED_SECONDS:.0f} s", renewed <= RENEWED_SECONDS),
        ("  as a command, with list and page", f"{whole['command'].seconds:.2f} s", "", True),
        *((f"page ({whole['page'] / 1e6:.2f} MB) opened, {width} pixels wide", f"{seconds:.2f} s",
           f"{OPENED_SECONDS:.0f} s", seconds <= OPENED_SECONDS) for width, seconds in whole["opened"].items()),
    ]  # fmt: skip
    for name, found, promised, kept in rows:
        limit = f"(at most {promised})" if promised else ""
        print(f"{name:45} {found:>12} {limit:20} {'' if kept else 'BROKEN'}".rstrip())
    sys.exit(not all(kept for *_, kept in rows))


def measured(folder: Path, runs: int) -> dict[str, Any]:
    """All that is measured of so many runs."""
    made = MadeHistory(folder / "outputs")
    for number in range(runs):
        made.make(number)
    key = folder / "key.pub"
    key.write_text(made.public)
    command = [sys.executable, "-m", "runbook_lib.cli", "history", "--outputs", str(made.outputs), "--key", str(key)]
    found: dict[str, Any] = {"cold": ran(command)}
    made.make(runs)
    found["renewed"] = ran([sys.executable, "-c", RENEWAL, str(made.outputs), str(key)])
    made.make(runs + 1)
    found["command"] = ran(command)
    page = made.outputs / "index.html"
    return found | {"page": page.stat().st_size, "opened": {width: opened(page, width) for width in WIDTHS}}


def ran(command: list[str]) -> Measured:
    """Carry a command out, looking at its memory ten times a second."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    before = spent()
    began, most, ended = time.perf_counter(), [0.0], threading.Event()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, cwd="/"
    )

    def watch() -> None:
        while not ended.wait(0.1):
            try:
                family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
                most[0] = max(most[0], sum(one.memory_info().rss for one in family) / 1e6)
            except psutil.Error:
                continue

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    said, _ = process.communicate()
    ended.set()
    assert process.returncode == 0, said
    return Measured(time.perf_counter() - began, spent() - before, most[0], said)


def spent() -> float:
    """The processor seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def opened(page: Path, width: int) -> float:
    """Seconds until the page is drawn, its filter at work."""
    with sync_playwright() as playwright:
        options = {"executable_path": shutil.which("chromium"), "args": ["--no-sandbox", "--disable-gpu"]}
        browser = playwright.chromium.launch(**options)  # type: ignore[arg-type]
        tab = browser.new_page(viewport={"width": width, "height": 844})
        began = time.perf_counter()
        tab.goto(page.as_uri())
        tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        seconds = time.perf_counter() - began
        browser.close()
    return seconds


if __name__ == "__main__":
    main()
