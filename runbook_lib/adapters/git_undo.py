"""A commit that takes an earlier change of some files back, made beside the working tree."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .git import find_commit, run_git

__all__ = ["Change", "push_branch", "switch_to", "take_back"]


@dataclass(frozen=True)
class Change:
    """What came between two commits, in these files of a repository."""

    root: Path
    old: str
    new: str
    files: tuple[str, ...]


def take_back(change: Change, branch: str, message: str) -> str:
    """The commit on a new branch, from HEAD, that has this change no more, and all that came since; its id.

    InputError where others changed the same lines since, where nothing of the change is left, or the branch is there.
    """
    if find_commit(change.root, f"refs/heads/{branch}"):
        raise InputError(f"the branch {branch} is there already", f"Use it, or delete it: git branch -D {branch}.")
    # Not by `diff`: how that shows a change (colours, prefixes, a submodule's log) is each person's own setting.
    patch = _git(
        change.root, "diff-tree", "-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv",
        "--ignore-submodules=none", change.old, change.new, "--", *_plain(change.files),
    )  # fmt: skip
    top = Path(os.fsdecode(_git(change.root, "rev-parse", "--show-toplevel")).rstrip("\n"))
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _git(top, "worktree", "add", "--quiet", "--detach", str(tree), "HEAD")
        try:
            return _commit(tree, patch, branch, message)
        finally:
            run_git(top, "worktree", "remove", "--force", str(tree))


def push_branch(root: Path, branch: str) -> None:
    """Push a branch to where this clone came from; InputError, and the branch stays here, where that refuses it."""
    done = run_git(root, "push", "--quiet", "origin", f"refs/heads/{branch}:refs/heads/{branch}")
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise InputError(
            f"{branch} could not be pushed to origin: {said[-1] if said else done.returncode}",
            f"The branch is here. Put that right, then: git push origin {branch}",
        )


def switch_to(root: Path, branch: str) -> None:
    """Check a branch out in the working tree; InputError where something that is not committed is in its way."""
    done = run_git(root, "switch", "--quiet", "--no-guess", branch)
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise InputError(f"{branch} could not be checked out: {said}", "Commit or stash what is in its way.")


def _commit(tree: Path, patch: bytes, branch: str, message: str) -> str:
    done = run_git(tree, "apply", "--reverse", "--3way", "--index", "--whitespace=nowarn", given=patch)
    if done.returncode:
        said = run_git(tree, "diff", "--name-only", "-z", "--diff-filter=U").stdout
        files = ", ".join(os.fsdecode(name) for name in said.split(b"\0") if name)
        raise InputError(
            f"others changed the same lines since{f', in {files}' if files else ''}: nothing was taken back",
            "Take it back by hand, in a change of its own.",
        )
    if not run_git(tree, "diff", "--cached", "--quiet", "--ignore-submodules=none").returncode:
        raise InputError("nothing of that change is there any more", "There is nothing to take back.")
    _git(tree, "commit", "--quiet", "--no-verify", "--file=-", given=message.encode())
    _git(tree, "branch", branch, "HEAD")
    return find_commit(tree, "HEAD")


def _plain(files: Sequence[str]) -> list[str]:
    # A file may be named like a pattern.
    return [f":(literal){name}" for name in files]


def _git(directory: Path, *arguments: str, given: bytes = b"") -> bytes:
    done: subprocess.CompletedProcess[bytes] = run_git(directory, *arguments, given=given)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise InputError(f"git {arguments[0]} failed: {said[-1] if said else done.returncode}", "Put that right first.")
    return done.stdout
