"""Decisions: collected from every source, judged against the request and the facts, or given at a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from ..adapters.approvals import ApprovalSource
from ..adapters.approvals.gitlab_comment import GitLabComments, answer_in_comment
from ..adapters.approvals.gitlab_deployment import GitLabDeployment
from ..adapters.approvals.gitlab_job import GitLabManualJob, GitLabRejectJob, rejection_by_job
from ..adapters.approvals.gitlab_merge_request import GitLabMergeRequest, NotedEffect
from ..adapters.approvals.gitlab_review import open_review
from ..adapters.approvals.slack_answer import SlackAnswers
from ..adapters.approvals.terminal import Terminal, record_decision
from ..adapters.store import RunStore, sha256_file
from ..domain.approval import ApplyFacts, judge_decisions, rejections
from ..domain.evidence import REJECTION
from ..domain.people import LOCAL, involved, named
from ..errors import ApprovalError, UsageError
from ..models.approval import ApprovalRequest, Decision, DecisionRecord, Requirement
from ..models.approval_config import ApprovalConfig
from ..report.merge_request_note import NotedPlan, noted_otherwise
from ..settings import Settings
from .asked import clock_of
from .clients import gitlab_client
from .context import StepContext
from .governance import Before, approval_config, approvals, before_change, governance, read_before
from .plan_check import FoundPlan, find_plan
from .policy_reports import policy_files
from .records import ENCRYPTED, decision_file, plan_file, read_request, read_summary, request_file
from .requirements import plan_risk, required
from .runs import RUN_FILE, load_run, run_store
from .slack_thread import Teller
from .states import read_state

__all__ = [
    "answer_alone",
    "answer_request",
    "collect",
    "facts_now",
    "plan_digest",
    "planned_facts",
    "tell_rejection",
    "write_record",
]


def write_record(store: RunStore, record: DecisionRecord, step: str = "approval") -> None:
    """Keep what was decided in the folder of the step that judged it: what another step left is sealed."""
    store.write_json(decision_file(store, step), record)


def plan_digest(store: RunStore) -> str:
    """The digest of the plan file as it lies there now; ApprovalError if it is not the one that was planned."""
    path = plan_file(store)
    if path.endswith(ENCRYPTED):
        # What is in it is held to this digest where it is decrypted: for the request, and for apply.
        return read_summary(store).plan_sha256
    found = sha256_file(store.path(path)) if store.exists(path) else "missing"
    if found != read_summary(store).plan_sha256:
        again = f"Plan and ask again: `runbook run --from plan --run-id {store.run_id}`, or a new pipeline."
        raise ApprovalError("the plan file is not the one that the plan step made", again)
    return found


def planned_facts(context: StepContext, request: ApprovalRequest) -> ApplyFacts:
    """The facts as the plan step saw them: enough to judge a decision while waiting for it."""
    summary = read_summary(context.store)
    return _facts(context, request, summary.state_lineage, summary.state_serial)


def facts_now(context: StepContext, request: ApprovalRequest, found: FoundPlan) -> ApplyFacts:
    """The facts as they are at this moment, for the plan that was found: the state is asked."""
    state = read_state(context.settings, context.run.stack)
    # Where there is no state yet, the plan carries a lineage of its own making, and serial 0.
    lineage = str(state.get("lineage") or request.state_lineage)
    facts = _facts(context, request, lineage, int(state.get("serial") or 0))
    people, needs = required(context, found, request, clock_of(context.settings, context.clock()))
    return replace(facts, plan_sha256=found.sha256, approvers=people, requirements=needs)


def collect(context: StepContext, request: ApprovalRequest, facts: ApplyFacts) -> DecisionRecord:
    """Ask every source for its decisions, and judge them all together, by the clock that dated them."""
    decisions = [decision for source in _sources(context, request) for decision in source.decisions(request)]
    local = context.clock()
    now = clock_of(context.settings, local)
    return judge_decisions(request, decisions, facts, now, local - now)


def _facts(context: StepContext, request: ApprovalRequest, lineage: str, serial: int | None) -> ApplyFacts:
    approval = approval_config(context)
    return ApplyFacts(
        plan_sha256=plan_digest(context.store),
        state_lineage=lineage,
        state_serial=serial,
        commit=context.run.commit,
        policy_sha256=policy_files(context).digest,
        approvers=approval.everybody(need.group for need in request.requirements),
        requirements=(Requirement(needs=approval.quorum, approvers=approval.approvers),) if not request.unasked else (),
        break_glass=approval.break_glass,
        run_id=context.run.run_id,
        stack=context.run.stack,
        objectors=_objectors(before_change(context), context.settings, request),
    )


def _objectors(before: Before, settings: Settings, request: ApprovalRequest) -> tuple[str, ...]:
    """Who may say no, though the change takes them out of those who may approve."""
    groups = [need.group for need in request.requirements]
    both = approvals(before, settings, request.stack)
    return tuple(dict.fromkeys(name for one in both for name in one.everybody(groups)))


def _noted_effect(context: StepContext, request: ApprovalRequest, branch: str) -> NotedEffect:
    """What a merge request's note must have shown, for its approvals to be of this plan as well."""
    found = find_plan(context, backend=False)
    plan = NotedPlan(found.judged.summary, found.judged.exposure, plan_risk(found), found.judged.report.findings)
    mask, stack, doubt = context.settings.redactor.mask, request.stack, ""
    if request.code or found.code:
        doubt = "the plan runs code, of which a fingerprint does not tell all"
    elif governance(context):
        doubt = "the change is about who and what judges it, which its note did not say"
    return NotedEffect(branch, lambda body: noted_otherwise(body, stack, plan, mask), doubt)


def _sources(context: StepContext, request: ApprovalRequest) -> Iterator[ApprovalSource]:
    environment, approval = context.settings.environment, context.settings.config.approval
    gitlab, pipeline, in_force = gitlab_client(context.settings), environment.pipeline_id, approval_config(context)
    if gitlab is None:
        # Under CI whoever writes an artifact could decide: there only GitLab's word counts.
        if not environment.in_ci and _terminal_counts(context.settings, in_force):
            yield Terminal(context.store)
        return
    if gitlab.has_token:
        yield GitLabComments(gitlab, approves=_terminal_counts(context.settings, in_force))
        if approval.slack and in_force.slack:
            both = approvals(before_change(context), context.settings, request.stack)
            known = {user: name for one in reversed(both) if one.slack for user, name in one.slack.users.items()}
            yield SlackAnswers(gitlab, in_force.slack, known)
    if pipeline:
        yield GitLabManualJob(gitlab, int(pipeline), approval.job, dict(os.environ))
        for name in dict.fromkeys((approval.reject_job, in_force.reject_job)):
            yield GitLabRejectJob(gitlab, int(pipeline), name)
    if pipeline and gitlab.has_token:
        yield GitLabDeployment(gitlab, int(pipeline), approval.job)
        yield GitLabMergeRequest(gitlab, _noted_effect(context, request, gitlab.default_branch()))


def _terminal_counts(settings: Settings, approval: ApprovalConfig) -> bool:
    configured = approval.terminal
    return not settings.gitlab_project if configured is None else configured


def answer_request(settings: Settings, run_id: str, digest: str, answer: tuple[bool, str]) -> Decision:
    """Record an answer (whether approved, and why) to the run's request, refusing what could never count."""
    store, request = _open_request(settings, run_id, digest)
    return _record(settings, store, request, answer)


def answer_alone(settings: Settings, run_id: str, digest: str, reason: str) -> Decision:
    """Approve the run's plan alone, in an emergency: first the review is opened, so that none is without one."""
    _, request = _open_request(settings, run_id, digest)
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token:
        raise UsageError(
            "alone one can approve only where a GitLab keeps the review open", "Set GITLAB_TOKEN, your own, scope api."
        )
    if not reason.strip():
        raise UsageError("the reason is empty", "Say what the emergency is: --reason.")
    user = gitlab.current_user()
    if not named(user, request.break_glass):
        may = ", ".join(request.break_glass) or "nobody"
        raise ApprovalError(f"{user} may not approve alone", f"approval.break_glass in runbook.yml names {may}.")
    open_review(gitlab, request, reason)
    decision = answer_in_comment(gitlab, request, (True, reason), alone=True)
    _warn_if_rejected(request, GitLabComments(gitlab).decisions(request))
    return decision


def _open_request(settings: Settings, run_id: str, digest: str) -> tuple[RunStore, ApprovalRequest]:
    store = run_store(settings, run_id)
    if not store.exists(RUN_FILE):
        raise UsageError(
            f"there is no run {run_id} in {settings.outputs}",
            "Look for its id there; RUNBOOK_OUTPUTS names another folder of runs.",
        )
    if not store.exists(request_file(store)):
        raise UsageError(f"run {run_id} asks for no approval", "Look for its id in outputs/, or run the approval step.")
    request, now = read_request(store), clock_of(settings, datetime.now(UTC))
    if digest and not request.plan_sha256.startswith(digest.lower()):
        raise ApprovalError(
            f"the request is for plan {request.plan_sha256[:12]}, not {digest}", "Read the request as it stands now."
        )
    if now >= request.expires_at:
        raise ApprovalError(
            f"the request expired at {request.expires_at:%Y-%m-%d %H:%M} UTC",
            f"Ask again: `runbook run --from plan --run-id {run_id}`, or a new pipeline.",
        )
    return store, request


def tell_rejection(settings: Settings, run_id: str, reason: str = "") -> Decision | None:
    """Tell of the rejection that is this very job of the pipeline; None outside of that job."""
    gitlab = gitlab_client(settings)
    job = gitlab.whose_job() if gitlab and gitlab.has_job_token else None
    if job is None or job.name != settings.config.approval.reject_job:
        return None
    store = run_store(settings, run_id)
    request = read_request(store)
    decision = rejection_by_job(job, request, reason, clock_of(settings, datetime.now(UTC)))
    record = DecisionRecord(
        run_id=run_id,
        plan_sha256=request.plan_sha256,
        decisions=(decision.model_copy(update={"counts": True}),),
        approved=False,
        rejected=True,
        reasons=rejections(request, (decision,), ApplyFacts(request.plan_sha256, "", None)),
        checked_at=decision.at,
    )
    store.write_json(REJECTION, record)
    Teller(settings, store, load_run(store)).tell_decision(record)
    return decision


def _record(settings: Settings, store: RunStore, request: ApprovalRequest, answer: tuple[bool, str]) -> Decision:
    if answer[0] and not _terminal_counts(settings, settings.config.approval):
        where = f"where it is asked: {request.url}" if request.url else "in GitLab."
        raise ApprovalError("approvals at a terminal do not count here", f"Decide {where}")
    gitlab = gitlab_client(settings)
    source: ApprovalSource = Terminal(store) if gitlab is None else GitLabComments(gitlab)
    if gitlab is None:
        decision = record_decision(store, request, answer, datetime.now(UTC))
    else:
        decision = answer_in_comment(gitlab, request, answer)
    if decision.approved or not _may_object(settings, store, request, decision):
        _warn_if_worthless(request, decision)
    if decision.approved:
        _warn_if_rejected(request, source.decisions(request))
    return decision


def _may_object(settings: Settings, store: RunStore, request: ApprovalRequest, decision: Decision) -> bool:
    before = read_before(settings, load_run(store), decision.at.date())
    return named(decision.user, _objectors(before, settings, request))


def _warn_if_worthless(request: ApprovalRequest, decision: Decision) -> None:
    # It is kept as evidence all the same: who tried to approve a change of their own is worth knowing.
    part = involved(request).part(decision.user)
    if part and not decision.approved:
        return  # Who asked for a change may always withdraw it.
    if part:
        raise ApprovalError(f"{decision.user} {part}: it was recorded and does not count", _who(request))
    if not named(decision.user, request.approvers):
        hint = " Set GITLAB_TOKEN: by it GitLab says who you are." if decision.user.startswith(LOCAL) else ""
        raise ApprovalError(
            f"{decision.user} is no approver: it was recorded and does not count", f"{_who(request)}{hint}"
        )
    if decision.approved and decision.user.startswith(LOCAL) and not request.requester.startswith(LOCAL):
        raise ApprovalError(
            f"only this machine says who {decision.user} is: it was recorded and does not count", "Decide in GitLab."
        )


def _warn_if_rejected(request: ApprovalRequest, decisions: Sequence[Decision]) -> None:
    facts = ApplyFacts(request.plan_sha256, request.state_lineage, request.state_serial)
    said = rejections(request, decisions, facts)
    if said:
        raise ApprovalError(f"the approval was recorded and does not count: {said[0]}", "A rejection is final.")


def _who(request: ApprovalRequest) -> str:
    return f"Approvers are {', '.join(request.approvers)}." if request.approvers else "runbook.yml names no approver."
