"""From a click in GitLab to the judgement: every source of decisions against the lab's GitLab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from gitlab_lab import RunningGitLab, running_gitlab

from runbook_lib.adapters.approvals import ApprovalSource
from runbook_lib.adapters.approvals.gitlab_deployment import GitLabDeployment
from runbook_lib.adapters.approvals.gitlab_job import GitLabManualJob
from runbook_lib.adapters.approvals.gitlab_merge_request import GitLabMergeRequest
from runbook_lib.adapters.gitlab import GitLab
from runbook_lib.domain.approval import ApplyFacts, judge_decisions
from runbook_lib.lab.gitlab.config import default_config
from runbook_lib.models.approval import ApprovalRequest, DecisionRecord
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.plan import PlanSummary

DIGEST = "d" * 64


@pytest.fixture
def lab() -> Iterator[RunningGitLab]:
    with running_gitlab(default_config()) as running:
        yield running


@pytest.fixture
def premium() -> Iterator[RunningGitLab]:
    with running_gitlab(replace(default_config(), required_approvals=1)) as running:
        yield running


def _request(commit: str = "c" * 40, **changes: object) -> ApprovalRequest:
    now = datetime.now(UTC)
    request = ApprovalRequest(
        run_id="1",
        stack="access",
        plan_sha256=DIGEST,
        commit=commit,
        state_lineage="lineage",
        state_serial=3,
        policy_sha256="p" * 64,
        summary=PlanSummary(plan_sha256=DIGEST),
        exposure=Exposure(),
        requester="riley",
        author="riley",
        approvers=("alex", "sam"),
        quorum=1,
        created_at=now - timedelta(seconds=2),
        expires_at=now + timedelta(hours=4),
    )
    return request.model_copy(update=changes)


def _judge(source: ApprovalSource, request: ApprovalRequest) -> DecisionRecord:
    facts = ApplyFacts(DIGEST, "lineage", 3)
    return judge_decisions(request, source.decisions(request), facts, datetime.now(UTC))


def test_nobody_has_decided_while_the_manual_job_waits(lab: RunningGitLab) -> None:
    pipeline, _ = lab.pipeline_before_apply()
    assert GitLabManualJob(lab.client("riley"), pipeline, "apply").decisions(_request()) == ()


def test_the_approver_who_played_the_job_has_approved(lab: RunningGitLab) -> None:
    pipeline, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply)
    lab.start(apply)
    record = _judge(GitLabManualJob(lab.client("riley"), pipeline, "apply"), _request())
    assert record.approved
    assert [(decision.user, decision.source) for decision in record.decisions] == [("alex", "gitlab_job")]
    assert record.decisions[0].reference.endswith(f"/-/jobs/{apply}")


def test_inside_the_job_its_own_token_is_enough(lab: RunningGitLab) -> None:
    pipeline, apply = lab.pipeline_before_apply()
    lab.client("sam").play(apply)
    alone = GitLab(lab.url, "", "42", job_token=lab.start(apply))
    assert _judge(GitLabManualJob(alone, pipeline, "apply"), _request()).approved


def test_inside_another_job_without_a_token_nothing_is_known(lab: RunningGitLab) -> None:
    pipeline = lab.pipeline("alex")
    alone = GitLab(lab.url, "", "42", job_token=lab.start(lab.job(pipeline, "prepare")))
    assert GitLabManualJob(alone, pipeline, "apply").decisions(_request()) == ()


def test_the_requester_may_play_the_job_but_that_is_no_approval(lab: RunningGitLab) -> None:
    pipeline, apply = lab.pipeline_before_apply()
    lab.client("riley").play(apply)
    lab.start(apply)
    record = _judge(GitLabManualJob(lab.client("riley"), pipeline, "apply"), _request())
    assert not record.approved
    assert "riley asked for the change" in record.reasons[0]


def _rejects(lab: RunningGitLab) -> tuple[int, str]:
    pipeline, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply, {"RUNBOOK_DECISION": "reject", "RUNBOOK_REASON": "not on a Friday"})
    return pipeline, lab.start(apply)


def test_a_rejection_is_played_with_a_variable_that_is_read_from_outside(lab: RunningGitLab) -> None:
    pipeline, _ = _rejects(lab)
    record = _judge(GitLabManualJob(lab.client("riley"), pipeline, "apply"), _request())
    assert record.rejected
    assert "alex rejected the change: not on a Friday" in record.reasons[0]


def test_inside_the_job_the_rejection_is_in_its_environment(lab: RunningGitLab) -> None:
    pipeline, token = _rejects(lab)
    alone = GitLab(lab.url, "", "42", job_token=token)
    source = GitLabManualJob(alone, pipeline, "apply", rejected=True, reason="not on a Friday")
    assert _judge(source, _request()).rejected


@pytest.mark.parametrize(
    ("word", "approved"), [("approve", True), ("Approved", True), ("no", False), ("rejected", False)]
)
def test_what_is_not_clearly_a_yes_is_a_no(lab: RunningGitLab, word: str, approved: bool) -> None:
    pipeline, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply, {"RUNBOOK_DECISION": word})
    lab.start(apply)
    assert _judge(GitLabManualJob(lab.client("riley"), pipeline, "apply"), _request()).approved is approved


def test_a_job_played_before_the_request_answers_another_one(lab: RunningGitLab) -> None:
    pipeline, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply)
    lab.start(apply)
    late = _request(created_at=datetime.now(UTC) + timedelta(seconds=1))
    record = _judge(GitLabManualJob(lab.client("riley"), pipeline, "apply"), late)
    assert not record.approved
    assert "before the request was made" in record.reasons[0]


def test_after_a_retry_the_decision_is_that_of_who_retried(lab: RunningGitLab) -> None:
    pipeline, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply)
    lab.run(apply, "failed")
    lab.call("POST", f"/api/v4/projects/42/jobs/{apply}/retry", "riley")
    lab.start(lab.job(pipeline, "apply"))
    record = _judge(GitLabManualJob(lab.client("sam"), pipeline, "apply"), _request())
    assert [decision.user for decision in record.decisions] == ["riley"]
    assert not record.approved


def test_a_job_canceled_before_it_was_played_is_no_decision(lab: RunningGitLab) -> None:
    pipeline, apply = lab.pipeline_before_apply()
    lab.call("POST", f"/api/v4/projects/42/jobs/{apply}/cancel", "alex")
    assert GitLabManualJob(lab.client("riley"), pipeline, "apply").decisions(_request()) == ()


def _approve(lab: RunningGitLab, pipeline: int, user: str, **body: str) -> int:
    deployments = lab.call("GET", "/api/v4/projects/42/deployments", "riley").json()
    mine = next(d["id"] for d in deployments if d["deployable"]["pipeline"]["id"] == pipeline)
    path = f"/api/v4/projects/42/deployments/{mine}/approval"
    return lab.call("POST", path, user, json={"status": "approved"} | body).status_code


def test_a_deployment_approval_counts_and_starts_nothing(premium: RunningGitLab) -> None:
    pipeline, apply = premium.pipeline_before_apply()
    premium.pipeline_before_apply()
    assert _approve(premium, pipeline, "alex", comment="seen the exposure") == 201
    record = _judge(GitLabDeployment(premium.client("riley"), pipeline, "apply"), _request())
    assert record.approved
    assert (record.decisions[0].user, record.decisions[0].reason) == ("alex", "seen the exposure")
    assert premium.client("riley").job(apply).status == "manual"


def test_a_protected_environment_keeps_the_job_from_being_played_until_approved(premium: RunningGitLab) -> None:
    pipeline, apply = premium.pipeline_before_apply()
    play = f"/api/v4/projects/42/jobs/{apply}/play"
    assert premium.call("POST", play, "alex").status_code == 400
    assert _approve(premium, pipeline, "riley") == 400
    assert _approve(premium, pipeline, "sam") == 201
    assert premium.call("POST", play, "alex").status_code == 200


def test_a_rejected_deployment_rejects_the_run_and_fails_the_job(premium: RunningGitLab) -> None:
    pipeline, apply = premium.pipeline_before_apply()
    assert _approve(premium, pipeline, "sam", status="rejected", comment="too wide") == 201
    record = _judge(GitLabDeployment(premium.client("riley"), pipeline, "apply"), _request())
    assert record.rejected
    assert "sam rejected the change: too wide" in record.reasons[0]
    assert premium.client("riley").job(apply).status == "failed"


def test_the_free_tier_has_no_deployment_approvals(lab: RunningGitLab) -> None:
    pipeline, _ = lab.pipeline_before_apply()
    assert _approve(lab, pipeline, "alex") == 404
    assert GitLabDeployment(lab.client("riley"), pipeline, "apply").decisions(_request()) == ()


def test_a_merge_request_approval_counts_for_its_very_commit(lab: RunningGitLab) -> None:
    commit = lab.push()
    merge_request = lab.control("merge_requests", author="riley", sha=commit)["iid"]
    approve = f"/api/v4/projects/42/merge_requests/{merge_request}/approve"
    assert lab.call("POST", approve, "riley").status_code == 401
    assert lab.call("POST", approve, "alex", json={"sha": "0" * 40}).status_code == 409
    assert lab.call("POST", approve, "alex", json={"sha": commit}).status_code == 201
    source = GitLabMergeRequest(lab.client("riley"))
    assert _judge(source, _request(commit)).approved
    assert not _judge(source, _request("e" * 40)).decisions


def test_a_merge_request_approval_taken_back_counts_no_more(lab: RunningGitLab) -> None:
    commit = lab.push()
    merge_request = lab.control("merge_requests", author="riley", sha=commit)["iid"]
    lab.call("POST", f"/api/v4/projects/42/merge_requests/{merge_request}/approve", "alex")
    lab.call("POST", f"/api/v4/projects/42/merge_requests/{merge_request}/unapprove", "alex")
    assert GitLabMergeRequest(lab.client("riley")).decisions(_request(commit)) == ()


def test_a_merge_request_approval_from_before_the_plan_does_not_cover_the_plan(lab: RunningGitLab) -> None:
    commit = lab.push()
    merge_request = lab.control("merge_requests", author="riley", sha=commit)["iid"]
    lab.call("POST", f"/api/v4/projects/42/merge_requests/{merge_request}/approve", "alex")
    late = _request(commit, created_at=datetime.now(UTC) + timedelta(seconds=1))
    record = _judge(GitLabMergeRequest(lab.client("riley")), late)
    assert not record.approved
    assert "before the request was made" in record.reasons[0]
