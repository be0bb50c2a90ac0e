"""Approvals of a merge request count after its merge for a plan that does the same, and for no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gitlab_lab import RunningGitLab, running_gitlab

from runbook_lib.adapters.approvals.gitlab_merge_request import GitLabMergeRequest, NotedEffect
from runbook_lib.domain.approval import ApplyFacts, judge_decisions
from runbook_lib.lab.gitlab.config import default_config
from runbook_lib.models.approval import ApprovalRequest, DecisionRecord
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.risk import Risk, RiskLevel
from runbook_lib.report.merge_request_note import Noted, NotedPlan, note_body, noted_otherwise

PROJECT = "/api/v4/projects/42"
DIGEST = "d" * 64
PLAN = NotedPlan(
    PlanSummary(create=1, plan_sha256="of the merge request", fingerprint="f" * 64),
    Exposure(sentence="The internet can newly reach web on tcp 80."),
    Risk(level=RiskLevel.MEDIUM),
)
METHODS = ("merge", "squash", "fast_forward", "rebase")


def doing(fingerprint: str = "f" * 64, **given: Any) -> NotedPlan:
    """The plan of the default branch: another file, that does the same if its fingerprint is the same."""
    return replace(
        PLAN, summary=PLAN.summary.model_copy(update={"plan_sha256": DIGEST, "fingerprint": fingerprint}), **given
    )


class Story:
    """One merge request of riley's, as the lab's GitLab knows it."""

    def __init__(self, lab: RunningGitLab) -> None:
        self.lab = lab
        lab.push(title="what stood before")
        self.head = lab.push(ref="topic")
        self.iid = lab.control("merge_requests", author="riley", sha=self.head)["iid"]
        self.path = f"{PROJECT}/merge_requests/{self.iid}"

    def note(self, plan: NotedPlan = PLAN, user: str = "riley", stack: str = "access") -> int:
        body = note_body(Noted(stack=stack, pipeline=7, commit=self.head, plan=plan))
        return int(self.lab.call("POST", f"{self.path}/notes", user, json={"body": body}).json()["id"])

    def renote(self, note: int, plan: NotedPlan) -> None:
        body = note_body(Noted(stack="access", pipeline=8, commit=self.head, plan=plan))
        self.lab.call("PUT", f"{self.path}/notes/{note}", "riley", json={"body": body}).raise_for_status()

    def approve(self, user: str = "alex") -> None:
        self.lab.call("POST", f"{self.path}/approve", user).raise_for_status()

    def push(self, *, rebase: bool = False) -> None:
        self.head = self.lab.push(ref="topic", title="more")
        self.lab.control(f"merge_requests/{self.iid}/push", sha=self.head, rebase=rebase)

    def merge(self, method: str = "merge") -> str:
        if method == "rebase":
            self.push(rebase=True)
            method = "fast_forward"
        return str(self.lab.control(f"merge_requests/{self.iid}/merge", user="sam", method=method)["sha"])

    def judge(
        self, commit: str, plan: NotedPlan | None = None, doubt: str = "", branch: str = "main"
    ) -> DecisionRecord:
        plan = plan or doing()
        now = datetime.now(UTC) + timedelta(seconds=1)
        request = ApprovalRequest(
            run_id="9",
            stack="access",
            plan_sha256=DIGEST,
            commit=commit,
            state_lineage="l",
            state_serial=3,
            policy_sha256="p",
            summary=plan.summary,
            exposure=plan.exposure,
            requester="sam",
            author="riley",
            approvers=("alex", "sam"),
            quorum=1,
            created_at=now,
            expires_at=now + timedelta(hours=4),
        )
        effect = NotedEffect(branch, lambda body: noted_otherwise(body, "access", plan), doubt)
        given = GitLabMergeRequest(self.lab.client("project_42_bot"), effect).decisions(request)
        return judge_decisions(request, given, ApplyFacts(DIGEST, "l", 3), now)


@pytest.fixture
def story() -> Iterator[Story]:
    with running_gitlab(default_config()) as running:
        yield Story(running)


@pytest.mark.parametrize("method", METHODS)
def test_it_counts_whatever_kind_of_merge(story: Story, method: str) -> None:
    story.note()
    story.approve()
    record = story.judge(story.merge(method))
    assert record.approved, record.reasons
    assert [(one.user, one.source, one.counts) for one in record.decisions] == [("alex", "gitlab_merge_request", True)]


@pytest.mark.parametrize("method", METHODS)
def test_where_somebody_pushed_after_it_it_does_not(story: Story, method: str) -> None:
    story.note()
    story.approve()
    story.push()
    record = story.judge(story.merge(method))
    assert not record.approved
    assert "was pushed to merge request 1 after it was given" in record.reasons[0]


@pytest.mark.parametrize("method", METHODS)
def test_where_the_plan_does_something_else_it_does_not_and_says_so(story: Story, method: str) -> None:
    story.note()
    story.approve()
    record = story.judge(story.merge(method), doing("e" * 64))
    assert not record.approved
    assert "it showed a plan with the fingerprint ffffffffffff, and this one has eeeeeeeeeeee" in record.reasons[0]


def test_where_it_was_to_be_merged_into_another_branch_when_it_was_given_it_does_not(story: Story) -> None:
    story.lab.control(f"merge_requests/{story.iid}/push", sha=story.head, rebase=True, target="docs-preview")
    story.note()
    story.approve()
    story.lab.control(f"merge_requests/{story.iid}/push", sha=story.head, rebase=True, target="main")
    record = story.judge(story.merge())
    assert not record.approved
    assert "what merge request 1 is merged into changed after it was given" in record.reasons[0]


def test_one_given_for_a_rebased_head_after_another_push_counts(story: Story) -> None:
    story.push()
    story.note()
    story.approve()
    assert story.judge(story.merge("rebase")).approved


def test_a_note_that_said_something_else_beside_the_right_fingerprint_approves_nothing(story: Story) -> None:
    story.note(doing(exposure=Exposure(sentence="Nobody gains access.")))
    story.approve()
    record = story.judge(story.merge())
    assert "it showed another risk, exposure, change or finding than this plan has" in record.reasons[0]


def test_of_two_notes_both_must_have_shown_it(story: Story) -> None:
    story.note()
    story.note(doing("e" * 64))
    story.approve()
    assert not story.judge(story.merge()).approved


def test_a_note_put_right_after_the_approval_approves_nothing(story: Story) -> None:
    note = story.note(doing("e" * 64))
    story.approve()
    story.renote(note, PLAN)
    record = story.judge(story.merge())
    assert "was written anew after it was given" in record.reasons[0]


def test_a_note_that_came_after_the_approval_or_is_of_another_stack_is_none(story: Story) -> None:
    story.note(stack="network")
    story.approve()
    story.note()
    record = story.judge(story.merge())
    assert "no note on the merge request said what the plan does when it was given" in record.reasons[0]


def test_one_taken_back_and_one_of_the_author_or_of_who_merged_count_for_nothing(story: Story) -> None:
    story.note()
    story.approve()
    story.approve("sam")
    story.lab.call("POST", f"{story.path}/unapprove", "alex").raise_for_status()
    record = story.judge(story.merge())
    assert [one.user for one in record.decisions] == ["sam"]
    assert not record.approved
    assert "sam asked for the change" in record.reasons[0]


def test_a_doubt_of_the_plan_s_own_keeps_all_of_them_from_counting(story: Story) -> None:
    story.note()
    story.approve()
    record = story.judge(story.merge(), doubt="the plan runs code")
    assert "does not count: the plan runs code. Ask again." in record.reasons[0]


def test_a_plan_without_a_fingerprint_is_like_no_other(story: Story) -> None:
    story.note(doing(""))
    story.approve()
    assert "no fingerprint" in story.judge(story.merge(), doing("")).reasons[0]


def test_a_merge_into_another_branch_or_none_approves_nothing(story: Story) -> None:
    story.note()
    story.approve()
    assert not story.judge(story.head).approved
    assert story.judge(story.merge(), branch="release").decisions == ()


def test_the_commit_after_the_merge_is_another(story: Story) -> None:
    story.note()
    story.approve()
    story.merge()
    assert story.judge(story.lab.push(title="on top")).decisions == ()
