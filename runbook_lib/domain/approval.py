"""What is asked of an approver, and whether the answers allow this very plan to be applied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..errors import InputError
from ..models.approval import ApprovalRequest, Decision, DecisionRecord
from ..models.config import ApprovalConfig
from ..models.exposure import Exposure
from ..models.findings import Finding
from ..models.plan import PlanSummary
from ..models.run import Run
from .people import LOCAL, involved, login, named

__all__ = ["ApplyFacts", "RequestFacts", "judge_decisions", "make_request", "rejections"]

# Clocks of two machines differ; a decision from further ahead than this was not made yet.
_SKEW = timedelta(minutes=2)
# Where a no is given by playing: in the pipeline itself.
_JOBS = frozenset({"gitlab_job", "gitlab_reject_job", "gitlab_deployment"})


@dataclass(frozen=True)
class RequestFacts:
    """What an approver must know: the run, the plan's counts and digest, what it exposes, under which policies.

    `url` is where to decide, `reject_url` where to say no; `authors` made the commits, `unknown_authors` as well.
    """

    run: Run
    summary: PlanSummary
    exposure: Exposure
    policy_sha256: str
    findings: tuple[Finding, ...] = ()
    url: str = ""
    reject_url: str = ""
    authors: tuple[str, ...] = ()
    unknown_authors: tuple[str, ...] = ()
    inputs_sha256: str = ""
    config_sha256: str = ""
    complete: bool = True
    code: tuple[str, ...] = ()


@dataclass(frozen=True)
class ApplyFacts:
    """What is so when apply starts: the plan file's digest, the state's lineage and serial, and runbook.yml's names.

    An empty commit, policy digest, run or stack is not compared. `problems` are what else stands against the request.
    `approvers` and `quorum` are those of runbook.yml now; None
    leaves it at the request's. A person must be named in both.
    """

    plan_sha256: str
    state_lineage: str
    state_serial: int | None
    commit: str = ""
    policy_sha256: str = ""
    approvers: tuple[str, ...] | None = None
    quorum: int | None = None
    run_id: str = ""
    stack: str = ""
    problems: tuple[str, ...] = ()


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
        authors=facts.authors,
        unknown_authors=facts.unknown_authors,
        approvers=config.approvers,
        quorum=config.quorum,
        created_at=_moment(now),
        expires_at=_moment(now) + config.expires_after,
        url=facts.url or run.pipeline_url,
        reject_url=facts.reject_url,
        inputs_sha256=facts.inputs_sha256,
        config_sha256=facts.config_sha256,
        dirty=run.dirty,
        complete=facts.complete,
        code=facts.code,
    )


def judge_decisions(
    request: ApprovalRequest,
    decisions: Sequence[Decision],
    facts: ApplyFacts,
    now: datetime,
    skew: timedelta = timedelta(0),
) -> DecisionRecord:
    """Check everything again at the moment when apply would start.

    Approved means: it is still that plan on that state, in time, enough of those who may approve did, and none of them
    rejected it. Otherwise `reasons` says all that is missing, each reason with what to do. A rejection is final.
    `now` is by the clock that dated the decisions; `skew` is how far this machine's is ahead of it.
    """
    now = _moment(now)
    problems = _request_problems(request, facts, now)
    rejected = rejections(request, decisions, facts)
    judged = _judged(request, decisions, facts, now)
    missing = _missing(request, judged, facts)
    approved = not (rejected or problems or missing)
    return DecisionRecord(
        run_id=request.run_id,
        plan_sha256=facts.plan_sha256,
        decisions=judged,
        approved=approved,
        rejected=bool(rejected),
        reasons=() if approved else (*rejected, *problems, *missing, *_skewed(skew)),
        checked_at=now,
    )


def rejections(request: ApprovalRequest, decisions: Sequence[Decision], facts: ApplyFacts) -> tuple[str, ...]:
    """One reason for every valid rejection: by an approver, by who asked for the change or wrote it, or by a job.

    Whoever may play a job of the pipeline may end it; such a no holds for all that the pipeline ever asks.
    """
    return tuple(
        f"{d.user} rejected the change{': ' + d.reason if d.reason else ''}. Correct it and run the plan step again."
        for d in decisions
        if not d.approved and not _unheard(d, request, facts)
    )


def _moment(time: datetime) -> datetime:
    """A time with its zone: one without is UTC."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _request_problems(request: ApprovalRequest, facts: ApplyFacts, now: datetime) -> tuple[str, ...]:
    """What keeps this request from being approved by anybody."""
    return (
        *_changed(request, facts),
        *facts.problems,
        *_late(request, now),
        *_unknown(request),
        *_nobody(request, facts),
    )


def _changed(request: ApprovalRequest, facts: ApplyFacts) -> Iterator[str]:
    again = "Run the plan step again and have the new plan approved."
    for name, found, asked in (("run", facts.run_id, request.run_id), ("stack", facts.stack, request.stack)):
        if found and found != asked:
            yield f"The request is of {name} {asked}, not of {found}. Run the approval step of this run."
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
    who = involved(request)
    if request.commit and not (who.authors or who.unknown):
        yield "It is not known who wrote the commit. Start a new run, where git or GitLab can say so."


def _nobody(request: ApprovalRequest, facts: ApplyFacts) -> Iterator[str]:
    may = _may_approve(request, facts)
    needed, who = _needed(request, facts), involved(request)
    able = {login(name) for name in may if not who.part(name)}
    if not may:
        yield "Nobody is named who may approve. Name the approvers in runbook.yml, under approval."
    elif len(able) < needed:
        yield (
            f"{needed} approvals are needed, but only {len(able)} of the approvers neither asked for the change nor"
            f" wrote a commit of it. {_why_more(request)}Name more approvers in runbook.yml."
        )


def _may_approve(request: ApprovalRequest, facts: ApplyFacts) -> tuple[str, ...]:
    if facts.approvers is None:
        return request.approvers
    return tuple(name for name in request.approvers if named(name, facts.approvers))


def _needed(request: ApprovalRequest, facts: ApplyFacts) -> int:
    """How many must approve: one more than the quorum where one of them may have made the change, unknown to all."""
    return max(1, request.quorum, facts.quorum or 0) + bool(involved(request).unknown)


def _why_more(request: ApprovalRequest) -> str:
    unknown = ", ".join(involved(request).unknown)
    return f"One of them is needed because it is not known who this is: {unknown}. " if unknown else ""


def _judged(
    request: ApprovalRequest, decisions: Sequence[Decision], facts: ApplyFacts, now: datetime
) -> tuple[Decision, ...]:
    """Every decision with whether it counts and why not; of a person's approvals the first that holds counts."""
    counted: set[str] = set()
    judged = []
    for decision in decisions:
        if not decision.approved:
            problem = _unheard(decision, request, facts)
        else:
            problem = _person(decision, request, facts) or _answer(decision, request, now)
            if not problem and login(decision.user) in counted:
                problem = f"{decision.user} approved already."
            counted |= set() if problem else {login(decision.user)}
        judged.append(decision.model_copy(update={"counts": not problem, "why_not": problem}))
    return tuple(judged)


def _missing(request: ApprovalRequest, judged: Sequence[Decision], facts: ApplyFacts) -> tuple[str, ...]:
    """Why the approvals do not suffice, and of every one that does not count why not; nothing if they do."""
    counted = {login(d.user) for d in judged if d.approved and d.counts}
    needed = _needed(request, facts)
    if len(counted) >= needed:
        return ()
    idle = [
        f"The approval of {d.user or 'nobody'} does not count: {d.why_not}"
        for d in judged
        if d.approved and not d.counts and login(d.user) not in counted
    ]
    given, who = ", ".join(sorted(counted)) or "none", involved(request)
    ask = ", ".join(n for n in _may_approve(request, facts) if login(n) not in counted and not who.part(n))
    more = f"{needed} approvals are needed and {len(counted)} given ({given}). {_why_more(request)}"
    return (*idle, f"{more}Ask: {ask or 'nobody left'}.")


def _skewed(skew: timedelta) -> Iterator[str]:
    if abs(skew) > _SKEW:
        minutes, way = round(abs(skew).total_seconds() / 60), "ahead of" if skew > timedelta(0) else "behind"
        yield f"This machine's clock is {minutes} minutes {way} GitLab's, by which is judged. Set it right."


def _person(decision: Decision, request: ApprovalRequest, facts: ApplyFacts) -> str:
    own = involved(request).part(decision.user)
    if own:
        return f"{decision.user} {own}. Another approver must decide."
    if not named(decision.user, request.approvers):
        return f"{decision.user} is none of the approvers in runbook.yml. One of them must decide."
    if not named(decision.user, _may_approve(request, facts)):
        return f"{decision.user} is no approver any more. One of those in runbook.yml must decide."
    if decision.user.startswith(LOCAL) and not request.requester.startswith(LOCAL):
        return f"only this machine says who {decision.user} is. Decide in GitLab."
    return ""


def _unheard(decision: Decision, request: ApprovalRequest, facts: ApplyFacts) -> str:
    """Why a rejection does not count, empty if it does."""
    if decision.source in _JOBS:
        return ""
    may = (*request.approvers, *(facts.approvers or ()))
    if not (named(decision.user, may) or involved(request).part(decision.user)):
        return f"{decision.user} is none of the approvers in runbook.yml, and did not ask for the change."
    if decision.plan_sha256 != request.plan_sha256:
        return "it was given for another plan."
    if _moment(decision.at) < _moment(request.created_at):
        return "it was given before the request was made."
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
