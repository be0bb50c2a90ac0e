"""The seal on a run folder: its manifest and the signature."""

from __future__ import annotations

from datetime import UTC, datetime

from ..adapters.store import RunStore, sha256_file
from ..domain.evidence import build_manifest, by_step, is_evidence, statement
from ..models.evidence import Manifest, ManifestFile
from ..settings import Settings

__all__ = ["seal"]

MANIFEST = "manifest.json"
ENVELOPE = "manifest.dsse.json"


def seal(settings: Settings, store: RunStore) -> Manifest:
    """Write manifest.json over the run folder, and sign it if there is a key."""
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
    return manifest


def _files(store: RunStore) -> list[ManifestFile]:
    paths = sorted(path for path in store.dir.rglob("*") if path.is_file() and not path.name.startswith("."))
    names = [path.relative_to(store.dir).as_posix() for path in paths]
    return [
        ManifestFile(path=name, sha256=sha256_file(store.path(name)), bytes=store.path(name).stat().st_size)
        for name in names
        if is_evidence(name)
    ]
