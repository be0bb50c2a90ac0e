"""Who wrote a change and who asked for it at a desk, as GitLab says; and whose pipeline a job is of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from step_fakes import NOW, answering, built_in

from runbook_lib.adapters.gitlab_data import GitLabCommit, GitLabNote
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ApprovalError, GitLabError
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.findings import Finding, Severity, Verdict
from runbook_lib.models.run import Run
from runbook_lib.settings import Settings
from runbook_lib.workspace import asked as module
from runbook_lib.workspace.asked import announce, as_gitlab_says, check_own_pipeline, clock_of, kept_by_job, who_wrote
from runbook_lib.workspace.context import StepContext

HEAD, BETWEEN, APPLIED = "4dc7a7", "b1", "a0"
LATER = NOW + timedelta(minutes=5)


def commit(sha: str, author: str, committer: str = "", message: str = "A change") -> GitLabCommit:
    return GitLabCommit(sha, author, committer or author, message, NOW)


class GitLab:
    """A project with these commits since the one applied last, seen with the token of `user`."""

    has_token = has_job_token = True
    logins: dict[str, str]

    def __init__(self, *commits: GitLabCommit, user: str = "riley") -> None:
        self.user = user
        self.commits = {one.sha: one for one in commits}
        self.between: tuple[GitLabCommit, ...] = commits
        self.logins = {"riley@example.com": "riley", "sam@example.com": "sam"}
        self.notes: list[GitLabNote] = []
        self.own_pipeline = 1001
        self.own_job = "apply"

    def commit(self, sha: str) -> GitLabCommit:
        if sha not in self.commits:
            raise GitLabError("404", "Push it.")
        return self.commits[sha]

    def commits_between(self, old: str, new: str) -> tuple[GitLabCommit, ...]:
        assert (old, new) == (APPLIED, HEAD)
        return self.between

    def login_of_email(self, address: str) -> str:
        return self.logins.get(address, "")

    def is_own_address(self, address: str) -> bool:
        return address == "noreply@gitlab.example"

    def now(self) -> datetime:
        return LATER

    def comment(self, sha: str, text: str) -> GitLabNote:
        assert sha == HEAD
        self.notes.append(GitLabNote(self.user, text, LATER, False, "https://gitlab.example/-/commit/4dc7a7"))
        return self.notes[-1]

    def comments(self, sha: str) -> tuple[GitLabNote, ...]:
        assert sha == HEAD
        return tuple(self.notes)

    def whose_job(self) -> Any:
        return SimpleNamespace(pipeline_id=self.own_pipeline, name=self.own_job)

    def artifact(self, job: int, path: str) -> bytes | None:
        return f"{job}: {path}".encode()


Place = Callable[..., None]


@pytest.fixture
def place(settings: Settings, run: Run, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Put a GitLab there, in which this commit was applied last."""

    def put(gitlab: GitLab | None, applied: str = APPLIED) -> None:
        def last(given: Settings, of: Run) -> str:
            assert isinstance(given, Settings)
            assert of.run_id == run.run_id
            return applied

        monkeypatch.setattr(module, "gitlab_client", answering(gitlab))
        monkeypatch.setattr(module, "applied_commit", last)

    return put


def refused(ask: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(ApprovalError) as caught:
        ask()
    return caught.value.message, caught.value.remedy


def test_all_who_made_a_commit_since_the_one_applied_last_wrote_the_change(
    settings: Settings, run: Run, place: Place
) -> None:
    first = commit(
        BETWEEN, "sam@example.com", "kim@elsewhere.example", "More\n\nCo-authored-by: L <lee@elsewhere.example>"
    )
    place(GitLab(first, commit(HEAD, "riley@example.com")))
    assert who_wrote(settings, run) == (("sam", "riley"), ("kim@elsewhere.example", "lee@elsewhere.example"))


def test_a_login_is_told_once_by_whichever_of_its_addresses(settings: Settings, run: Run, place: Place) -> None:
    gitlab = GitLab(commit(BETWEEN, "sam@home.example"), commit(HEAD, "sam@example.com"))
    gitlab.logins["sam@home.example"] = "sam"
    place(gitlab)
    assert who_wrote(settings, run) == (("sam",), ())


def test_the_checked_out_commit_counts_also_where_the_list_leaves_it_out(
    settings: Settings, run: Run, place: Place
) -> None:
    gitlab = GitLab(commit(BETWEEN, "sam@example.com"), commit(HEAD, "riley@example.com"))
    gitlab.between = gitlab.between[:1]
    place(gitlab)
    assert who_wrote(settings, run) == (("sam", "riley"), ())


def test_what_gitlab_commits_in_its_own_name_it_wrote_only_where_it_is_the_author(
    settings: Settings, run: Run, place: Place
) -> None:
    own = "noreply@gitlab.example"
    place(GitLab(commit(HEAD, "riley@example.com", own)))
    assert who_wrote(settings, run) == (("riley",), ())
    place(GitLab(commit(HEAD, own)))
    assert who_wrote(settings, run) == ((), (own,))


def test_what_is_not_known_of_the_commits_stands_for_somebody(settings: Settings, run: Run, place: Place) -> None:
    place(GitLab(commit(HEAD, "riley@example.com")), applied="")
    assert who_wrote(settings, run) == (
        ("riley",),
        ("who wrote the commits before, as none is known to be applied",),
    )
    place(GitLab())
    pushed = run.model_copy(update={"commit": "0123456789abcdef"})
    assert who_wrote(settings, pushed) == ((), ("who wrote 0123456789ab, as GitLab does not show it",))


def test_without_a_token_nobody_can_tell_and_without_a_commit_nobody_wrote(
    settings: Settings, run: Run, place: Place
) -> None:
    gitlab = GitLab(commit(HEAD, "riley@example.com"))
    place(gitlab)
    nameless = run.model_copy(update={"commit": ""})
    assert who_wrote(settings, nameless) == ((), ("the commits' authors",))
    gitlab.has_token = False
    assert who_wrote(settings, run) == ((), ("riley",))
    place(None)
    assert who_wrote(settings, nameless) == ((), ())
    assert who_wrote(settings, run.model_copy(update={"author": ""})) == ((), ("the commits' authors",))


def test_decisions_are_dated_by_gitlab_s_clock_where_there_is_one(settings: Settings, place: Place) -> None:
    place(GitLab())
    assert clock_of(settings, NOW) == LATER
    place(None)
    assert clock_of(settings, NOW) == NOW


def test_at_a_desk_who_asks_says_so_in_gitlab(settings: Settings, request_: ApprovalRequest, place: Place) -> None:
    gitlab = GitLab(user="sam")
    place(gitlab)
    found = announce(settings, request_)
    assert found == request_.model_copy(
        update={"requester": "sam", "created_at": LATER, "expires_at": LATER + timedelta(hours=4)}
    )
    assert len(gitlab.notes) == 1


def test_in_a_pipeline_or_without_a_token_nothing_is_said_and_gitlab_s_clock_alone_counts(
    load: Callable[..., Settings], request_: ApprovalRequest, place: Place
) -> None:
    gitlab = GitLab(user="sam")
    place(gitlab)
    dated = request_.model_copy(update={"created_at": LATER, "expires_at": LATER + timedelta(hours=4)})
    assert announce(load(CI_PIPELINE_ID="1001"), request_) == dated
    gitlab.has_token = False
    assert announce(load(CI_PIPELINE_ID=""), request_) == dated
    assert gitlab.notes == []
    place(None)
    assert announce(load(), request_) == request_


def test_what_was_never_committed_can_not_be_asked_for_there(
    settings: Settings, request_: ApprovalRequest, place: Place
) -> None:
    place(GitLab())
    assert refused(lambda: announce(settings, request_.model_copy(update={"commit": ""}))) == (
        "no commit is checked out, so GitLab can't say who wrote the change",
        "Commit and push it.",
    )


Says = Callable[[ApprovalRequest], ApprovalRequest]


@pytest.fixture
def says(settings: Settings, store: RunStore, run: Run, monkeypatch: pytest.MonkeyPatch) -> Says:
    """What the request says at a desk once GitLab was asked."""
    monkeypatch.setattr(module, "approval_config", lambda context: context.settings.config.approval)
    context = StepContext(built_in("apply"), settings, store, run, NOW)
    return lambda request: as_gitlab_says(context, request)


def test_at_a_desk_who_asked_when_and_who_wrote_is_found_out_anew(
    settings: Settings, request_: ApprovalRequest, place: Place, says: Says
) -> None:
    gitlab = GitLab(commit(HEAD, "sam@example.com"), user="riley")
    place(gitlab)
    announced = announce(settings, request_)
    forged = announced.model_copy(
        update={"requester": "kim", "created_at": NOW, "expires_at": NOW + timedelta(hours=2), "authors": ("kim",)}
    )
    assert says(forged) == announced.model_copy(update={"expires_at": LATER + timedelta(hours=2), "authors": ("sam",)})


def test_no_request_lasts_longer_than_runbook_yml_lets_it(
    settings: Settings, request_: ApprovalRequest, place: Place, says: Says
) -> None:
    longer = request_.model_copy(update={"expires_at": NOW + timedelta(days=9)})
    place(None)
    assert says(longer) == longer.model_copy(update={"expires_at": NOW + timedelta(hours=4)})
    place(GitLab(commit(HEAD, "sam@example.com")))
    announce(settings, longer)
    assert says(longer).expires_at == LATER + timedelta(hours=4)


def test_a_request_that_gitlab_knows_nothing_of_is_none(request_: ApprovalRequest, place: Place, says: Says) -> None:
    place(GitLab(commit(HEAD, "sam@example.com")))
    assert refused(lambda: says(request_)) == (
        f"GitLab knows of no such request for plan {request_.plan_sha256[:12]} of run 7",
        "Run the approval step: it asks there.",
    )


@pytest.mark.parametrize(
    "said",
    [
        {"exposure": Exposure(sentence="Nobody gains or loses access.")},
        {"findings": (Finding(policy="p", severity=Severity.LOW, verdict=Verdict.FAILED, address="a.b", message="m"),)},
        {"governance": ("This change was looked at by sam.",)},
        {"quorum": 0},
        {"approvers": ("riley", "alex")},
        {"dirty": True},
        {"complete": False},
        {"url": "https://gitlab.example.com/elsewhere"},
        {"inputs_sha256": "other"},
        {"config_sha256": "other"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_nor_one_that_says_anything_else_than_was_asked(
    settings: Settings, request_: ApprovalRequest, place: Place, says: Says, said: dict[str, Any]
) -> None:
    place(GitLab(commit(HEAD, "sam@example.com")))
    announced = announce(settings, request_)
    other = announced.model_copy(update=said)
    assert other != announced
    assert refused(lambda: says(other))[0].startswith("GitLab knows of no such request for plan")
    assert says(announced).quorum == 1


def test_a_job_of_another_pipeline_than_it_says_is_refused(load: Callable[..., Settings], place: Place) -> None:
    remedy = "Start the job without this variable: GitLab itself sets it."
    gitlab = GitLab()
    place(gitlab)
    job = load(project="42", GITLAB_CI="true", CI_PIPELINE_ID="1001", CI_JOB_ID="3")
    for name in ("apply", "apply 1/2", "apply: [web]"):
        gitlab.own_job = name
        check_own_pipeline(job)
    # The job whose player approves is the one that applies: of another one's nobody would know what playing it does.
    for name in ("prepare", "apply-all", ""):
        gitlab.own_job = name
        assert refused(lambda: check_own_pipeline(job)) == (
            f"this job is {name}, and approval.job in runbook.yml names apply",
            "Name the job there that applies, and begin a new pipeline.",
        )
    gitlab.own_pipeline = 1002
    assert refused(lambda: check_own_pipeline(job)) == (
        "CI_PIPELINE_ID says 1001, but this job belongs to pipeline 1002",
        remedy,
    )
    gitlab.has_job_token = False
    assert refused(lambda: check_own_pipeline(job)) == (
        "this job has no CI_JOB_TOKEN, so GitLab can't say which pipeline it is of",
        remedy,
    )
    # Where no pipeline is named, or no GitLab is there, or it is a desk, there is nothing to hold it to.
    check_own_pipeline(load(project="42", GITLAB_CI="true", CI_PIPELINE_ID=""))
    place(None)
    check_own_pipeline(job)


def test_at_a_desk_no_job_is_asked_for(load: Callable[..., Settings], place: Place) -> None:
    gitlab = GitLab()
    gitlab.own_pipeline = 1002
    place(gitlab)
    check_own_pipeline(load(CI_PIPELINE_ID="1001"))


def test_a_file_of_a_run_is_where_the_folder_of_runs_is(
    load: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    gitlab: Any = GitLab()
    assert kept_by_job(load(), gitlab, 3, "7", "run.json") == b"3: outputs/7/run.json"
    below = load(RUNBOOK_OUTPUTS="kept/runs")
    assert kept_by_job(below, gitlab, 3, "7", "run.json") == b"3: kept/runs/7/run.json"
    # Of one that is elsewhere, a job keeps what it copied under its name.
    assert kept_by_job(load(RUNBOOK_OUTPUTS="/elsewhere/runs"), gitlab, 3, "7", "run.json") == b"3: runs/7/run.json"
