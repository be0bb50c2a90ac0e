"""What is said of a merge request on its page."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from .auth import Data, Reporter
from .config import MAINTAINER
from .data import GitLabData, MergeRequest, Note
from .errors import ApiError
from .http import base_url, body_of, page_of, required
from .views import note_view

__all__ = ["router"]

router = APIRouter(prefix="/api/v4/projects/{project_id}/merge_requests/{iid}/notes")


def _find(data: GitLabData, iid: int) -> MergeRequest:
    found = data.merge_requests.get(iid)
    if found is None:
        raise ApiError.not_found()
    return found


def _view(note: Note, iid: int, base: str) -> dict[str, Any]:
    return {**note_view(note, base), "noteable_type": "MergeRequest", "noteable_iid": iid}


@router.get("")
async def notes(project_id: str, iid: int, _: Reporter, request: Request, data: Data) -> Response:
    """List the notes, the newest first unless it is asked otherwise."""
    found = sorted(_find(data, iid).notes, key=lambda note: note.id, reverse=request.query_params.get("sort") != "asc")
    return page_of(request, [_view(note, iid, base_url(request)) for note in found])


@router.post("", status_code=201)
async def write(project_id: str, iid: int, caller: Reporter, request: Request, data: Data) -> dict[str, Any]:
    """Say something."""
    found, body, now = _find(data, iid), required(await body_of(request), "body"), data.now()
    note = Note(data.new_id(), caller.user, body, now, now)
    found.notes.append(note)
    return _view(note, iid, base_url(request))


@router.put("/{note_id}")
async def edit(  # noqa: PLR0913, PLR0917  FastAPI hands over each part of a request
    project_id: str, iid: int, note_id: int, caller: Reporter, request: Request, data: Data
) -> dict[str, Any]:
    """Say something else instead: who wrote it may, and a Maintainer."""
    note = next((note for note in _find(data, iid).notes if note.id == note_id), None)
    if note is None:
        raise ApiError.not_found()
    if caller.user != note.author and caller.user.access_level < MAINTAINER:
        raise ApiError.forbidden()
    note.body, note.updated_at = required(await body_of(request), "body"), data.now()
    return _view(note, iid, base_url(request))
