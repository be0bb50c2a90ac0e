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
from ..wording import NO_CHANGE
from ..workspace.asked import announce, as_gitlab_says, clock_of, who_wrote
from ..workspace.clients import gitlab_client
from ..workspace.context import StepContext, open_step, recorded
from ..workspace.decisions import collect, planned_facts, write_record
from ..workspace.policy_reports import policy_files
from ..workspace.preflight import Check, CheckResult, preflight
from ..workspace.records import (
    findings_that_count,
    plan_file,
    read_exposure,
    read_plan_result,
    read_request,
    read_summary,
    request_file,
    steps_before,
)
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
        Check("plan", lambda: read_plan_result(context.store).summary),
        Check("approvers", lambda: _approvers(context)),
    )


@recorded
def request_approval(context: StepContext) -> ApprovalRequest:
    """Write request.json and send the request; a request that still stands for this plan is not asked again."""
    context.uses(context.store.path(plan_file(context.store)))
    findings = _findings(context)
    request = _standing_request(context) or announce(context.settings, _make_request(context, findings))
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
        print(f"Waiting for {request.quorum} of {', '.join(request.approvers)} until {request.expires_at:%H:%M} UTC …")  # noqa: T201
    pause = FIRST_POLL_SECONDS
    while True:
        record = collect(context, request, planned_facts(context))
        expired = record.checked_at >= request.expires_at
        if record.approved or record.rejected or expired or not waits:
            break
        sleep(pause)
        pause = min(pause * GROWTH, LAST_POLL_SECONDS)
    write_record(context.store, record)
    if record.decisions:
        Teller(context.settings, context.store, context.run).tell_decision(record)
    return record


@recorded
def decide(context: StepContext, request: ApprovalRequest, record: DecisionRecord) -> ResultView:
    """End the step: approved, refused, or (under GitLab, or without waiting) asked."""
    context.metrics |= {"plan_sha256": request.plan_sha256, "approved": record.approved}
    if record.approved:
        names = ", ".join(record.approved_by)
        return context.finish(Outcome.PASSED, f"Approved by {names}: plan {request.plan_sha256[:12]}.")
    expired = record.checked_at >= request.expires_at
    if record.rejected or expired:
        return context.finish(Outcome.BLOCKED, f"Not approved: {' '.join(record.reasons)}")
    until = f"{request.expires_at:%Y-%m-%d %H:%M} UTC"
    return context.finish(Outcome.PASSED, f"Approval of plan {request.plan_sha256[:12]} is asked for until {until}.")


def _findings(context: StepContext) -> tuple[Finding, ...]:
    # Those of the team's own steps as well: whoever approves must have seen what they warn of.
    read_plan_result(context.store)
    results = (context.store.read_result(step.name) for step in steps_before(context.store, context.step.name))
    return findings_that_count(result for result in results if result)


def _approvers(context: StepContext) -> str:
    names = context.settings.config.approval_of(context.run.stack).approvers
    if not names:
        raise ConfigError("runbook.yml names no approver", "Add logins to approval.approvers.")
    return ", ".join(names)


def _standing_request(context: StepContext) -> ApprovalRequest | None:
    if not context.store.exists(request_file(context.store)):
        return None
    request = read_request(context.store)
    summary = read_summary(context.store)
    if request.plan_sha256 != summary.plan_sha256:
        return None
    try:
        request = as_gitlab_says(context.settings, context.run, request)
    except ApprovalError:
        return None  # GitLab never heard of it, whoever wrote it there.
    return request if clock_of(context.settings, context.clock()) < request.expires_at else None


def _make_request(context: StepContext, findings: tuple[Finding, ...]) -> ApprovalRequest:
    authors, unknown = who_wrote(context.settings, context.run)
    facts = RequestFacts(
        run=context.run,
        summary=read_summary(context.store),
        exposure=read_exposure(context.store),
        policy_sha256=policy_files(context).digest,
        findings=findings,
        url=_job_url(context, context.settings.config.approval.job),
        reject_url=_reject_url(context),
        authors=authors,
        unknown_authors=unknown,
    )
    return make_request(facts, context.settings.config.approval_of(context.run.stack), context.clock())


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
