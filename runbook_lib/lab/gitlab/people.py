"""Users, members, the project and its commits."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from .auth import Data, Known, Reporter
from .config import LabUser
from .errors import ApiError
from .http import base_url, page_of
from .views import commit_view, project_view, user_view

__all__ = ["router"]

router = APIRouter(prefix="/api/v4")


@router.get("/user")
async def current_user(caller: Known, request: Request) -> dict[str, Any]:
    """Say whose token this is."""
    own = {"email": caller.user.email, "public_email": caller.user.email, "commit_email": caller.user.email}
    return user_view(caller.user, base_url(request)) | own


@router.get("/personal_access_tokens/self")
async def current_token(caller: Known) -> dict[str, Any]:
    """Say what the token may do."""
    user = caller.user
    return {"id": user.id, "name": "lab", "user_id": user.id, "scopes": list(user.scopes), "active": True}


@router.get("/users")
async def users(_: Known, request: Request, data: Data) -> Response:
    """List users, by `username` exactly or by `search` in name, login and address."""
    name, search = request.query_params.get("username", "").lower(), request.query_params.get("search", "").lower()
    found = [u for u in data.config.users if not name or u.username == name]
    found = [u for u in found if search in u.username or search in u.name.lower() or search == u.email]
    return page_of(request, [user_view(u, base_url(request)) for u in found])


@router.get("/projects/{project_id}")
async def project(project_id: str, _: Reporter, request: Request, data: Data) -> dict[str, Any]:
    """Answer the project."""
    return project_view(data.config, base_url(request))


def _member(user: LabUser, base: str) -> dict[str, Any]:
    return user_view(user, base) | {"access_level": user.access_level, "expires_at": None, "membership_state": "active"}


@router.get("/projects/{project_id}/members")
@router.get("/projects/{project_id}/members/all")
async def members(project_id: str, _: Reporter, request: Request, data: Data) -> Response:
    """List the members with their roles."""
    found = [u for u in data.config.users if u.access_level]
    return page_of(request, [_member(u, base_url(request)) for u in found])


@router.get("/projects/{project_id}/repository/commits/{sha}")
async def commit(project_id: str, sha: str, _: Reporter, data: Data) -> dict[str, Any]:
    """Answer a commit, by its full or short id or by a branch."""
    known = data.commits.get(data.refs.get(sha, sha))
    known = known or next((c for c in data.commits.values() if len(sha) >= 7 and c.sha.startswith(sha)), None)
    if known is None:
        raise ApiError.not_found("Commit")
    return commit_view(known)
