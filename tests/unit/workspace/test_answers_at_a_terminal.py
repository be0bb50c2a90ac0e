"""An answer at a terminal: kept in every case, and who gives one that can't count is told so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from step_fakes import NOW, FakeGitLab, answering

from runbook_lib.adapters.approvals.terminal import Terminal
from runbook_lib.adapters.gitlab_data import GitLabIssue, GitLabNote
from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ApprovalError, UsageError
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.settings import Settings
from runbook_lib.workspace.decisions import answer_alone, answer_request


@pytest.fixture(autouse=True)
def gitlab(monkeypatch: pytest.MonkeyPatch) -> FakeGitLab:
    fake = FakeGitLab("alex")
    fake.has_token = True
    monkeypatch.setattr("runbook_lib.workspace.decisions.gitlab_client", answering(fake))
    return fake


@pytest.fixture
def asked(store: RunStore, request_: ApprovalRequest) -> ApprovalRequest:
    """A request that is open at the moment, whenever this test runs."""
    now = datetime.now(UTC)
    page = "https://gitlab.example/-/jobs/3"
    fresh = request_.model_copy(update={"created_at": now, "expires_at": now + timedelta(hours=4), "url": page})
    store.write_json("03_approval/request.json", fresh)
    return fresh


def kept(gitlab: FakeGitLab) -> list[str]:
    return [note.body for note in gitlab.notes]


def test_an_approver_s_answer_is_kept_with_what_was_answered(
    settings: Settings, store: RunStore, asked: ApprovalRequest, gitlab: FakeGitLab
) -> None:
    decision = answer_request(settings, "7", "", (True, "Looks right."))
    assert (decision.user, decision.approved, decision.reason) == ("alex", True, "Looks right.")
    assert decision.plan_sha256 == asked.plan_sha256
    assert len(kept(gitlab)) == 1


def test_the_digest_s_beginning_is_enough_in_whatever_case(settings: Settings, asked: ApprovalRequest) -> None:
    assert answer_request(settings, "7", asked.plan_sha256[:8].upper(), (True, "")).approved


def test_an_answer_to_another_digest_is_refused_and_not_kept(
    settings: Settings, store: RunStore, asked: ApprovalRequest, gitlab: FakeGitLab
) -> None:
    with pytest.raises(ApprovalError, match=f"the request is for plan {asked.plan_sha256[:12]}, not 0000"):
        answer_request(settings, "7", "0000", (True, ""))
    assert kept(gitlab) == []


def test_an_answer_after_the_request_expired_is_refused(
    settings: Settings, store: RunStore, asked: ApprovalRequest, gitlab: FakeGitLab
) -> None:
    store.write_json("03_approval/request.json", asked.model_copy(update={"expires_at": asked.created_at}))
    with pytest.raises(ApprovalError) as caught:
        answer_request(settings, "7", "", (True, ""))
    assert caught.value.message == f"the request expired at {asked.created_at:%Y-%m-%d %H:%M} UTC"
    assert caught.value.remedy == "Ask again: `runbook run --from plan --run-id 7`, or a new pipeline."
    assert kept(gitlab) == []


def test_whether_a_request_is_over_is_told_by_gitlab_s_clock(
    settings: Settings, store: RunStore, request_: ApprovalRequest, gitlab: FakeGitLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # There it is NOW, however long ago that is by this machine's.
    monkeypatch.setattr("runbook_lib.workspace.asked.gitlab_client", answering(gitlab))
    moment = timedelta(microseconds=1)
    store.write_json("03_approval/request.json", request_.model_copy(update={"expires_at": NOW + moment}))
    assert answer_request(settings, "7", "", (True, "")).approved
    store.write_json("03_approval/request.json", request_.model_copy(update={"expires_at": NOW}))
    with pytest.raises(ApprovalError) as caught:
        answer_request(settings, "7", "", (True, ""))
    assert caught.value.message == "the request expired at 2026-11-23 09:00 UTC"


def test_a_run_that_asks_for_nothing_is_named(settings: Settings, store: RunStore) -> None:
    (store.dir / "03_approval/request.json").unlink(missing_ok=True)
    with pytest.raises(UsageError, match="run 7 asks for no approval"):
        answer_request(settings, "7", "", (True, ""))


def test_a_run_that_is_not_there_is_told_from_one_that_asks_for_nothing(settings: Settings) -> None:
    with pytest.raises(UsageError) as caught:
        answer_request(settings, "8", "", (True, ""))
    assert caught.value.message == f"there is no run 8 in {settings.outputs}"
    assert caught.value.remedy == "Look for its id there; RUNBOOK_OUTPUTS names another folder of runs."


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("riley", "riley asked for the change: it was recorded and does not count"),
        ("RILEY", "RILEY asked for the change"),
        ("casey", "casey is no approver: it was recorded and does not count"),
    ],
)
def test_an_approval_that_can_not_count_is_kept_and_refused(
    settings: Settings, store: RunStore, gitlab: FakeGitLab, user: str, said: str
) -> None:
    gitlab.user = user
    with pytest.raises(ApprovalError, match=said) as caught:
        answer_request(settings, "7", "", (True, ""))
    assert caught.value.remedy == "Approvers are alex, sam."
    assert len(kept(gitlab)) == 1


@pytest.mark.usefixtures("asked")
def test_an_approval_after_a_rejection_is_kept_and_said_not_to_count(
    settings: Settings, store: RunStore, gitlab: FakeGitLab
) -> None:
    answer_request(settings, "7", "", (False, "Too wide."))
    with pytest.raises(ApprovalError, match=r"does not count: alex rejected the change: Too wide\.") as caught:
        answer_request(settings, "7", "", (True, ""))
    assert caught.value.remedy == "A rejection is final."
    assert len(kept(gitlab)) == 2


@pytest.mark.usefixtures("asked")
def test_who_is_known_to_this_machine_alone_is_told_of_the_token(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook_lib.workspace.decisions.gitlab_client", answering(None))
    with pytest.raises(ApprovalError, match=r"local:.* is no approver") as caught:
        answer_request(settings, "7", "", (True, ""))
    assert "Set GITLAB_TOKEN" in caught.value.remedy


def test_who_is_no_approver_any_more_is_not_told_that_a_no_does_not_count(
    settings: Settings, store: RunStore, asked: ApprovalRequest
) -> None:
    store.write_json("03_approval/request.json", asked.model_copy(update={"approvers": ("sam",)}))
    assert answer_request(settings, "7", "", (False, "Not without me.")).approved is False
    with pytest.raises(ApprovalError, match="alex is no approver"):
        answer_request(settings, "7", "", (True, ""))


def test_who_asked_for_a_change_may_withdraw_it(settings: Settings, asked: ApprovalRequest, gitlab: FakeGitLab) -> None:
    gitlab.user = "riley"
    assert answer_request(settings, "7", "", (False, "Not today.")).approved is False


def test_a_run_that_asks_for_nothing_says_where_to_look(settings: Settings, store: RunStore) -> None:
    (store.dir / "03_approval/request.json").unlink(missing_ok=True)
    with pytest.raises(UsageError) as caught:
        answer_request(settings, "7", "", (True, ""))
    assert caught.value.remedy == "Look for its id in outputs/, or run the approval step."


def test_an_answer_to_another_digest_is_told_to_read_again(settings: Settings, asked: ApprovalRequest) -> None:
    with pytest.raises(ApprovalError) as caught:
        answer_request(settings, "7", "0000", (True, ""))
    assert caught.value.remedy == "Read the request as it stands now."


def test_who_wrote_the_commit_may_not_approve_it_and_is_told(
    settings: Settings, store: RunStore, asked: ApprovalRequest, gitlab: FakeGitLab
) -> None:
    store.write_json("03_approval/request.json", asked.model_copy(update={"authors": ("riley", "Sam")}))
    gitlab.user = "sam"
    with pytest.raises(ApprovalError) as caught:
        answer_request(settings, "7", "", (True, ""))
    assert (caught.value.message, caught.value.remedy) == (
        "sam wrote a commit of it: it was recorded and does not count",
        "Approvers are alex, sam.",
    )


@pytest.mark.usefixtures("asked")
def test_a_stranger_s_rejection_is_kept_and_said_not_to_count(
    settings: Settings, store: RunStore, gitlab: FakeGitLab
) -> None:
    gitlab.user = "casey"
    with pytest.raises(ApprovalError, match="casey is no approver"):
        answer_request(settings, "7", "", (False, ""))
    assert len(kept(gitlab)) == 1


@pytest.mark.usefixtures("asked")
def test_an_approver_s_name_counts_in_whatever_case(settings: Settings, gitlab: FakeGitLab) -> None:
    gitlab.user = "ALEX"
    assert answer_request(settings, "7", "", (True, "")).user == "ALEX"


@pytest.mark.usefixtures("asked")
def test_who_is_known_to_this_machine_alone_is_told_of_the_token_in_full(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook_lib.workspace.decisions.gitlab_client", answering(None))
    with pytest.raises(ApprovalError) as caught:
        answer_request(settings, "7", "", (True, ""))
    assert caught.value.remedy == "Approvers are alex, sam. Set GITLAB_TOKEN: by it GitLab says who you are."


def test_where_there_is_no_gitlab_an_answer_is_kept_in_the_run_and_a_rejection_there_is_final(
    settings: Settings, store: RunStore, asked: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {"approvers": ("local:alex",), "requester": "local:riley"}
    store.write_json("03_approval/request.json", asked.model_copy(update=here))
    monkeypatch.setattr("runbook_lib.workspace.decisions.gitlab_client", answering(None))
    monkeypatch.setattr("getpass.getuser", lambda: "alex")
    given = [answer_request(settings, "7", "", answer) for answer in ((True, "Right."), (False, "No."))]
    assert [(one.source, one.user, one.approved, one.reason, one.plan_sha256) for one in given] == [
        ("terminal", "local:alex", True, "Right.", asked.plan_sha256),
        ("terminal", "local:alex", False, "No.", asked.plan_sha256),
    ]
    # A time that says which zone it is of is the same moment wherever it is read.
    assert all(one.at.utcoffset() == timedelta(0) for one in given)
    assert Terminal(store).decisions(asked) == tuple(given)
    with pytest.raises(ApprovalError, match=r"does not count: local:alex rejected the change: No\. Correct it"):
        answer_request(settings, "7", "", (True, ""))


def test_who_is_known_to_this_machine_alone_can_not_answer_who_is_known_to_gitlab(
    settings: Settings, store: RunStore, asked: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write_json("03_approval/request.json", asked.model_copy(update={"approvers": ("local:alex", "sam")}))
    monkeypatch.setattr("runbook_lib.workspace.decisions.gitlab_client", answering(None))
    monkeypatch.setattr("getpass.getuser", lambda: "alex")
    with pytest.raises(ApprovalError) as caught:
        answer_request(settings, "7", "", (True, ""))
    assert caught.value.message == "only this machine says who local:alex is: it was recorded and does not count"
    assert caught.value.remedy == "Decide in GitLab."
    assert not answer_request(settings, "7", "", (False, "No.")).approved


def test_where_nobody_may_approve_and_nobody_is_asked_anywhere_the_hint_is_a_sentence(
    asked: ApprovalRequest, store: RunStore, gitlab: FakeGitLab, settings: Settings, load: Callable[..., Settings]
) -> None:
    store.write_json("03_approval/request.json", asked.model_copy(update={"approvers": (), "url": ""}))
    gitlab.user = "casey"
    with pytest.raises(ApprovalError) as caught:
        answer_request(settings, "7", "", (True, ""))
    assert caught.value.remedy == "runbook.yml names no approver."
    with pytest.raises(ApprovalError) as caught:
        answer_request(load(project="42"), "7", "", (True, ""))
    assert caught.value.remedy == "Decide in GitLab."


def test_where_a_terminal_does_not_count_a_yes_is_refused_before_it_is_said_and_a_no_is_taken(
    asked: ApprovalRequest, gitlab: FakeGitLab, load: Callable[..., Settings]
) -> None:
    settings = load(project="42")
    with pytest.raises(ApprovalError, match="approvals at a terminal do not count here") as caught:
        answer_request(settings, "7", "", (True, ""))
    assert caught.value.remedy == f"Decide where it is asked: {asked.url}"
    assert kept(gitlab) == []
    assert not answer_request(settings, "7", "", (False, "No.")).approved
    assert len(kept(gitlab)) == 1


class Alone(FakeGitLab):
    """Opens the review of what is approved alone, and has these."""

    def __init__(self, user: str) -> None:
        super().__init__(user)
        self.has_token = True
        self.opened: list[GitLabIssue] = []

    def issues(self, label: str) -> tuple[GitLabIssue, ...]:
        return tuple(self.opened)

    def issue_notes(self, iid: int) -> tuple[GitLabNote, ...]:
        return ()

    def open_issue(self, title: str, body: str, label: str) -> GitLabIssue:
        # First the review: whoever can't open one approves nothing.
        assert not any("approved" in note.body for note in self.notes)
        self.opened.append(GitLabIssue(1, title, body, self.user, "https://gitlab.example/-/issues/1"))
        return self.opened[-1]


@pytest.fixture
def alone(store: RunStore, asked: ApprovalRequest, monkeypatch: pytest.MonkeyPatch) -> Alone:
    """A GitLab in an emergency, in which olga alone may approve."""
    store.write_json("03_approval/request.json", asked.model_copy(update={"break_glass": ("olga",)}))
    fake = Alone("olga")
    monkeypatch.setattr("runbook_lib.workspace.decisions.gitlab_client", answering(fake))
    return fake


def refused(settings: Settings, reason: str = "The site is down.") -> tuple[type[Exception], str, str]:
    with pytest.raises((ApprovalError, UsageError)) as caught:
        answer_alone(settings, "7", "", reason)
    return type(caught.value), caught.value.message, caught.value.remedy


def test_who_approves_alone_opens_the_review_and_says_why(
    settings: Settings, asked: ApprovalRequest, alone: Alone
) -> None:
    decision = answer_alone(settings, "7", asked.plan_sha256[:12], "The site is down.")
    assert (decision.user, decision.approved, decision.break_glass) == ("olga", True, True)
    assert decision.reason == "The site is down."
    assert [one.title for one in alone.opened] == ["Review: run 7 was approved by olga alone"]
    assert "Reason: The site is down." in alone.opened[0].body
    assert kept(alone) == [f"runbook: alone approved plan {asked.plan_sha256} of run 7\n\nThe site is down."]


def test_another_plan_than_was_meant_is_not_approved_alone_either(
    settings: Settings, asked: ApprovalRequest, alone: Alone
) -> None:
    with pytest.raises(ApprovalError, match=f"the request is for plan {asked.plan_sha256[:12]}, not 0000"):
        answer_alone(settings, "7", "0000", "The site is down.")
    assert (alone.opened, alone.notes) == ([], [])


def test_who_may_not_approve_alone_is_told_who_may_and_nothing_is_opened(
    settings: Settings, store: RunStore, asked: ApprovalRequest, alone: Alone
) -> None:
    alone.user = "alex"
    may = "approval.break_glass in runbook.yml names"
    assert refused(settings) == (ApprovalError, "alex may not approve alone", f"{may} olga.")
    store.write_json("03_approval/request.json", asked.model_copy(update={"break_glass": ("olga", "omar")}))
    assert refused(settings) == (ApprovalError, "alex may not approve alone", f"{may} olga, omar.")
    store.write_json("03_approval/request.json", asked)
    assert refused(settings) == (ApprovalError, "alex may not approve alone", f"{may} nobody.")
    assert (alone.opened, alone.notes) == ([], [])


@pytest.mark.parametrize("reason", ["", " \n"])
def test_nobody_approves_alone_without_a_reason(settings: Settings, alone: Alone, reason: str) -> None:
    assert refused(settings, reason) == (
        UsageError,
        "the reason is empty",
        "Say what the emergency is: --reason.",
    )
    assert (alone.opened, alone.notes) == ([], [])


def test_where_no_gitlab_keeps_the_review_nobody_approves_alone(
    settings: Settings, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = (
        UsageError,
        "alone one can approve only where a GitLab keeps the review open",
        "Set GITLAB_TOKEN, your own, scope api.",
    )
    alone.has_token = False
    assert refused(settings) == nowhere
    monkeypatch.setattr("runbook_lib.workspace.decisions.gitlab_client", answering(None))
    assert refused(settings) == nowhere


def test_what_was_rejected_is_not_approved_alone(settings: Settings, alone: Alone) -> None:
    alone.user = "alex"
    answer_request(settings, "7", "", (False, "Too wide"))
    alone.user = "olga"
    said = "alex rejected the change: Too wide. Correct it and run the plan step again."
    assert refused(settings) == (
        ApprovalError,
        f"the approval was recorded and does not count: {said}",
        "A rejection is final.",
    )
