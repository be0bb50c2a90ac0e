"""index.html of a run folder, made from the files that are there."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from ..adapters.store import RunStore
from ..errors import InputError
from ..models.approval import ApprovalRequest, DecisionRecord
from ..models.base import Step
from ..models.evidence import Manifest, ManifestFile
from ..models.exposure import Exposure
from ..models.results import StepResult
from ..models.run import Run

__all__ = ["write_index"]

ModelT = TypeVar("ModelT", Exposure, ApprovalRequest, DecisionRecord, Manifest)


def write_index(store: RunStore) -> Path:
    """Write the page and give its path; InputError if the folder holds no run. What can't be read is left out."""
    from ..report.html_index import IndexPage, render_index

    manifest = _read(store, "manifest.json", Manifest)
    page = IndexPage(
        run=store.read_model("run.json", Run),
        results=tuple(result for step in Step if (result := _result(store, step))),
        exposure=_read(store, f"{Step.PLAN.folder}/exposure.json", Exposure),
        request=_read(store, f"{Step.APPROVAL.folder}/request.json", ApprovalRequest),
        decision=_read(store, f"{Step.APPROVAL.folder}/decision.json", DecisionRecord),
        files=_files(manifest) if manifest else (),
        signed=store.exists("manifest.dsse.json"),
        pages=frozenset(path.relative_to(store.dir).as_posix() for path in store.dir.glob("*/notebook.*")),
    )
    # Digests are no secrets, and a mask could take one for a token: the texts were masked when they were written.
    return store.write_bytes("index.html", render_index(page).encode("utf-8", "replace"))


def _files(manifest: Manifest) -> tuple[ManifestFile, ...]:
    return (*manifest.files, *(file for step in manifest.steps for file in step.files))


def _result(store: RunStore, step: Step) -> StepResult | None:
    try:
        return store.read_result(step)
    except InputError:
        return None


def _read(store: RunStore, relative: str, model: type[ModelT]) -> ModelT | None:
    try:
        return store.read_model(relative, model) if store.exists(relative) else None
    except InputError:
        return None
