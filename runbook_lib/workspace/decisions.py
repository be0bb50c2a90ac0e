"""Decisions: collected from every source, judged against the request and the facts, or given at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from ..adapters.approvals import ApprovalSource
from ..adapters.approvals.gitlab_deployment import GitLabDeployment
from ..adapters.approvals.gitlab_job import GitLabManualJob
from ..adapters.approvals.gitlab_merge_request import GitLabMergeRequest
from ..adapters.approvals.terminal import Terminal, record_decision
from ..adapters.store import RunStore, sha256_file
from ..domain.approval import ApplyFacts, judge_decisions, rejections, same_person
from ..errors import ApprovalError, UsageError
from ..models.approval import ApprovalRequest, Decision, DecisionRecord
from ..settings import Settings
from .clients import gitlab_client
from .context import StepContext
from .governance import approval_config
from .policy_reports import policy_files
from .records import decision_file, plan_file, read_request, read_summary, request_file
from .runs import run_store
from .states import read_state

__all__ = [
    "answer_request",
    "collect",
    "facts_now",
    "plan_digest",
    "planned_facts",
    "write_record",
]


def write_record(store: RunStore, record: DecisionRecord) -> None:
    """Keep what was decided, beside the request."""
    store.write_json(decision_file(store), record)


def plan_digest(store: RunStore) -> str:
    """The digest of the plan file as it lies there now; ApprovalError if it is not the one that was planned."""
    path = plan_file(store)
    found = sha256_file(store.path(path)) if store.exists(path) else "missing"
    if found != read_summary(store).plan_sha256:
        again = f"Plan and ask again: `runbook run --from plan --run-id {store.run_id}`, or a new pipeline."
        raise ApprovalError("the plan file is not the one that the plan step made", again)
    return found


def planned_facts(context: StepContext) -> ApplyFacts:
    """The facts as the plan step saw them: enough to judge a decision while waiting for it."""
    summary = read_summary(context.store)
    return _facts(context, summary.state_lineage, summary.state_serial)


def facts_now(context: StepContext, request: ApprovalRequest) -> ApplyFacts:
    """The facts as they are at this moment: the state is asked."""
    state = read_state(context.settings, context.run.stack)
    # Where there is no state yet, the plan carries a lineage of its own making, and serial 0.
    return _facts(context, str(state.get("lineage") or request.state_lineage), int(state.get("serial") or 0))


def collect(context: StepContext, request: ApprovalRequest, facts: ApplyFacts) -> DecisionRecord:
    """Ask every source for its decisions, and judge them all together."""
    decisions = [decision for source in _sources(context) for decision in source.decisions(request)]
    return judge_decisions(request, decisions, facts, context.clock())


def _facts(context: StepContext, lineage: str, serial: int | None) -> ApplyFacts:
    approval = approval_config(context)
    return ApplyFacts(
        plan_sha256=plan_digest(context.store),
        state_lineage=lineage,
        state_serial=serial,
        commit=context.run.commit,
        policy_sha256=policy_files(context).digest,
        approvers=approval.approvers,
        quorum=approval.quorum,
    )


def _sources(context: StepContext) -> Iterator[ApprovalSource]:
    environment, job = context.settings.environment, context.settings.config.approval.job
    if not environment.in_ci:
        # Under CI whoever writes an artifact could decide: there only GitLab's word counts.
        yield Terminal(context.store)
    gitlab, pipeline = gitlab_client(context.settings), environment.pipeline_id
    if gitlab and pipeline:
        # Whatever is not clearly a yes is a no.
        rejected = environment.decision.lower() not in {"", "approve", "approved"}
        yield GitLabManualJob(gitlab, int(pipeline), job, rejected=rejected, reason=environment.reason)
        if gitlab.has_token:
            yield GitLabDeployment(gitlab, int(pipeline), job)
            yield GitLabMergeRequest(gitlab)


def answer_request(settings: Settings, run_id: str, digest: str, answer: tuple[bool, str]) -> Decision:
    """Record an answer (whether approved, and why) to the run's request, refusing what could never count."""
    store = run_store(settings, run_id)
    if not store.exists(request_file(store)):
        raise UsageError(f"run {run_id} asks for no approval", "Look for its id in outputs/, or run the approval step.")
    request, now = read_request(store), datetime.now(UTC)
    if digest and not request.plan_sha256.startswith(digest.lower()):
        raise ApprovalError(
            f"the request is for plan {request.plan_sha256[:12]}, not {digest}", "Read the request as it stands now."
        )
    if now >= request.expires_at:
        raise ApprovalError(
            f"the request expired at {request.expires_at:%Y-%m-%d %H:%M} UTC",
            f"Ask again: `runbook run --from plan --run-id {run_id}`, or a new pipeline.",
        )
    gitlab = gitlab_client(settings)
    decision = record_decision(store, request, gitlab, answer, now)
    _warn_if_worthless(request, decision)
    if decision.approved:
        _warn_if_rejected(request, Terminal(store).decisions(request))
    return decision


def _warn_if_worthless(request: ApprovalRequest, decision: Decision) -> None:
    # It is kept as evidence all the same: who tried to approve a change of their own is worth knowing.
    own = any(same_person(decision.user, name) for name in (request.requester, request.author))
    if own and not decision.approved:
        return  # Who asked for a change may always withdraw it.
    if own:
        raise ApprovalError(f"{decision.user} asked for this change: it was recorded and does not count", _who(request))
    if decision.user.casefold() not in {name.casefold() for name in request.approvers}:
        hint = " Set GITLAB_TOKEN: by it GitLab says who you are." if decision.user.startswith("local:") else ""
        raise ApprovalError(
            f"{decision.user} is no approver: it was recorded and does not count", f"{_who(request)}{hint}"
        )


def _warn_if_rejected(request: ApprovalRequest, decisions: Sequence[Decision]) -> None:
    facts = ApplyFacts(request.plan_sha256, request.state_lineage, request.state_serial)
    said = rejections(request, decisions, facts)
    if said:
        raise ApprovalError(f"the approval was recorded and does not count: {said[0]}", "A rejection is final.")


def _who(request: ApprovalRequest) -> str:
    return f"Approvers are {', '.join(request.approvers)}."
