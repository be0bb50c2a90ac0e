"""From a click in GitLab to the judgement: every source of decisions against the lab's GitLab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from gitlab_lab import RunningGitLab, running_gitlab

from runbook_lib.adapters.approvals import ApprovalSource
from runbook_lib.adapters.approvals.gitlab_comment import (
    GitLabComments,
    answer_in_comment,
    ask_in_comment,
    asked_in_comment,
)
from runbook_lib.adapters.approvals.gitlab_deployment import GitLabDeployment
from runbook_lib.adapters.approvals.gitlab_job import GitLabManualJob, GitLabRejectJob
from runbook_lib.adapters.approvals.gitlab_merge_request import GitLabMergeRequest, NotedEffect
from runbook_lib.adapters.gitlab import GitLab
from runbook_lib.domain.approval import ApplyFacts, judge_decisions
from runbook_lib.errors import InputError
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
    told = {"CI_JOB_MANUAL": "true"}
    assert _judge(GitLabManualJob(alone, pipeline, "apply", told), _request()).approved
    assert not _judge(GitLabManualJob(alone, pipeline, "apply"), _request()).decisions


@pytest.mark.parametrize("inside", [False, True])
def test_who_retries_a_job_before_an_apply_that_starts_by_itself_has_not_approved(
    lab: RunningGitLab, inside: bool
) -> None:
    # As with RUNBOOK_APPLY, or where a change takes `when: manual` away.
    pipeline = lab.pipeline(jobs=[{"name": "plan", "stage": "plan"}, {"name": "apply", "stage": "deploy"}])
    plan = lab.job(pipeline, "plan")
    lab.run(plan, "failed")
    lab.call("POST", f"/api/v4/projects/42/jobs/{plan}/retry", "alex").raise_for_status()
    lab.run(lab.job(pipeline, "plan"))
    apply = lab.job(pipeline, "apply")
    token = lab.start(apply)
    assert lab.client("riley").job(apply).user == "alex"
    client = lab.client("riley", "42", job_token=token) if inside else lab.client("riley")
    told = {"CI_JOB_MANUAL": "true"}  # whoever writes the pipeline's file can say so
    assert not _judge(GitLabManualJob(client, pipeline, "apply", told), _request()).decisions
    # A no stays one, and whoever retries apply itself has approved.
    assert _judge(GitLabManualJob(client, pipeline, "apply", {"RUNBOOK_DECISION": "no"}), _request()).rejected
    lab.control(f"jobs/{apply}/finish", status="failed")
    lab.call("POST", f"/api/v4/projects/42/jobs/{apply}/retry", "sam").raise_for_status()
    lab.start(lab.job(pipeline, "apply"))
    assert _judge(GitLabManualJob(lab.client("riley"), pipeline, "apply"), _request()).approved_by == ("sam",)


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


@pytest.mark.parametrize(
    "told",
    [
        {"RUNBOOK_DECISION": "reject"},
        {"RUNBOOK_DECISION": "aprove"},
        {"RUNBOOK_DECISON": "reject"},
        {"runbook_decision": "reject"},
        {"RUNBOOK_REJECT": "yes"},
        {"RUNBOOK_REASON": "not on a Friday"},
        {"RUNBOOK_DECISION": "approve", "RUNBOOK_REJECT": "yes"},
    ],
)
def test_any_sign_of_a_no_that_apply_is_played_with_is_a_no(lab: RunningGitLab, told: dict[str, str]) -> None:
    pipeline, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply, told)
    token = lab.start(apply)
    assert _judge(GitLabManualJob(lab.client("riley"), pipeline, "apply"), _request()).rejected
    inside = GitLab(lab.url, "", "42", job_token=token)
    assert _judge(GitLabManualJob(inside, pipeline, "apply", {"PATH": "/bin", **told}), _request()).rejected


def test_a_clear_yes_may_say_why(lab: RunningGitLab) -> None:
    pipeline, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply, {"RUNBOOK_DECISION": "approve", "RUNBOOK_REASON": "As agreed."})
    lab.start(apply)
    record = _judge(GitLabManualJob(lab.client("riley"), pipeline, "apply"), _request())
    assert record.approved
    assert record.decisions[0].reason == "As agreed."


@pytest.mark.parametrize("started", [False, True])
def test_who_plays_reject_rejects_whoever_played_apply(lab: RunningGitLab, started: bool) -> None:
    lab.control("settings", ci_pipeline_variables_minimum_override_role="no_one_allowed")
    pipeline, apply = lab.pipeline_before_apply()
    client = lab.client("riley")
    assert GitLabRejectJob(client, pipeline, "reject").decisions(_request()) == ()
    lab.client("alex").play(apply)
    lab.start(apply)
    # Nobody may give variables here, and none is needed. A no waits for no runner.
    reject = lab.job(pipeline, "reject")
    lab.client("sam").play(reject)
    if started:
        lab.run(reject, "failed")
    sources = (GitLabManualJob(client, pipeline, "apply"), GitLabRejectJob(client, pipeline, "reject"))
    decisions = [decision for source in sources for decision in source.decisions(_request())]
    record = judge_decisions(_request(), decisions, ApplyFacts(DIGEST, "lineage", 3), datetime.now(UTC))
    assert (record.approved, record.rejected, record.rejected_by) == (False, True, ("sam",))


def test_asking_again_does_not_undo_a_no_of_the_pipeline(lab: RunningGitLab) -> None:
    pipeline, _ = lab.pipeline_before_apply()
    lab.client("sam").play(lab.job(pipeline, "reject"))
    later = _request(created_at=datetime.now(UTC) + timedelta(minutes=1))
    assert _judge(GitLabRejectJob(lab.client("riley"), pipeline, "reject"), later).rejected


def _answered(lab: RunningGitLab, user: str, approved: bool = True, **changes: object) -> ApprovalRequest:
    request = _request(commit=lab.push(), **changes)
    answer_in_comment(lab.client(user), request, (approved, "Because."))
    return request


def test_an_approver_s_comment_on_the_commit_approves_the_plan_that_it_names(lab: RunningGitLab) -> None:
    request = _answered(lab, "alex")
    record = _judge(GitLabComments(lab.client("riley")), request)
    assert record.approved
    assert [(one.user, one.source, one.reason) for one in record.decisions] == [("alex", "gitlab_comment", "Because.")]
    for other in (request.model_copy(update={"run_id": "2"}), request.model_copy(update={"plan_sha256": "e" * 64})):
        assert not _judge(GitLabComments(lab.client("riley")), other).approved


def test_a_comment_that_was_edited_approves_nothing(lab: RunningGitLab) -> None:
    request = _request(commit=lab.push())
    said = lab.client("riley").comment(request.commit, "Nice.")
    number, yes = said.url.rpartition("_")[2], f"runbook: approved plan {DIGEST} of run 1"
    path = f"/api/v4/projects/42/repository/commits/{request.commit}/discussions/x/notes/{number}"
    assert lab.call("PUT", path, "sam", json={"body": yes}).status_code == 200
    theirs = lab.client("alex").comment(request.commit, "Hm.").url.rpartition("_")[2]
    assert lab.call("PUT", path.replace(number, theirs), "sam", json={"body": yes}).status_code == 200
    assert not _judge(GitLabComments(lab.client("riley")), request).approved


def test_a_no_in_a_comment_counts_also_where_no_yes_does(lab: RunningGitLab) -> None:
    quiet = GitLabComments(lab.client("riley"), approves=False)
    assert not _judge(quiet, _answered(lab, "alex")).decisions
    assert _judge(quiet, _answered(lab, "sam", approved=False)).rejected
    request = _request(commit=lab.push())
    lab.client("alex").comment(request.commit, "Runbook: please don't")
    assert "not understood" in _judge(quiet, request).reasons[0]


def test_a_commit_that_was_not_pushed_can_not_be_answered(lab: RunningGitLab) -> None:
    with pytest.raises(InputError, match="GitLab does not know the commit cccccccccccc") as caught:
        answer_in_comment(lab.client("alex"), _request(), (True, ""))
    assert "git push" in caught.value.remedy


def test_who_asked_first_is_who_asked(lab: RunningGitLab) -> None:
    request = _request(commit=lab.push())
    assert asked_in_comment(lab.client("sam"), request) is None
    ask_in_comment(lab.client("riley"), request)
    ask_in_comment(lab.client("sam"), request)
    found = asked_in_comment(lab.client("sam"), request)
    assert found
    assert found.author == "riley"
    # Asked again, it is asked for as long again, and earlier answers are none to it.
    again = ask_in_comment(lab.client("riley"), request)
    assert asked_in_comment(lab.client("sam"), request) == again


def test_a_rejection_is_played_with_a_variable_that_is_read_from_outside(lab: RunningGitLab) -> None:
    pipeline, _ = _rejects(lab)
    record = _judge(GitLabManualJob(lab.client("riley"), pipeline, "apply"), _request())
    assert record.rejected
    assert "alex rejected the change: not on a Friday" in record.reasons[0]


def test_inside_the_job_the_rejection_is_in_its_environment(lab: RunningGitLab) -> None:
    pipeline, token = _rejects(lab)
    alone = GitLab(lab.url, "", "42", job_token=token)
    source = GitLabManualJob(
        alone, pipeline, "apply", {"RUNBOOK_DECISION": "reject", "RUNBOOK_REASON": "not on a Friday"}
    )
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


@pytest.mark.parametrize("started", [True, False])
def test_a_no_with_which_apply_was_played_stays_one_whoever_retries_it_with_what(
    lab: RunningGitLab, started: bool
) -> None:
    pipeline, apply = lab.pipeline_before_apply()
    lab.client("alex").play(apply, {"RUNBOOK_REASON": "not on a Friday"})
    if started:
        lab.run(apply, "failed")
    else:
        lab.client("riley").cancel(apply)
    lab.call("POST", f"/api/v4/projects/42/jobs/{apply}/retry", "sam").raise_for_status()
    # Retried with other variables, the job's environment has none of those of the first play.
    inside = lab.client("riley", "42", job_token=lab.start(lab.job(pipeline, "apply")))
    record = _judge(GitLabManualJob(inside, pipeline, "apply", {"CI_JOB_MANUAL": "true"}), _request())
    assert (record.approved, record.rejected_by) == (False, ("alex",))


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


def test_an_approval_to_merge_the_commit_elsewhere_is_none_to_apply_it_here(lab: RunningGitLab) -> None:
    commit, effect = lab.push(), NotedEffect("main", lambda _: None)
    for target, approved in (("docs-preview", False), ("main", True)):
        merge_request = lab.control("merge_requests", author="riley", sha=commit, target=target)["iid"]
        lab.call("POST", f"/api/v4/projects/42/merge_requests/{merge_request}/approve", "alex").raise_for_status()
        assert _judge(GitLabMergeRequest(lab.client("riley"), effect), _request(commit)).approved is approved


def test_an_approval_of_another_head_is_none_of_this_one_though_it_was_pushed_back(lab: RunningGitLab) -> None:
    commit = lab.push(ref="topic")
    iid = lab.control("merge_requests", author="riley", sha=commit)["iid"]
    lab.control(f"merge_requests/{iid}/push", sha=lab.push(ref="topic", title="harmless"))
    lab.call("POST", f"/api/v4/projects/42/merge_requests/{iid}/approve", "alex").raise_for_status()
    lab.control(f"merge_requests/{iid}/push", sha=commit)
    record = _judge(GitLabMergeRequest(lab.client("riley")), _request(commit))
    assert not record.approved
    assert f"{commit[:12]} was pushed to merge request {iid} after it was given" in record.reasons[0]


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
