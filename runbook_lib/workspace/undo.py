"""Taking an applied run's change back: a commit of its own, which goes through every gate as any other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ..adapters.git import changed_files, files_between, find_commit, is_ancestor, remote_url
from ..adapters.git_undo import Change, push_branch, take_back
from ..adapters.gitlab_changes import Proposal
from ..domain.undo import lost
from ..errors import ConfigError, InputError, UsageError
from ..models.base import Outcome
from ..models.compliance import ComparedWith, ComplianceReport
from ..models.run import Run
from ..models.steps import find_step
from ..report.gitlab_text import code
from ..repository import CONFIG_NAME
from ..settings import Settings
from .base_commit import APPLIED
from .clients import gitlab_client
from .records import read_summary
from .runs import RUN_FILE, load_run, run_store
from .stack_changes import config_at, files_of_stack

if TYPE_CHECKING:
    from ..adapters.gitlab import GitLab

__all__ = ["Undone", "check_proposal", "check_run", "propose", "publish", "undo_run"]

_NAMED = 5


@dataclass(frozen=True)
class Undone:
    """The branch and its commit, which files it takes back, what it can't, and what others changed since."""

    run: Run
    branch: str
    commit: str
    files: tuple[str, ...]
    lost: tuple[str, ...]
    since: tuple[str, ...]


def undo_run(settings: Settings, run_id: str) -> Undone:
    """Make the commit that takes a run's change of its stack back, on a branch of its own from HEAD.

    The working tree is not touched, and nothing is planned yet. UsageError where the run applied nothing.
    """
    store = run_store(settings, run_id)
    if not store.exists(RUN_FILE):
        raise UsageError(
            f"there is no run {run_id} in {settings.outputs}", "Fetch its folder from the job's artifacts."
        )
    run = load_run(store)
    result = store.read_result("apply") if any(step.name == "apply" for step in store.steps) else None
    if result is None or result.outcome is not Outcome.PASSED:
        how = "applied nothing" if result is None else f"did not apply its change to the end: {result.outcome}"
        raise UsageError(f"run {run_id} {how}", "Run from the plan step: its plan says what is so now.")
    report = store.read_model(store.file("plan", "findings.json"), ComplianceReport)
    before = _before(settings, run, report.compared_with)
    change = Change(settings.root, *_commits(settings, run, before), _files(settings, run, before))
    branch = f"undo/{run_id}"
    message = (
        f"Take back what run {run_id} applied to {run.stack}\n\n"
        f"This reverts what came between {change.old} and {change.new} in the files of the stack {run.stack}.\n"
    )
    # Before anything is made: what can't be read is no reason to leave half of it.
    gone = (*lost(read_summary(store)), *_left(settings, run, change))
    since = files_between(settings.root, change.new) or ()
    commit = take_back(change, branch, message)
    return Undone(run, branch, commit, change.files, gone, _own(settings, run.stack, since))


def check_run(settings: Settings) -> None:
    """UsageError, before anything is made, where no run can be started from the branch by whoever asks."""
    if settings.environment.in_ci:
        raise UsageError(
            "a pipeline's run is of the pipeline's own commit",
            "Give --merge-request: its pipeline plans, and the one after the merge goes through all gates.",
        )
    changed = changed_files(settings.root, ())
    if changed:
        named = ", ".join(changed[:_NAMED]) + (f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else "")
        raise UsageError(
            f"the working tree differs from its commit: {named}",
            "Commit or stash that: the run is made from the branch.",
        )


def publish(settings: Settings, done: Undone) -> bool:
    """Push the branch where GitLab is asked, by commit, who approves; False where there is none, or no origin.

    InputError, and the branch stays here, where origin refuses it.
    """
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token or not remote_url(settings.root):
        return False
    push_branch(settings.root, done.branch)
    return True


def check_proposal(settings: Settings) -> GitLab:
    """The GitLab that takes a merge request; ConfigError, before anything is made, where there is none."""
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token:
        raise ConfigError(
            "no GitLab project is configured, or no token, so no merge request can be opened",
            "Set gitlab.project in runbook.yml, and GITLAB_TOKEN with the scope api.",
        )
    return gitlab


def propose(settings: Settings, done: Undone) -> str:
    """Push the branch and open its merge request into the default branch; its address."""
    gitlab = check_proposal(settings)
    target = gitlab.default_branch()
    push_branch(settings.root, done.branch)
    title = f"Take back what run {done.run.run_id} applied to {done.run.stack}"
    description = settings.redactor.mask(_description(done))
    return gitlab.changes.propose(Proposal(done.branch, target, title, description)).url


def _description(done: Undone) -> str:
    parts = (
        ("These files become what they were before that run:", done.files),
        ("Can't be taken back:", done.lost),
        ("Others changed since, which stays:", done.since),
    )
    shown = [f"{title}\n\n" + "\n".join(f"- {code(text)}" for text in lines) for title, lines in parts if lines]
    return "\n\n".join([*shown, "The plan of its pipeline says what it would do now."]) + "\n"


def _before(settings: Settings, run: Run, compared: ComparedWith | None) -> str:
    """The commit that was applied before this run: by GitLab's word, else by the run folders here, else by git."""
    guessed = compared.commit if compared else ""
    if compared is None or compared.how.startswith(APPLIED):
        return guessed
    # Of what git says, the commit before, more may have been applied by this run, or less.
    found = []
    for path in settings.outputs.glob(f"*/{RUN_FILE}"):
        with contextlib.suppress(InputError, UsageError):
            store = run_store(settings, path.parent.name)
            other = load_run(store)
            result = store.read_result("apply") if find_step(other.steps, "apply") else None
            earlier = other.stack == run.stack and other.created_at < run.created_at
            if earlier and result and result.outcome is Outcome.PASSED:
                found.append((other.created_at, other.commit))
    last = max(found)[1] if found else ""
    return last if last and is_ancestor(settings.root, last, run.commit) else guessed


def _left(settings: Settings, run: Run, change: Change) -> Iterator[str]:
    """A sentence for what the run changed beside the files that are taken back."""
    if run.dirty:
        yield "files differed from the commit when the run began: what they held then is in no commit"
    before, after = (config_at(settings, commit) for commit in (change.old, change.new))
    if before and after and before.stacks.get(run.stack) != after.stacks.get(run.stack):
        yield f"{CONFIG_NAME} said otherwise of {run.stack} before: change that by hand"


def _commits(settings: Settings, run: Run, before: str) -> tuple[str, str]:
    for name, what in ((before, "what stood before it"), (run.commit, "its own commit")):
        if not (name and find_commit(settings.root, name)):
            raise InputError(
                f"of run {run.run_id} {what} is not known here{f' ({name[:12]})' if name else ''}",
                "Fetch the whole history (git fetch --unshallow), or take the change back by hand.",
            )
    return find_commit(settings.root, before), find_commit(settings.root, run.commit)


def _files(settings: Settings, run: Run, before: str) -> tuple[str, ...]:
    changed = files_between(settings.root, before, run.commit) or ()
    found = _own(settings, run.stack, changed, before)
    if not found:
        raise InputError(
            f"run {run.run_id} changed no file of the stack {run.stack}",
            "What it applied came from elsewhere: drift, a variable, another stack, or files that were not committed.",
        )
    return found


def _own(settings: Settings, stack: str, files: Iterable[str], before: str = "") -> tuple[str, ...]:
    """Those of the files that the stack reads, or read before."""
    reads = [files_of_stack(settings, stack, commit) for commit in dict.fromkeys(("", before))]
    return tuple(name for name in files if any(one.reads(PurePosixPath(name)) for one in reads))
