"""What surrounds the steps of a run: the thread opened, each result told, the evidence sealed in every case."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from ..adapters.store import RunStore, sha256_file
from ..domain.evidence import build_manifest, by_step, is_evidence, statement
from ..models.base import Step
from ..models.evidence import ManifestFile
from ..models.results import StepResult
from ..models.run import Run
from ..settings import Settings
from .telling import Teller, failed_result

__all__ = ["Lifecycle", "seal"]


class Lifecycle:
    """Called by the sequence as steps start and end. What the step's own notebook told is not told twice."""

    def __init__(self, settings: Settings, store: RunStore, run: Run) -> None:
        self._settings = settings
        self._store = store
        self._run = run

    def step_started(self, step: Step) -> None:
        """Nothing to tell yet: the board shows a step when it has a result."""

    def step_ended(self, result: StepResult) -> None:
        """Tell a result that its notebook could not tell itself, as when its kernel died."""
        self._teller().tell_step(result)

    def run_ended(self, results: Sequence[StepResult]) -> None:
        """Tell a failure to the channel, then seal the evidence: in every case, also when telling fails."""
        try:
            failed = failed_result(results)
            if failed:
                self._teller().tell_failure(failed)
        finally:
            seal(self._settings, self._store)

    def _teller(self) -> Teller:
        return Teller(self._settings, self._store, self._run)


def seal(settings: Settings, store: RunStore) -> None:
    """Write manifest.json over the run folder, and sign it if there is a key."""
    paths = sorted(path for path in store.dir.rglob("*") if path.is_file() and not path.name.startswith("."))
    names = [path.relative_to(store.dir).as_posix() for path in paths]
    files = [
        ManifestFile(path=name, sha256=sha256_file(store.path(name)), bytes=store.path(name).stat().st_size)
        for name in names
        if is_evidence(name)
    ]
    outcomes = {result.step.value: result.outcome for result in store.results()}
    manifest = build_manifest(store.run_id, by_step(files), outcomes, datetime.now(UTC))
    # The mask must not touch the seal: its digests are no secrets, and a changed byte would break it.
    store.write_bytes("manifest.json", (manifest.model_dump_json(indent=2) + "\n").encode())
    key = settings.environment.signing_key.get_secret_value()
    if key:
        from ..adapters.signing import sign_statement

        store.write_bytes("manifest.dsse.json", sign_statement(statement(manifest), key))
