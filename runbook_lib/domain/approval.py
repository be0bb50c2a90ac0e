"""What is asked of an approver, and whether the answers allow this very plan to be applied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..errors import InputError
from ..models.approval import ApprovalRequest, Decision, DecisionRecord, Requirement
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
    `approvers`, `requirements` and `break_glass` are those of runbook.yml, and of what is found in the plan now; None
    leaves it at the request's. A person must be named in both, and what either requires is required. `objectors` may
    say no besides.
    """

    plan_sha256: str
    state_lineage: str
    state_serial: int | None
    commit: str = ""
    policy_sha256: str = ""
    approvers: tuple[str, ...] | None = None
    requirements: tuple[Requirement, ...] | None = None
    break_glass: tuple[str, ...] | None = None
    run_id: str = ""
    stack: str = ""
    problems: tuple[str, ...] = ()
    objectors: tuple[str, ...] = ()


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
        break_glass=config.break_glass,
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
    missing = () if _broken(judged) else (*_nobody(request, facts), *_missing(request, judged, facts))
    approved = not (rejected or problems or missing)
    return DecisionRecord(
        run_id=request.run_id,
        plan_sha256=facts.plan_sha256,
        decisions=judged,
        approved=approved,
        rejected=bool(rejected),
        reasons=() if approved else (*rejected, *problems, *missing, *_skewed(skew)),
        checked_at=now,
        unasked=_unasked(request, facts) if approved and not _anybody(judged) else "",
    )


def rejections(request: ApprovalRequest, decisions: Sequence[Decision], facts: ApplyFacts) -> tuple[str, ...]:
    """One reason for every valid rejection: by an approver, by who asked for the change or wrote it, or by a job.

    Whoever may play a job of the pipeline may end it; such a no holds for all that the pipeline ever asks.
    """
    return tuple(
        f"{d.user} rejected the change{': ' + d.reason.rstrip('. ') if d.reason else ''}. Correct it and run the plan"
        " step again."
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
    who = involved(request)
    for need in _needs(request, facts):
        able = {login(name) for name in need.approvers if not who.part(name)}
        if need.needs and not need.approvers:
            yield f"Nobody is named who may approve{_as(need)}. Name the approvers in runbook.yml, under approval."
        elif len(able) < need.needs:
            yield (
                f"{_needed(need)}{_because(need) or ','} but only {len(able)} of the"
                " approvers neither asked for the change nor wrote a commit of it."
                f" {_why_more(request)}Name more approvers in runbook.yml."
            )


def _may_approve(request: ApprovalRequest, facts: ApplyFacts) -> tuple[str, ...]:
    if facts.approvers is None:
        return request.approvers
    return tuple(name for name in request.approvers if named(name, facts.approvers))


def _needs(request: ApprovalRequest, facts: ApplyFacts) -> tuple[Requirement, ...]:
    """Every requirement of the request and of now, with those of its people who may approve by both.

    One more each where one of them may have made the change, unknown to all.
    """
    may, unknown = _may_approve(request, facts), bool(involved(request).unknown)
    found = [
        need.model_copy(
            update={
                "needs": need.needs + unknown if need.needs else 0,
                "approvers": tuple(name for name in need.approvers if named(name, may)),
            }
        )
        for need in (*request.needed, *(facts.requirements or ()))
    ]
    return tuple(dict.fromkeys(found))


def _anybody(judged: Sequence[Decision]) -> bool:
    """Whether somebody's approval counts; who merely started the job that applies has given none."""
    return any(one.approved and one.counts for one in judged)


def _unasked(request: ApprovalRequest, facts: ApplyFacts) -> str:
    return "; ".join(dict.fromkeys(need.why for need in _needs(request, facts)))


def _needed(need: Requirement) -> str:
    of = f" of {need.group}" if need.group else ""
    return f"1 approval{of} is needed" if need.needs == 1 else f"{need.needs} approvals{of} are needed"


def _as(need: Requirement) -> str:
    return f" for {need.group}" if need.group else ""


def _because(need: Requirement) -> str:
    return f", as {need.why}," if need.why else ""


def _why_more(request: ApprovalRequest) -> str:
    unknown = ", ".join(involved(request).unknown)
    return f"One of them is needed because it is not known who this is: {unknown}. " if unknown else ""


def _broken(judged: Sequence[Decision]) -> bool:
    return any(one.break_glass and one.approved and one.counts for one in judged)


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
            problem = _may(decision, request, facts) or _answer(decision, request, now)
            if not problem and login(decision.user) in counted:
                problem = f"{decision.user} approved already."
            counted |= set() if problem else {login(decision.user)}
        judged.append(decision.model_copy(update={"counts": not problem, "why_not": problem}))
    return tuple(judged)


def _missing(request: ApprovalRequest, judged: Sequence[Decision], facts: ApplyFacts) -> tuple[str, ...]:
    """Why the approvals do not suffice, and of every one that does not count why not; nothing if they do."""
    counted = {login(d.user) for d in judged if d.approved and d.counts}
    lacking = [
        need for need in _needs(request, facts) if len(counted & {login(n) for n in need.approvers}) < need.needs
    ]
    if not lacking:
        return ()
    idle = [
        f"The approval of {d.user or 'nobody'} does not count: {d.why_not}"
        for d in judged
        if d.approved and not d.counts and login(d.user) not in counted
    ]
    return (*idle, *(_lacking(request, need, counted) for need in lacking))


def _lacking(request: ApprovalRequest, need: Requirement, counted: set[str]) -> str:
    given, who = sorted(counted & {login(name) for name in need.approvers}), involved(request)
    ask = ", ".join(name for name in need.approvers if login(name) not in counted and not who.part(name))
    more = f"{_needed(need)}{_because(need)} and {len(given)} given"
    return f"{more} ({', '.join(given) or 'none'}). {_why_more(request)}Ask: {ask or 'nobody left'}."


def _skewed(skew: timedelta) -> Iterator[str]:
    if abs(skew) > _SKEW:
        minutes, way = round(abs(skew).total_seconds() / 60), "ahead of" if skew > timedelta(0) else "behind"
        yield f"This machine's clock is {minutes} minutes {way} GitLab's, by which is judged. Set it right."


def _may(decision: Decision, request: ApprovalRequest, facts: ApplyFacts) -> str:
    """Why this person's approval does not count; empty if it does."""
    if not decision.break_glass:
        return _person(decision, request, facts)
    allowed = request.break_glass if facts.break_glass is None else facts.break_glass
    if not (named(decision.user, request.break_glass) and named(decision.user, allowed)):
        return f"{decision.user} is none of those who may approve alone (approval.break_glass in runbook.yml)."
    if not decision.reason.strip():
        return "a reason is missing, without which nobody may approve alone."
    return ""


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
    may = (*request.approvers, *(facts.approvers or ()), *facts.objectors)
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
    if decision.doubt or decision.fingerprint not in {"", request.summary.fingerprint}:
        return f"{decision.doubt or 'it was given for a plan that does something else'}. Ask again."
    if at < _moment(request.created_at) and not decision.fingerprint:
        return "it was given before the request was made. Ask again."
    if at >= _moment(request.expires_at):
        return "it was given after the request expired. Run the approval step again."
    if at > now + _SKEW:
        return "it is dated in the future. Set the clocks right and ask again."
    return ""
