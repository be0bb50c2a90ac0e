"""The engine's measures: times in seconds, sizes in characters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import UsageError

__all__ = ["EngineOptions"]


@dataclass(frozen=True)
class EngineOptions:
    """Time-outs, graces and bounds. None is no limit.

    `grace` is how long an interrupted kernel may take; while a child of it is alive (Terraform at its last call), it is
    `child_grace`.
    """

    cell_timeout: float | None = None
    notebook_timeout: float | None = None
    start_timeout: float = 60
    grace: float = 10
    child_grace: float = 600
    save_every: float = 4
    stream_limit: int = 262_144
    output_limit: int = 2_000_000
    outputs_per_cell: int = 500

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> dict[str, float]:
        """What RUNBOOK_CELL_TIMEOUT, …_NOTEBOOK_TIMEOUT, …_GRACE and …_SAVE_EVERY say; UsageError for no number."""
        found = {}
        for field in ("cell_timeout", "notebook_timeout", "grace", "save_every"):
            name = f"RUNBOOK_{field.upper()}"
            if environ.get(name):
                try:
                    found[field] = float(environ[name])
                except ValueError as error:
                    raise UsageError(f"{name}: {environ[name]!r} is no number", "Give seconds, as 600.") from error
        return found
