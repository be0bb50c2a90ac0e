"""Pipelines: create, list, get, their jobs, cancel and retry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from .auth import Caller, Data, Developer, Reporter
from .data import GitLabData, Job, Pipeline
from .errors import ApiError
from .flow import cancel_job, create_pipeline, pipeline_status, retry_job
from .http import base_url, body_of, page_of, required
from .views import bridge_view, brief_view, job_view, pipeline_view, when

__all__ = ["find_pipeline", "in_scope", "router"]

router = APIRouter(prefix="/api/v4/projects/{project_id}")
_ACTIVE = frozenset({"waiting_for_resource", "preparing", "waiting_for_callback", "pending", "running", "canceling"})
_STATUSES = _ACTIVE | {"created", "success", "failed", "canceled", "skipped", "manual", "scheduled"}
_FINISHED = frozenset({"success", "failed", "canceled"})
_ORDERS = frozenset({"id", "status", "ref", "updated_at", "user_id"})


def find_pipeline(data: GitLabData, pipeline_id: int) -> Pipeline:
    """The pipeline of that id."""
    pipeline = data.pipelines.get(pipeline_id)
    if pipeline is None:
        raise ApiError.not_found()
    return pipeline


def in_scope(request: Request, jobs: list[Job]) -> list[Job]:
    """The jobs whose status `scope` or `scope[]` asks for; all without it."""
    scopes = set(request.query_params.getlist("scope[]") + request.query_params.getlist("scope"))
    if scopes - _STATUSES:
        raise ApiError(400, {"error": "scope does not have a valid value"})
    return [j for j in jobs if not scopes or j.status in scopes]


def variables_of(body: dict[str, Any], field: str) -> dict[str, str]:
    """The variables of a list of `{"key", "value"}`."""
    found = body.get(field) or []
    if not isinstance(found, list) or not all(isinstance(v, dict) and "key" in v and "value" in v for v in found):
        raise ApiError(400, {"error": f"{field} is invalid"})
    return {str(v["key"]): str(v["value"]) for v in found}


@router.post("/pipeline", status_code=201)
async def create(project_id: str, caller: Developer, request: Request, data: Data) -> dict[str, Any]:
    """Start a pipeline on a branch, with variables."""
    body = await body_of(request)
    ref = required(body, "ref")
    if ref not in data.refs:
        raise ApiError(400, {"message": {"base": ["Reference not found"]}})
    pipeline = create_pipeline(data, ref, caller.user, variables_of(body, "variables"))
    return pipeline_view(pipeline, data.config, base_url(request))


@router.get("/pipelines")
async def pipelines(project_id: str, _: Reporter, request: Request, data: Data) -> Response:
    """List the pipelines, the newest first, in brief; those of trigger jobs only where `source` asks for them."""
    query = request.query_params
    for name, allowed in (("status", _STATUSES), ("order_by", _ORDERS), ("sort", {"asc", "desc"})):
        if name in query and query[name] not in allowed:
            raise ApiError(400, {"error": f"{name} does not have a valid value"})
    views = [brief_view(p, data.config, base_url(request)) for p in data.pipelines.values() if _wanted(p, query)]
    order = query.get("order_by", "id")
    views.sort(key=lambda view: (view["id"] if order == "user_id" else view[order], view["id"]))
    return page_of(request, views if query.get("sort") == "asc" else views[::-1])


def _wanted(pipeline: Pipeline, query: Mapping[str, str]) -> bool:
    status, when_updated = pipeline_status(pipeline), when(pipeline.updated_at) or ""
    scope = query.get("scope", "")
    asked = {"ref": pipeline.ref, "sha": pipeline.sha, "status": status, "username": pipeline.user.username}
    return (
        all(query.get(name, value) == value for name, value in asked.items())
        and query.get("source", pipeline.source) == pipeline.source
        and ("source" in query or pipeline.source != "parent_pipeline")
        and (scope not in {"running", "pending"} or status == scope)
        and (scope != "finished" or status in _FINISHED)
        and scope != "tags"
        and query.get("updated_after", "") < when_updated
        and when_updated < query.get("updated_before", "9")
    )


@router.get("/pipelines/latest")
async def latest(project_id: str, _: Reporter, request: Request, data: Data) -> dict[str, Any]:
    """Answer the newest pipeline of a ref, the default branch if none is named."""
    ref = request.query_params.get("ref", data.config.project.branch)
    found = [p for p in data.pipelines.values() if p.ref == ref and p.source != "parent_pipeline"]
    if not found:
        raise ApiError.not_found()
    return pipeline_view(max(found, key=lambda p: p.id), data.config, base_url(request))


@router.get("/pipelines/{pipeline_id}")
async def pipeline(project_id: str, pipeline_id: int, _: Reporter, request: Request, data: Data) -> dict[str, Any]:
    """Answer one pipeline."""
    return pipeline_view(find_pipeline(data, pipeline_id), data.config, base_url(request))


@router.get("/pipelines/{pipeline_id}/variables")
async def variables(project_id: str, pipeline_id: int, _: Developer, data: Data) -> Response:
    """List the variables that the pipeline was started with."""
    found = find_pipeline(data, pipeline_id).variables
    return JSONResponse([{"variable_type": "env_var", "key": k, "value": v, "raw": False} for k, v in found.items()])


@router.get("/pipelines/{pipeline_id}/jobs")
async def jobs(project_id: str, pipeline_id: int, _: Reporter, request: Request, data: Data) -> Response:
    """List a pipeline's jobs, newest first; those that a retry replaced only with `include_retried`."""
    found = find_pipeline(data, pipeline_id)
    every = request.query_params.get("include_retried", "").lower() == "true"
    builds = [job for job in (found.jobs if every else found.current) if not job.spec.trigger]
    listed = in_scope(request, sorted(builds, key=lambda job: -job.id))
    commit = data.commits.get(found.sha)
    return page_of(request, [job_view(j, data.config, base_url(request), commit) for j in listed])


@router.get("/pipelines/{pipeline_id}/bridges")
async def bridges(project_id: str, pipeline_id: int, _: Reporter, request: Request, data: Data) -> Response:
    """List a pipeline's trigger jobs, newest first, each with the pipeline that it started."""
    found = find_pipeline(data, pipeline_id)
    listed = in_scope(request, sorted((j for j in found.current if j.spec.trigger), key=lambda job: -job.id))
    commit = data.commits.get(found.sha)
    return page_of(request, [bridge_view(j, data.config, base_url(request), commit) for j in listed])


@router.post("/pipelines/{pipeline_id}/cancel", status_code=201)
async def cancel(project_id: str, pipeline_id: int, _: Developer, request: Request, data: Data) -> dict[str, Any]:
    """Cancel every job that has not ended."""
    found = find_pipeline(data, pipeline_id)
    for job in found.current:
        cancel_job(data, job)
    return pipeline_view(found, data.config, base_url(request))


@router.post("/pipelines/{pipeline_id}/retry", status_code=201)
async def retry(project_id: str, pipeline_id: int, caller: Developer, request: Request, data: Data) -> dict[str, Any]:
    """Run the failed and canceled jobs again."""
    found = find_pipeline(data, pipeline_id)
    _retry_failed(data, found, caller)
    return pipeline_view(found, data.config, base_url(request))


def _retry_failed(data: GitLabData, pipeline: Pipeline, caller: Caller) -> None:
    for job in [j for j in pipeline.current if j.status in {"failed", "canceled"}]:
        retry_job(data, job, caller.user)
