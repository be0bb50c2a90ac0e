"""The repository that a command works in: where runbook.yml lies, found the same way by everything that asks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .adapters.yaml_file import load_model
from .errors import ConfigError
from .models.config import RunbookConfig

__all__ = ["CONFIG_NAME", "Repository", "find_repository"]

CONFIG_NAME = "runbook.yml"


@dataclass(frozen=True)
class Repository:
    """A folder that is governed by a runbook.yml, which RUNBOOK_CONFIG may have put elsewhere."""

    root: Path
    config_file: Path

    def load(self) -> RunbookConfig:
        """What runbook.yml says; ConfigError naming its line if that is wrong."""
        return load_model(self.config_file, RunbookConfig)


def find_repository(environ: Mapping[str, str] = os.environ, start: Path | None = None) -> Repository:
    """The repository that RUNBOOK_ROOT or RUNBOOK_CONFIG names, else the nearest one upwards; ConfigError if none."""
    named = Path(environ["RUNBOOK_CONFIG"]) if environ.get("RUNBOOK_CONFIG") else None
    root = start or (Path(environ["RUNBOOK_ROOT"]) if environ.get("RUNBOOK_ROOT") else None)
    root = (root or (named.parent if named else _nearest(Path.cwd()))).resolve()
    return Repository(root, named or root / CONFIG_NAME)


def _nearest(start: Path) -> Path:
    for folder in (start, *start.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder
    raise ConfigError(f"no {CONFIG_NAME} in {start} or above it", "Run inside the repository, or set RUNBOOK_ROOT.")
