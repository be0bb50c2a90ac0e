"""Jobs: get, play, cancel, retry, and the job that a job token belongs to."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from .auth import Data, Developer, Reporter, is_known, job_of_token
from .data import GitLabData, Job
from .errors import ApiError
from .flow import cancel_job, play_job, retry_job
from .http import base_url, body_of, page_of
from .pipelines import in_scope, variables_of
from .views import job_view, zipped

__all__ = ["find_job", "router"]

router = APIRouter(prefix="/api/v4")


def find_job(data: GitLabData, job_id: int) -> Job:
    """The job of that id, or the trigger job, which can be played and retried."""
    job = data.jobs.get(job_id)
    if job is None:
        raise ApiError.not_found()
    return job


def find_build(data: GitLabData, job_id: int) -> Job:
    """The job of that id; a trigger job is none."""
    job = find_job(data, job_id)
    if job.spec.trigger:
        raise ApiError.not_found()
    return job


def _view(request: Request, data: GitLabData, job: Job) -> dict[str, Any]:
    return job_view(job, data.config, base_url(request), data.commits.get(job.pipeline.sha))


@router.get("/job")
async def job_of_this_token(request: Request, data: Data) -> dict[str, Any]:
    """Answer the running job whose token this is; its `user` is who started it."""
    token = request.headers.get("job-token") or request.query_params.get("job_token", "")
    job = job_of_token(data, token)
    if job is None:
        # A person's token is taken, and belongs to no job; a finished job's is not even taken.
        raise ApiError.unauthorized() if token or not is_known(request) else ApiError.not_found("Job")
    return _view(request, data, job)


@router.get("/projects/{project_id}/jobs")
async def jobs(project_id: str, _: Reporter, request: Request, data: Data) -> Response:
    """List the project's jobs, newest first."""
    builds = (job for job in data.jobs.values() if not job.spec.trigger)
    found = in_scope(request, sorted(builds, key=lambda j: -j.id))
    return page_of(request, [_view(request, data, j) for j in found])


@router.get("/projects/{project_id}/jobs/{job_id}")
async def job(project_id: str, job_id: int, _: Reporter, request: Request, data: Data) -> dict[str, Any]:
    """Answer one job."""
    return _view(request, data, find_build(data, job_id))


@router.get("/projects/{project_id}/jobs/{job_id}/artifacts")
async def archive(project_id: str, job_id: int, _: Reporter, data: Data) -> Response:
    """All that a job uploaded, as a zip; 404 if it uploaded nothing."""
    files = find_build(data, job_id).artifacts
    if not files:
        raise ApiError.not_found()
    return Response(zipped(files), media_type="application/zip")


@router.get("/projects/{project_id}/jobs/{job_id}/artifacts/{path:path}")
async def artifact(project_id: str, job_id: int, path: str, _: Reporter, data: Data) -> Response:
    """One file of what a job uploaded; 404 if it uploaded no such file."""
    text = find_build(data, job_id).artifacts.get(path)
    if text is None:
        raise ApiError.not_found()
    return Response(text, media_type="application/octet-stream")


@router.get("/projects/{project_id}/jobs/{job_id}/trace")
async def trace(project_id: str, job_id: int, _: Reporter, data: Data) -> Response:
    """What a job wrote, as text; empty as long as it wrote nothing."""
    return Response(find_build(data, job_id).log, media_type="text/plain")


@router.post("/projects/{project_id}/jobs/{job_id}/play")
async def play(project_id: str, job_id: int, caller: Developer, request: Request, data: Data) -> dict[str, Any]:
    """Start a manual job, with variables of the player's; 400 if it can't be played (again)."""
    found, body = find_job(data, job_id), await body_of(request)
    return _view(request, data, play_job(data, found, caller.user, variables_of(body, "job_variables_attributes")))


@router.post("/projects/{project_id}/jobs/{job_id}/cancel", status_code=201)
async def cancel(project_id: str, job_id: int, _: Developer, request: Request, data: Data) -> dict[str, Any]:
    """Cancel a job."""
    return _view(request, data, cancel_job(data, find_build(data, job_id)))


@router.post("/projects/{project_id}/jobs/{job_id}/retry", status_code=201)
async def retry(project_id: str, job_id: int, caller: Developer, request: Request, data: Data) -> dict[str, Any]:
    """Run an ended job again, as a new job of the caller's."""
    return _view(request, data, retry_job(data, find_job(data, job_id), caller.user))
