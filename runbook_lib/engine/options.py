"""The engine's measures: times in seconds, sizes in characters."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["EngineOptions"]


@dataclass(frozen=True)
class EngineOptions:
    """Time-outs, graces and bounds. None is no limit.

    `grace` is how long an interrupted kernel may take; while a child of it is alive (Terraform at its last call), it is
    `child_grace`. `autosave` is how often to save while a cell runs, 0 never; None is as often as anywhere.

    The last six are nbclient's, and mean what they mean there.
    """

    cell_timeout: float | None = None
    notebook_timeout: float | None = None
    start_timeout: float = 60
    grace: float = 10
    child_grace: float = 600
    save_every: float = 4
    autosave: float | None = None
    stream_limit: int = 262_144
    output_limit: int = 2_000_000
    outputs_per_cell: int = 500
    allow_errors: bool = False
    allow_error_names: Sequence[str] = ()
    force_raise_errors: bool = False
    interrupt_on_timeout: bool = False
    skip_cells_with_tag: str = "skip-execution"
    timeout_func: Callable[[NotebookNode], float | None] | None = None

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
