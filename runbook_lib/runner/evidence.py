"""Evidence: a run folder held to its seals by whoever comes later, and signed where that is a job of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

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
from ..workspace.records import decision_file, read_decision, read_request, read_summary
from .folder import ENVELOPE, MANIFEST, Folder, read_folder, read_manifest
from .pages import page_of
from .sealing import printable, said_then, seal
from .signer import Signer, signature_of, trusted_key

__all__ = ["prove_folder", "seal", "sign_folder"]

T = TypeVar("T")


def prove_folder(folder: Path, public_key: Path | None = None, settings: Settings | None = None) -> EvidenceReport:
    """Whether a run folder is intact, who signed it, and whether what it says makes sense.

    The key is the one that is given, else the one that runbook.yml pins (with `settings`). Without either nothing says
    whose signature it is.
    """
    folder = folder.resolve()
    manifest, found = read_manifest(folder), read_folder(folder)
    intact = _intact(folder, manifest, found)
    signed_by, signed, unsigned = _signed(folder, manifest, public_key, settings)
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
    report = prove_folder(folder)
    if not report.valid:
        raise EvidenceError(f"{folder.name} does not verify: {'; '.join(report.problems[:5])}", "It is not signed.")
    if report.signed_by:
        raise UsageError(f"{folder.name} is signed already, with the key {report.signed_by[:16]}", "Verify it.")
    store, marked = RunStore(folder.parent, folder.name), signer.marked(manifest)
    page = store.write_bytes(PAGE, page_of(store, marked))
    artifact = store.artifact(page.name)
    listed = ManifestFile(path=PAGE, sha256=artifact.sha256, bytes=artifact.bytes)
    marked = marked.model_copy(update={"page": listed})
    store.write_bytes(MANIFEST, manifest_bytes(marked))
    store.write_bytes(ENVELOPE, signer.envelope(marked, store))
    return prove_folder(folder)


def _intact(folder: Path, manifest: Manifest | SealedFiles, found: Folder) -> tuple[str, ...]:
    problems = found.problems(manifest)
    if isinstance(manifest, Manifest):
        if folder.name != manifest.run_id:
            problems = (*problems, f"the folder is named {folder.name}, and the manifest is of run {manifest.run_id}")
        problems = (*problems, *map(said_then, manifest.broken))
    return problems


def _signed(
    folder: Path, manifest: Manifest | SealedFiles, public_key: Path | None, settings: Settings | None
) -> tuple[str, Answer, tuple[str, ...]]:
    """The signer's id, the answer, and what is wrong."""
    pinned = settings.config.evidence.key if settings else ""
    try:
        key = str(public_key) if public_key else ""
        if settings and pinned and not key:
            key = trusted_key(pinned, settings.root, manifest)
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
    except RunbookError as error:
        return (f"the run can't be read: {error.message}",), ()
    return contradictions(record), remarks(record)


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
