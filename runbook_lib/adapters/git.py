"""Git, by its command line: which commit this is, who wrote it, and whether the folder is clean."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Commit", "read_commit", "read_tree"]


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


def read_tree(directory: Path, commit: str, suffixes: tuple[str, ...], target: Path) -> bool:
    """Write a commit's files with these suffixes below `target`; False where the commit is not to be had.

    Paths are relative to `directory`. A shallow clone, as CI makes them, may lack the commit.
    """
    # The name comes from the environment: it must not be taken for an option.
    sha = _git(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    if not sha:
        return False
    arguments = ["git", "-C", str(directory), "archive", "--format=tar", sha]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_clean()) as process:
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                for member in archive:
                    if member.isfile() and member.name.endswith(suffixes):
                        _write_member(archive, member, target)
        except tarfile.TarError:
            return False
    return process.returncode == 0


def _write_member(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    # Not by `extract`: Python has its filters from 3.11.4 on only. Links are never written, so none can lead outside.
    path = target / member.name
    content = archive.extractfile(member)
    if content is None or not path.resolve().is_relative_to(target.resolve()):
        raise tarfile.TarError(f"{member.name!r} lies outside of {target}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        shutil.copyfileobj(content, stream)


def _clean() -> dict[str, str]:
    # No variable shows git another repository, and no replacement stands in for a commit.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_NO_REPLACE_OBJECTS": "1"}


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments],  # noqa: S607 - git is whichever is on PATH
            env=_clean(),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
