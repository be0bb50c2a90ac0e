"""The commit before the change: what was applied last, by GitLab's word, else what git itself can say."""

from __future__ import annotations

from dataclasses import dataclass

from ..adapters.git import changed_files, find_commit, first_parent, is_ancestor, is_shallow, merge_base
from ..errors import GitLabError
from ..models.compliance import ComparedWith
from ..models.run import Run
from ..settings import Settings
from .applied_commit import applied_commit, applied_elsewhere
from .clients import gitlab_client

__all__ = ["APPLIED", "BaseCommit", "compared_files", "find_base"]

# How every commit is told of that GitLab vouches for.
APPLIED = "the commit last applied"

_FETCH = "Fetch the whole history: GIT_DEPTH: 0 in a job, `git fetch --unshallow` at a desk."
_TOKEN = "Set GITLAB_TOKEN, which may ask GitLab what was applied last."  # noqa: S105 - what to do, no token
_GIT = "Work in a clone of the project."
_BEFORE = "the commit before"
_ORIGINS = ("refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master")


@dataclass(frozen=True)
class BaseCommit:
    """The commit that a change is compared with; without `sha` there is none before (`first`), or it isn't known.

    `applied`: GitLab vouches that it was applied, and so approved.
    """

    sha: str = ""
    how: str = ""
    applied: bool = False
    first: bool = False
    problem: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.sha[:12]} ({self.how})" if self.sha else f"nothing: {self._why_none}"

    @property
    def compared(self) -> ComparedWith:
        """What a report says of it."""
        return ComparedWith(commit=self.sha, how=self.how, problem="" if self.sha else self._why_none)

    @property
    def _why_none(self) -> str:
        return "this is the first commit" if self.first else self.problem


def find_base(settings: Settings, run: Run) -> BaseCommit:
    """What the change of this run comes after. No variable has a say: a player could set it."""
    root = settings.root
    head = find_commit(root, "HEAD")
    if not head:
        return BaseCommit(problem="this folder is in no git repository", remedy=_GIT)
    try:
        applied, how, asked = _applied(settings, run)
    except GitLabError as error:
        applied, how, asked = "", "", False
        if settings.environment.in_ci:
            return BaseCommit(problem=f"GitLab did not say what was applied last: {error.message}", remedy=error.remedy)
    if applied:
        if find_commit(root, applied) != applied:
            problem = f"{applied[:12]}, {how}, is not in this clone"
            return BaseCommit(problem=problem, remedy=_FETCH)
        return BaseCommit(applied, how, applied=True)
    if settings.environment.in_ci and not asked:
        return BaseCommit(problem="nobody says which commit was applied last", remedy=_TOKEN)
    return _by_git(settings, head)


def compared_files(settings: Settings, base: BaseCommit, suffixes: tuple[str, ...]) -> ComparedWith:
    """The commit that the files are compared with: the one that CI names, where that is even earlier; else the base.

    Where one of the two is not known, or did not come before this commit, it is none: then all counts as new.
    """
    chosen = _earlier(settings, base)
    uncommitted = tuple(name for name in changed_files(settings.root, (".",)) if name.endswith(suffixes))
    return chosen.compared.model_copy(update={"everything": not chosen.sha, "uncommitted": uncommitted})


def _earlier(settings: Settings, base: BaseCommit) -> BaseCommit:
    root, named = settings.root, settings.environment.base_commit
    if not base.sha:
        return base
    if not is_ancestor(root, base.sha, "HEAD"):
        return BaseCommit(problem=f"{base} is none of those that led to this one", remedy=_FETCH)
    if not named.strip("0"):
        # Zeros: a new branch, or a pipeline that nobody pushed for. How many commits are new HEAD's parent can't tell.
        unknown = bool(named) and base.how == _BEFORE
        return BaseCommit(problem="CI knows of no commit before this one") if unknown else base
    found = find_commit(root, named)
    if not (found and is_ancestor(root, found, "HEAD")):
        why = "none of those that led to this one" if found else "not in this clone"
        return BaseCommit(problem=f"{named[:12]}, which CI names, is {why}", remedy=_FETCH)
    earlier = found != base.sha and is_ancestor(root, found, base.sha)
    return BaseCommit(found, "the commit that CI names") if earlier else base


def _applied(settings: Settings, run: Run) -> tuple[str, str, bool]:
    # Whether GitLab was asked tells a stack that was never applied from one of which nothing is known.
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token:
        return "", "", False
    applied = applied_commit(settings, run)
    if applied:
        return applied, APPLIED, True
    # A new stack has the judges that stood when others were applied, and not those that its own change brings.
    return applied_elsewhere(settings, run), f"{APPLIED} to another stack", True


def _by_git(settings: Settings, head: str) -> BaseCommit:
    root = settings.root
    for origin in _ORIGINS:
        base = merge_base(root, origin, "HEAD") if find_commit(root, origin) else ""
        if base and base != head:
            return BaseCommit(base, f"where this branch left {origin.removeprefix('refs/remotes/')}")
    parent = first_parent(root)
    if parent:
        return BaseCommit(parent, _BEFORE)
    if is_shallow(root):
        return BaseCommit(problem="this clone does not hold the commit before", remedy=_FETCH)
    return BaseCommit(first=True)
