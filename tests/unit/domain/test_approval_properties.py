"""What holds of approvals whatever anybody decides, in any order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.domain.approval import ApplyFacts, judge_decisions
from runbook_lib.models.approval import ApprovalRequest, Decision
from runbook_lib.models.exposure import Exposure
from runbook_lib.models.plan import PlanSummary

NOW = datetime(2026, 11, 5, 10, 0, tzinfo=UTC)
PEOPLE = ("alex", "sam", "kim", "riley", "robin", "casey")
DIGESTS = ("d" * 64, "e" * 64)

people = st.sampled_from(PEOPLE).flatmap(lambda name: st.sampled_from((name, name.upper())))
digests = st.sampled_from(DIGESTS)
decisions = st.lists(
    st.builds(
        Decision,
        source=st.sampled_from(("gitlab_job", "terminal")),
        user=people,
        approved=st.booleans(),
        at=st.integers(-90, 300).map(lambda minutes: NOW + timedelta(minutes=minutes)),
        plan_sha256=digests,
    ),
    max_size=6,
)
requests = st.builds(
    ApprovalRequest,
    run_id=st.just("1"),
    stack=st.just("access"),
    plan_sha256=digests,
    commit=st.just("c"),
    state_lineage=st.just("lineage"),
    state_serial=st.integers(1, 2),
    policy_sha256=st.just("p"),
    summary=st.just(PlanSummary()),
    exposure=st.just(Exposure()),
    requester=st.sampled_from(("riley", "alex")),
    author=st.sampled_from(("robin", "riley", "kim@example.com")),
    approvers=st.lists(st.sampled_from(PEOPLE), unique=True).map(tuple),
    quorum=st.integers(1, 3),
    created_at=st.just(NOW),
    expires_at=st.just(NOW + timedelta(hours=4)),
)
facts = st.builds(ApplyFacts, plan_sha256=digests, state_lineage=st.just("lineage"), state_serial=st.integers(1, 2))
times = st.integers(0, 300).map(lambda minutes: NOW + timedelta(minutes=minutes))


def _needed(request: ApprovalRequest) -> int:
    # An address is nobody's name: one of the approvers may have written the commit.
    return request.quorum + ("@" in request.author)


def _valid_approvers(request: ApprovalRequest, given_decisions: list[Decision], now: datetime) -> set[str]:
    own = {request.requester, request.author}
    return {
        d.user.lower()
        for d in given_decisions
        if d.approved
        and d.plan_sha256 == request.plan_sha256
        and request.created_at <= d.at < request.expires_at
        and d.at <= now + timedelta(minutes=2)
        and d.user.lower() in request.approvers
        and d.user.lower() not in own
    }


@given(requests, decisions, facts, times)
def test_approved_means_that_every_single_condition_holds(
    request: ApprovalRequest, given_decisions: list[Decision], at_apply: ApplyFacts, now: datetime
) -> None:
    record = judge_decisions(request, given_decisions, at_apply, now)
    if record.approved:
        assert request.plan_sha256 == at_apply.plan_sha256
        assert request.state_serial == at_apply.state_serial
        assert now < request.expires_at
        assert len(_valid_approvers(request, given_decisions, now)) >= _needed(request)


@given(requests, decisions, facts, times)
def test_what_is_not_approved_says_why_and_what_is_approved_says_nothing(
    request: ApprovalRequest, given_decisions: list[Decision], at_apply: ApplyFacts, now: datetime
) -> None:
    record = judge_decisions(request, given_decisions, at_apply, now)
    assert bool(record.reasons) is not record.approved
    assert not (record.approved and record.rejected)


@given(requests, decisions, facts, times, st.randoms())
def test_the_order_in_which_decisions_are_read_makes_no_difference(
    request: ApprovalRequest, given_decisions: list[Decision], at_apply: ApplyFacts, now: datetime, chance: object
) -> None:
    shuffled = sorted(given_decisions, key=lambda _: chance.random())  # type: ignore[attr-defined]
    one = judge_decisions(request, given_decisions, at_apply, now)
    other = judge_decisions(request, shuffled, at_apply, now)
    assert (one.approved, one.rejected) == (other.approved, other.rejected)


@given(requests, decisions, facts, times)
def test_one_more_rejection_never_approves(
    request: ApprovalRequest, given_decisions: list[Decision], at_apply: ApplyFacts, now: datetime
) -> None:
    before = judge_decisions(request, given_decisions, at_apply, now)
    for user in PEOPLE:
        no = Decision(source="terminal", user=user, approved=False, at=now, plan_sha256=request.plan_sha256)
        after = judge_decisions(request, [*given_decisions, no], at_apply, now)
        assert before.approved or not after.approved
        assert after.rejected or user not in {*request.approvers, request.requester, request.author}


@given(requests, decisions, facts, times)
def test_the_requester_and_the_author_never_tip_the_scales(
    request: ApprovalRequest, given_decisions: list[Decision], at_apply: ApplyFacts, now: datetime
) -> None:
    before = judge_decisions(request, given_decisions, at_apply, now).approved
    for user in (request.requester, *(() if "@" in request.author else (request.author.upper(),))):
        yes = Decision(source="terminal", user=user, approved=True, at=now, plan_sha256=request.plan_sha256)
        assert judge_decisions(request, [*given_decisions, yes], at_apply, now).approved is before


@given(requests, facts, times)
def test_enough_good_approvals_approve_when_nothing_stands_against_it(
    request: ApprovalRequest, at_apply: ApplyFacts, now: datetime
) -> None:
    own = {request.requester, request.author}
    able = [name for name in request.approvers if name not in own]
    yes = [Decision(source="t", user=n, approved=True, at=NOW, plan_sha256=request.plan_sha256) for n in able]
    holds = (
        len(able) >= _needed(request)
        and (at_apply.plan_sha256, at_apply.state_serial) == (request.plan_sha256, request.state_serial)
        and now < request.expires_at
    )
    assert judge_decisions(request, yes, at_apply, now).approved is holds
