"""The seal on a run folder: its manifest, the signature, and the page that shows it all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeVar

from pydantic import BaseModel

from ..adapters.store import RunStore, sha256_file
from ..domain.evidence import build_manifest, by_step, is_evidence, statement
from ..models.approval import ApprovalRequest, DecisionRecord
from ..models.base import Step
from ..models.evidence import Manifest, ManifestFile
from ..models.exposure import Exposure
from ..report.html_index import IndexPage, render_index
from ..settings import Settings
from .deciding import DECISION, REQUEST
from .runs import load_run

__all__ = ["seal", "write_index"]

MANIFEST = "manifest.json"
ENVELOPE = "manifest.dsse.json"
ModelT = TypeVar("ModelT", bound=BaseModel)


def seal(settings: Settings, store: RunStore) -> Manifest:
    """Write manifest.json over the run folder, sign it if there is a key, and write index.html."""
    outcomes = {result.step.value: result.outcome for result in store.results()}
    manifest = build_manifest(store.run_id, by_step(_files(store)), outcomes, datetime.now(UTC))
    # The mask must not touch the seal: its digests are no secrets, and a changed byte would break it.
    store.write_bytes(MANIFEST, (manifest.model_dump_json(indent=2) + "\n").encode())
    key = settings.environment.signing_key.get_secret_value()
    if key:
        from ..adapters.signing import sign_statement

        store.write_bytes(ENVELOPE, sign_statement(statement(manifest), key))
    else:
        # A signature of an earlier seal is none of this one.
        store.path(ENVELOPE).unlink(missing_ok=True)
    write_index(store)
    return manifest


def write_index(store: RunStore) -> None:
    """Write the run's page from what the folder holds."""
    files = tuple(_files(store))
    page = IndexPage(
        run=load_run(store),
        results=store.results(),
        exposure=_read(store, f"{Step.PLAN.folder}/exposure.json", Exposure),
        request=_read(store, REQUEST, ApprovalRequest),
        decision=_read(store, DECISION, DecisionRecord),
        files=files,
        signed=store.exists(ENVELOPE),
        pages=frozenset(file.path for file in files),
    )
    store.write_text("index.html", render_index(page))


def _files(store: RunStore) -> list[ManifestFile]:
    paths = sorted(path for path in store.dir.rglob("*") if path.is_file() and not path.name.startswith("."))
    names = [path.relative_to(store.dir).as_posix() for path in paths]
    return [
        ManifestFile(path=name, sha256=sha256_file(store.path(name)), bytes=store.path(name).stat().st_size)
        for name in names
        if is_evidence(name)
    ]


def _read(store: RunStore, path: str, model: type[ModelT]) -> ModelT | None:
    return store.read_model(path, model) if store.exists(path) else None
