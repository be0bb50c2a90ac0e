"""Evidence: a run folder held to its seals by whoever comes later, and signed where that is a job of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..adapters.signing import signer_id
from ..adapters.store import RunStore
from ..domain.evidence import PAGE, covered, not_covered
from ..domain.sense import APPLIES, Record, contradictions, remarks
from ..domain.statement import manifest_bytes
from ..errors import EvidenceError, InputError, RunbookError, UsageError
from ..models.approval import DecisionRecord
from ..models.evidence import Answer, EvidenceReport, Manifest, ManifestFile, SealedFiles
from ..models.results import StepResult
from ..models.run import Run
from ..settings import Settings
from ..wording import printable
from ..workspace.records import decision_file, read_decision, read_request, read_summary
from .folder import ENVELOPE, MANIFEST, Folder, read_folder, read_manifest
from .pages import page_of
from .sealing import said_then, seal
from .signer import Signer, key_id, signature_of, trusted_key

__all__ = ["Expected", "prove", "prove_folder", "seal", "sign_folder"]

T = TypeVar("T")


@dataclass(frozen=True)
class Expected:
    """Whose signature is expected: that of the public key `key` (a file), else the one pinned in the repository."""

    key: str = ""
    pinned: str = ""
    root: Path = Path()

    @classmethod
    def of(cls, public_key: Path | None = None, settings: Settings | None = None) -> Expected:
        """The key that is given, else the one that runbook.yml pins."""
        pinned = settings.config.evidence.key if settings else ""
        return cls(str(public_key) if public_key else "", pinned, settings.root if settings else Path())

    @property
    def id(self) -> str:
        """The key's id; empty where none is expected."""
        if self.key:
            return signer_id(self.key)
        return key_id(self.pinned, self.root) if self.pinned else ""


def prove_folder(folder: Path, public_key: Path | None = None, settings: Settings | None = None) -> EvidenceReport:
    """Whether a run folder is intact, who signed it, and whether what it says makes sense.

    The key is the one that is given, else the one that runbook.yml pins (with `settings`). Without either nothing says
    whose signature it is.
    """
    return prove(folder, Expected.of(public_key, settings))


def prove(folder: Path, expected: Expected) -> EvidenceReport:
    """The same, held to what is expected."""
    folder = folder.resolve()
    manifest, found = read_manifest(folder), read_folder(folder)
    intact = _intact(folder, manifest, found)
    signed_by, signed, unsigned = _signed(folder, manifest, expected)
    sense, notes = _sense(folder, manifest)
    problems = (*intact, *unsigned, *sense)
    return EvidenceReport(
        valid=not problems,
        files=len(covered(manifest)) + bool(isinstance(manifest, Manifest) and manifest.page),
        problems=_lines(problems),
        signed_by=printable(signed_by),
        proven=not problems and signed.holds is True,
        intact=Answer(holds=not intact, reasons=_lines(intact)),
        signed=signed,
        consistent=Answer(holds=not sense, reasons=_lines(sense)),
        not_covered=_lines(not_covered(found.files, manifest)),
        notes=_lines(notes),
    )


def sign_folder(settings: Settings, folder: Path) -> EvidenceReport:
    """Sign a folder that verifies, as a job of its own that alone has the key; EvidenceError for one that does not."""
    folder = folder.resolve()
    signer, manifest = Signer.of(settings), read_manifest(folder)
    if not signer.key:
        raise UsageError("there is no key to sign with", "Set RUNBOOK_SIGNING_KEY.")
    if not isinstance(manifest, Manifest):
        raise UsageError(f"{folder.name} was sealed by an earlier version", "Verify it: it bears what it was given.")
    store = RunStore(folder.parent, folder.name)
    recovered = signer.recover(store)
    marked = signer.marked(manifest)
    report = prove_folder(folder)
    if report.problems == (f"{PAGE} was changed",) and (folder / PAGE).read_bytes() == page_of(store, marked):
        # Whoever was killed while signing left the page of the signed run.
        store.write_bytes(PAGE, page_of(store, manifest))
        report = prove_folder(folder)
    if not report.valid:
        raise EvidenceError(f"{folder.name} does not verify: {'; '.join(report.problems[:5])}", "It is not signed.")
    if recovered:
        return report
    if report.signed_by:
        raise UsageError(f"{folder.name} is signed already, with the key {report.signed_by[:16]}", "Verify it.")
    page = store.write_bytes(PAGE, page_of(store, marked))
    artifact = store.artifact(page.name)
    listed = ManifestFile(path=PAGE, sha256=artifact.sha256, bytes=artifact.bytes)
    marked = marked.model_copy(update={"page": listed})
    store.write_bytes(ENVELOPE, signer.envelope(marked, store))
    store.write_bytes(MANIFEST, manifest_bytes(marked))
    return prove_folder(folder)


def _intact(folder: Path, manifest: Manifest | SealedFiles, found: Folder) -> tuple[str, ...]:
    problems = found.problems(manifest)
    if isinstance(manifest, Manifest):
        if folder.name != manifest.run_id:
            problems = (*problems, f"the folder is named {folder.name}, and the manifest is of run {manifest.run_id}")
        problems = (*problems, *map(said_then, manifest.broken))
    return problems


def _signed(folder: Path, manifest: Manifest | SealedFiles, expected: Expected) -> tuple[str, Answer, tuple[str, ...]]:
    """The signer's id, the answer, and what is wrong."""
    try:
        key = expected.key
        if expected.pinned and not key:
            key = trusted_key(expected.pinned, expected.root, manifest)
    except EvidenceError as error:
        return "", Answer(holds=False, reasons=(error.message,)), (error.message,)
    signed_by, problems = signature_of(folder, manifest, key)
    marked = isinstance(manifest, Manifest) and any(seal.key for seal in manifest.seals)
    if marked and not (folder / ENVELOPE).is_file():
        problems = ("the signature was removed", *problems)
    if not key and not problems:
        reason = "nobody said which key to expect" if signed_by else "there is no signature"
        return signed_by, Answer(holds=None, reasons=(reason,)), ()
    return signed_by, Answer(holds=not problems, reasons=_lines(problems)), problems


def _sense(folder: Path, manifest: Manifest | SealedFiles) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        store = RunStore(folder.parent, folder.name)
        record = _record(store, manifest)
        return contradictions(record), remarks(record)
    except RunbookError as error:
        return (f"the run can't be read: {error.message}",), ()
    except (TypeError, OverflowError) as error:
        # Times without a zone can't be compared with the others, and those of year 9999 not be moved by a minute.
        return (f"its times can't be compared: {error}",), ()


def _record(store: RunStore, manifest: Manifest | SealedFiles) -> Record:
    run = store.read_model("run.json", Run)
    results = {step.name: result for step in run.steps if (result := _result(store, step.name))}
    summary = _read(read_summary, store)
    return Record(
        run=run,
        manifest=manifest,
        results=results,
        request=_read(read_request, store),
        decision=_read(_decision_applied, store) if isinstance(manifest, Manifest) else _read(read_decision, store),
        planned_sha256=summary.plan_sha256 if summary else "",
    )


def _decision_applied(store: RunStore) -> DecisionRecord:
    # Apply keeps its own, and goes by no other.
    name = next(step.name for step in store.steps if step.name in APPLIES)
    return store.read_model(decision_file(store, name), DecisionRecord)


def _result(store: RunStore, step: str) -> StepResult | None:
    return _read(lambda held: held.read_result(step), store)


def _read(read: Callable[[RunStore], T], store: RunStore) -> T | None:
    try:
        return read(store)
    except (InputError, UsageError, StopIteration):
        return None


def _lines(texts: tuple[str, ...]) -> tuple[str, ...]:
    # Names of files are whoever's who changed the folder: no line of the answer may be of their making.
    return tuple(map(printable, texts))
