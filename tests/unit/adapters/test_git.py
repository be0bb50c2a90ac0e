from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from runbook_lib.adapters.git import (
    Commit,
    find_commit,
    first_parent,
    is_ancestor,
    is_shallow,
    merge_base,
    read_commit,
    read_file,
    read_tree,
)

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


@pytest.fixture
def git_that_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """A git whose every tree and objects are the ones given: no honest git keeps trees like these."""

    def install(listed: str, objects: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "tree").write_bytes(listed.encode())
        (folder / "objects").write_bytes(objects.encode())
        script = f"""#!/bin/sh
case "$*" in *ls-tree*) cat {folder}/tree;; *cat-file*) cat {folder}/objects;; *) echo 1;; esac
"""
        (folder / "git").write_text(script)
        (folder / "git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return install


@pytest.mark.parametrize("name", ["../outside.tf", "a/../../outside.tf", "{above}/outside.tf"])
def test_file_that_would_lie_outside_gives_no_tree(
    git_that_lists: Callable[[str, str], None], tmp_path: Path, name: str
) -> None:
    git_that_lists(f"100644 blob 1\t{name.format(above=tmp_path)}\0", "1 blob 6\n# one\n\n")
    assert not read_tree(tmp_path, "HEAD", TERRAFORM, tmp_path / "base")
    assert not (tmp_path / "outside.tf").exists()


@pytest.mark.parametrize("objects", ["", "1 missing\n", "1 tree 6\n# one\n\n"], ids=["cut off", "missing", "a tree"])
def test_objects_that_are_not_there_give_no_tree(
    git_that_lists: Callable[[str, str], None], tmp_path: Path, objects: str
) -> None:
    git_that_lists("100644 blob 1\tmain.tf\0", objects)
    assert not read_tree(tmp_path, "HEAD", TERRAFORM, tmp_path / "base")


def test_links_and_submodules_are_no_files(repository: Path, tmp_path: Path) -> None:
    (repository / "link.tf").symlink_to("terraform/access/main.tf")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "a link")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module.tf")
    git(repository, "commit", "--quiet", "--message", "a submodule")
    assert read_tree(repository, "HEAD", TERRAFORM, tmp_path / "base")
    written = [path for path in (tmp_path / "base").rglob("*") if not path.is_dir()]
    assert [path.relative_to(tmp_path).as_posix() for path in written] == ["base/terraform/access/main.tf"]


def test_attributes_leave_nothing_out_and_put_nothing_in(repository: Path, tmp_path: Path) -> None:
    (repository / ".gitattributes").write_text("*.tf export-ignore export-subst\n")
    (repository / "terraform/access/main.tf").write_text("# $Format:%H$\n")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "attributes")
    (repository / ".git/info").mkdir(exist_ok=True)
    (repository / ".git/info/attributes").write_text("*.tf export-ignore\n")
    assert read_tree(repository, "HEAD", TERRAFORM, tmp_path / "base")
    assert (tmp_path / "base/terraform/access/main.tf").read_text() == "# $Format:%H$\n"


def test_an_object_that_was_replaced_is_read_as_it_was(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, before = git(repository, "rev-parse", "HEAD"), git(repository, "rev-parse", "HEAD^")
    git(repository, "replace", before, head)
    assert read_tree(repository, before, TERRAFORM, tmp_path / "base")
    assert (tmp_path / "base/terraform/access/main.tf").read_text() == "# one\n"
    assert first_parent(repository) == before


def test_variables_lead_git_nowhere_else(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    git(other, "commit", "--quiet", "--allow-empty", "--message", "elsewhere")
    sha = git(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert (read_commit(repository).sha, find_commit(repository, "HEAD")) == (sha, sha)


def test_history_is_asked_for_by_name_or_id(repository: Path, tmp_path: Path) -> None:
    head, before = git(repository, "rev-parse", "HEAD"), git(repository, "rev-parse", "HEAD^")
    git(repository, "checkout", "--quiet", "-b", "side", before)
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "aside")
    assert merge_base(repository, "main", "side") == before
    assert (is_ancestor(repository, before, head), is_ancestor(repository, head, before)) == (True, False)
    assert find_commit(repository, "--help") == ""
    assert not is_shallow(repository)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", str(clone))
    assert (is_shallow(clone), first_parent(clone)) == (True, "")


def test_a_file_is_read_as_it_is_committed_whatever_lies_there(repository: Path, tmp_path: Path) -> None:
    stack = repository / "terraform/access"
    (stack / "main.tf").write_text("# three\n")
    (stack / "new.tf").write_text("# new\n")
    assert (read_file(stack, "main.tf"), read_file(stack, "new.tf")) == (b"# two\n", b"")
    assert read_file(tmp_path, "main.tf") is None
