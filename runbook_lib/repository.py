"""The repository that a command works in: where runbook.yml lies, found the same way by everything that asks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from .adapters.yaml_file import load_model
from .domain.surroundings import Refused
from .errors import ConfigError
from .models.config import RunbookConfig
from .models.services_file import ServicesFile

__all__ = ["CONFIG_NAME", "Repository", "checkout_root", "find_repository", "misplaced"]

CONFIG_NAME = "runbook.yml"
SERVICES_NAME = "services.yml"


@dataclass(frozen=True)
class Repository:
    """A folder that is governed by a runbook.yml, which RUNBOOK_CONFIG may have put elsewhere."""

    root: Path
    config_file: Path

    def load(self) -> RunbookConfig:
        """What runbook.yml says; ConfigError naming its line if that is wrong."""
        services = self.root / SERVICES_NAME
        if not services.is_file():
            return load_model(self.config_file, RunbookConfig)
        listed = load_model(services, ServicesFile)
        try:
            # Where services are all that a repository has, this is its only file.
            beside = self.config_file.is_file()
            return listed.beside(load_model(self.config_file, RunbookConfig)) if beside else listed.alone()
        except ValueError as error:
            why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise ConfigError(f"{services}: {why}", "Let one of the two files say it.") from error


def find_repository(environ: Mapping[str, str] = os.environ, start: Path | None = None) -> Repository:
    """The repository that RUNBOOK_ROOT or RUNBOOK_CONFIG names, else the nearest one upwards; ConfigError if none."""
    named = Path(environ["RUNBOOK_CONFIG"]) if environ.get("RUNBOOK_CONFIG") else None
    root = start or (Path(environ["RUNBOOK_ROOT"]) if environ.get("RUNBOOK_ROOT") else None)
    root = (root or (named.parent if named else _nearest(Path.cwd()))).resolve()
    return Repository(root, named or root / CONFIG_NAME)


def checkout_root(folder: Path, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The top folder of what was checked out, to which GitLab and editors take a report's paths to be relative.

    In a job it is what GitLab says, if `folder` lies in it, which holds for submodules too; else where git's own is.
    """
    here = folder.resolve()
    project = environ.get("CI_PROJECT_DIR")
    if project and here.is_relative_to(Path(project).resolve()):
        return Path(project).resolve()
    return next((above for above in (here, *here.parents) if (above / ".git").exists()), None)


def misplaced(environ: Mapping[str, str]) -> Refused | None:
    """The first variable that leads elsewhere than to the repository of the working folder; None if none does.

    In a job they can be set by whoever starts it, and all that is believed begins with the runbook.yml that is read.
    """
    here = next((folder for folder in _upwards(Path.cwd())), None)
    for name, leads_to in (("RUNBOOK_CONFIG", CONFIG_NAME), ("RUNBOOK_ROOT", ".")):
        said = environ.get(name)
        if said and (here is None or Path(said).resolve() != (here / leads_to).resolve()):
            why = f"{name} is {said}, which is not what this job checked out"
            return Refused(name, why, f"Unset it, and start the command in the folder that holds {CONFIG_NAME}.")
    return None


def _upwards(start: Path) -> Iterator[Path]:
    folders = (start, *start.parents)
    for name in (CONFIG_NAME, SERVICES_NAME):
        yield from (folder for folder in folders if (folder / name).is_file())


def _nearest(start: Path) -> Path:
    for folder in _upwards(start):
        return folder
    raise ConfigError(
        f"no {CONFIG_NAME} in {start} or above it",
        "Run inside the repository, set RUNBOOK_ROOT, or begin one: runbook init",
    )
