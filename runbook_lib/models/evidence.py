"""The manifest of a run folder: every file's digest, each step chained to the one before."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from .base import Model, Outcome

__all__ = ["EvidenceReport", "Manifest", "ManifestFile", "ManifestStep"]


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


class Manifest(Model):
    """The model of manifest.json. `files` are those that belong to no step."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    schema_: Literal["runbook/manifest/v1"] = Field(default="runbook/manifest/v1", alias="schema")
    run_id: str
    created_at: datetime
    steps: tuple[ManifestStep, ...]
    files: tuple[ManifestFile, ...]


class EvidenceReport(Model):
    """What verifying a run folder found. `signed_by` is the key's id, empty when there is no signature."""

    valid: bool
    files: int
    problems: tuple[str, ...] = ()
    signed_by: str = ""
