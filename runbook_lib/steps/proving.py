"""Evidence held to its manifest and its signature, by whoever has the folder."""

from __future__ import annotations

from pathlib import Path

from ..adapters.signing import verify_envelope
from ..adapters.store import sha256_file
from ..domain.evidence import check_manifest, statement
from ..errors import EvidenceError, InputError
from ..models.evidence import EvidenceReport, Manifest

__all__ = ["prove_folder"]


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
