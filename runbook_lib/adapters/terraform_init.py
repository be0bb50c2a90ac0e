"""`terraform init`, left out when the folder is initialised for exactly these files, this binary and this backend."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .store import write_atomic
from .terraform import Terraform

__all__ = ["ensure_initialised", "provider_versions"]

MARKER = ".terraform/runbook-init"
BACKEND_VARIABLES = ("TF_HTTP_ADDRESS", "TF_CLI_CONFIG_FILE", "TF_DATA_DIR", "TF_WORKSPACE")


def ensure_initialised(terraform: Terraform, *, backend: bool = True) -> bool:
    """Initialise the folder unless nothing changed since the last time; whether it had to be done.

    Without `backend` only the providers are made ready: enough to validate, and it needs no credentials.
    """
    marker = terraform.directory / MARKER
    wanted = _fingerprint(terraform)
    if wanted and marker.is_file() and marker.read_text() == wanted:
        return False
    if not backend:
        terraform.init("-backend=false")
        return True
    terraform.init()
    write_atomic(marker, _fingerprint(terraform).encode())
    return True


def provider_versions(directory: Path) -> tuple[tuple[str, str], ...]:
    """The providers that an initialised folder uses, as (`hashicorp/aws`, version)."""
    found = (directory / ".terraform/providers").glob("*/*/*/*")
    return tuple(sorted((path.parent.relative_to(path.parents[2]).as_posix(), path.name) for path in found))


def _fingerprint(terraform: Terraform) -> str:
    lock = terraform.directory / ".terraform.lock.hcl"
    if not (terraform.directory / ".terraform/providers").is_dir() or not lock.is_file():
        return ""
    digest = hashlib.sha256(repr((terraform.binary, _backend(terraform))).encode())
    for path in [*_configuration(terraform.directory), lock]:
        digest.update(f"\n{path.relative_to(terraform.directory)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _backend(terraform: Terraform) -> list[tuple[str, str]]:
    return [(name, terraform.environment.get(name, "")) for name in BACKEND_VARIABLES]


def _configuration(directory: Path) -> list[Path]:
    files = (path for pattern in ("**/*.tf", "**/*.tf.json") for path in directory.glob(pattern))
    return sorted(path for path in files if ".terraform" not in path.parts)
