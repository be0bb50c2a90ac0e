from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from runbook_lib.adapters.git import Commit, read_commit, read_tree

TERRAFORM = (".tf", ".tfvars")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=Riley", "-c", "user.email=riley@example.com", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "terraform/access").mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    for content in ("# one\n", "# two\n"):
        (folder / "terraform/access/main.tf").write_text(content)
        (folder / "README.md").write_text(content)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", content)
    return folder


def test_commit_says_who_wrote_it_and_whether_the_folder_is_clean(repository: Path) -> None:
    sha = git(repository, "rev-parse", "HEAD")
    assert read_commit(repository) == Commit(sha, "main", "riley@example.com", dirty=False)
    (repository / "README.md").write_text("edited")
    assert read_commit(repository).dirty


def test_folder_outside_a_repository_has_no_commit(tmp_path: Path) -> None:
    assert read_commit(tmp_path) == Commit()


def test_tree_of_an_earlier_commit_holds_its_terraform_files_alone(repository: Path, tmp_path: Path) -> None:
    target = tmp_path / "base"
    assert read_tree(repository, "HEAD^", TERRAFORM, target)
    assert (target / "terraform/access/main.tf").read_text() == "# one\n"
    assert not (target / "README.md").exists()


def test_tree_is_relative_to_the_folder_asked_for(repository: Path, tmp_path: Path) -> None:
    assert read_tree(repository / "terraform", "HEAD^", TERRAFORM, tmp_path / "base")
    assert (tmp_path / "base/access/main.tf").is_file()


@pytest.mark.parametrize("commit", ["HEAD~9", "0123456789012345678901234567890123456789", "--output=x"])
def test_commit_that_is_not_to_be_had_gives_no_tree(repository: Path, tmp_path: Path, commit: str) -> None:
    assert not read_tree(repository, commit, TERRAFORM, tmp_path / "base")
    assert not (repository / "x").exists()


def archive_of(*members: tarfile.TarInfo) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for member in members:
            content = b"# one\n" if member.isreg() else b""
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return held.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, linkname: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, linkname
    return made


@pytest.fixture
def git_that_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """A git whose every archive is the one given: no honest git makes an archive like these."""

    def install(archive: bytes) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "archive.tar").write_bytes(archive)
        script = f'#!/bin/sh\ncase "$*" in *--format=tar*) cat {folder}/archive.tar;; *) echo 1;; esac\n'
        (folder / "git").write_text(script)
        (folder / "git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return install


@pytest.mark.parametrize("name", ["../outside.tf", "a/../../outside.tf", "{above}/outside.tf"])
def test_file_that_would_lie_outside_gives_no_tree(
    git_that_archives: Callable[[bytes], None], tmp_path: Path, name: str
) -> None:
    git_that_archives(archive_of(member(name.format(above=tmp_path))))
    assert not read_tree(tmp_path, "HEAD", TERRAFORM, tmp_path / "base")
    assert not (tmp_path / "outside.tf").exists()


def test_links_and_devices_are_not_written_and_nothing_goes_through_them(
    git_that_archives: Callable[[bytes], None], tmp_path: Path
) -> None:
    above = str(tmp_path)
    git_that_archives(
        archive_of(
            member("link.tf", tarfile.SYMTYPE, f"{above}/outside.tf"),
            member("link.tf"),
            member("hard.tf", tarfile.LNKTYPE, "link.tf"),
            member("folder.tf", tarfile.SYMTYPE, above),
            member("folder.tf/outside.tf"),
            member("pipe.tf", tarfile.FIFOTYPE),
            member("device.tf", tarfile.CHRTYPE),
        )
    )
    assert read_tree(tmp_path, "HEAD", TERRAFORM, tmp_path / "base")
    written = [path for path in (tmp_path / "base").rglob("*") if path.is_symlink() or not path.is_dir()]
    assert sorted(path.relative_to(tmp_path).as_posix() for path in written) == [
        "base/folder.tf/outside.tf",
        "base/link.tf",
    ]
    assert all(path.is_file() and not path.is_symlink() for path in written)
    assert not (tmp_path / "outside.tf").exists()


def test_archive_that_breaks_off_gives_no_tree(git_that_archives: Callable[[bytes], None], tmp_path: Path) -> None:
    git_that_archives(archive_of(member("main.tf"))[:515])
    assert not read_tree(tmp_path, "HEAD", TERRAFORM, tmp_path / "base")
