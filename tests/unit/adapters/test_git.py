from __future__ import annotations

import subprocess
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
