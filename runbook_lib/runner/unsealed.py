"""What lies in a run folder and in no seal: an attempt that was cut off, work by hand, people's answers, or planted."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from ..adapters.store import RunStore
from ..domain.evidence import is_evidence
from ..errors import RunbookError
from ..models.approval import Decision
from ..models.base import Outcome
from ..models.evidence import Manifest, ManifestFile
from ..models.results import StepResult
from ..models.steps import RunStep
from ..settings import Settings
from ..workspace.records import read_request
from .folder import ODD, Folder

__all__ = ["Left", "left_unsealed"]

Attempt = tuple[str, Outcome, tuple[ManifestFile, ...]]


@dataclass(frozen=True)
class Left:
    """Attempts to seal as found, answers that people gave since the last seal, and everything else that differs."""

    attempts: tuple[Attempt, ...]
    answers: tuple[ManifestFile, ...]
    problems: tuple[str, ...]


def left_unsealed(settings: Settings, store: RunStore, manifest: Manifest, folder: Folder) -> Left:
    """Sort what differs from the seals of a run that goes on."""
    attempts = tuple(
        (step.name, _outcome(store, step), files)
        for step in store.steps
        if (files := _files_of(folder, step)) and _excused(settings, manifest, step, files)
    )
    excused = tuple(f"{store.folder(name)}/" for name, _, _ in attempts)
    answers = tuple(file for file in folder.files.values() if _is_answer(settings, store, manifest, file))
    added = {f"{file.path} was added" for file in answers}
    found = folder.problems(manifest)
    problems = [p for p in found if p.endswith(ODD) or not (p.startswith(excused) or p in added)]
    # A run that has just begun has no seal yet, and that is no fault of its.
    problems = [p for p in problems if manifest.seals or p != "the manifest seals no step"]
    return Left(attempts, answers, tuple(problems))


def _files_of(folder: Folder, step: RunStep) -> tuple[ManifestFile, ...]:
    own = f"{step.folder}/"
    return tuple(file for path, file in folder.files.items() if path.startswith(own) and is_evidence(path))


def _excused(settings: Settings, manifest: Manifest, step: RunStep, files: tuple[ManifestFile, ...]) -> bool:
    """Whether these files may be there without a seal; they are told in any case, as found."""
    if any(begun.step == step.name for begun in manifest.begun):
        return True  # whoever executed it was killed
    if settings.environment.in_ci or any(seal.step == step.name for seal in manifest.steps):
        return False
    # Somebody at a desk opened the notebook: a runner keeps the executed one, JupyterLab does not.
    names = {file.path.partition("/")[2] for file in files}
    return "result.json" in names and "notebook.ipynb" not in names


def _outcome(store: RunStore, step: RunStep) -> Outcome:
    result: StepResult | None = None
    with contextlib.suppress(RunbookError):
        result = store.read_result(step.name)
    return result.outcome if result and result.run_id == store.run_id else Outcome.INTERRUPTED


def _is_answer(settings: Settings, store: RunStore, manifest: Manifest, file: ManifestFile) -> bool:
    """Whether it is an answer to the run's request, given at a terminal after the approval step was sealed."""
    folder = next((f"{step.folder}/decisions/" for step in store.steps if step.name == "approval"), "")
    if not folder or not file.path.startswith(folder) or not file.path.endswith(".json"):
        return False
    sealed = {listed.path for seal in manifest.steps for listed in seal.files}
    if settings.environment.in_ci or not _by_terminal(settings) or file.path in sealed:
        return False
    try:
        return store.read_model(file.path, Decision).plan_sha256 == read_request(store).plan_sha256
    except RunbookError:
        return False


def _by_terminal(settings: Settings) -> bool:
    # Where GitLab is configured an answer stands there, and no file is one.
    return not settings.gitlab_project and settings.config.approval.terminal is not False
