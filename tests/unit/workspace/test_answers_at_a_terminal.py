"""An answer at a terminal: kept in every case, and who gives one that can't count is told so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from step_fakes import FakeGitLab

from runbook_lib.adapters.store import RunStore
from runbook_lib.errors import ApprovalError, UsageError
from runbook_lib.models.approval import ApprovalRequest
from runbook_lib.settings import Settings
from runbook_lib.workspace.decisions import answer_request


@pytest.fixture(autouse=True)
def gitlab(monkeypatch: pytest.MonkeyPatch) -> FakeGitLab:
    fake = FakeGitLab("alex")
    fake.has_token = True
    monkeypatch.setattr("runbook_lib.workspace.decisions.gitlab_client", lambda settings: fake)
    return fake


@pytest.fixture
def asked(store: RunStore, request_: ApprovalRequest) -> ApprovalRequest:
    """A request that is open at the moment, whenever this test runs."""
    now = datetime.now(UTC)
    fresh = request_.model_copy(update={"created_at": now, "expires_at": now + timedelta(hours=4)})
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
    with pytest.raises(ApprovalError, match="expired at") as caught:
        answer_request(settings, "7", "", (True, ""))
    assert caught.value.remedy == "Ask again: `runbook run --from plan --run-id 7`, or a new pipeline."
    assert kept(gitlab) == []


def test_a_run_that_asks_for_nothing_is_named(settings: Settings, store: RunStore) -> None:
    (store.dir / "03_approval/request.json").unlink(missing_ok=True)
    with pytest.raises(UsageError, match="run 7 asks for no approval"):
        answer_request(settings, "7", "", (True, ""))


def test_a_run_that_is_not_there_is_told_from_one_that_asks_for_nothing(settings: Settings) -> None:
    with pytest.raises(UsageError, match="there is no run 8 in"):
        answer_request(settings, "8", "", (True, ""))


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
    monkeypatch.setattr("runbook_lib.workspace.decisions.gitlab_client", lambda settings: None)
    with pytest.raises(ApprovalError, match=r"local:.* is no approver") as caught:
        answer_request(settings, "7", "", (True, ""))
    assert "Set GITLAB_TOKEN" in caught.value.remedy


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
    with pytest.raises(ApprovalError, match="sam wrote a commit of it: it was recorded and does not count"):
        answer_request(settings, "7", "", (True, ""))


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
    monkeypatch.setattr("runbook_lib.workspace.decisions.gitlab_client", lambda settings: None)
    with pytest.raises(ApprovalError) as caught:
        answer_request(settings, "7", "", (True, ""))
    assert caught.value.remedy == "Approvers are alex, sam. Set GITLAB_TOKEN: by it GitLab says who you are."


def test_where_a_terminal_does_not_count_a_yes_is_refused_before_it_is_said_and_a_no_is_taken(
    asked: ApprovalRequest, gitlab: FakeGitLab, load: Callable[..., Settings]
) -> None:
    settings = load(project="42")
    with pytest.raises(ApprovalError, match="approvals at a terminal do not count here"):
        answer_request(settings, "7", "", (True, ""))
    assert kept(gitlab) == []
    assert not answer_request(settings, "7", "", (False, "No.")).approved
    assert len(kept(gitlab)) == 1
