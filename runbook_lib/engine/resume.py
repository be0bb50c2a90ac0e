"""Whether a step has to be repeated: its notebook, parameters and input files against those of its last execution."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..adapters.store import RunStore, sha256_file
from ..models.base import Outcome, Step
from ..models.results import InputFile, StepResult

__all__ = ["fingerprint", "unchanged_result"]

DONE = (Outcome.PASSED, Outcome.WARNED)
REPOSITORY = "repo:"


def fingerprint(nb: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """A digest over the cells' sources and the parameters' values; kept in the executed notebook's metadata."""
    sources = [(cell["cell_type"], cell["source"]) for cell in nb["cells"]]
    text = json.dumps([sources, parameters], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def unchanged_result(store: RunStore, root: Path, step: Step, wanted: str) -> StepResult | None:
    """The step's result if it was good and nothing that it came from has changed since; else None."""
    from .step_results import read_own_result

    result = read_own_result(store, step)
    if result is None or result.outcome not in DONE or _recorded(store, step) != wanted:
        return None
    return result if all(_same(store, root, file) for file in result.inputs) else None


def _recorded(store: RunStore, step: Step) -> str:
    try:
        notebook = json.loads((store.dir / step.folder / "notebook.ipynb").read_text(encoding="utf-8"))
        return str(notebook["metadata"]["runbook"]["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _same(store: RunStore, root: Path, file: InputFile) -> bool:
    inside = file.path.startswith(REPOSITORY)
    path = root / file.path.removeprefix(REPOSITORY) if inside else store.dir / file.path
    return path.is_file() and sha256_file(path) == file.sha256
