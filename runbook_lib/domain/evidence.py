"""The manifest of a run folder: a seal for each step as it ends, and a folder held to all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from runbook_lib.models.base import Outcome
from runbook_lib.models.evidence import Manifest, ManifestFile, Seal, SealedFiles
from runbook_lib.models.steps import RunStep

__all__ = [
    "REJECTION",
    "add_seal",
    "by_step",
    "chain_value",
    "check_chain",
    "check_files",
    "covered",
    "goes_on",
    "is_evidence",
    "new_manifest",
    "not_covered",
    "superseded",
]

PAGE = "index.html"
# The no that a job of the pipeline gives: by then the approval step is sealed.
REJECTION = "rejection.json"
# The seal itself; the page, which is made last and has its own place in the manifest; and what may come after the seal.
_OUTSIDE = ("manifest.json", "manifest.dsse.json", PAGE, REJECTION, "slack.json", "outbox/")


def is_evidence(path: str) -> bool:
    """Whether a file, by its path inside the run folder, belongs into a seal."""
    return not (_is_left_over(path) or any(path == outside or _below(path, outside) for outside in _OUTSIDE))


def not_covered(paths: Iterable[str], manifest: Manifest | SealedFiles) -> tuple[str, ...]:
    """The files that no seal speaks of, whatever they hold: messages, and what a write that was killed left."""
    known = {"manifest.json", "manifest.dsse.json"}
    if isinstance(manifest, Manifest) and manifest.page:
        known.add(PAGE)
    return tuple(sorted(path for path in paths if not is_evidence(path) and path not in known))


def _is_left_over(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.startswith(".") and name.endswith(".tmp")


def _below(path: str, folder: str) -> bool:
    return folder.endswith("/") and path.startswith(folder)


def chain_value(previous: str, files: Iterable[ManifestFile]) -> str:
    """The sha256 over the value before and one `sha256  path` line a file, as sha256sum prints them."""
    lines = [f"{file.sha256}  {file.path}\n" for file in _sorted(files)]
    return hashlib.sha256(f"{previous}\n{''.join(lines)}".encode()).hexdigest()


def by_step(files: Iterable[ManifestFile], steps: Iterable[RunStep]) -> dict[str, list[ManifestFile]]:
    """The evidence among these files by the name of its step, in the steps' order; "" for what lies beside folders."""
    folders = {step.folder: step.name for step in steps}
    found: dict[str, list[ManifestFile]] = {name: [] for name in (*folders.values(), "")}
    for file in files:
        if is_evidence(file.path):
            found[folders.get(file.path.partition("/")[0], "")].append(file)
    return {name: held for name, held in found.items() if held}


def new_manifest(run_id: str, files: Iterable[ManifestFile], now: datetime) -> Manifest:
    """A run's manifest before its first step has ended; `files` are those that belong to no step."""
    return Manifest(run_id=run_id, created_at=now, files=_sorted(files))


def add_seal(
    manifest: Manifest, attempt: tuple[str, Outcome, Iterable[ManifestFile]], now: datetime, order: Sequence[str]
) -> Manifest:
    """Seal one attempt (step, outcome, files). An earlier one of the same step moves to `earlier`, as it is."""
    step, outcome, files = attempt
    listed, number = _sorted(files), len(manifest.seals) + 1
    before = manifest.seals[-1].chain if manifest.seals else chain_value(manifest.run_id, manifest.files)
    seal = Seal(
        step=step, outcome=outcome, files=listed, chain=chain_value(before, listed), number=number, sealed_at=now
    )
    kept = [other for other in manifest.steps if other.step != step]
    ordered = sorted((*kept, seal), key=lambda each: order.index(each.step) if each.step in order else len(order))
    past = tuple(other for other in manifest.steps if other.step == step)
    begun = tuple(other for other in manifest.begun if other.step != step)
    return manifest.model_copy(
        update={"steps": tuple(ordered), "earlier": (*manifest.earlier, *past), "created_at": now, "begun": begun}
    )


def superseded(manifest: Manifest, steps: Iterable[RunStep]) -> tuple[str, ...]:
    """Steps whose last seal is older than that of a step before them: made on what has been made anew since."""
    numbers = {seal.step: seal.number for seal in manifest.steps}
    newest, found = 0, []
    for step in (step.name for step in steps if step.name in numbers):
        if numbers[step] < newest:
            found.append(step)
        newest = max(newest, numbers[step])
    return tuple(found)


def goes_on(new: Manifest, old: Manifest) -> bool:
    """Whether a manifest came of an older one: all that the older says stands in it, seals to the letter."""
    seals, broken = new.seals[: len(old.seals)], new.broken[: len(old.broken)]
    same = len(seals) == len(old.seals) and all(map(_is_same, seals, old.seals))
    return same and (new.run_id, new.files, broken) == (old.run_id, old.files, old.broken)


def _is_same(new: Seal, old: Seal) -> bool:
    # What no key had signed yet may have been signed since, by a job of its own.
    return new == old or (not old.key and new.model_copy(update={"key": ""}) == old)


def covered(manifest: Manifest | SealedFiles) -> dict[str, str]:
    """Each file's digest as it was sealed last."""
    seals = sorted(manifest.steps, key=lambda seal: seal.number if isinstance(seal, Seal) else 0)
    listed = [*manifest.files, *(file for seal in seals for file in seal.files)]
    return {file.path: file.sha256 for file in listed}


def check_files(manifest: Manifest | SealedFiles, digests: Mapping[str, str]) -> tuple[str, ...]:
    """Hold a folder's digests by path to the manifest: what is missing, changed or added."""
    wanted = covered(manifest)
    found = {path: digest for path, digest in digests.items() if is_evidence(path)}
    problems = [f"{path} is missing" for path in sorted(set(wanted) - set(found))]
    problems += [f"{path} was changed" for path in sorted(wanted) if found.get(path, wanted[path]) != wanted[path]]
    return (*problems, *(f"{path} was added" for path in sorted(set(found) - set(wanted))))


def check_chain(manifest: Manifest | SealedFiles) -> tuple[str, ...]:
    """What is wrong with the manifest itself: empty, files listed twice, seals or links that are missing."""
    if isinstance(manifest, SealedFiles):
        steps, chain = manifest.steps, manifest.run_id
        groups = [[file for group in (manifest.files, *(step.files for step in steps)) for file in group]]
    else:
        steps, chain = manifest.seals, chain_value(manifest.run_id, manifest.files)
        groups = [[*manifest.files, *step.files] for step in steps]
    problems = [] if any(step.files for step in steps) else ["the manifest seals no step"]
    problems += [
        f"{path} is listed more than once" for path in sorted({p for group in groups for p in _repeated(group)})
    ]
    for position, step in enumerate(steps):
        if isinstance(step, Seal) and step.number != position + 1:
            problems.append(f"the seal before that of step {step.step} is missing")
        chain = chain_value(chain, step.files)
        if chain != step.chain:
            problems.append(f"the chain is broken at step {step.step}")
            chain = step.chain  # so that one break is told once
    return (*problems, *_misplaced(manifest))


def _misplaced(manifest: Manifest | SealedFiles) -> list[str]:
    if isinstance(manifest, SealedFiles):
        return []
    last = {seal.step: seal.number for seal in manifest.seals}
    named = [seal.step for seal in manifest.steps]
    problems = [f"step {step} is sealed more than once" for step in sorted({s for s in named if named.count(s) > 1})]
    wrong = {seal.step for seal in manifest.steps if seal.number != last[seal.step]} | (set(last) - set(named))
    return problems + [f"the last seal of step {step} is not among the steps" for step in sorted(wrong)]


def _sorted(files: Iterable[ManifestFile]) -> tuple[ManifestFile, ...]:
    return tuple(sorted(files, key=lambda file: file.path))


def _repeated(files: Iterable[ManifestFile]) -> set[str]:
    seen: set[str] = set()
    return {file.path for file in files if file.path in seen or seen.add(file.path)}  # type: ignore[func-returns-value]
