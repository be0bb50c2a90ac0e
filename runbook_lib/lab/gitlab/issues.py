"""Issues, as much of them as whoever keeps one open needs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from .auth import Data, Reporter
from .config import DEVELOPER, REPORTER, LabUser
from .data import GitLabData, Issue, Note
from .errors import ApiError
from .http import base_url, body_of, page_of, required
from .views import note_view, user_view, when

__all__ = ["router"]

router = APIRouter(prefix="/api/v4/projects/{project_id}/issues")


def _find(data: GitLabData, iid: int, user: LabUser) -> Issue:
    found = data.issues.get(iid)
    if found is None or not _may_see(found, user):
        raise ApiError.not_found("Issue")
    return found


def _may_see(found: Issue, user: LabUser) -> bool:
    return not found.confidential or user == found.author or user.access_level >= REPORTER


def _labels(text: object) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in str(text or "").split(","))))


def _view(found: Issue, base: str) -> dict[str, Any]:
    return {
        "id": 1000 + found.iid,
        "iid": found.iid,
        "project_id": 42,
        "title": found.title,
        "description": found.description,
        "state": "closed" if found.closed_at else "opened",
        "created_at": when(found.created_at),
        "updated_at": when(found.updated_at),
        "closed_at": when(found.closed_at),
        "labels": list(found.labels),
        "author": user_view(found.author, base),
        "confidential": found.confidential,
        "user_notes_count": len(found.notes),
        "web_url": f"{base}/-/issues/{found.iid}",
    }


@router.get("")
async def issues(project_id: str, caller: Reporter, request: Request, data: Data) -> Response:
    """List issues by state and labels, the newest first unless it is asked otherwise."""
    query = request.query_params
    wanted = set(_labels(query.get("labels")))
    found = [issue for issue in data.issues.values() if wanted <= set(issue.labels) and _may_see(issue, caller.user)]
    if query.get("state") in {"opened", "closed"}:
        found = [issue for issue in found if bool(issue.closed_at) == (query["state"] == "closed")]
    found.sort(key=lambda issue: issue.iid, reverse=query.get("sort") != "asc")
    return page_of(request, [_view(issue, base_url(request)) for issue in found])


@router.post("", status_code=201)
async def open_issue(project_id: str, caller: Reporter, request: Request, data: Data) -> dict[str, Any]:
    """Open an issue."""
    body, now = await body_of(request), data.now()
    found = Issue(
        iid=len(data.issues) + 1,
        author=caller.user,
        title=required(body, "title"),
        description=str(body.get("description") or ""),
        labels=_labels(body.get("labels")),
        confidential=str(body.get("confidential", False)).lower() == "true",
        created_at=now,
        updated_at=now,
    )
    data.issues[found.iid] = found
    return _view(found, base_url(request))


@router.put("/{iid}")
async def edit(project_id: str, iid: int, caller: Reporter, request: Request, data: Data) -> dict[str, Any]:
    """Say something else, or close it: who opened it may, and a Developer."""
    found, body = _find(data, iid, caller.user), await body_of(request)
    if caller.user != found.author and caller.user.access_level < DEVELOPER:
        raise ApiError.forbidden()
    found.title, found.description = body.get("title", found.title), body.get("description", found.description)
    found.updated_at = data.now()
    if body.get("state_event") in {"close", "reopen"}:
        found.closed_at = data.now() if body["state_event"] == "close" else None
    return _view(found, base_url(request))


@router.get("/{iid}/notes")
async def notes(project_id: str, iid: int, caller: Reporter, request: Request, data: Data) -> Response:
    """List what was said, the newest first unless it is asked otherwise."""
    found, base = _find(data, iid, caller.user), base_url(request)
    ordered = sorted(found.notes, key=lambda note: note.id, reverse=request.query_params.get("sort") != "asc")
    return page_of(
        request, [{**note_view(note, base), "noteable_type": "Issue", "noteable_iid": iid} for note in ordered]
    )


@router.post("/{iid}/notes", status_code=201)
async def comment(project_id: str, iid: int, caller: Reporter, request: Request, data: Data) -> dict[str, Any]:
    """Comment on an issue."""
    found, body, now = _find(data, iid, caller.user), required(await body_of(request), "body"), data.now()
    note = Note(data.new_id(), caller.user, body, now, now)
    found.notes.append(note)
    return {**note_view(note, base_url(request)), "noteable_type": "Issue", "noteable_iid": iid}
