"""Decisions: collected from every source that is there, and judged against the request and the facts."""

from __future__ import annotations

from collections.abc import Iterator

from ..adapters.approvals import ApprovalSource, GitLabDeployment, GitLabManualJob, GitLabMergeRequest, Terminal
from ..adapters.store import RunStore, sha256_file
from ..domain.approval import ApplyFacts, judge_decisions
from ..errors import ApprovalError
from ..models.approval import ApprovalRequest, DecisionRecord
from ..models.base import Step
from ..models.plan import PlanSummary
from .clients import gitlab_client
from .context import StepContext
from .judging import policy_digest
from .states import read_state

__all__ = [
    "DECISION",
    "PLAN_PATH",
    "REQUEST",
    "collect",
    "facts_now",
    "plan_digest",
    "planned_facts",
    "read_request",
    "write_record",
]

PLAN_PATH = f"{Step.PLAN.folder}/plan.tfplan"
REQUEST = f"{Step.APPROVAL.folder}/request.json"
DECISION = f"{Step.APPROVAL.folder}/decision.json"


def read_request(store: RunStore) -> ApprovalRequest:
    """The request that the approval step wrote; InputError if it did not."""
    return store.read_model(REQUEST, ApprovalRequest)


def write_record(store: RunStore, record: DecisionRecord) -> None:
    """Keep what was decided, beside the request."""
    store.write_json(DECISION, record)


def plan_digest(store: RunStore) -> str:
    """The digest of the plan file as it lies there now; ApprovalError if it is not the one that was planned."""
    summary = store.read_model(f"{Step.PLAN.folder}/summary.json", PlanSummary)
    found = sha256_file(store.path(PLAN_PATH)) if store.exists(PLAN_PATH) else "missing"
    if found != summary.plan_sha256:
        raise ApprovalError("the plan file is not the one that the plan step made", "Run the plan step again.")
    return found


def planned_facts(context: StepContext) -> ApplyFacts:
    """The facts as the plan step saw them: enough to judge a decision while waiting for it."""
    summary = context.store.read_model(f"{Step.PLAN.folder}/summary.json", PlanSummary)
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
    approval = context.settings.config.approval
    return ApplyFacts(
        plan_sha256=plan_digest(context.store),
        state_lineage=lineage,
        state_serial=serial,
        commit=context.run.commit,
        policy_sha256=policy_digest(context),
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
