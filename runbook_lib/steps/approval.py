"""The approval step: one plan put before people who may say yes, and by hand the wait for their answer."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..domain.approval import RequestFacts, make_request
from ..errors import ApprovalError, ConfigError
from ..models.approval import ApprovalRequest, DecisionRecord
from ..models.base import Outcome
from ..models.findings import Finding
from ..report.result_view import ResultView
from ..wording import NO_CHANGE, needed
from ..workspace.asked import announce, as_gitlab_says, clock_of, who_wrote
from ..workspace.clients import gitlab_client
from ..workspace.context import StepContext, open_step, recorded
from ..workspace.decisions import collect, planned_facts, write_record
from ..workspace.earlier import earlier_troubles
from ..workspace.governance import approval_config, governance
from ..workspace.kept import keeping_answers
from ..workspace.once import refuse_odd_files, uncommitted, uncommitted_in_ci
from ..workspace.plan_check import FoundPlan, config_digest, find_plan, inputs_digest, problems_of
from ..workspace.policy_reports import policy_files
from ..workspace.preflight import Check, CheckResult, preflight
from ..workspace.records import (
    findings_that_count,
    plan_file,
    read_plan_result,
    read_request,
    request_file,
    steps_before,
)
from ..workspace.requirements import with_requirements
from ..workspace.slack_thread import Teller

__all__ = ["check_ready", "decide", "request_approval", "start", "wait_for_decision"]

# Somebody who is at the page answers in seconds, somebody who is asleep does not: ask often first, then seldom.
FIRST_POLL_SECONDS, LAST_POLL_SECONDS, GROWTH = 0.1, 10.0, 1.25


def start(run_id: str = "", stack: str = "") -> StepContext:
    """Begin the step."""
    return open_step("approval", run_id, stack)


def check_ready(context: StepContext) -> tuple[CheckResult, ...]:
    """Ask for the plan's result and for approvers."""
    return preflight(
        context,
        Check("plan", lambda: _plan_that_changes_something(context)),
        Check("approvers", lambda: _approvers(context)),
    )


@recorded
def request_approval(context: StepContext) -> ApprovalRequest:
    """Write request.json and send the request; a request that still stands for this plan is not asked again."""
    refuse_odd_files(context.store)
    context.uses(context.store.path(plan_file(context.store)))
    _refuse_what_ci_must_not(context)
    found = find_plan(context, backend=False)
    with keeping_answers(context, "gitlab"):
        asked = _make_request(context, found)
        problems = problems_of(context, asked, found)
        if problems:
            raise ApprovalError(" ".join(problems), "Begin at the plan step: runbook run --from plan.")
        request = _standing_request(context, asked) or announce(context.settings, asked)
    context.store.write_json(request_file(context.store), request)
    print(f"Asked for: stack {request.stack}, plan {request.plan_sha256}: {request.exposure.sentence or NO_CHANGE}")  # noqa: T201
    Teller(context.settings, context.store, context.run).ask_approval(request, _job_url(context, "plan"))
    return request


@recorded
def wait_for_decision(
    context: StepContext, request: ApprovalRequest, *, wait: bool = True, sleep: Callable[[float], None] = time.sleep
) -> DecisionRecord:
    """Collect decisions until they suffice, one rejects, or the request expires.

    Under GitLab, and with `wait` false, they are collected once: the manual apply job collects them again.
    """
    waits = wait and not context.settings.environment.in_ci
    if waits:
        print(f"Waiting for {needed(request)} until {request.expires_at:%H:%M} UTC …")  # noqa: T201
    pause = FIRST_POLL_SECONDS
    while True:
        record = collect(context, request, planned_facts(context, request))
        expired = record.checked_at >= request.expires_at
        if record.approved or record.rejected or expired or not waits:
            break
        sleep(pause)
        pause = min(pause * GROWTH, LAST_POLL_SECONDS)
    write_record(context.store, record)
    teller = Teller(context.settings, context.store, context.run)
    if record.decisions or record.approved:
        teller.tell_decision(record)
    elif expired:
        teller.tell_over(request)
    return record


@recorded
def decide(context: StepContext, request: ApprovalRequest, record: DecisionRecord) -> ResultView:
    """End the step: approved, refused, or (under GitLab, or without waiting) asked."""
    context.metrics |= {"plan_sha256": request.plan_sha256, "approved": record.approved}
    if record.approved and record.unasked:
        return context.finish(Outcome.PASSED, f"Nobody need approve plan {request.plan_sha256[:12]}: {record.unasked}.")
    if record.approved:
        names = ", ".join(record.approved_by)
        return context.finish(Outcome.PASSED, f"Approved by {names}: plan {request.plan_sha256[:12]}.")
    expired = record.checked_at >= request.expires_at
    if record.rejected or expired:
        return context.finish(Outcome.BLOCKED, f"Not approved: {' '.join(record.reasons)}")
    until = f"{request.expires_at:%Y-%m-%d %H:%M} UTC"
    return context.finish(Outcome.PASSED, f"Approval of plan {request.plan_sha256[:12]} is asked for until {until}.")


def _plan_that_changes_something(context: StepContext) -> str:
    result = read_plan_result(context.store)
    if result.ends:
        raise ApprovalError(f"there is nothing to approve: {result.summary}", "Change something, and plan again.")
    return result.summary


def _findings(context: StepContext, found: FoundPlan) -> tuple[Finding, ...]:
    # Those of the team's own steps as well: whoever approves must have seen what they warn of. The plan's are those of
    # the plan file, whatever the plan step's result says.
    read_plan_result(context.store)
    own = {step.name for step in context.settings.config.all_steps if not step.decides}
    before = (step.name for step in steps_before(context.store, context.step.name) if step.name in own)
    results = (context.store.read_result(name) for name in before)
    return (*found.judged.report.findings, *findings_that_count(result for result in results if result))


def _refuse_what_ci_must_not(context: StepContext) -> None:
    if problems := uncommitted_in_ci(context.settings, context.run.stack):
        raise ApprovalError(" ".join(problems), "Commit them, or let no job before this one write there.")


def _approvers(context: StepContext) -> str:
    names = approval_config(context).approvers
    if not names:
        raise ConfigError("runbook.yml names no approver", "Add logins to approval.approvers.")
    return ", ".join(names)


def _standing_request(context: StepContext, asked: ApprovalRequest) -> ApprovalRequest | None:
    if not context.store.exists(request_file(context.store)):
        return None
    request = read_request(context.store)
    # All but who asked, when, and who wrote, which GitLab is asked for anew.
    told = {name: getattr(request, name) for name in ("requester", "author", "authors", "unknown_authors")}
    told |= {"created_at": request.created_at, "expires_at": request.expires_at}
    if request != asked.model_copy(update=told):
        return None
    try:
        request = as_gitlab_says(context, request)
    except ApprovalError:
        return None  # GitLab never heard of it, whoever wrote it there.
    return request if clock_of(context.settings, context.clock()) < request.expires_at else None


def _make_request(context: StepContext, found: FoundPlan) -> ApprovalRequest:
    authors, unknown = who_wrote(context.settings, context.run)
    facts = RequestFacts(
        run=context.run,
        summary=found.judged.summary,
        exposure=found.judged.exposure,
        policy_sha256=policy_files(context).digest,
        findings=_findings(context, found),
        url=_job_url(context, context.settings.config.approval.job),
        reject_url=_reject_url(context),
        authors=authors,
        unknown_authors=unknown,
        inputs_sha256=inputs_digest(found.inputs),
        config_sha256=config_digest(context.settings),
        complete=found.plan.complete,
        code=found.code,
    )
    request = make_request(facts, approval_config(context), context.clock())
    # What was noted when the run began may be an older truth, or none.
    dirty = request.dirty or bool(uncommitted(context.settings, context.run.stack))
    told = request.model_copy(update={"governance": governance(context), "dirty": dirty})
    asked = with_requirements(context, found, told)
    return asked.model_copy(update={"earlier": earlier_troubles(context.settings, context.run)})


def _reject_url(context: StepContext) -> str:
    url = _job_url(context, context.settings.config.approval.reject_job)
    return "" if url == context.run.pipeline_url else url


def _job_url(context: StepContext, name: str) -> str:
    # A job's own page has its play button, its log and its artifacts; without one the pipeline's page is the nearest.
    gitlab, pipeline = gitlab_client(context.settings), context.settings.environment.pipeline_id
    if gitlab is None or not (pipeline and gitlab.has_token):
        return context.run.pipeline_url
    urls = [job.web_url for job in gitlab.pipeline_jobs(int(pipeline)) if job.name == name]
    return urls[-1] if urls else context.run.pipeline_url
