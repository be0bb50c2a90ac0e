"""Users and members."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from .auth import Data, Known, Reporter
from .config import LabUser
from .errors import ApiError
from .http import base_url, page_of
from .views import user_view

__all__ = ["router"]

router = APIRouter(prefix="/api/v4")


@router.get("/user")
async def current_user(caller: Known, request: Request, data: Data) -> dict[str, Any]:
    """Say whose token this is."""
    public = data.public_emails[caller.user.username] or None
    own = {"email": caller.user.email, "public_email": public, "commit_email": caller.user.email}
    return user_view(caller.user, base_url(request)) | own


@router.get("/personal_access_tokens/self")
async def current_token(caller: Known) -> dict[str, Any]:
    """Say what the token may do."""
    user = caller.user
    return {"id": user.id, "name": "lab", "user_id": user.id, "scopes": list(user.scopes), "active": True}


@router.get("/users")
async def users(_: Known, request: Request, data: Data) -> Response:
    """List users, the newest first: by `username` exactly, by `search` in name and login or for a public address."""
    name, search = request.query_params.get("username", "").lower(), request.query_params.get("search", "").lower()
    found = [u for u in data.config.users if not name or u.username == name]
    public = data.public_emails
    found = [u for u in found if search in u.username or search in u.name.lower() or search == public[u.username]]
    return page_of(request, [user_view(u, base_url(request)) for u in sorted(found, key=lambda u: -u.id)])


@router.get("/users/{user_id}")
async def user(user_id: int, _: Known, request: Request, data: Data) -> dict[str, Any]:
    """Answer a user, with the address that he lets others see."""
    found = next((u for u in data.config.users if u.id == user_id), None)
    if found is None:
        raise ApiError.not_found("User")
    return user_view(found, base_url(request)) | {"public_email": data.public_emails[found.username] or None}


def _member(user: LabUser, base: str) -> dict[str, Any]:
    return user_view(user, base) | {"access_level": user.access_level, "expires_at": None, "membership_state": "active"}


@router.get("/projects/{project_id}/members")
@router.get("/projects/{project_id}/members/all")
async def members(project_id: str, _: Reporter, request: Request, data: Data) -> Response:
    """List the members with their roles, by `query` those whose name or login holds it."""
    asked = request.query_params.get("query", "").lower()
    found = [u for u in data.config.users if u.access_level and (asked in u.username or asked in u.name.lower())]
    return page_of(request, [_member(u, base_url(request)) for u in found])
