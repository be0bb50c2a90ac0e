"""Run folders out of GitLab's artifacts: those of every pipeline, page by page, and again from where it was left."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ..adapters.gitlab_archive import GitLabArchive, JobArtifacts
from ..adapters.gitlab_data import GitLabPipeline
from ..adapters.gitlab_http import GitLabRefusalError
from ..adapters.store import RunStore
from ..adapters.unpack import unpack
from ..domain.evidence import check_chain, goes_on
from ..errors import ConfigError, InputError, StoreError
from ..models.evidence import Manifest
from ..settings import Settings
from ..workspace.clients import gitlab_client
from .evidence import Expected, prove
from .fetched_reviews import fetch_reviews
from .folder import MANIFEST
from .history_values import NOT_READ

__all__ = ["fetch_runs"]

# What was fetched, a line each: a fetch that was stopped goes on behind it.
_RECORD: Final = ".fetched"
_LARGEST: Final = 2_000_000_000
_FILES: Final = "outputs"


def fetch_runs(settings: Settings, outputs: Path, since: str = "") -> Iterator[str]:
    """Fetch the folder of each pipeline that changed since a day; a sentence for each that was not simply there.

    What of a job may not be read is told at the end, and asked for again the next time: GitLabError if no folder ever
    came, for then it is the token.

    A folder that is here is replaced only by one that goes on where it ends: same seals, and more, and itself as it
    was sealed, signed with the key that is pinned or that signed the one here. ConfigError without a token that reads
    pipelines.
    """
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token:
        raise ConfigError("there is no GITLAB_TOKEN to read pipelines with", "Set one with the scope read_api.")
    outputs.mkdir(parents=True, exist_ok=True)
    record = _Record(outputs / _RECORD)
    count, refused = 0, list[GitLabRefusalError]()
    for pipeline in gitlab.archive.pipelines(since):
        if record.has(pipeline):
            continue
        fetch = _Fetch(gitlab.archive, outputs, pipeline.id, Expected.of(settings=settings))
        told = fetch.take()
        count += told == _TAKEN
        if told and told != _TAKEN:
            yield f"pipeline {pipeline.id}: {told}"
        refused += fetch.refused
        # What still runs, or may be played, is looked at again once it has changed.
        if not fetch.refused:
            record.add(pipeline)
    yield from fetch_reviews(settings, outputs)
    if refused and not any(path.is_dir() for path in outputs.iterdir()):
        raise refused[0]
    if refused:
        jobs = f"{len(refused)} {'job' if len(refused) == 1 else 'jobs'}"
        yield f"the artifacts of {jobs} may not be read with this token: {refused[0].message}"
    yield f"{count} run {'folder' if count == 1 else 'folders'} fetched from GitLab"


_Upload = tuple[JobArtifacts, Manifest | None]
_TAKEN: Final = "fetched"
_LEFT: Final = "the folder that is here says otherwise than GitLab's artifacts: it was left as it is"


class _Record:
    """The pipelines that were looked at, each as it was then. The last line may be half a one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            lines = []
        except OSError as error:
            raise StoreError(f"{path}: can't be read: {error.strerror}", "Remove it: all is fetched again.") from error
        self._known = {number: rest for number, _, rest in (line.partition(" ") for line in lines)}

    def has(self, pipeline: GitLabPipeline) -> bool:
        return self._known.get(str(pipeline.id)) == _state(pipeline)

    def add(self, pipeline: GitLabPipeline) -> None:
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(f"{pipeline.id} {_state(pipeline)}\n")


def _state(pipeline: GitLabPipeline) -> str:
    return f"{pipeline.updated_at.isoformat() if pipeline.updated_at else ''} {pipeline.status}."


@dataclass(frozen=True)
class _Fetch:
    """The folder of one pipeline. None of any other name is taken from what its jobs uploaded."""

    archive: GitLabArchive
    outputs: Path
    pipeline: int
    expected: Expected
    refused: list[GitLabRefusalError] = field(default_factory=list)

    def take(self) -> str:
        """Put the folder here; what is to tell, nothing where no job left one.

        Any job may have uploaded a folder with more seals than the others': that of a run that is not here yet is the
        longest that proves, and only where none does the longest.
        """
        found = self._found()
        store = RunStore(self.outputs, str(self.pipeline))
        if found and (store.dir.is_symlink() or (store.dir.exists() and not store.dir.is_dir())):
            return f"{store.dir.name} is here, and is no folder: nothing was fetched"
        if not found:
            return ""
        here = _manifest(store.dir) if store.dir.is_dir() else None
        if store.dir.is_dir():
            if found[0][1] == here:
                return ""
            if here is None or not here.seals:
                return _LEFT
            found = [(job, later) for job, later in found if later and later != here and goes_on(later, here)]
        return self._take_best(found, store)

    def _take_best(self, found: Sequence[_Upload], store: RunStore) -> str:
        told, best = "", None
        # Beside the others and with a dot before it: whoever looks meanwhile sees no half a folder.
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=self.outputs) as folder:
            for number, (job, manifest) in enumerate(found):
                if number and not (manifest and manifest.keys):
                    continue  # signed by nobody, it proves no more than a longer one
                # By its name: a folder of another name than its run's does not verify.
                fresh = Path(folder) / str(number) / store.dir.name
                said = self._download(job, fresh)
                told = told or said
                if said:
                    continue
                if _is_better(fresh, store.dir, self.expected):
                    best = fresh
                    break
                if best is None and not store.dir.is_dir():
                    best = fresh
                else:
                    shutil.rmtree(fresh)
            if best is None:
                return told or _LEFT
            if store.dir.is_dir():
                store.dir.rename(Path(folder) / "old")
            best.rename(store.dir)
        return _TAKEN

    def _found(self) -> list[_Upload]:
        """The jobs whose artifacts hold the folder: that with most seals first; of those with as many the last one."""
        found: list[tuple[int, int, JobArtifacts, Manifest | None]] = []
        for pipeline in (self.pipeline, *self.archive.children(self.pipeline)):
            for job in self.archive.uploads(pipeline):
                try:
                    text = self._file(job, MANIFEST)
                    if text is None and self._file(job, "run.json") is None:
                        continue
                except GitLabRefusalError as refusal:
                    # A job may keep what it uploads to itself (`artifacts:access`).
                    if refusal.status != 403:
                        raise
                    self.refused.append(refusal)
                    continue
                manifest = _parsed(text)
                seals = len(manifest.seals) if manifest and not check_chain(manifest) else 0
                found.append((seals, job.job, job, manifest))
        return [one[2:] for one in sorted(found, key=lambda one: one[:2], reverse=True)]

    def _file(self, job: JobArtifacts, name: str) -> bytes | None:
        try:
            return self.archive.file(job.job, f"{_FILES}/{self.pipeline}/{name}")
        except InputError:
            return b""  # too large to be anything that we wrote

    def _download(self, job: JobArtifacts, fresh: Path) -> str:
        """Unpack a job's folder there; what is to tell if it can't be."""
        fresh.parent.mkdir()
        with tempfile.TemporaryFile(dir=fresh.parent) as stream:
            if not self.archive.download(job.job, stream, _LARGEST):
                return f"the artifacts of job {job.job} are gone, or more than {_LARGEST // 10**9} GB"
            stream.seek(0)
            try:
                unpack(stream, f"{_FILES}/{self.pipeline}", fresh)
            except InputError as error:
                return f"the artifacts of job {job.job} were not taken: {error.message}"
        return "" if fresh.is_dir() else f"the artifacts of job {job.job} do not hold what GitLab listed"


def _is_better(fresh: Path, here: Path, expected: Expected) -> bool:
    """Whether a folder may be taken without looking at the others: it replaces the one here, or proves by itself."""
    if here.is_dir():
        return _replaces(fresh, here, expected)
    try:
        now = prove(fresh, expected)
        # Without a key that is expected nothing says whose a signature is.
        return bool(now.intact.holds and (now.signed.holds or not expected.id))
    except (*NOT_READ, ConfigError):
        return False


def _replaces(fresh: Path, here: Path, expected: Expected) -> bool:
    """Whether a folder goes on from another, is as it was sealed, and is signed wherever the other is."""
    new, old = _manifest(fresh), _manifest(here)
    if new is None or old is None or not old.seals or not goes_on(new, old):
        return False
    key = old.keys.get(old.seals[-1].key)
    if key and not expected.pinned:
        expected = Expected(key)
    try:
        was, now = prove(here, expected), prove(fresh, expected)
    except (*NOT_READ, ConfigError):
        return False
    return bool(now.intact.holds and (now.signed.holds or now.signed.holds is was.signed.holds))


def _manifest(folder: Path) -> Manifest | None:
    path = folder / MANIFEST
    try:
        return _parsed(path.read_bytes()) if path.is_file() else None
    except OSError:
        return None


def _parsed(text: bytes | None) -> Manifest | None:
    if text is None:
        return None
    try:
        return Manifest.model_validate(json.loads(text))
    except (ValueError, RecursionError):
        return None
