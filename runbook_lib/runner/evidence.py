"""Evidence: the run folder's manifest, made and signed when a run ends, and a folder held to its manifest later."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ..adapters.signing import verify_envelope
from ..adapters.store import RunStore, sha256_file
from ..domain.evidence import build_manifest, by_step, check_manifest, is_evidence, statement
from ..errors import EvidenceError, InputError
from ..models.evidence import EvidenceReport, Manifest, ManifestFile
from ..settings import Settings

__all__ = ["prove_folder", "seal"]


MANIFEST = "manifest.json"
ENVELOPE = "manifest.dsse.json"


def seal(settings: Settings, store: RunStore) -> Manifest:
    """Write manifest.json over the run folder, and sign it if there is a key."""
    outcomes = {result.step: result.outcome for result in store.results()}
    manifest = build_manifest(store.run_id, by_step(_files(store), store.steps), outcomes, datetime.now(UTC))
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
    paths = sorted(path for path in store.dir.rglob("*") if path.is_file())
    names = [path.relative_to(store.dir).as_posix() for path in paths]
    return [
        ManifestFile(path=name, sha256=sha256_file(store.path(name)), bytes=store.path(name).stat().st_size)
        for name in names
        if is_evidence(name)
    ]


def prove_folder(folder: Path, public_key: Path | None = None) -> EvidenceReport:
    """Whether a run folder is what its manifest says, and with a key whether that key signed it."""
    path = folder / "manifest.json"
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}", "Name a run folder that was sealed.") from error
    except ValueError as error:
        raise EvidenceError(f"{path} is no manifest", "The folder was changed after it was sealed.") from error
    entries = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    plain = {name: path for name, path in entries.items() if path.is_file() and not path.is_symlink()}
    report = check_manifest(manifest, {name: sha256_file(path) for name, path in plain.items()})
    # What a link or a pipe holds tomorrow, nobody knows today.
    odd = [name for name, path in entries.items() if name not in plain and (path.is_symlink() or not path.is_dir())]
    problems = (*report.problems, *(f"{name} is no plain file" for name in odd))
    report = report.model_copy(update={"valid": not problems, "problems": problems})
    return _printable(_with_signature(folder, manifest, report, public_key))


def _printable(report: EvidenceReport) -> EvidenceReport:
    # Names of files are whoever's who changed the folder: no line of the answer may be of their making.
    problems = tuple(map(_escaped, report.problems))
    return report.model_copy(update={"problems": problems, "signed_by": _escaped(report.signed_by)})


def _escaped(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _with_signature(
    folder: Path, manifest: Manifest, report: EvidenceReport, public_key: Path | None
) -> EvidenceReport:
    envelope = folder / "manifest.dsse.json"
    if not envelope.is_file():
        missing = ("there is no signature",) if public_key else ()
        return report.model_copy(
            update={"valid": report.valid and not missing, "problems": (*report.problems, *missing)}
        )
    problems, key_id = report.problems, ""
    try:
        signed, key_id = verify_envelope(envelope.read_bytes(), str(public_key) if public_key else "")
        if signed != statement(manifest):
            problems = (*problems, "the signature is for another manifest")
    except EvidenceError as error:
        problems = (*problems, error.message)
    return report.model_copy(update={"valid": not problems, "problems": problems, "signed_by": key_id})
