"""The manifest of a run folder: making it, and holding a folder to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from runbook_lib.models.base import Outcome
from runbook_lib.models.evidence import EvidenceReport, Manifest, ManifestFile, ManifestStep
from runbook_lib.models.steps import RunStep

__all__ = [
    "Statement",
    "build_manifest",
    "by_step",
    "chain_value",
    "check_manifest",
    "is_evidence",
    "statement",
]

_PREDICATE: Final = "urn:runbook:manifest:v1"
# The seal itself; the page, which is made again from the rest; and the messages, which may go out after the seal.
_OUTSIDE: Final = ("manifest.json", "manifest.dsse.json", "index.html", "slack.json", "outbox/")


class Subject(BaseModel):
    """One file of an in-toto statement."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    digest: dict[str, str]


class Statement(BaseModel):
    """An in-toto Statement v1 whose predicate is the manifest. Source: github.com/in-toto/attestation."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(default="https://in-toto.io/Statement/v1", alias="_type")
    subject: tuple[Subject, ...]
    predicate_type: Literal["urn:runbook:manifest:v1"] = Field(default=_PREDICATE, alias="predicateType")
    predicate: dict[str, Any]


def is_evidence(path: str) -> bool:
    """Whether a file, by its path inside the run folder, belongs into the manifest."""
    name = path.rpartition("/")[2]
    if name.startswith(".") and name.endswith(".tmp"):  # what a write that was killed leaves behind
        return False
    return not any(path == outside or (outside.endswith("/") and path.startswith(outside)) for outside in _OUTSIDE)


def chain_value(previous: str, files: Iterable[ManifestFile]) -> str:
    """The sha256 over the value before and one `sha256  path` line a file, as sha256sum prints them."""
    lines = [f"{file.sha256}  {file.path}\n" for file in sorted(files, key=lambda file: file.path)]
    return hashlib.sha256(f"{previous}\n{''.join(lines)}".encode()).hexdigest()


def by_step(files: Iterable[ManifestFile], steps: Iterable[RunStep]) -> dict[str, list[ManifestFile]]:
    """The evidence among these files by the name of its step, in the steps' order; "" for what lies beside folders."""
    folders = {step.folder: step.name for step in steps}
    found: dict[str, list[ManifestFile]] = {name: [] for name in (*folders.values(), "")}
    for file in files:
        if is_evidence(file.path):
            found[folders.get(file.path.partition("/")[0], "")].append(file)
    return {name: held for name, held in found.items() if held}


def build_manifest(
    run_id: str,
    files_by_step: Mapping[str, Iterable[ManifestFile]],
    outcomes: Mapping[str, Outcome],
    now: datetime,
) -> Manifest:
    """List every file, chained step by step from the run's id; `by_step` makes `files_by_step`.

    A step without an outcome left no result: it was interrupted.
    """
    steps = []
    chain = run_id
    for step in (name for name in files_by_step if name):
        files = _sorted(files_by_step[step])
        chain = chain_value(chain, files)
        steps.append(ManifestStep(step=step, outcome=outcomes.get(step, Outcome.INTERRUPTED), files=files, chain=chain))
    return Manifest(run_id=run_id, created_at=now, steps=tuple(steps), files=_sorted(files_by_step.get("", ())))


def check_manifest(manifest: Manifest, digests: Mapping[str, str]) -> EvidenceReport:
    """Hold a folder's digests by path to the manifest: what is missing, changed or added, is the chain whole."""
    listed = [file for step in manifest.steps for file in step.files] + list(manifest.files)
    wanted = {file.path: file.sha256 for file in listed}
    found = {path: digest for path, digest in digests.items() if is_evidence(path)}
    problems = [f"{path} is listed more than once" for path in _repeated(listed)]
    problems += [f"{path} is missing" for path in sorted(set(wanted) - set(found))]
    problems += [f"{path} was changed" for path in sorted(wanted) if found.get(path, wanted[path]) != wanted[path]]
    problems += [f"{path} was added" for path in sorted(set(found) - set(wanted))]
    problems += _broken_links(manifest)
    return EvidenceReport(valid=not problems, files=len(wanted), problems=tuple(problems))


def statement(manifest: Manifest) -> bytes:
    """The bytes to sign: the in-toto statement about every file, the same for the same manifest."""
    listed = [file for step in manifest.steps for file in step.files] + list(manifest.files)
    subjects = tuple(Subject(name=file.path, digest={"sha256": file.sha256}) for file in _sorted(listed))
    made = Statement(subject=subjects, predicate=manifest.model_dump(mode="json"))
    return made.model_dump_json(indent=None).encode()


def _sorted(files: Iterable[ManifestFile]) -> tuple[ManifestFile, ...]:
    return tuple(sorted(files, key=lambda file: file.path))


def _repeated(files: Iterable[ManifestFile]) -> list[str]:
    seen: set[str] = set()
    return sorted({file.path for file in files if file.path in seen or seen.add(file.path)})  # type: ignore[func-returns-value]


def _broken_links(manifest: Manifest) -> list[str]:
    problems = []
    chain = manifest.run_id
    for step in manifest.steps:
        chain = chain_value(chain, step.files)
        if chain != step.chain:
            problems.append(f"the chain is broken at step {step.step}")
            chain = step.chain  # so that one break is told once
    return problems
