"""One file for an auditor: run folder, public key, policies, statement, and a page that says how to verify."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from ..adapters.named_file import write_output
from ..adapters.store import RUN_ID
from ..adapters.unpack import check_name, open_zip, unpack
from ..errors import EvidenceError, InputError, UsageError
from ..models.evidence import Answer, EvidenceReport, Manifest, SealedFiles
from ..report.html_archive import render_archive_page
from ..wording import printable
from .evidence import Expected, prove
from .folder import ENVELOPE, Folder, read_folder, read_manifest

__all__ = ["export_run", "opened", "prove_archive"]

_KEY, _STATEMENT, _PAGE, _SUMS = "key.pub", "statement.json", "VERIFY.html", "SHA256SUMS"
_NO_ARCHIVE: Final = "Hand out the folder itself"
_GOVERNED: Final = "/governed_by/policies/"
_POLICIES: Final = "policies/"
# The same folder gives the same archive, to the byte: a zip knows no time before this one.
_TIME: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = 0o100644 << 16


def export_run(folder: Path, target: Path, expected: Expected) -> EvidenceReport:
    """Write the archive of a run folder that verifies, and give what verifying it found; EvidenceError for another."""
    folder = folder.resolve()
    manifest, found = read_manifest(folder), read_folder(folder)
    report = prove(folder, expected)
    if not report.valid:
        raise EvidenceError(
            f"{folder.name} does not verify: {'; '.join(report.problems[:3])}",
            f"{_NO_ARCHIVE}: an archive would look like more than it is.",
        )
    for name in found.files:
        try:
            check_name(name)
        except InputError as error:
            # Its archive would not verify.
            raise EvidenceError(
                f"{folder.name} can't be put into an archive: {error.message}", f"{_NO_ARCHIVE}."
            ) from error
    if target.resolve().is_relative_to(folder):
        raise UsageError(f"{target} lies in the run folder", "Name a file outside of it: one that is added breaks it.")
    with tempfile.TemporaryFile() as stream:
        _write(stream, folder, found, manifest, report)
        stream.seek(0)
        write_output(target, stream.read())
    return report


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The run folder that a path means: itself, or that in an archive, unpacked for as long as this lasts."""
    if not path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="runbook-evidence-") as folder:
        name = _run_in(path)
        target = Path(folder) / name
        try:
            unpack(path, name, target)
        except InputError as error:
            raise EvidenceError(f"{path}: {error.message}", error.remedy) from error
        yield target


def prove_archive(path: Path, expected: Expected) -> EvidenceReport:
    """What verifying a run folder, or an archive of one, found.

    Of what lies beside the folder in an archive, the policies, the statement and the key are held to the folder; the
    rest is `not_covered`.
    """
    with opened(path) as folder:
        report = prove(folder, expected)
        if not path.is_file():
            return report
        try:
            others, wrong = _held_to(path, folder)
        except InputError as error:
            raise EvidenceError(f"{path}: {error.message}", error.remedy) from error
    said = tuple(f"{printable(name)} beside the run folder is not what the run holds" for name in wrong)
    report = report.model_copy(update={"not_covered": (*report.not_covered, *map(printable, others))})
    if not said:
        return report
    intact = Answer(holds=False, reasons=(*report.intact.reasons, *said))
    problems = (*report.problems, *said)
    return report.model_copy(update={"valid": False, "proven": False, "problems": problems, "intact": intact})


def _held_to(path: Path, folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names beside the run folder that nothing of it vouches for, and those that say otherwise than it does."""
    known = _copied(folder)
    others, wrong = set[str](), set[str]()
    with open_zip(path) as archive:
        for entry in archive.infolist():
            name = entry.filename
            if entry.is_dir() or name.startswith(f"{folder.name}/"):
                continue
            if not name.startswith(_POLICIES) and name not in {_KEY, _STATEMENT}:
                others.add(name)
            elif (entry.file_size, _digest(archive, entry, known)) not in known.get(name, ()):
                wrong.add(name)
    return tuple(sorted(others)), tuple(sorted(wrong))


def _digest(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, known: dict[str, set[tuple[int, str]]]) -> str:
    # What has another size is another file: there may be more of it than anybody can read.
    if entry.file_size not in {size for size, _ in known.get(entry.filename, ())}:
        return ""
    with archive.open(entry) as source:
        return hashlib.file_digest(source, "sha256").hexdigest()  # type: ignore[arg-type]  # it reads, and that is all


def _copied(folder: Path) -> dict[str, set[tuple[int, str]]]:
    """Size and sha256 of what an archive may hold beside its folder, by name: what is a copy of something in it."""
    manifest, known = read_manifest(folder), dict[str, set[tuple[int, str]]]()
    for name, file in read_folder(folder).files.items():
        policy = name.partition(_GOVERNED)[2]
        if policy:
            known.setdefault(f"{_POLICIES}{policy}", set()).add((file.bytes, file.sha256))
    keys = [text.encode() for text in manifest.keys.values()] if isinstance(manifest, Manifest) else []
    try:
        statements = [_payload(folder)]
    except EvidenceError:
        statements = []  # told of the signature itself
    for name, copies in ((_KEY, keys), (_STATEMENT, statements)):
        known[name] = {(len(data), hashlib.sha256(data).hexdigest()) for data in copies}
    return known


def _run_in(path: Path) -> str:
    try:
        with open_zip(path) as archive:
            names = [name.partition("/") for name in archive.namelist()]
    except (InputError, OSError) as error:
        why = error.message if isinstance(error, InputError) else error.strerror
        raise InputError(f"{path} is neither a run folder nor an archive of one: {why}", "Name one.") from error
    folders = {first for first, slash, rest in names if rest == "manifest.json"}
    if len(folders) != 1 or not RUN_ID.fullmatch(min(folders)):
        raise InputError(f"{path} holds {len(folders)} run folders", "Name an archive that `evidence export` wrote.")
    return folders.pop()


def _write(
    stream: IO[bytes], folder: Path, found: Folder, manifest: Manifest | SealedFiles, report: EvidenceReport
) -> None:
    beside = _beside(folder, manifest, report.signed_by)
    sums = {f"{folder.name}/{name}": digest for name, digest in found.digests.items()}
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(found.files):
            entry = zipfile.ZipInfo(f"{folder.name}/{name}", _TIME)
            entry.external_attr, entry.compress_type = _MODE, zipfile.ZIP_DEFLATED
            with (folder / name).open("rb") as source, archive.open(entry, "w") as written:
                while piece := source.read(1 << 20):
                    written.write(piece)
            policy = name.partition(_GOVERNED)[2]
            if policy:
                beside[f"{_POLICIES}{policy}"] = (folder / name).read_bytes()
                sums[f"{_POLICIES}{policy}"] = found.files[name].sha256
        beside[_PAGE] = render_archive_page(folder.name, report, keyed=_KEY in beside, files=sorted(beside)).encode()
        beside[_SUMS] = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())).encode()
        for name, data in sorted(beside.items()):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.external_attr, entry.compress_type = _MODE, zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)


def _beside(folder: Path, manifest: Manifest | SealedFiles, signer: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    key = manifest.keys.get(signer) if isinstance(manifest, Manifest) else None
    if key:
        # The key that the run names itself: whose it is, the auditor knows from somewhere else.
        found[_KEY] = key.encode()
    if (folder / ENVELOPE).is_file():
        found[_STATEMENT] = _payload(folder)
    return found


def _payload(folder: Path) -> bytes:
    """What is signed; EvidenceError for a signature file that is none."""
    try:
        return base64.b64decode(json.loads((folder / ENVELOPE).read_bytes())["payload"], validate=True)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise EvidenceError("the signature file is no DSSE envelope", "Restore it from the artifacts.") from error
