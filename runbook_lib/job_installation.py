"""`python -m runbook_lib.job_installation VENV PACKAGE`: a job's own environment, by uv from the hashed lock.

What a pipeline runs first, with the package alone on the path, so nothing but the standard library is imported here:

    python3 -m pip install --no-deps --target .cache/package PACKAGE
    PYTHONPATH=.cache/package python3 -m runbook_lib.job_installation .venv PACKAGE

Nothing is left to be resolved, and the next job takes all of it from the cache in `.cache/`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

from .packaged import packaged

__all__ = ["LOCK", "PROGRAM_LOCK", "commands", "main"]

LOCK = "requirements-job.lock"
PROGRAM_LOCK = "requirements-uv.lock"


def main(arguments: Sequence[str]) -> int:
    """Make the environment anew; the status of the first command that fails. What follows VENV goes to uv as it is."""
    if len(arguments) < 2:
        sys.stderr.write("error: the environment or the package is not named\nhint: VENV PACKAGE\n")
        return 2
    target = Path(arguments[0])
    # Without pip, which would be 15 MB that no job uses.
    venv.create(target, clear=True, symlinks=True, with_pip=False)
    for command, environment in commands(target, arguments[1:], Path.cwd() / ".cache", os.environ):
        if status := subprocess.run(command, env=environment, check=False).returncode:
            return status
    return 0


def commands(
    target: Path, package: Sequence[str], cache: Path, environ: Mapping[str, str]
) -> list[tuple[list[str], dict[str, str]]]:
    """What is run, each with its variables: pip for uv itself, if it is not there, and uv for all else."""
    program = cache / "uv-program"
    uv = program / "bin" / "uv"
    kept = {name: value for name, value in environ.items() if name != "PYTHONPATH"}
    kept |= {"UV_CACHE_DIR": str(cache / "uv"), "PIP_CACHE_DIR": str(cache / "pip")}
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    pip += ["--root-user-action", "ignore"]
    fetch = [*pip, "--require-hashes", "--target", str(program), "-r", str(packaged(PROGRAM_LOCK))]
    install = [str(uv), "pip", "install", "--quiet", "--python", str(target / "bin/python"), "--no-deps"]
    found = [(fetch, kept)] if not uv.exists() else []
    return [*found, ([*install, "--require-hashes", "-r", str(packaged(LOCK))], kept), ([*install, *package], kept)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
