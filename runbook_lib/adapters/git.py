"""Git, by its command line: which commit this is, who wrote it, what an earlier one held, and what came between."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "Commit",
    "changed_files",
    "files_between",
    "files_of",
    "find_commit",
    "first_parent",
    "is_ancestor",
    "is_shallow",
    "merge_base",
    "read_commit",
    "read_file",
    "read_tree",
    "remote_url",
    "run_git",
    "tree_id",
    "versions",
]

# A variable could lead git to another repository or other objects; a replaced object is not the one that was approved.
_FIXED = {
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
# A repository's own settings may name programs that git starts.
_TAMED = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


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


def changed_files(directory: Path, counting: tuple[str, ...]) -> tuple[str, ...]:
    """Tracked files that differ from HEAD, and untracked ones below `counting`; by their paths below the repository."""
    tracked = _git(directory, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=none") or ""
    strange = _git(directory, "ls-files", "--others", "--exclude-standard", "--", *counting) or ""
    return (*(line.strip().partition(" ")[2].strip() for line in tracked.splitlines()), *strange.splitlines())


def files_of(directory: Path) -> tuple[str, ...] | None:
    """What lies below `directory` and git does not ignore, committed or not; None outside a repository."""
    listed = _run(directory, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    return None if listed is None else tuple(dict.fromkeys(os.fsdecode(name) for name in listed.split(b"\0") if name))


def remote_url(directory: Path) -> str:
    """Where this clone came from, as git wrote it down; empty where there is no `origin`."""
    return _git(directory, "config", "--get", "remote.origin.url") or ""


def tree_id(directory: Path) -> str:
    """The id of HEAD's tree: the same for the same files, whatever the commit is called; empty without a repository."""
    return _git(directory, "rev-parse", "--verify", "--quiet", "HEAD^{tree}") or ""


def find_commit(directory: Path, name: str) -> str:
    """The id of a commit that is in this clone; empty where there is none of this name."""
    # The name may come from outside: it must not be taken for an option.
    return _git(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}") or ""


def first_parent(directory: Path) -> str:
    """The id of the commit before HEAD, on the branch that it was merged into; empty if this clone has none."""
    return find_commit(directory, "HEAD^1")


def is_shallow(directory: Path) -> bool:
    """Whether commits are missing in this clone."""
    return _git(directory, "rev-parse", "--is-shallow-repository") != "false"


def merge_base(directory: Path, one: str, other: str) -> str:
    """The id of the newest commit that both have; empty if there is none here."""
    return _git(directory, "merge-base", "--end-of-options", one, other) or ""


def is_ancestor(directory: Path, old: str, new: str) -> bool:
    """Whether `new` comes after `old`, as far as this clone knows."""
    return _git(directory, "merge-base", "--is-ancestor", "--end-of-options", old, new) is not None


def read_file(directory: Path, name: str, commit: str = "HEAD") -> bytes | None:
    """A file of `directory` as a commit has it, empty where it has none; None without the commit."""
    sha = find_commit(directory, commit)
    return (_run(directory, "cat-file", "blob", f"{sha}:./{name}") or b"") if sha else None


def versions(directory: Path, name: str, most: int) -> tuple[str, ...]:
    """The commits that changed a file of `directory`, on the way that HEAD itself came, the newest first."""
    options = ("--first-parent", "--format=%H", f"--max-count={most}")
    return tuple((_git(directory, "log", *options, "HEAD", "--", name) or "").split())


def read_tree(directory: Path, commit: str, suffixes: tuple[str, ...], target: Path) -> bool:
    """Write a commit's files with these suffixes below `target`; False where the commit is not to be had.

    Paths are relative to `directory`. A shallow clone, as CI makes them, may lack the commit. Objects are read one by
    one: `git archive` would leave out, or change, what the repository's attributes tell it to.
    """
    sha = find_commit(directory, commit)
    listed = _run(directory, "ls-tree", "-r", "-z", sha) if sha else None
    if listed is None:
        return False
    files = dict(_regular_files(listed, suffixes))
    content = _run(directory, "cat-file", "--batch", given="".join(f"{blob}\n" for blob in files.values()).encode())
    if content is None:
        return False
    position = 0
    for name in files:
        head, _, _ = content[position:].partition(b"\n") if position < len(content) else (b"", b"", b"")
        words = head.split()
        if len(words) != 3 or words[1] != b"blob":
            return False
        start = position + len(head) + 1
        if not _write(target, name, content[start : start + int(words[2])]):
            return False
        position = start + int(words[2]) + 1
    return True


def _regular_files(listed: bytes, suffixes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    # Links are left out, so none can lead outside.
    for entry in listed.split(b"\0"):
        about, _, name = entry.partition(b"\t")
        mode, _, blob = about.decode().partition(" blob ")
        path = os.fsdecode(name)
        if mode in {"100644", "100755"} and path.endswith(suffixes):
            yield path, blob


def _write(target: Path, name: str, content: bytes) -> bool:
    path = target / name
    if not path.resolve().is_relative_to(target.resolve()):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return True


def _git(directory: Path, *arguments: str) -> str | None:
    said = _run(directory, *arguments)
    return None if said is None else said.decode(errors="replace").strip()


def _run(directory: Path, *arguments: str, given: bytes = b"") -> bytes | None:
    done = run_git(directory, *arguments, given=given)
    return done.stdout if done.returncode == 0 else None


def run_git(directory: Path, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """One command of git, led by no variable and no hook; status 127 where git is not there or takes too long."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", *_TAMED, "-C", str(directory), *arguments]
    try:
        return subprocess.run(
            command,
            input=given,
            capture_output=True,
            timeout=60,
            check=False,
            env={**kept, **_FIXED},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 127, b"", str(error).encode())


def files_between(directory: Path, old: str, new: str = "HEAD") -> tuple[str, ...] | None:
    """The files that differ between two commits, by their paths below `directory`; None where one is not to be had.

    A file that was moved is two: one that is gone, and one that is new. A submodule is one, by the path of its folder.
    """
    commits = [find_commit(directory, name) for name in (old, new)]
    if not all(commits):
        return None
    # The repository's own files may tell git to leave submodules out.
    options = ("--name-only", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=none", "--relative")
    said = _run(directory, "diff", *options, *commits, "--")
    return None if said is None else tuple(os.fsdecode(name) for name in said.split(b"\0") if name)
