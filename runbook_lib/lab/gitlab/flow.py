"""How a pipeline goes on: which job may start next, and what the pipeline's status is."""

from __future__ import annotations

import secrets

from .config import JobSpec, LabUser
from .data import Deployment, GitLabData, Job, Pipeline
from .errors import ApiError

__all__ = [
    "advance",
    "cancel_job",
    "create_pipeline",
    "finish_job",
    "pipeline_status",
    "play_job",
    "retry_job",
    "start_job",
]

JOB_TOKEN_PREFIX = "glcbt-"  # noqa: S105  # what real job tokens begin with
ENDED = frozenset({"success", "failed", "canceled", "skipped"})
HOLDING = frozenset({"pending", "running"})  # what keeps a resource from others


def create_pipeline(data: GitLabData, ref: str, user: LabUser, variables: dict[str, str]) -> Pipeline:
    """Start a pipeline on the head of a branch."""
    if variables and not data.rules.may_give_variables(user):
        raise ApiError(400, {"message": {"base": ["Insufficient permissions to set pipeline variables"]}})
    now = data.now()
    pipeline = Pipeline(data.new_id(), data.refs[ref], ref, user, now, now, variables=variables)
    data.pipelines[pipeline.id] = pipeline
    commit = data.commits.get(pipeline.sha)
    for spec in (commit and commit.jobs) or data.config.jobs:
        _add_job(data, pipeline, spec, user)
    advance(data, pipeline)
    return pipeline


def _add_job(data: GitLabData, pipeline: Pipeline, spec: JobSpec, user: LabUser) -> Job:
    job = Job(data.new_id(), pipeline, spec, user, data.now())
    pipeline.jobs.append(job)
    data.jobs[job.id] = job
    if spec.environment:
        blocked = data.config.required_approvals > 0
        name = spec.environment.replace("$RUNBOOK_STACK", pipeline.variables.get("RUNBOOK_STACK") or "access")
        deployment = Deployment(data.new_id(), job, name, data.now(), blocked)
        data.deployments[deployment.id] = deployment
    return job


def advance(data: GitLabData, pipeline: Pipeline) -> None:
    """Let the jobs go on whose earlier stages have ended."""
    pipeline.updated_at = data.now()
    stages = list(dict.fromkeys(j.spec.stage for j in pipeline.current))
    failed = False
    for stage in stages:
        jobs = [j for j in pipeline.current if j.spec.stage == stage]
        for job in jobs:
            if job.status == "created":
                _enter(data, job, failed)
        if any(_blocks(j) for j in jobs):
            return
        failed = failed or any(j.status in {"failed", "canceled"} and not j.spec.allow_failure for j in jobs)


def _enter(data: GitLabData, job: Job, failed: bool) -> None:
    runs = failed if job.spec.when == "on_failure" else not failed
    if not runs:
        job.status = "skipped"
    elif job.spec.when == "manual":
        job.status = "manual"
    else:
        _queue(data, job)


def _queue(data: GitLabData, job: Job) -> None:
    """Let a job wait for a runner, or first for its resource."""
    job.status = "waiting_for_resource" if _busy(data, job) else "pending"
    job.queued_at = data.now() if job.status == "pending" else None


def _busy(data: GitLabData, job: Job) -> bool:
    group = job.resource_group
    mates = (other for other in data.jobs.values() if other is not job and other.resource_group == group)
    return bool(group) and any(mate.status in HOLDING for mate in mates)


def _free(data: GitLabData, job: Job) -> None:
    """Give the resource of an ended job to the one that waits longest."""
    waiting = (j for j in data.jobs.values() if j.status == "waiting_for_resource")
    for mate in sorted(waiting, key=lambda j: j.id):
        if mate.resource_group == job.resource_group and not _busy(data, mate):
            _queue(data, mate)
            mate.pipeline.updated_at = data.now()


def _blocks(job: Job) -> bool:
    if job.status == "manual":
        return not job.spec.allow_failure
    return job.status not in ENDED


def pipeline_status(pipeline: Pipeline) -> str:
    """GitLab's one word for all the jobs."""
    jobs = pipeline.current
    seen = {j.status for j in jobs if not (j.spec.allow_failure and j.status in {"manual", "failed"})}
    for status in ("running", "waiting_for_resource", "pending"):
        if status in seen:
            begun = any(j.started_at for j in pipeline.jobs)
            return "running" if begun and status != "waiting_for_resource" else status
    for status in ("manual", "failed", "canceled"):
        if status in seen:
            return status
    return "created" if "created" in seen else "success"


def play_job(data: GitLabData, job: Job, user: LabUser, variables: dict[str, str]) -> Job:
    """Start a manual job: from now on it is the player's job."""
    deployment = next((d for d in data.deployments.values() if d.job is job), None)
    if job.status != "manual" or (deployment is not None and deployment.blocked):
        raise ApiError.bad_request("Unplayable Job")
    if variables and not data.rules.may_give_variables(user):
        raise ApiError.forbidden()
    job.user = user
    job.variables.update(variables)
    _queue(data, job)
    advance(data, job.pipeline)
    return job


def start_job(data: GitLabData, job: Job) -> Job:
    """Do what a runner does when it picks a job up; the job's token works from here until the job ends.

    Of a trigger job it is the job of the pipeline that it starts: that one is answered.
    """
    if job.status != "pending":
        raise ApiError(409, {"message": f"409 Conflict - job is {job.status}, not pending"})
    job.status, job.started_at = "running", data.now()
    started = _start_downstream(data, job) if job.spec.trigger else job
    started.token = JOB_TOKEN_PREFIX + secrets.token_urlsafe(20)
    advance(data, job.pipeline)
    return started


def _start_downstream(data: GitLabData, bridge: Job) -> Job:
    now, up = data.now(), bridge.pipeline
    child = Pipeline(data.new_id(), up.sha, up.ref, bridge.user, now, now, "parent_pipeline", dict(up.variables))
    bridge.downstream = child
    data.pipelines[child.id] = child
    job = _add_job(data, child, JobSpec(bridge.spec.name, "test"), bridge.user)
    job.status, job.queued_at, job.started_at = "running", now, now
    return job


def finish_job(data: GitLabData, job: Job, status: str, failure_reason: str = "") -> Job:
    """End a running job as success, failed or canceled; a trigger job ends as its pipeline does."""
    for child in job.downstream.jobs if job.downstream else ():
        child.status, child.finished_at = status, data.now()
        child.failure_reason = (failure_reason or "script_failure") if status == "failed" else ""
    job.status, job.finished_at = status, data.now()
    job.failure_reason = (failure_reason or "script_failure") if status == "failed" else ""
    if job.resource_group:
        _free(data, job)
    advance(data, job.pipeline)
    return job


def cancel_job(data: GitLabData, job: Job) -> Job:
    """Cancel a job that has not ended; an ended one stays as it is."""
    if job.status not in ENDED:
        finish_job(data, job, "canceled")
    return job


def retry_job(data: GitLabData, job: Job, user: LabUser) -> Job:
    """Replace an ended job by a new one of the same name, of who retried it; so is what was skipped and waits again."""
    if job.status not in {"success", "failed", "canceled"} or job.retried:
        raise ApiError(403, {"message": "403 Forbidden - Job is not retryable"})
    job.retried = True
    again = _add_job(data, job.pipeline, job.spec, user)
    job.pipeline.jobs.remove(again)
    job.pipeline.jobs.insert(job.pipeline.jobs.index(job) + 1, again)
    # The variables of the first play stay with the job.
    again.variables = dict(job.variables)
    _queue(data, again)
    for later in job.pipeline.current:
        if later.status == "skipped":
            later.status, later.user = "created", user
    advance(data, job.pipeline)
    return again
