"""A stack's folder made ready and found valid: `terraform init` and `validate`, left out when nothing changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from .atomic import write_atomic
from .git import read_file
from .hcl_blocks import split_blocks
from .terraform import Terraform
from .terraform_errors import Diagnostic

__all__ = ["ensure_initialised", "locked_providers", "provider_versions", "validate"]

INITIALISED = ".terraform/runbook-init"
VALID = ".terraform/runbook-valid"
LOCK = ".terraform.lock.hcl"
BACKEND_VARIABLES = ("TF_HTTP_ADDRESS", "TF_CLI_CONFIG_FILE", "TF_DATA_DIR", "TF_WORKSPACE")
# Without one, `init` takes whatever bears the version.
_HASH = re.compile(r'"(?:h1|zh):[^"]+"')
# Terraform validates without any variable's value, and states and plans are none of its business.
_CONFIGURATION = ("**/*.tf", "**/*.tf.json", "**/*.tofu", "**/*.tofu.json")
NOT_LOOKED_AT = (".tfvars", ".tfvars.json", ".tfstate", ".tfstate.backup", ".tfplan")


def ensure_initialised(terraform: Terraform, *, backend: bool = True) -> bool:
    """Initialise the folder unless nothing changed since the last time; whether it had to be done.

    Without `backend` only the providers are made ready: enough to validate, and it needs no credentials.
    """
    marker = terraform.directory / INITIALISED
    if _is_marked(marker, _initialised_as(terraform)):
        return False
    if not backend:
        terraform.init("-backend=false")
        return True
    terraform.init()
    write_atomic(marker, _initialised_as(terraform).encode())
    return True


def validate(terraform: Terraform) -> tuple[tuple[Diagnostic, ...], bool]:
    """The errors in an initialised folder's files, and whether Terraform had to be asked."""
    marker, wanted = terraform.directory / VALID, _validated_as(terraform)
    if _is_marked(marker, wanted):
        return (), False
    errors = terraform.validate()
    if wanted and not errors:
        write_atomic(marker, wanted.encode())
    return errors, True


def provider_versions(directory: Path) -> tuple[tuple[str, str], ...]:
    """The providers that an initialised folder uses, as (`hashicorp/aws`, version)."""
    found = (directory / ".terraform/providers").glob("*/*/*/*")
    return tuple(sorted((path.parent.relative_to(path.parents[2]).as_posix(), path.name) for path in found))


def locked_providers(directory: Path) -> frozenset[str] | None:
    """The providers in the lock file as it is committed, as `registry.terraform.io/hashicorp/aws`; None without one.

    Not as it lies there: `init` adds to it whatever it meets. Outside a repository there is no other.
    """
    content = read_file(directory, LOCK)
    if content is None:
        path = directory / LOCK
        content = path.read_bytes() if path.is_file() else b""
    blocks = split_blocks(content.decode(errors="replace"), LOCK)
    named = (block for block in blocks if block.kind == "provider" and block.labels and _HASH.search(block.text))
    return frozenset(block.labels[0] for block in named) if content else None


def _is_marked(marker: Path, wanted: str) -> bool:
    return bool(wanted) and marker.is_file() and marker.read_text() == wanted


def _initialised_as(terraform: Terraform) -> str:
    """A digest of these files, this binary and this backend; empty if the folder is not initialised at all."""
    lock = terraform.directory / LOCK
    if not (terraform.directory / ".terraform/providers").is_dir() or not lock.is_file():
        return ""
    backend = [(name, terraform.environment.get(name, "")) for name in BACKEND_VARIABLES]
    digest = hashlib.sha256(repr((terraform.binary, backend)).encode())
    for path in [*_configuration(terraform.directory), lock]:
        digest.update(f"\n{path.relative_to(terraform.directory)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _configuration(directory: Path) -> list[Path]:
    files = (path for pattern in _CONFIGURATION for path in directory.glob(pattern))
    return sorted(path for path in files if ".terraform" not in path.parts)


def _validated_as(terraform: Terraform) -> str:
    """A digest of all that the answer depends on; empty if it may depend on what lies elsewhere."""
    lock = terraform.directory / LOCK
    if not lock.is_file():
        return ""
    digest = hashlib.sha256(repr(terraform.binary).encode())
    for path in (lock, *_looked_at(terraform.directory)):
        content = path.read_bytes()
        if {".tf", ".tofu"} & set(path.suffixes) and b".." in content:
            # A module, or a file that an expression reads, outside the folder: only Terraform knows which.
            return ""
        digest.update(f"\n{path.relative_to(terraform.directory)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _looked_at(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*")):
        hidden = any(part.startswith(".terraform") for part in path.relative_to(directory).parts)
        if not hidden and path.is_file() and not path.name.endswith(NOT_LOOKED_AT):
            yield path
