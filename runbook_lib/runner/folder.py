"""A run folder as it lies there: what is in it, and what is wrong with it by its own manifest."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ..adapters.store import RunStore, sha256_file
from ..domain.evidence import PAGE, check_chain, check_files
from ..errors import EvidenceError, InputError, RunbookError
from ..models.evidence import Manifest, ManifestFile, SealedFiles
from .pages import page_of

__all__ = ["ENVELOPE", "MANIFEST", "ODD", "Folder", "read_folder", "read_manifest"]

MANIFEST, ENVELOPE = "manifest.json", "manifest.dsse.json"
ODD = " is no plain file"


@dataclass(frozen=True)
class Folder:
    """Each plain file by its path, and what is no plain file: what a link or a pipe holds tomorrow, nobody knows."""

    path: Path
    files: dict[str, ManifestFile]
    odd: tuple[str, ...]

    @property
    def digests(self) -> dict[str, str]:
        """Each file's sha256."""
        return {path: file.sha256 for path, file in self.files.items()}

    def problems(self, manifest: Manifest | SealedFiles) -> tuple[str, ...]:
        """Everything that keeps it from being what its manifest says."""
        odd = tuple(f"{name}{ODD}" for name in self.odd)
        return (*check_files(manifest, self.digests), *check_chain(manifest), *odd, *self._page(manifest))

    def _page(self, manifest: Manifest | SealedFiles) -> tuple[str, ...]:
        if not isinstance(manifest, Manifest) or manifest.page is None:
            return ()
        found = self.files.get(PAGE)
        if found is None:
            return (f"{PAGE} is missing",)
        if found.sha256 == manifest.page.sha256 or self._made_anew(manifest):
            return ()
        return (f"{PAGE} was changed",)

    def _made_anew(self, manifest: Manifest) -> bool:
        # `evidence index` of another version writes another page: what counts is that it says what the evidence says.
        try:
            return page_of(RunStore(self.path.parent, self.path.name), manifest) == (self.path / PAGE).read_bytes()
        except (RunbookError, OSError):
            return False


def read_folder(folder: Path) -> Folder:
    """Look at every entry of a folder; links are never followed."""
    plain: dict[str, ManifestFile] = {}
    odd: list[str] = []
    waiting = [("", folder)]
    while waiting:
        above, path = waiting.pop()
        for entry in _entries(path):
            # Slack is told and pages are made meanwhile: what they write to is renamed, and gone from one look to the
            # next. So each entry is asked once for what it is.
            with contextlib.suppress(FileNotFoundError):
                kind, name = entry.stat(follow_symlinks=False), f"{above}{entry.name}"
                if stat.S_ISREG(kind.st_mode):
                    digest = sha256_file(Path(entry.path))
                    plain[name] = ManifestFile(path=name, sha256=digest, bytes=kind.st_size)
                elif stat.S_ISDIR(kind.st_mode):
                    waiting.append((f"{name}/", Path(entry.path)))
                else:
                    odd.append(name)
    return Folder(folder, dict(sorted(plain.items())), tuple(sorted(odd)))


def _entries(path: Path) -> list[os.DirEntry[str]]:
    # One that is gone, or may not be read, holds nothing that could be proven: its files are missing.
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def read_manifest(folder: Path) -> Manifest | SealedFiles:
    """The folder's manifest, whichever version made it; InputError if there is none, EvidenceError if it is none."""
    path = folder / MANIFEST
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            # Whoever reads a pipe waits for somebody who writes into it.
            raise EvidenceError(f"{path}{ODD}", "The folder was changed after it was sealed.")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}", "Name a run folder that was sealed.") from error
    try:
        return Manifest.model_validate_json(data)
    except ValueError:
        pass
    try:
        return SealedFiles.model_validate_json(data)
    except ValueError as error:
        raise EvidenceError(f"{path} is no manifest", "The folder was changed after it was sealed.") from error
