"""Merge requests, as much of them as their approvals need."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from .auth import Caller, Data, Developer, Reporter
from .data import Approval, GitLabData, MergeRequest, Version
from .errors import ApiError
from .http import base_url, body_of, page_of
from .views import user_view, when

__all__ = ["router"]

router = APIRouter(prefix="/api/v4/projects/{project_id}")


def _find(data: GitLabData, iid: int) -> MergeRequest:
    found = data.merge_requests.get(iid)
    if found is None:
        raise ApiError.not_found()
    return found


def _view(found: MergeRequest, base: str) -> dict[str, Any]:
    merger = user_view(found.merged_by, base) if found.merged_by else None
    return {
        "id": 1000 + found.iid,
        "iid": found.iid,
        "project_id": 42,
        "title": found.title,
        "description": found.description,
        "sha": found.sha,
        "target_branch": found.target,
        "state": "merged" if found.merged_at else "opened",
        "author": user_view(found.author, base),
        "merged_by": merger,
        "merge_user": merger,
        "merged_at": when(found.merged_at),
        "merge_commit_sha": found.merge_commit_sha or None,
        "squash_commit_sha": found.squash_commit_sha or None,
        "created_at": when(found.created_at),
        "web_url": f"{base}/-/merge_requests/{found.iid}",
    }


def _approvals(found: MergeRequest, caller: Caller, base: str) -> dict[str, Any]:
    mine = any(a.user == caller.user for a in found.approvals)
    return {
        "approved": bool(found.approvals),
        "user_has_approved": mine,
        "user_can_approve": not mine and caller.user != found.author and found.merged_at is None,
        "approved_by": [{"user": user_view(a.user, base), "approved_at": when(a.created_at)} for a in found.approvals],
    }


@router.get("/repository/commits/{sha}/merge_requests")
async def of_commit(project_id: str, sha: str, _: Reporter, request: Request, data: Data) -> Response:
    """List the merge requests that brought a commit, the commits of merging included, the newest first."""
    brought = ((m, {m.sha, m.merge_commit_sha, m.squash_commit_sha}) for m in data.merge_requests.values())
    found = sorted((m for m, commits in brought if sha in commits), key=lambda m: -m.iid)
    return page_of(request, [_view(m, base_url(request)) for m in found])


@router.post("/merge_requests", status_code=201)
async def propose(project_id: str, caller: Developer, request: Request, data: Data) -> dict[str, Any]:
    """Open a merge request of a pushed branch; 400 for a branch that is not there, 409 where it has an open one."""
    body = await body_of(request)
    source, target = str(body.get("source_branch") or ""), str(body.get("target_branch") or "")
    missing = [name for name, ref in (("source_branch", source), ("target_branch", target)) if ref not in data.refs]
    if missing or not body.get("title"):
        raise ApiError(400, {"message": {name: ["does not exist"] for name in missing or ["title"]}})
    open_ones = (m for m in data.merge_requests.values() if m.source == source and not m.merged_at)
    if other := next(open_ones, None):
        said = f"Another open merge request already exists for this source branch: !{other.iid}"
        raise ApiError(409, {"message": [said]})
    iid, sha = len(data.merge_requests) + 1, data.refs[source]
    made = MergeRequest(iid, sha, caller.user, str(body["title"]), data.now(), target=target, source=source)
    made.description = str(body.get("description") or "")
    made.versions.append(Version(sha, data.now(), sha))
    data.merge_requests[iid] = made
    return _view(made, base_url(request))


@router.get("/merge_requests/{iid}")
async def merge_request(project_id: str, iid: int, _: Reporter, request: Request, data: Data) -> dict[str, Any]:
    """Answer one merge request."""
    return _view(_find(data, iid), base_url(request))


@router.get("/merge_requests/{iid}/versions")
async def versions(project_id: str, iid: int, _: Reporter, request: Request, data: Data) -> Response:
    """List what each push left, the newest first."""
    found = _find(data, iid)
    listed = [
        {
            "id": number,
            "head_commit_sha": version.sha,
            "created_at": when(version.created_at),
            "merge_request_id": 1000 + iid,
            "state": "collected",
            "patch_id_sha": version.patch_id or None,
        }
        for number, version in enumerate(found.versions, start=1)
    ]
    return page_of(request, listed[::-1])


@router.get("/merge_requests/{iid}/approvals")
async def approvals(project_id: str, iid: int, caller: Reporter, request: Request, data: Data) -> dict[str, Any]:
    """Say who approved, and when."""
    return _approvals(_find(data, iid), caller, base_url(request))


@router.post("/merge_requests/{iid}/approve")
async def approve(project_id: str, iid: int, caller: Developer, request: Request, data: Data) -> Response:
    """Approve; 401 for the author, a second time or after the merge, 409 if `sha` is not the head any more."""
    found, body = _find(data, iid), await body_of(request)
    if body.get("sha") not in {None, "", found.sha}:
        raise ApiError(409, {"message": f"SHA does not match HEAD of source branch: {found.sha}"})
    if found.merged_at or caller.user == found.author or any(a.user == caller.user for a in found.approvals):
        raise ApiError.unauthorized()
    found.approvals.append(Approval(caller.user, "approved", data.now()))
    return JSONResponse(_approvals(found, caller, base_url(request)), 201)


@router.post("/merge_requests/{iid}/unapprove")
async def unapprove(project_id: str, iid: int, caller: Developer, request: Request, data: Data) -> Response:
    """Take one's approval back; 404 where there is none."""
    found = _find(data, iid)
    if not any(a.user == caller.user for a in found.approvals):
        raise ApiError.not_found()
    found.approvals = [a for a in found.approvals if a.user != caller.user]
    return JSONResponse(_approvals(found, caller, base_url(request)), 201)
