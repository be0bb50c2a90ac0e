"""The whole request and the whole record: every field carried, every reason said to its last word and in its order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runbook_lib.domain.approval import ApplyFacts, RequestFacts, judge_decisions, make_request
from runbook_lib.errors import InputError
from runbook_lib.models.approval import ApprovalRequest, Decision, DecisionRecord, Requirement
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
                "1 approval is needed and 0 given (none). Ask: alex, sam, Kim.",
            ),
            id="a rejection first, then what changed, then who is missing",
        ),
        pytest.param(
            [], {"commit": "", "author": ""}, {},
            (
                f"The commit is cccccccccccc, but none was shown. {AGAIN}",
                "1 approval is needed and 0 given (none). Ask: alex, sam, Kim.",
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
                "1 approval is needed and 0 given (none). Ask: nobody left.",
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
                "1 approval is needed and 0 given (none). Ask: alex.",
            ),
            id="not named any more",
        ),
        pytest.param(
            [says("riley"), says("alex", plan_sha256="e" * 64)], {}, {},
            (
                "The approval of riley does not count: riley asked for the change. Another approver must decide.",
                "The approval of alex does not count: it was given for another plan. Show this plan and ask again.",
                "1 approval is needed and 0 given (none). Ask: alex, sam, Kim.",
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
    needs = None if now is None else (Requirement(needs=now, approvers=CONFIG.approvers),)
    assert judged([says("alex")], {"quorum": then}, {"requirements": needs}).approved is approved
    assert not judged([], {"quorum": then}, {"requirements": needs}).approved


def test_what_is_not_known_at_apply_is_not_compared() -> None:
    assert judged([says("alex")], {}, {"commit": "", "policy_sha256": ""}).approved


@pytest.mark.parametrize(("user", "rejected"), [("robin", True), ("riley", True), ("casey", True), ("", False)])
def test_the_author_the_requester_and_an_approver_that_was_added_may_stop_it(user: str, rejected: bool) -> None:
    found = judged([says("alex"), says(user, approved=False)], {}, {"approvers": ("alex", "casey")})
    assert (found.rejected, found.approved) == (rejected, not rejected)


def test_what_stands_against_the_request_is_told_from_the_run_to_who_made_it() -> None:
    facts = {"run_id": "1002", "stack": "network", "problems": ("Its files differ.", "So does runbook.yml.")}
    # An end without a zone is one in UTC. What was said before it was said in time.
    found = judged([says("alex")], {"expires_at": datetime(2026, 11, 5, 10, 10), "requester": ""}, facts)
    assert found.reasons == (
        "The request is of run 1001, not of 1002. Run the approval step of this run.",
        "The request is of stack access, not of network. Run the approval step of this run.",
        "Its files differ.",
        "So does runbook.yml.",
        "The request expired at 2026-11-05 10:10 UTC. Run the approval step again.",
        "It is not known who asked for the change. Start a new run, where GitLab or the system can say so.",
    )
    assert judged([says("alex")], {}, {"run_id": "1001", "stack": "access"}).approved


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (says("alex", fingerprint="f"), ""),
        # What does the same was answered, however long before this very plan was made.
        (says("alex", fingerprint="f", at=NOW - timedelta(days=1)), ""),
        (says("alex", fingerprint="g"), "it was given for a plan that does something else. Ask again."),
        (says("alex", fingerprint="f", doubt="the plan runs code"), "the plan runs code. Ask again."),
        (says("alex", fingerprint="g", doubt="the plan runs code"), "the plan runs code. Ask again."),
        (says("alex", doubt="the plan runs code"), "the plan runs code. Ask again."),
        (
            says("alex", fingerprint="f", at=NOW + timedelta(hours=4)),
            "it was given after the request expired. Run the approval step again.",
        ),
        (says("alex", at=datetime(2026, 11, 5, 9, 59)), "it was given before the request was made. Ask again."),
        # Two minutes ahead, by which clocks may differ, and a moment more.
        (says("alex", at=NOW + timedelta(minutes=12)), ""),
        (
            says("alex", at=NOW + timedelta(minutes=12, microseconds=1)),
            "it is dated in the future. Set the clocks right and ask again.",
        ),
    ],
)
def test_an_answer_counts_for_what_was_shown_and_when(decision: Decision, said: str) -> None:
    found = judged([decision], {"summary": SUMMARY.model_copy(update={"fingerprint": "f"})}, {})
    assert [(one.counts, one.why_not) for one in found.decisions] == [(not said, said)]
    assert found.approved is (not said)


@pytest.mark.parametrize(
    ("then", "now", "decision", "said"),
    [
        (("olga",), None, {}, ""),
        (("olga",), ("olga",), {}, ""),
        # Who made the change may as well, and a name is known in whatever case.
        (("Riley",), ("@riley",), {"user": "riley"}, ""),
        *(
            (then, now, {}, "olga is none of those who may approve alone (approval.break_glass in runbook.yml).")
            for then, now in (((), None), ((), ("olga",)), (("olga",), ()), (("olga",), ("alex",)))
        ),
        (("olga",), None, {"reason": " "}, "a reason is missing, without which nobody may approve alone."),
        (("olga",), None, {"doubt": "it was edited"}, "it was edited. Ask again."),
    ],
)
def test_one_alone_approves_only_if_named_then_and_now_and_with_a_reason(
    then: tuple[str, ...], now: tuple[str, ...] | None, decision: dict[str, Any], said: str
) -> None:
    given = says(**{"user": "olga", "break_glass": True, "reason": "The site is down.", **decision})
    found = judged([given], {"break_glass": then, "quorum": 3}, {"break_glass": now})
    assert [(one.counts, one.why_not) for one in found.decisions] == [(not said, said)]
    assert (found.approved, found.unasked) == (not said, "")
    # It takes the place of all approvals, and of nothing else.
    assert not judged([given], {"break_glass": then}, {"break_glass": now, "state_serial": 8}).approved


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (says("casey", False), "casey is none of the approvers in runbook.yml, and did not ask for the change."),
        (says("alex", False, plan_sha256="e" * 64), "it was given for another plan."),
        (says("alex", False, at=NOW - timedelta(microseconds=1)), "it was given before the request was made."),
        (says("alex", False, at=NOW.replace(tzinfo=None)), ""),
        (says("casey", False, source="gitlab_job", plan_sha256="e" * 64), ""),
    ],
)
def test_a_rejection_says_why_it_does_not_count(decision: Decision, said: str) -> None:
    found = judged([says("alex"), decision], {}, {"approvers": CONFIG.approvers})
    assert [(one.counts, one.why_not) for one in found.decisions] == [(True, ""), (not said, said)]
    assert (found.rejected, found.approved) == (not said, bool(said))


def test_of_whom_one_approval_counts_no_other_is_told_nor_a_rejection_that_does_not() -> None:
    given = [says("alex", plan_sha256="e" * 64), says("alex"), says("@Alex"), says("casey", False), says("riley")]
    assert judged(given, {"quorum": 2}, {}).reasons == (
        "The approval of riley does not count: riley asked for the change. Another approver must decide.",
        "2 approvals are needed and 1 given (alex). Ask: sam, Kim.",
    )


def test_those_whom_nobody_knows_are_all_named_and_cost_one_approval_together() -> None:
    changes = {"unknown_authors": ("a@example.org", "b@example.org"), "approvers": ("alex",)}
    unknown = "One of them is needed because it is not known who this is: a@example.org, b@example.org. "
    assert judged([], changes, {}).reasons == (
        (
            "2 approvals are needed, but only 1 of the approvers neither asked for the change nor wrote a commit of it."
            f" {unknown}Name more approvers in runbook.yml."
        ),
        f"2 approvals are needed and 0 given (none). {unknown}Ask: alex.",
    )


def test_what_is_asked_and_required_now_alike_is_told_once_and_what_nobody_is_needed_for_not_at_all() -> None:
    nobody = Requirement(needs=0, approvers=(), why="only closes")
    quorum = Requirement(needs=1, approvers=("alex", "sam"))
    group = Requirement(needs=2, approvers=("sam", "Kim"), group="security", why="it opens internet")
    found = judged([says("Kim")], {"requirements": (nobody, quorum, group)}, {"requirements": (group, nobody, quorum)})
    assert found.reasons == (
        "1 approval is needed and 0 given (none). Ask: alex, sam.",
        "2 approvals of security are needed, as it opens internet, and 1 given (kim). Ask: sam.",
    )


def test_why_nobody_need_approve_is_told_by_each_reason_once() -> None:
    closes, expires = (Requirement(needs=0, approvers=("alex",), why=why) for why in ("only closes", "only expires"))
    found = judged([], {"requirements": (closes, expires)}, {"requirements": (expires,)})
    assert (found.approved, found.unasked) == (True, "only closes; only expires")


@pytest.mark.parametrize(
    ("skew", "said"),
    [
        (timedelta(minutes=2), None),
        (timedelta(minutes=-2), None),
        (timedelta(minutes=2, seconds=1), "2 minutes ahead of"),
        (timedelta(minutes=3, seconds=40), "4 minutes ahead of"),
        (timedelta(minutes=-3, seconds=-20), "3 minutes behind"),
    ],
)
def test_clocks_that_differ_by_more_than_two_minutes_are_told(skew: timedelta, said: str | None) -> None:
    lacking = "2 approvals are needed and 0 given (none). Ask: alex, sam, Kim."
    more = (f"This machine's clock is {said} GitLab's, by which is judged. Set it right.",) if said else ()
    assert judge_decisions(ASKED, [], FACTS, NOW, skew).reasons == (lacking, *more)
    # Who has what is needed need not hear of it.
    assert judge_decisions(ASKED, [says("alex", at=NOW), says("sam", at=NOW)], FACTS, NOW, skew).reasons == ()
