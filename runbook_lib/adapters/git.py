"""Git, by its command line: which commit this is, who wrote it, and whether the folder is clean."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Commit", "read_commit"]


@dataclass(frozen=True)
class Commit:
    """The commit checked out; all empty outside a repository."""

    sha: str = ""
    ref: str = ""
    author_email: str = ""
    dirty: bool = False


def read_commit(directory: Path) -> Commit:
    """Read HEAD of the repository that holds `directory`; an empty Commit where there is none."""
    described = _git(directory, "log", "-1", "--format=%H%n%ae")
    if described is None:
        return Commit()
    sha, _, email = described.partition("\n")
    ref = _git(directory, "rev-parse", "--abbrev-ref", "HEAD") or ""
    return Commit(sha, ref, email, bool(_git(directory, "status", "--porcelain")))


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments],  # noqa: S607 - git is whichever is on PATH
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
