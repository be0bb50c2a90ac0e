"""The whole request and the whole record: every field carried, every reason said to its last word and in its order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runbook_lib.domain.approval import ApplyFacts, RequestFacts, judge_decisions, make_request
from runbook_lib.errors import InputError
from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord
from runbook_lib.models.config import ApprovalConfig
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.findings import Finding, Severity, Verdict
from runbook_lib.models.plan import PlanSummary
from runbook_lib.models.run import Run

NOW = datetime(2026, 11, 5, 10, 0, tzinfo=UTC)
DIGEST = "d" * 64
AGAIN = "Run the plan step again and have the new plan approved."
PIPELINE = "https://gitlab.example.com/p/-/pipelines/1001"
RUN = Run(
    run_id="1001", stack="access", commit="c" * 40, requester="riley", author="robin",
    created_at=NOW - timedelta(minutes=5), pipeline_url=PIPELINE,
)  # fmt: skip
SUMMARY = PlanSummary(create=1, plan_sha256=DIGEST, state_lineage="lineage", state_serial=7)
EXPOSURE = Exposure(sentence="Somebody gains something.")
FINDING = Finding(policy="p", verdict=Verdict.FAILED, severity=Severity.LOW, address="a.b", message="m")
CONFIG = ApprovalConfig(approvers=("alex", "sam", "Kim"), quorum=2, expires_after=timedelta(hours=4))
FACTS = ApplyFacts(DIGEST, "lineage", 7, commit="c" * 40, policy_sha256="p" * 64)
ASKED = make_request(RequestFacts(RUN, SUMMARY, EXPOSURE, "p" * 64, (FINDING,)), CONFIG, NOW.replace(tzinfo=None))


def says(user: str, approved: bool = True, **more: Any) -> Decision:
    fields: dict[str, Any] = {"source": "test", "plan_sha256": DIGEST, "at": NOW + timedelta(minutes=5)} | more
    return Decision(user=user, approved=approved, **fields)


def judged(decisions: list[Decision], changes: dict[str, Any], facts: dict[str, Any]) -> DecisionRecord:
    """The record on a request for one approval, otherwise than asked where `changes` say so."""
    request = ASKED.model_copy(update={"quorum": 1, **changes})
    return judge_decisions(request, decisions, replace(FACTS, **facts), NOW + timedelta(minutes=10))


def test_a_request_says_all_that_its_facts_say() -> None:
    made = ASKED.model_copy()
    assert made == ApprovalRequest(
        run_id="1001", stack="access", plan_sha256=DIGEST, commit="c" * 40, state_lineage="lineage", state_serial=7,
        policy_sha256="p" * 64, summary=SUMMARY, exposure=EXPOSURE, findings=(FINDING,), requester="riley",
        author="robin", approvers=("alex", "sam", "Kim"), quorum=2, created_at=NOW,
        expires_at=NOW + timedelta(hours=4), url=PIPELINE,
    )  # fmt: skip
    assert (made.created_at.tzinfo, made.expires_at.tzinfo) == (UTC, UTC)


def test_a_plan_without_a_digest_is_refused_with_what_to_do() -> None:
    with pytest.raises(InputError) as caught:
        make_request(RequestFacts(RUN, PlanSummary(), EXPOSURE, ""), CONFIG, NOW)
    assert caught.value.message == "the plan's summary has no digest, so nobody can approve it"
    assert caught.value.remedy == "Run the plan step again."


def test_a_record_keeps_every_decision_and_what_was_judged() -> None:
    given = [says("alex"), says("casey"), says("sam", approved=False)]
    record = judged(given, {}, {"plan_sha256": "e" * 64})
    assert (record.run_id, record.plan_sha256) == ("1001", "e" * 64)
    assert record.checked_at == NOW + timedelta(minutes=10)
    assert [(one.user, one.approved) for one in record.decisions] == [("alex", True), ("casey", True), ("sam", False)]


@pytest.mark.parametrize(
    ("decisions", "changes", "facts", "reasons"),
    [
        pytest.param(
            [says("sam", approved=False)], {"state_serial": 3}, {},
            (
                "sam rejected the change. Correct it and run the plan step again.",
                f"The state changed since the plan: serial 7, not 3. {AGAIN}",
                "1 approvals are needed and 0 given (none). Ask: alex, sam, Kim.",
            ),
            id="a rejection first, then what changed, then who is missing",
        ),
        pytest.param(
            [], {"commit": "", "author": ""}, {},
            (
                f"The commit is cccccccccccc, but none was shown. {AGAIN}",
                "1 approvals are needed and 0 given (none). Ask: alex, sam, Kim.",
            ),
            id="no commit was shown, so nobody needs to have written it",
        ),
        pytest.param(
            [says("alex")], {"requester": " "}, {},
            ("It is not known who asked for the change. Start a new run, where GitLab or the system can say so.",),
            id="nobody asked",
        ),
        pytest.param(
            [says("alex")], {"author": " "}, {},
            ("It is not known who wrote the commit. Start a new run, where git or GitLab can say so.",),
            id="nobody wrote",
        ),
        pytest.param(
            [says("alex")], {"approvers": ()}, {},
            (
                "Nobody is named who may approve. Name the approvers in runbook.yml, under approval.",
                (
                    "The approval of alex does not count: alex is none of the approvers in runbook.yml."
                    " One of them must decide."
                ),
                "1 approvals are needed and 0 given (none). Ask: nobody left.",
            ),
            id="nobody may approve",
        ),
        pytest.param(
            [says("sam")], {}, {"approvers": ("alex",)},
            (
                (
                    "The approval of sam does not count: sam is no approver any more."
                    " One of those in runbook.yml must decide."
                ),
                "1 approvals are needed and 0 given (none). Ask: alex.",
            ),
            id="not named any more",
        ),
        pytest.param(
            [says("riley"), says("alex", plan_sha256="e" * 64)], {}, {},
            (
                "The approval of riley does not count: riley asked for the change. Another approver must decide.",
                "The approval of alex does not count: it was given for another plan. Show this plan and ask again.",
                "1 approvals are needed and 0 given (none). Ask: alex, sam, Kim.",
            ),
            id="one reason for each approval",
        ),
    ],
)  # fmt: skip
def test_all_that_is_missing_is_said_in_these_words(
    decisions: list[Decision], changes: dict[str, Any], facts: dict[str, Any], reasons: tuple[str, ...]
) -> None:
    found = judged(decisions, changes, facts)
    assert (found.approved, found.reasons) == (False, reasons)


def test_only_who_was_named_then_and_is_named_now_is_counted_and_asked() -> None:
    found = judged([says("Kim"), says("alex")], {"quorum": 3}, {"approvers": ("Kim", "ALEX", "new")})
    assert found.reasons[0].startswith("3 approvals are needed, but only 2 of the approvers neither asked for the")
    assert found.reasons[1:] == ("3 approvals are needed and 2 given (alex, kim). Ask: nobody left.",)


@pytest.mark.parametrize(
    ("now", "then", "approved"), [(None, 1, True), (0, 0, True), (1, 1, True), (2, 1, False), (1, 2, False)]
)
def test_the_higher_of_two_quorums_holds_and_one_at_least(now: int | None, then: int, approved: bool) -> None:
    assert judged([says("alex")], {"quorum": then}, {"quorum": now}).approved is approved
    assert not judged([], {"quorum": then}, {"quorum": now}).approved


def test_what_is_not_known_at_apply_is_not_compared() -> None:
    assert judged([says("alex")], {}, {"commit": "", "policy_sha256": ""}).approved


@pytest.mark.parametrize(("user", "rejected"), [("robin", True), ("riley", True), ("casey", True), ("", False)])
def test_the_author_the_requester_and_an_approver_that_was_added_may_stop_it(user: str, rejected: bool) -> None:
    found = judged([says("alex"), says(user, approved=False)], {}, {"approvers": ("alex", "casey")})
    assert (found.rejected, found.approved) == (rejected, not rejected)
