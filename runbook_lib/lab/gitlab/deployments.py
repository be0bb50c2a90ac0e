"""Deployments and their approvals, which exist where environments are protected: a Premium feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from .auth import Data, JobReader, Reporter
from .config import LabUser
from .data import Approval, Deployment, GitLabData
from .errors import ApiError
from .flow import finish_job
from .http import base_url, body_of, page_of, required
from .views import approval_view, deployment_view

__all__ = ["router"]

router = APIRouter(prefix="/api/v4/projects/{project_id}/deployments")
_ORDERS = frozenset({"id", "iid", "created_at", "updated_at", "finished_at", "ref"})
_STATUSES = frozenset({"created", "running", "success", "failed", "canceled", "skipped", "blocked"})


def _find(data: GitLabData, deployment_id: int) -> Deployment:
    deployment = data.deployments.get(deployment_id)
    if deployment is None:
        raise ApiError.not_found()
    return deployment


@router.get("")
async def deployments(project_id: str, _: JobReader, request: Request, data: Data) -> Response:
    """List the deployments of an environment and status, the oldest first unless `sort` and `order_by` say else."""
    query = request.query_params
    order = query.get("order_by", "id")
    for name, allowed in (("order_by", _ORDERS), ("status", _STATUSES), ("sort", {"asc", "desc"})):
        if name in query and query[name] not in allowed:
            raise ApiError(400, {"error": f"{name} does not have a valid value"})
    _check_pairs(query, order)
    views = [deployment_view(d, data.config, base_url(request)) for d in data.deployments.values()]
    environment, status = query.get("environment"), query.get("status")
    views = [v for v in views if environment in {None, v["environment"]["name"]} and status in {None, v["status"]}]
    for key in ("updated_at", "finished_at"):
        after, before = (query.get(f"{key.removesuffix('_at')}_{side}") for side in ("after", "before"))
        views = [v for v in views if _between(_moment(v, key)[0], after, before)]
    views.sort(key=lambda view: _moment(view, order), reverse=query.get("sort") == "desc")
    return page_of(request, views)


def _check_pairs(query: Mapping[str, str], order: str) -> None:
    # What GitLab would be slow to find it does not look for.
    updated, finished = ({f"{what}_after", f"{what}_before"} & set(query) for what in ("updated", "finished"))
    if updated and finished:
        raise ApiError.bad_request("Both `updated_at` filter and `finished_at` filter can not be specified")
    if bool(finished) != (order == "finished_at"):
        raise ApiError.bad_request("`finished_at` filter and `finished_at` sorting must be paired")
    if finished and query.get("status") != "success":
        raise ApiError.bad_request("`finished_at` filter must be combined with `success` status filter.")


def _between(moment: str, after: str | None, before: str | None) -> bool:
    if after is None and before is None:
        return True
    # As both are times of the same form, or at least of the same zone, their texts are in order.
    return bool(moment) and (after or "") <= moment < (before or "9")


def _moment(view: dict[str, Any], order: str) -> tuple[str, int]:
    value = view["deployable"]["finished_at"] if order == "finished_at" else view[order]
    return ("" if order in {"id", "iid"} else str(value or ""), view["id"])


@router.get("/{deployment_id}")
async def deployment(project_id: str, deployment_id: int, _: JobReader, request: Request, data: Data) -> dict[str, Any]:
    """Answer one deployment."""
    return deployment_view(_find(data, deployment_id), data.config, base_url(request))


@router.post("/{deployment_id}/approval", status_code=201)
async def approve(
    project_id: str, deployment_id: int, caller: Reporter, request: Request, data: Data
) -> dict[str, Any]:
    """Approve or reject. An approval unblocks the job but does not start it; a rejection fails it."""
    found, body = _find(data, deployment_id), await body_of(request)
    status = required(body, "status")
    if status not in {"approved", "rejected"}:
        raise ApiError(400, {"error": "status does not have a valid value"})
    if not data.config.required_approvals:
        raise ApiError.not_found()
    _check(found, caller.user, status)
    approval = _record(data, found, Approval(caller.user, status, data.now(), str(body.get("comment") or "")))
    return approval_view(approval, base_url(request))


def _check(deployment: Deployment, user: LabUser, status: str) -> None:
    if not deployment.blocked or deployment.job.status != "manual":
        raise ApiError(400, {"message": "This deployment is not waiting for approvals."})
    if status == "approved" and user == deployment.job.pipeline.user:
        raise ApiError(400, {"message": "You cannot approve your own deployment."})


def _record(data: GitLabData, deployment: Deployment, approval: Approval) -> Approval:
    deployment.approvals = [a for a in deployment.approvals if a.user != approval.user] + [approval]
    if approval.status == "rejected":
        finish_job(data, deployment.job, "failed", "deployment_rejected")
    approved = sum(a.status == "approved" for a in deployment.approvals)
    deployment.blocked = approved < data.config.required_approvals
    return approval
