"""`terraform validate`, left out when nothing that it looks at changed since it found no error."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from .store import write_atomic
from .terraform import Terraform
from .terraform_errors import Diagnostic

__all__ = ["validate"]

MARKER = ".terraform/runbook-valid"
# Terraform validates without any variable's value, and states and plans are none of its business.
NOT_LOOKED_AT = (".tfvars", ".tfvars.json", ".tfstate", ".tfstate.backup", ".tfplan")


def validate(terraform: Terraform) -> tuple[tuple[Diagnostic, ...], bool]:
    """The errors in an initialised folder's files, and whether Terraform had to be asked."""
    marker, wanted = terraform.directory / MARKER, _fingerprint(terraform)
    if wanted and marker.is_file() and marker.read_text() == wanted:
        return (), False
    errors = terraform.validate()
    if wanted and not errors:
        write_atomic(marker, wanted.encode())
    return errors, True


def _fingerprint(terraform: Terraform) -> str:
    """A digest of all that the answer depends on; empty if it may depend on what lies elsewhere."""
    lock = terraform.directory / ".terraform.lock.hcl"
    if not lock.is_file():
        return ""
    digest = hashlib.sha256(repr(terraform.binary).encode())
    for path in (lock, *_files(terraform.directory)):
        content = path.read_bytes()
        if ".tf" in path.suffixes and b".." in content:
            # A module, or a file that an expression reads, outside the folder: only Terraform knows which.
            return ""
        digest.update(f"\n{path.relative_to(terraform.directory)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _files(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*")):
        hidden = any(part.startswith(".terraform") for part in path.relative_to(directory).parts)
        if not hidden and path.is_file() and not path.name.endswith(NOT_LOOKED_AT):
            yield path
