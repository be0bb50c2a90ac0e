"""Approving alone in an emergency, and the review that follows, against the lab's GitLab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gitlab_lab import RunningGitLab, running_gitlab

from runbook_lib.adapters.approvals.gitlab_comment import GitLabComments, answer_in_comment
from runbook_lib.adapters.approvals.gitlab_review import LABEL, open_review, review_of
from runbook_lib.adapters.gitlab import GitLab
from runbook_lib.adapters.store import RunStore
from runbook_lib.domain.approval import ApplyFacts, judge_decisions
from runbook_lib.errors import ApprovalError, GitLabError, UsageError
from runbook_lib.lab.gitlab.config import MAINTAINER, LabUser, default_config
from runbook_lib.models.approval import ApprovalRequest, DecisionRecord
from runbook_lib.models.config import RunbookConfig
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.plan import PlanSummary
from runbook_lib.workspace import decisions, reviews

DIGEST = "d" * 64
CONFIG = RunbookConfig.model_validate(
    {
        "stacks": {"access": {"path": "a"}},
        "approval": {"approvers": ["alex", "sam"], "quorum": 2, "break_glass": ["olga"]},
    }
)
As = Callable[[str], GitLab]


@pytest.fixture
def lab() -> Iterator[RunningGitLab]:
    config = default_config()
    olga = LabUser(200, "olga", "Olga On Call", "glpat-olga", MAINTAINER, ("api",))
    with running_gitlab(replace(config, users=(*config.users, olga))) as running:
        yield running


@pytest.fixture
def who(lab: RunningGitLab, monkeypatch: pytest.MonkeyPatch) -> As:
    """Let the workspace be used by a person."""

    def use(user: str) -> GitLab:
        client = lab.client(user)
        for module in (reviews, decisions):
            monkeypatch.setattr(module, "gitlab_client", lambda settings: client)
        monkeypatch.setattr(decisions, "clock_of", lambda settings, now: now)
        return client

    return use


@pytest.fixture
def request_(lab: RunningGitLab) -> ApprovalRequest:
    now = datetime.now(UTC)
    return ApprovalRequest(
        run_id="7",
        stack="access",
        plan_sha256=DIGEST,
        commit=lab.push(),
        state_lineage="l",
        state_serial=3,
        policy_sha256="p",
        summary=PlanSummary(plan_sha256=DIGEST),
        exposure=Exposure(),
        requester="riley",
        author="riley",
        approvers=("alex", "sam"),
        quorum=2,
        break_glass=("olga",),
        created_at=now - timedelta(seconds=2),
        expires_at=now + timedelta(hours=4),
    )


@pytest.fixture
def settings(tmp_path: Path, request_: ApprovalRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    store = RunStore(tmp_path, "7")
    store.write_json("run.json", {})
    monkeypatch.setattr(decisions, "run_store", lambda settings, run_id: store)
    monkeypatch.setattr(decisions, "request_file", lambda store: "run.json")
    monkeypatch.setattr(decisions, "read_request", lambda store: request_)
    return SimpleNamespace(config=CONFIG, outputs=tmp_path)


def judged(gitlab: GitLab, request: ApprovalRequest) -> DecisionRecord:
    given = GitLabComments(gitlab, approves=False).decisions(request)
    return judge_decisions(request, given, ApplyFacts(DIGEST, "l", 3, break_glass=("olga",)), datetime.now(UTC))


def test_one_alone_approves_and_two_others_close_the_review(
    lab: RunningGitLab, request_: ApprovalRequest, settings: Any, who: As
) -> None:
    who("olga")
    assert decisions.answer_alone(settings, "7", "", "The site is down.").break_glass
    record = judged(lab.client("alex"), request_)
    assert (record.approved, record.broken_by) == (True, "olga")
    assert [(one.run_id, one.user) for one in reviews.open_reviews(settings)] == [("7", "olga")]
    for user, done in (("alex", False), ("alex", False), ("sam", True)):
        who(user)
        assert reviews.review_run(settings, "7", "Seen.")[1] is done
    assert reviews.open_reviews(settings, "access") == ()
    assert lab.client("alex").open_issues(LABEL) == ()


def test_who_broke_the_glass_and_who_is_no_approver_review_nothing(
    lab: RunningGitLab, request_: ApprovalRequest, settings: Any, who: As
) -> None:
    open_review(lab.client("olga"), request_, "The site is down.")
    for user, said in (("olga", "approved it alone"), ("riley", "is no approver")):
        who(user)
        with pytest.raises(ApprovalError, match=said):
            reviews.review_run(settings, "7", "")
    lab.client("riley").comment_issue(1, "runbook: reviewed run 7")
    lab.client("olga").comment_issue(1, "runbook: reviewed run 7")
    assert len(reviews.open_reviews(settings)) == 1


def test_an_issue_that_somebody_closes_or_rewrites_stays_an_open_review(
    lab: RunningGitLab, request_: ApprovalRequest, settings: Any, who: As
) -> None:
    who("olga")
    found = open_review(lab.client("olga"), request_, "The site is down.")
    lab.client("riley").edit_issue(found.iid, "Nothing to see.", close=True)
    assert [(one.run_id, one.user) for one in reviews.open_reviews(settings)] == [("", "olga")]
    assert review_of(lab.client("olga"), "7") is None


def test_the_words_without_a_review_are_no_approval(lab: RunningGitLab, request_: ApprovalRequest) -> None:
    answer_in_comment(lab.client("olga"), request_, (True, "The site is down."), alone=True)
    assert judged(lab.client("alex"), request_).decisions == ()
    open_review(lab.client("alex"), request_, "I open it for her.")
    assert judged(lab.client("alex"), request_).decisions == ()


def test_the_same_plan_has_one_review_and_another_plan_another(lab: RunningGitLab, request_: ApprovalRequest) -> None:
    olga = lab.client("olga")
    other = request_.model_copy(update={"plan_sha256": "e" * 64})
    assert open_review(olga, request_, "a").iid == open_review(olga, request_, "b").iid
    assert open_review(olga, other, "a").iid == 2
    answer_in_comment(olga, other, (True, "The site is down."), alone=True)
    assert not judged(lab.client("alex"), request_).approved


@pytest.mark.parametrize(
    "case", [("olga", " ", "the reason is empty"), ("alex", "Down.", "alex may not approve alone")]
)
def test_who_may_not_or_says_no_reason_leaves_nothing_behind(
    lab: RunningGitLab, request_: ApprovalRequest, settings: Any, who: As, case: tuple[str, str, str]
) -> None:
    user, reason, said = case
    gitlab = who(user)
    with pytest.raises((ApprovalError, UsageError), match=said):
        decisions.answer_alone(settings, "7", "", reason)
    assert gitlab.issues(LABEL) == ()
    assert gitlab.comments(request_.commit) == ()


def test_a_project_without_issues_has_no_review_unless_somebody_may_approve_alone(
    lab: RunningGitLab, settings: Any, who: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(gitlab: GitLab) -> None:
        raise GitLabError("could not read the issues: 403")

    who("alex")
    monkeypatch.setattr(reviews, "reviews", refuse)
    with pytest.raises(GitLabError, match="403"):
        reviews.open_reviews(settings)
    settings.config = CONFIG.model_copy(update={"approval": CONFIG.approval.model_copy(update={"break_glass": ()})})
    assert reviews.open_reviews(settings) == ()


def test_a_run_that_nobody_approved_alone_needs_no_review(lab: RunningGitLab, settings: Any, who: As) -> None:
    who("alex")
    with pytest.raises(UsageError, match="nothing to review"):
        reviews.review_run(settings, "8", "")
