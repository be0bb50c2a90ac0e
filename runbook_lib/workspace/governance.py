"""Who may approve and what blocks: read from the commit before the change, and what the change does to it."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from ..adapters.git import read_tree
from ..adapters.store import sha256_file
from ..adapters.yaml_file import load_model
from ..domain.governance import (
    Judges,
    approval_before,
    approval_in_force,
    describe_changes,
    notebook_cells,
    notebook_changes,
)
from ..errors import ApprovalError, ConfigError
from ..models.config import ApprovalConfig, RunbookConfig
from ..models.run import Run
from ..models.steps import BUILT_IN, RunStep, find_step
from ..packaged import packaged
from ..repository import CONFIG_NAME
from ..settings import Settings
from .base_commit import BaseCommit, find_base
from .context import StepContext
from .policy_gate import PolicyFiles, PolicyGate

__all__ = ["Before", "approval_config", "approvals", "before_change", "governance", "notebook_problem", "read_before"]

_READ = (".yml", ".yaml", ".ipynb")
# What says what a job does is no less a judge than the policies are.
_PIPELINE = (".gitlab-ci.yml", ".gitlab/**/*.yml", "templates/*.yml", "templates/*/template.yml")
_CONFIRMING = {"approval", "apply"}


@dataclass(frozen=True)
class Before:
    """What was in force before the change; `judges` and `gate` are None where nothing was, or nothing is known."""

    base: BaseCommit
    judges: Judges | None = None
    gate: PolicyGate | None = None
    notebooks: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = ()

    @property
    def config(self) -> RunbookConfig | None:
        """runbook.yml as it was."""
        return self.judges.config if self.judges else None


def before_change(context: StepContext) -> Before:
    """What was in force before the run's change, found out once a step."""
    if "before" not in context.known:
        context.known["before"] = read_before(context.settings, context.run, context.clock().date())
    found: Before = context.known["before"]
    return found


def read_before(settings: Settings, run: Run, today: date) -> Before:
    """Read runbook.yml, policies, waivers and notebooks of the commit before the change."""
    base = find_base(settings, run)
    if not base.sha:
        return Before(base)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        if not read_tree(settings.root, base.sha, _READ, root):
            return Before(replace(base, sha="", problem=f"{base} can't be read", remedy="Fetch it: GIT_DEPTH: 0."))
        if not (root / CONFIG_NAME).is_file():
            return _without_config(base)
        try:
            return _read(base, root, settings, today)
        except ConfigError as error:
            problem = f"{base} holds what this version can't read: {error.message.replace(f'{root}/', '')}"
            return Before(replace(base, sha="", problem=problem, remedy="Have it put right by a change of its own."))


def governance(context: StepContext) -> tuple[str, ...]:
    """What the run's change does to those who judge it, one sentence each, for who approves it."""
    before = before_change(context)
    told = [f"This change also {what}." for what in _changes(context, before)]
    if before.base.first:
        told.insert(0, "Nothing stood before this change: it names its own approvers, policies and waivers.")
    elif before.judges is None:
        told.insert(0, f"What was in force before this change is not known: {before.base.problem}.")
    return tuple(told)


def approval_config(context: StepContext) -> ApprovalConfig:
    """Who may approve this change, how many must, and for how long: by what stood before it.

    ApprovalError in a pipeline where that is not known.
    """
    before, (was, now) = before_change(context), approvals(before_change(context), context.settings, context.run.stack)
    if before.config is not None:
        return approval_in_force(was, now)
    if context.settings.environment.in_ci and not before.base.first:
        problem = f"it is not known who may approve this change: {before.base.problem}"
        raise ApprovalError(problem, before.base.remedy)
    return now


def approvals(before: Before, settings: Settings, stack: str) -> tuple[ApprovalConfig, ApprovalConfig]:
    """Who may approve a change of the stack by what stood before it, and by what it brings; either may object."""
    now = settings.config.approval_of(stack)
    return approval_before(before.config, settings.config, stack) if before.config else now, now


def notebook_problem(settings: Settings, run: Run, step: RunStep, today: date) -> str:
    """Why the notebook of a step that asks for the approval or applies must not be executed; empty if it may be."""
    own = settings.notebook(_named(settings, step))
    if step.name not in _CONFIRMING or not _differs(own, step):
        return ""
    before = read_before(settings, run, today)
    # At a desk where nothing is known its own word is all that there is.
    own_word = before.base.first or not settings.environment.in_ci
    config = before.config or (settings.config if own_word else None)
    allowed = config is not None and step.name in config.steps and config.steps[step.name].own_notebook
    if allowed or _stood_before(before, settings, own):
        return ""
    return f"{_relative(settings, own)} is not the notebook of this version: {_differs(own, step)}"


def _read(base: BaseCommit, root: Path, settings: Settings, today: date) -> Before:
    config = load_model(root / CONFIG_NAME, RunbookConfig)
    files = PolicyFiles.of_repository(root, config.compliance)
    gate = PolicyGate.open(files, today) if files.policies.is_dir() else PolicyGate(files, (), (), today)
    judges = Judges(config, gate.policies, gate.waivers, _pipeline_files(root))
    notebooks = tuple((path.relative_to(root).as_posix(), _cells(path)) for path in sorted(root.rglob("*.ipynb")))
    return Before(base, judges, gate, notebooks)


def _without_config(base: BaseCommit) -> Before:
    # What was applied was governed; without that word a repository that begins to be so has nothing before.
    if base.applied:
        return Before(replace(base, sha="", problem=f"{base} holds no {CONFIG_NAME}", remedy="Look at that commit."))
    return Before(BaseCommit(how=base.how, first=True))


def _changes(context: StepContext, before: Before) -> Iterator[str]:
    settings = context.settings
    if before.judges is not None:
        gate = PolicyGate.open(
            PolicyFiles.of_repository(settings.root, settings.config.compliance), context.clock().date()
        )
        now = Judges(settings.config, gate.policies, gate.waivers, _pipeline_files(settings.root))
        yield from describe_changes(before.judges, now, context.run.stack)
    for step in context.run.steps:
        own = settings.notebook(_named(settings, step))
        difference = _differs(own, step)
        if difference and not _stood_before(before, settings, own):
            digest = sha256_file(own)[:12]
            yield f"replaces the notebook of {step.name}, {_relative(settings, own)} (sha256 {digest}): {difference}"


def _named(settings: Settings, step: RunStep) -> RunStep:
    # A run that began earlier may name a notebook that runbook.yml has since put elsewhere.
    return find_step(settings.config.all_steps, step.name) or step


def _differs(own: Path, step: RunStep) -> str:
    """How a built-in step's notebook differs from the one that was installed; empty if it does not."""
    built_in = find_step(BUILT_IN, step.name)
    if built_in is None or not own.is_file():
        return ""
    shipped = packaged("notebooks") / built_in.notebook
    return notebook_changes(_cells(shipped), _cells(own)) if shipped.is_file() else "there is none to compare it with"


def _stood_before(before: Before, settings: Settings, own: Path) -> bool:
    # What merely was committed before this may be a part of the same change.
    return before.base.applied and dict(before.notebooks).get(_relative(settings, own)) == _cells(own)


def _cells(path: Path) -> tuple[tuple[str, ...], ...]:
    with contextlib.suppress(OSError, ValueError, AttributeError, TypeError, RecursionError):
        return notebook_cells(json.loads(path.read_bytes()))
    return (("no notebook",),)


def _relative(settings: Settings, path: Path) -> str:
    return path.relative_to(settings.root).as_posix() if path.is_relative_to(settings.root) else path.name


def _pipeline_files(root: Path) -> dict[str, str]:
    found = sorted(path for pattern in _PIPELINE for path in root.glob(pattern))
    return {path.relative_to(root).as_posix(): sha256_file(path) for path in found if path.is_file()}
