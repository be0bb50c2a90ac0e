"""What a job of the pipeline installs: size, packages and seconds, with an empty cache and with a full one."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT_MB = 300


def main() -> int:
    """Measure; 1 if it is larger than a job's installation may be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="the Python that the jobs have")
    python = parser.parse_args().python
    with tempfile.TemporaryDirectory(prefix="bench-install-") as folder:
        wheel = build_wheel(Path(folder))
        for name in ("cold", "warm"):
            venv, seconds = install(Path(folder), wheel, python, name)
            size, packages = measure(venv)
            print(f"{name}: {size:.0f} MB, {packages} packages, {seconds:.1f} s")
    print(f"at most {LIMIT_MB} MB: {'yes' if size <= LIMIT_MB else 'no'}")
    return int(size > LIMIT_MB)


def build_wheel(folder: Path) -> Path:
    """The package as it is handed out."""
    uv = [Path(sys.executable).with_name("uv"), "build", "--quiet", "--wheel", "--no-build-isolation"]
    subprocess.run([*uv, "--python", sys.executable, "--out-dir", folder, ROOT], check=True)
    return next(folder.glob("*.whl"))


def install(folder: Path, wheel: Path, python: str, name: str) -> tuple[Path, float]:
    """Install as the pipeline does, beside a cache that the first installation fills."""
    venv, package = folder / name, folder / f"{name}-package"
    began = time.monotonic()
    pip = [python, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--wheel-dir", package]
    subprocess.run([*pip, wheel], check=True)
    subprocess.run([python, "-m", "zipfile", "-e", package / wheel.name, package / "unpacked"], check=True)
    # The caches lie in the folder where it is started, as in a job.
    kept = {key: value for key, value in os.environ.items() if key != "UV_CACHE_DIR"} | {
        "PYTHONPATH": str(package / "unpacked")
    }
    command = [python, "-m", "runbook_lib.job_installation", venv, package / wheel.name]
    subprocess.run(command, cwd=folder, env=kept, check=True)
    seconds = time.monotonic() - began
    subprocess.run([venv / "bin/runbook", "--version"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return venv, seconds


def measure(venv: Path) -> tuple[float, int]:
    """Megabytes on the disk, each file counted once, and how many packages."""
    files = {(found.st_dev, found.st_ino): found.st_blocks * 512 for found in map(Path.lstat, venv.rglob("*"))}
    packages = list(venv.glob("lib/python*/site-packages/*.dist-info"))
    return sum(files.values()) / 1_000_000, len(packages)


if __name__ == "__main__":
    sys.exit(main())
