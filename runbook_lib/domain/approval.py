"""What is asked of an approver, and whether the answers allow this very plan to be applied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..errors import InputError
from ..models.approval import ApprovalRequest, Decision, DecisionRecord
from ..models.config import ApprovalConfig
from ..models.exposure import Exposure
from ..models.findings import Finding
from ..models.plan import PlanSummary
from ..models.run import Run

__all__ = ["ApplyFacts", "RequestFacts", "judge_decisions", "make_request", "rejections", "same_person"]

# Clocks of two machines differ; a decision from further ahead than this was not made yet.
_SKEW = timedelta(minutes=2)


@dataclass(frozen=True)
class RequestFacts:
    """What an approver must know: the run, the plan's counts and digest, what it exposes, under which policies.

    `url` is where to decide.
    """

    run: Run
    summary: PlanSummary
    exposure: Exposure
    policy_sha256: str
    findings: tuple[Finding, ...] = ()
    url: str = ""


@dataclass(frozen=True)
class ApplyFacts:
    """What is so when apply starts: the plan file's digest, the state's lineage and serial, and runbook.yml's names.

    An empty commit or policy digest is not compared. `approvers` and `quorum` are those of runbook.yml now; None
    leaves it at the request's. A person must be named in both.
    """

    plan_sha256: str
    state_lineage: str
    state_serial: int | None
    commit: str = ""
    policy_sha256: str = ""
    approvers: tuple[str, ...] | None = None
    quorum: int | None = None


@dataclass(frozen=True)
class _Count:
    """Whether enough people approved; if not, the reasons, one for every approval that did not count."""

    enough: bool
    reasons: tuple[str, ...]


def make_request(facts: RequestFacts, config: ApprovalConfig, now: datetime) -> ApprovalRequest:
    """Ask for one plan file, from now until the configured time is over; InputError if the plan has no digest."""
    run, summary = facts.run, facts.summary
    if not summary.plan_sha256:
        raise InputError("the plan's summary has no digest, so nobody can approve it", "Run the plan step again.")
    return ApprovalRequest(
        run_id=run.run_id,
        stack=run.stack,
        plan_sha256=summary.plan_sha256,
        commit=run.commit,
        state_lineage=summary.state_lineage,
        state_serial=summary.state_serial,
        policy_sha256=facts.policy_sha256,
        summary=summary,
        exposure=facts.exposure,
        findings=facts.findings,
        requester=run.requester,
        author=run.author,
        approvers=config.approvers,
        quorum=config.quorum,
        created_at=_moment(now),
        expires_at=_moment(now) + config.expires_after,
        url=facts.url or run.pipeline_url,
    )


def judge_decisions(
    request: ApprovalRequest, decisions: Sequence[Decision], facts: ApplyFacts, now: datetime
) -> DecisionRecord:
    """Check everything again at the moment when apply would start.

    Approved means: it is still that plan on that state, in time, enough of those who may approve did, and none of them
    rejected it. Otherwise `reasons` says all that is missing, each reason with what to do. A rejection is final.
    """
    now = _moment(now)
    problems = _request_problems(request, facts, now)
    rejected = rejections(request, decisions, facts)
    approvals = _count_approvals(request, decisions, facts, now)
    approved = not rejected and not problems and approvals.enough
    return DecisionRecord(
        run_id=request.run_id,
        plan_sha256=facts.plan_sha256,
        decisions=tuple(decisions),
        approved=approved,
        rejected=bool(rejected),
        reasons=() if approved else (*rejected, *problems, *approvals.reasons),
        checked_at=now,
    )


def rejections(request: ApprovalRequest, decisions: Sequence[Decision], facts: ApplyFacts) -> tuple[str, ...]:
    """One reason for every valid rejection: by an approver, or by who asked for the change or wrote it."""
    may = (*request.approvers, *(facts.approvers or ()))
    heard = [d for d in decisions if not d.approved and (_named(d.user, may) or _own(d.user, request))]
    return tuple(
        f"{d.user} rejected the change{': ' + d.reason if d.reason else ''}. Correct it and run the plan step again."
        for d in heard
        if d.plan_sha256 == request.plan_sha256 and _moment(d.at) >= _moment(request.created_at)
    )


def same_person(one: str, other: str) -> bool:
    """Whether two names may mean one person: a login, a `local:` login or the name in an e-mail address."""
    names = [_login(name).removeprefix("local:").partition("@")[0] for name in (one, other)]
    return bool(names[0]) and names[0] == names[1]


def _moment(time: datetime) -> datetime:
    """A time with its zone: one without is UTC."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _login(name: str) -> str:
    return name.strip().removeprefix("@").casefold()


def _named(user: str, names: Iterable[str]) -> bool:
    return bool(_login(user)) and _login(user) in {_login(name) for name in names}


def _own(user: str, request: ApprovalRequest) -> str:
    if same_person(user, request.requester):
        return "asked for the change"
    return "wrote the commit" if same_person(user, request.author) else ""


def _request_problems(request: ApprovalRequest, facts: ApplyFacts, now: datetime) -> tuple[str, ...]:
    """What keeps this request from being approved by anybody."""
    return (*_changed(request, facts), *_late(request, now), *_unknown(request), *_nobody(request, facts))


def _changed(request: ApprovalRequest, facts: ApplyFacts) -> Iterator[str]:
    again = "Run the plan step again and have the new plan approved."
    if facts.plan_sha256 != request.plan_sha256:
        yield f"The plan file is not the one that was shown to the approvers. {again}"
    if facts.state_lineage != request.state_lineage:
        yield f"The state is another one than at plan time (its lineage differs). {again}"
    elif facts.state_serial != request.state_serial:
        yield f"The state changed since the plan: serial {facts.state_serial}, not {request.state_serial}. {again}"
    if facts.commit and facts.commit != request.commit:
        yield f"The commit is {facts.commit[:12]}, but {request.commit[:12] or 'none'} was shown. {again}"
    if facts.policy_sha256 and facts.policy_sha256 != request.policy_sha256:
        yield f"The policies changed since the plan was judged. {again}"


def _late(request: ApprovalRequest, now: datetime) -> Iterator[str]:
    if now >= _moment(request.expires_at):
        yield f"The request expired at {_moment(request.expires_at):%Y-%m-%d %H:%M} UTC. Run the approval step again."


def _unknown(request: ApprovalRequest) -> Iterator[str]:
    # Without these names nobody could tell that somebody approves a change of his own.
    if not request.requester.strip():
        yield "It is not known who asked for the change. Start a new run, where GitLab or the system can say so."
    if request.commit and not request.author.strip():
        yield "It is not known who wrote the commit. Start a new run, where git or GitLab can say so."


def _nobody(request: ApprovalRequest, facts: ApplyFacts) -> Iterator[str]:
    named = _may_approve(request, facts)
    quorum = _quorum(request, facts)
    able = [name for name in named if not _own(name, request)]
    if not named:
        yield "Nobody is named who may approve. Name the approvers in runbook.yml, under approval."
    elif len({_login(name) for name in able}) < quorum:
        yield (
            f"{quorum} approvals are needed, but only {len(able)} of the approvers neither asked for the change nor"
            " wrote the commit. Name more approvers in runbook.yml."
        )


def _may_approve(request: ApprovalRequest, facts: ApplyFacts) -> tuple[str, ...]:
    if facts.approvers is None:
        return request.approvers
    return tuple(name for name in request.approvers if _named(name, facts.approvers))


def _quorum(request: ApprovalRequest, facts: ApplyFacts) -> int:
    return max(1, request.quorum, facts.quorum or 0)


def _count_approvals(
    request: ApprovalRequest, decisions: Sequence[Decision], facts: ApplyFacts, now: datetime
) -> _Count:
    """Count the distinct people whose approval holds, and say of every other approval why it does not."""
    counted: set[str] = set()
    reasons: list[str] = []
    for decision in (d for d in decisions if d.approved):
        problem = _person(decision, request, facts) or _answer(decision, request, now)
        if problem:
            reasons.append(f"The approval of {decision.user or 'nobody'} does not count: {problem}")
        else:
            counted.add(_login(decision.user))
    quorum = _quorum(request, facts)
    if len(counted) < quorum:
        given = ", ".join(sorted(counted)) or "none"
        ask = ", ".join(n for n in _may_approve(request, facts) if _login(n) not in counted and not _own(n, request))
        reasons.append(
            f"{quorum} approvals are needed and {len(counted)} given ({given}). Ask: {ask or 'nobody left'}."
        )
    return _Count(len(counted) >= quorum, tuple(reasons))


def _person(decision: Decision, request: ApprovalRequest, facts: ApplyFacts) -> str:
    own = _own(decision.user, request)
    if own:
        return f"{decision.user} {own}. Another approver must decide."
    if not _named(decision.user, request.approvers):
        return f"{decision.user} is none of the approvers in runbook.yml. One of them must decide."
    if not _named(decision.user, _may_approve(request, facts)):
        return f"{decision.user} is no approver any more. One of those in runbook.yml must decide."
    return ""


def _answer(decision: Decision, request: ApprovalRequest, now: datetime) -> str:
    at = _moment(decision.at)
    if decision.plan_sha256 != request.plan_sha256:
        return "it was given for another plan. Show this plan and ask again."
    if at < _moment(request.created_at):
        return "it was given before the request was made. Ask again."
    if at >= _moment(request.expires_at):
        return "it was given after the request expired. Run the approval step again."
    if at > now + _SKEW:
        return "it is dated in the future. Set the clocks right and ask again."
    return ""
