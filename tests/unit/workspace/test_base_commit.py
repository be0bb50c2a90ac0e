"""The commit that files are compared with, in real git repositories: what is not known of it never makes less new."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from step_fakes import answering

from runbook_lib.errors import GitLabError
from runbook_lib.models.compliance import ComparedWith
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace import base_commit as module
from runbook_lib.workspace.base_commit import BaseCommit, compared_files, find_base

TF = (".tf",)


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=Riley", "-c", "user.email=riley@example.com", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, message: str) -> str:
    (folder / "terraform/access/more.tf").write_text(f"# {message}\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def commits(root: Path) -> list[str]:
    """Three commits on main."""
    git(root, "init", "--quiet", "--initial-branch=main")
    return [commit(root, name) for name in ("one", "two", "three")]


def compared(settings: Settings, base: BaseCommit) -> ComparedWith:
    return compared_files(settings, base, TF)


def applied(sha: str) -> BaseCommit:
    return BaseCommit(sha, "the commit last applied", applied=True)


def test_the_commit_last_applied_is_named(load: Callable[..., Settings], commits: list[str]) -> None:
    found = compared(load(), applied(commits[1]))
    assert (found.commit, found.everything) == (commits[1], False)
    assert found.sentence == f"Compared with {commits[1][:12]} (the commit last applied)."


def test_an_earlier_commit_that_ci_names_counts_and_a_later_one_does_not(
    load: Callable[..., Settings], commits: list[str]
) -> None:
    first, second, head = commits
    found = compared(load(CI_COMMIT_BEFORE_SHA=first), applied(second))
    assert (found.commit, found.how) == (first, "the commit that CI names")
    assert compared(load(CI_COMMIT_BEFORE_SHA=head), applied(second)).commit == second


@pytest.mark.parametrize("name", ["RUNBOOK_BASE_COMMIT", "CI_COMMIT_BEFORE_SHA", "CI_MERGE_REQUEST_DIFF_BASE_SHA"])
def test_a_named_commit_that_is_not_here_leaves_nothing_to_compare_with(
    load: Callable[..., Settings], commits: list[str], name: str
) -> None:
    found = compared(load(**{name: "1" * 40}), applied(commits[1]))
    assert (found.commit, found.everything) == ("", True)
    assert found.sentence == (
        "Compared with no commit: 111111111111, which CI names, is not in this clone."
        " All that the files declare is judged as new."
    )


@pytest.mark.parametrize("zeros", ["0" * 40, "0" * 64])
def test_zeros_name_no_commit_and_the_parent_of_the_last_commit_does_not_stand_for_it(
    load: Callable[..., Settings], root: Path, commits: list[str], zeros: str, run: Run
) -> None:
    settings = load(CI_COMMIT_BEFORE_SHA=zeros)
    assert compared(settings, applied(commits[0])).commit == commits[0]
    by_git = find_base(settings, run)
    assert by_git.sha == commits[1]
    found = compared(settings, by_git)
    assert (found.commit, found.everything) == ("", True)
    assert "CI knows of no commit before this one" in found.sentence
    git(root, "update-ref", "refs/remotes/origin/main", commits[0])
    assert compared(settings, find_base(settings, run)).commit == commits[0]


@pytest.mark.parametrize("as_base", [True, False], ids=["the base", "the one that CI names"])
def test_a_commit_that_did_not_lead_here_is_nothing_to_compare_with(
    load: Callable[..., Settings], root: Path, commits: list[str], as_base: bool
) -> None:
    git(root, "checkout", "--quiet", "-b", "aside", commits[0])
    aside = commit(root, "aside")
    git(root, "checkout", "--quiet", "main")
    settings = load() if as_base else load(CI_COMMIT_BEFORE_SHA=aside)
    found = compared(settings, applied(aside) if as_base else applied(commits[1]))
    assert (found.commit, found.everything) == ("", True)
    assert f"{aside[:12]}" in found.sentence
    assert "none of those that led to this one" in found.sentence


def test_a_shallow_clone_knows_no_commit_before(
    load: Callable[..., Settings], root: Path, commits: list[str], tmp_path: Path, run: Run
) -> None:
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{root}", str(shallow))
    git(shallow, "update-ref", "-d", "refs/remotes/origin/HEAD")
    settings = load()
    settings.root = shallow
    base = find_base(settings, run)
    found = compared(settings, base)
    assert (found.commit, found.everything) == ("", True)
    assert "this clone does not hold the commit before" in found.sentence
    # The applied one is there by its name alone.
    assert compared(settings, applied(commits[1])).everything


def test_files_that_no_commit_holds_are_named(load: Callable[..., Settings], root: Path, commits: list[str]) -> None:
    (root / "terraform/access/by_hand.tf").write_text("# new\n")
    (root / "terraform/access/more.tf").write_text("# changed\n")
    (root / "notes.txt").write_text("none of Terraform's")
    found = compared(load(), applied(commits[1]))
    assert set(found.uncommitted) == {"terraform/access/by_hand.tf", "terraform/access/more.tf"}
    assert found.commit == commits[1]
    assert "Judged as they are, though no commit holds them so: " in found.sentence


def test_many_such_files_are_counted() -> None:
    found = ComparedWith(commit="4dc7a7c0ffee99", how="x", uncommitted=("a", "b", "c", "d", "e"))
    assert found.sentence.endswith("so: a, b, c and 2 more.")


TOKEN = "Set GITLAB_TOKEN, which may ask GitLab what was applied last."


def test_a_job_without_a_token_knows_of_nothing_before_it(
    load: Callable[..., Settings], commits: list[str], run: Run
) -> None:
    # At a desk git's own word is enough.
    desk = find_base(load(), run)
    assert (desk.sha, desk.how, desk.applied) == (commits[1], "the commit before", False)
    base = find_base(load(GITLAB_CI="true", project="42"), run)
    assert (base.problem, base.remedy) == ("nobody says which commit was applied last", TOKEN)
    assert str(base) == "nothing: nobody says which commit was applied last"
    assert (base.sha, base.applied, base.first) == ("", False, False)


class GitLab:
    has_token = True


Says = Callable[[str | GitLabError], None]


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Says:
    """Lets GitLab say what was applied last."""

    def say(found: str | GitLabError) -> None:
        def applied_commit(settings: Settings, run: Run) -> str:
            if isinstance(found, GitLabError):
                raise found
            return found

        monkeypatch.setattr(module, "gitlab_client", answering(GitLab()))
        monkeypatch.setattr(module, "applied_commit", applied_commit)

    return say


def test_what_gitlab_says_was_applied_is_vouched_for_where_it_is_in_this_clone(
    load: Callable[..., Settings], commits: list[str], run: Run, says: Says
) -> None:
    says(commits[0])
    base = find_base(load(), run)
    assert (base.sha, base.how, base.applied) == (commits[0], "the commit last applied", True)
    says("c" * 40)
    base = find_base(load(), run)
    assert base.problem == f"{'c' * 12}, the commit last applied, is not in this clone"
    assert base.remedy == ("Fetch the whole history: GIT_DEPTH: 0 in a job, `git fetch --unshallow` at a desk.")
    assert (base.sha, base.applied) == ("", False)


def test_a_gitlab_that_does_not_answer_is_a_problem_in_a_job_alone(
    load: Callable[..., Settings], commits: list[str], run: Run, says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(GitLabError("GitLab is away", "Ask again."))
    job = find_base(load(GITLAB_CI="true", project="42"), run)
    assert (job.problem, job.remedy) == ("GitLab did not say what was applied last: GitLab is away", "Ask again.")
    monkeypatch.delenv("GITLAB_CI")
    assert find_base(load(), run).sha == commits[1]


def test_a_stack_that_was_never_applied_is_compared_by_git_in_a_job_as_well(
    load: Callable[..., Settings], commits: list[str], run: Run, says: Says
) -> None:
    says("")
    base = find_base(load(GITLAB_CI="true", project="42"), run)
    assert (base.sha, base.how, base.applied) == (commits[1], "the commit before", False)


def test_outside_of_a_repository_nothing_is_compared_with(load: Callable[..., Settings], run: Run) -> None:
    base = find_base(load(), run)
    assert base == BaseCommit(problem="this folder is in no git repository", remedy="Work in a clone of the project.")
    assert str(base) == "nothing: this folder is in no git repository"


def test_the_first_commit_is_compared_with_nothing_and_says_why(
    load: Callable[..., Settings], root: Path, run: Run
) -> None:
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root, "one")
    base = find_base(load(), run)
    assert base == BaseCommit(first=True)
    assert str(base) == "nothing: this is the first commit"
    assert compared(load(), base) == ComparedWith(
        commit="", how="", problem="this is the first commit", everything=True
    )


@pytest.mark.parametrize(
    ("origin", "named"),
    [("HEAD", "origin/HEAD"), ("main", "origin/main"), ("master", "origin/master"), ("other", "")],
)
def test_a_branch_is_compared_with_where_it_left_what_origin_has(
    load: Callable[..., Settings], root: Path, commits: list[str], run: Run, *, origin: str, named: str
) -> None:
    git(root, "update-ref", f"refs/remotes/origin/{origin}", commits[0])
    base = find_base(load(), run)
    how = f"where this branch left {named}" if named else "the commit before"
    assert base == BaseCommit(commits[0] if named else commits[1], how)
    assert str(base) == f"{base.sha[:12]} ({how})"
    # Where nothing was committed since, it is the commit before.
    git(root, "update-ref", f"refs/remotes/origin/{origin}", commits[2])
    assert find_base(load(), run) == BaseCommit(commits[1], "the commit before")


def test_what_did_not_lead_here_is_told_with_what_it_was_taken_for(
    load: Callable[..., Settings], root: Path, commits: list[str]
) -> None:
    git(root, "checkout", "--quiet", "-b", "aside", commits[0])
    aside = commit(root, "aside")
    git(root, "checkout", "--quiet", "main")
    problem = f"{aside[:12]} (the commit last applied) is none of those that led to this one"
    assert compared(load(), applied(aside)) == ComparedWith(commit="", how="", problem=problem, everything=True)
    problem = f"{aside[:12]}, which CI names, is none of those that led to this one"
    found = compared(load(CI_COMMIT_BEFORE_SHA=aside), applied(commits[1]))
    assert found == ComparedWith(commit="", how="", problem=problem, everything=True)
