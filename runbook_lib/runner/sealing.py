"""Each step of a run sealed once, when it ends; and no step begun on a folder that is not as it was sealed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from ..adapters.store import RunStore
from ..domain.evidence import PAGE, add_seal, by_step, check_chain, is_evidence, new_manifest, superseded
from ..domain.sense import APPLIES, carried_out
from ..domain.statement import manifest_bytes
from ..errors import BlockedError, EvidenceError, RunbookError, UsageError
from ..models.base import Outcome
from ..models.evidence import Begun, BrokenSeal, Manifest, ManifestFile
from ..models.results import StepResult
from ..settings import Settings
from ..wording import printable
from .folder import ENVELOPE, MANIFEST, ODD, Folder, read_folder, read_manifest
from .pages import page_of
from .signer import Signer
from .unsealed import left_unsealed

__all__ = ["Sealer", "seal"]

_MOST_PROBLEMS, _SHOWN = 50, 5


class Sealer:
    """Seals a run's steps as they end. A seal that is there is verified, and never made again.

    `signer` is made before anything is done, so that a key that can't be read stops nothing half way. Its methods are
    called from two threads: that of the steps, and that of the pages.
    """

    def __init__(
        self,
        settings: Settings,
        store: RunStore,
        signer: Signer,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._store = store
        self._signer = signer
        self._clock = clock
        self._lock = threading.RLock()
        self._manifest: Manifest | None = None
        self._written: dict[str, bytes] = {}
        self._pending: dict[str, tuple[Outcome, dict[str, ManifestFile]]] = {}
        self._late: tuple[ManifestFile, ...] = ()
        self._changed = False

    def open(self, step: str) -> None:
        """Hold the folder to its seals before this step, the first of this process; EvidenceError if it differs.

        The difference is recorded in the manifest as well: it stays there, whatever becomes of the file.
        """
        with self._lock:
            self._signer.recover(self._store)
            folder = read_folder(self._store.dir)
            manifest = self._read(folder)
            left = left_unsealed(self._settings, self._store, manifest, folder)
            problems = (*left.problems, *self._signer.problems(folder.path, manifest))
            if MANIFEST not in folder.files and left.problems:
                problems = (f"{MANIFEST} is missing", *problems)
            if manifest.run_id != self._store.run_id:
                problems = (*problems, f"the manifest is of run {manifest.run_id}")
            problems = (*problems, *map(said_then, manifest.broken))
            if problems:
                self._refuse(manifest, step, problems)
            self._late = left.answers
            for name, outcome, files in left.attempts:
                manifest = self._sealed(manifest, (name, outcome, files))
                manifest = _last_as(manifest, name, "found")
            self._manifest = manifest
            if left.attempts:
                self._write()

    def begin(self, step: str) -> None:
        """A step is about to be executed: nothing may have changed since, and what was applied is not repeated."""
        with self._lock:
            if self._manifest is None:
                self.open(step)
            self._refuse_repeated(step)
            problems = self._changed_meanwhile()
            if problems:
                self._refuse(self._current, step, problems)
            begun = tuple(other for other in self._current.begun if other.step != step)
            self._manifest = self._current.model_copy(update={"begun": (*begun, Begun(step=step, at=self._clock()))})
            self._write()

    def ended(self, result: StepResult) -> None:
        """Digest what the step left, but for its page, which is being made."""
        with self._lock:
            self._digest(result.step, result.outcome)

    def page_made(self, step: str) -> None:
        """Seal the step: all that it leaves is there."""
        with self._lock:
            if step not in self._pending:
                return
            outcome, files = self._pending.pop(step)
            page = f"{self._store.folder(step)}/notebook.html"
            if self._store.exists(page):
                artifact = self._store.artifact(page)
                files = files | {page: ManifestFile(path=page, sha256=artifact.sha256, bytes=artifact.bytes)}
            late = {file.path: file for file in self._late}
            self._late = ()
            self._manifest = self._sealed(self._current, (step, outcome, list((late | files).values())))
            self._write()

    def resumed(self, step: str) -> None:
        """A step was found as good as before: where one before it was made anew, it is sealed again as it was."""
        with self._lock:
            manifest = self._current
            if step not in superseded(manifest, self._store.steps):
                return
            old = next(seal for seal in manifest.steps if seal.step == step)
            self._manifest = _last_as(self._sealed(manifest, (step, old.outcome, old.files)), step, "taken_over")
            self._write()

    def seal_now(self, step: str, outcome: Outcome) -> None:
        """Seal what lies in a step's folder, its page included."""
        with self._lock:
            self._digest(step, outcome)
            self.page_made(step)

    def close(self) -> None:
        """Seal what is left, and the page of the run."""
        with self._lock:
            for step in tuple(self._pending):
                self.page_made(step)
            if self._manifest is not None and self._changed:
                self._close_page()

    @property
    def manifest(self) -> Manifest:
        """The manifest as it is now."""
        return self._current

    @property
    def _current(self) -> Manifest:
        if self._manifest is None:
            self._manifest = self._read(read_folder(self._store.dir))
        return self._manifest

    def _digest(self, step: str, outcome: Outcome) -> None:
        own = f"{self._store.folder(step)}/"
        files = read_folder(self._store.dir / own).files.values()
        here = {f"{own}{file.path}": file.model_copy(update={"path": f"{own}{file.path}"}) for file in files}
        page = f"{own}notebook.html"
        kept = {path: file for path, file in here.items() if path != page and is_evidence(path)}
        self._pending[step] = (outcome, kept)

    def _close_page(self) -> None:
        page = self._store.write_bytes(PAGE, page_of(self._store, self._current))
        artifact = self._store.artifact(page.name)
        listed = ManifestFile(path=PAGE, sha256=artifact.sha256, bytes=artifact.bytes)
        self._manifest = self._current.model_copy(update={"page": listed})
        self._write()

    def _read(self, folder: Folder) -> Manifest:
        if MANIFEST not in folder.files and MANIFEST not in folder.odd:
            beside = [file for path, file in folder.files.items() if path == "run.json"]
            return new_manifest(self._store.run_id, beside, self._clock())
        try:
            manifest = read_manifest(self._store.dir)
        except RunbookError as error:
            raise EvidenceError(error.message, _AFTER_CHANGE) from error
        if not isinstance(manifest, Manifest):
            raise UsageError(
                f"run {self._store.run_id} was sealed by an earlier version, which sealed otherwise", "Begin a new run."
            )
        self._written = {name: (self._store.dir / name).read_bytes() for name in _SEAL if name in folder.files}
        return manifest

    def _sealed(self, manifest: Manifest, attempt: tuple[str, Outcome, Sequence[ManifestFile]]) -> Manifest:
        made = add_seal(manifest, attempt, self._clock(), [step.name for step in self._store.steps])
        return self._signer.marked(made)

    def _write(self) -> None:
        # The mask must not touch the seal: its digests are no secrets, and a changed byte would break it.
        manifest = self._current
        envelope = self._signer.envelope(manifest, self._store)
        # In this order: the signature holds the manifest as well, for whoever comes after one who was killed here.
        if envelope:
            self._put(ENVELOPE, envelope)
        self._put(MANIFEST, manifest_bytes(manifest))
        self._changed = True

    def _put(self, name: str, data: bytes) -> None:
        self._written[name] = data
        self._store.write_bytes(name, data)

    def _refuse(self, manifest: Manifest, step: str, problems: Sequence[str]) -> None:
        # A manifest that is itself not to be trusted proves the change as it is: it is signed by nobody again.
        if not check_chain(manifest) and not self._signer.problems(self._store.dir, manifest) and self._as_written():
            said = tuple(map(printable, problems[:_MOST_PROBLEMS]))
            broken = BrokenSeal(at=self._clock(), step=step, problems=said)
            self._manifest = manifest.model_copy(update={"broken": (*manifest.broken, broken)})
            self._write()
        shown = "; ".join(map(printable, problems[:5])) + (
            f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        )
        raise EvidenceError(f"the run folder is not as it was sealed, and {step} was not begun: {shown}", _AFTER_CHANGE)

    def _refuse_repeated(self, step: str) -> None:
        names = [known.name for known in self._store.steps]
        for sealed in self._current.steps:
            applied = sealed.step in APPLIES and carried_out(sealed)
            if applied and sealed.step in names and names.index(step) <= names.index(sealed.step):
                raise BlockedError(
                    f"run {self._store.run_id} was applied at {sealed.sealed_at:%Y-%m-%d %H:%M} UTC:"
                    f" {step} is not executed again, and what it left stays as it is",
                    "Begin a new run.",
                )

    def _changed_meanwhile(self) -> tuple[str, ...]:
        """What changed since this process saw it last, whether it is sealed already or waits for its page."""
        folder = read_folder(self._store.dir)
        pending = {path: file for _, files in self._pending.values() for path, file in files.items()}
        pages = {f"{self._store.folder(step)}/notebook.html" for step in self._pending}
        again = {f"{self._store.folder(step)}/" for step in self._pending}
        lost = [path for path in pending if path not in folder.files]
        other = [p for p, file in pending.items() if p in folder.files and folder.files[p].sha256 != file.sha256]
        left = left_unsealed(self._settings, self._store, self._current, folder)
        mine = set(pending) | pages
        past = [p for p in left.problems if p.endswith(ODD) or not p.startswith(tuple(again))]
        added = [p for p in folder.files if p.startswith(tuple(again)) and p not in mine and is_evidence(p)]
        self._late = left.answers
        answers = {file.path for file in left.answers}
        changed = [f"{path} was changed" for path in (*other, *self._rewritten())]
        found = [f"{path} was added" for path in added if path not in answers]
        return (*(f"{path} is missing" for path in lost), *changed, *found, *past)

    def _rewritten(self) -> tuple[str, ...]:
        return tuple(name for name, data in self._written.items() if _bytes(self._store, name) != data)

    def _as_written(self) -> bool:
        return not self._rewritten()


_SEAL = (MANIFEST, ENVELOPE)
_AFTER_CHANGE = "Compare it with the artifacts of the earlier job; then begin a new run."


def said_then(broken: BrokenSeal) -> str:
    """What was found when a step was to begin, in one line."""
    return f"when {broken.step} was to begin at {broken.at:%Y-%m-%d %H:%M:%S} UTC: {'; '.join(broken.problems)}"


def _last_as(manifest: Manifest, step: str, mark: str) -> Manifest:
    steps = [seal.model_copy(update={mark: True}) if seal.step == step else seal for seal in manifest.steps]
    return manifest.model_copy(update={"steps": tuple(steps)})


def _bytes(store: RunStore, name: str) -> bytes | None:
    path = store.dir / name
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError:
        return None


def seal(settings: Settings, store: RunStore) -> Manifest:
    """Seal every step that left files and has no seal yet, each by its result: what a run does as its steps end."""
    sealer = Sealer(settings, store, Signer.of(settings))
    held = by_step(read_folder(store.dir).files.values(), store.steps)
    sealed = {step.step for step in sealer.manifest.steps}
    results = {result.step: result for result in store.results()}
    for step in (name for name in held if name and name not in sealed):
        sealer.seal_now(step, results[step].outcome if step in results else Outcome.INTERRUPTED)
    return sealer.manifest
