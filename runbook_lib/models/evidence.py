"""The manifest of a run folder: what each step left, sealed when it ended and chained to the seal before."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from .base import Model, Outcome

__all__ = [
    "Answer",
    "Begun",
    "BrokenSeal",
    "EvidenceReport",
    "Manifest",
    "ManifestFile",
    "ManifestStep",
    "Seal",
    "SealedFiles",
]


class ManifestFile(Model):
    """One file; `path` is relative to the run folder."""

    path: str
    sha256: str
    bytes: int


class ManifestStep(Model):
    """One step's files. `chain` is the sha256 over the chain value before it and this step's file digests."""

    step: str
    outcome: Outcome
    files: tuple[ManifestFile, ...]
    chain: str


class SealedFiles(Model):
    """The manifest of runs that were sealed as a whole, each time anew. `files` are those that belong to no step."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    schema_: Literal["runbook/manifest/v1"] = Field(default="runbook/manifest/v1", alias="schema")
    run_id: str
    created_at: datetime
    steps: tuple[ManifestStep, ...]
    files: tuple[ManifestFile, ...]


class Seal(ManifestStep):
    """What one attempt at a step left; never changed afterwards.

    `number` counts the run's seals from 1 on, and `key` is the id of the key that signed the manifest which this seal
    closed. `found`: an attempt that did not come to its end, or work by hand, left the files, and the next step's start
    found them: nobody sealed them when they were written. `taken_over`: a resumed run found the step still good.
    """

    number: int = Field(ge=1)
    sealed_at: datetime
    key: str = ""
    found: bool = False
    taken_over: bool = False


class BrokenSeal(Model):
    """What was found wrong with the folder when a step was to begin, which then did not."""

    at: datetime
    step: str
    problems: tuple[str, ...]


class Begun(Model):
    """A step that began and has no seal yet."""

    step: str
    at: datetime


class Manifest(Model):
    """The model of manifest.json.

    `steps` holds the last seal of each step and `earlier` those of attempts before it; all of them together, by their
    numbers, are one chain, which begins with `files`: what belongs to no step. `page` is index.html, made last. `keys`
    are the public keys (PEM) behind the ids in `steps`: whose they are, only runbook.yml or the reader can say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    schema_: Literal["runbook/manifest/v2"] = Field(default="runbook/manifest/v2", alias="schema")
    run_id: str
    created_at: datetime
    steps: tuple[Seal, ...] = ()
    files: tuple[ManifestFile, ...] = ()
    earlier: tuple[Seal, ...] = ()
    begun: tuple[Begun, ...] = ()
    broken: tuple[BrokenSeal, ...] = ()
    page: ManifestFile | None = None
    keys: dict[str, str] = {}

    @property
    def seals(self) -> tuple[Seal, ...]:
        """All seals in the order in which they were made."""
        return tuple(sorted((*self.steps, *self.earlier), key=lambda seal: seal.number))


class Answer(Model):
    """One of the three answers about a run folder; `holds` is None where nothing proves it either way."""

    holds: bool | None
    reasons: tuple[str, ...] = ()


class EvidenceReport(Model):
    """What verifying a run folder found.

    `valid`: nothing was found wrong. `proven`: valid, and signed by the key that was given or pinned. `signed_by` is
    the key's id, empty when there is no signature. `intact`: the folder is as it was sealed; `signed`: by whom;
    `consistent`: what it says makes sense. `not_covered` are files that no seal speaks of, `notes` what else to know.
    """

    valid: bool
    files: int
    problems: tuple[str, ...] = ()
    signed_by: str = ""
    proven: bool = False
    intact: Answer = Field(default_factory=lambda: Answer(holds=None))
    signed: Answer = Field(default_factory=lambda: Answer(holds=None))
    consistent: Answer = Field(default_factory=lambda: Answer(holds=None))
    not_covered: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
