"""The Terraform HTTP backend with locking, as GitLab manages states."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from .auth import Caller, Data, StateReader, StateWriter
from .data import GitLabData, State
from .errors import ApiError
from .views import when

__all__ = ["router"]

router = APIRouter(prefix="/api/v4/projects/{project_id}/terraform/state/{name}")
_LOCK_FIELDS = ("ID", "Operation", "Info", "Who", "Version", "Created", "Path")


def _find(data: GitLabData, name: str) -> State:
    state = _present(data, name)
    if state is None:
        raise ApiError.not_found()
    return state


def _present(data: GitLabData, name: str) -> State | None:
    state = data.states.get(name)
    if state is None or state.deleted_at is None:
        return state
    if (data.now() - state.deleted_at).total_seconds() >= data.config.deleting_seconds:
        del data.states[name]
        return None
    # Until the background job has deleted it, the name is nobody's.
    raise ApiError.unprocessable("Terraform::RemoteStateHandler::StateDeletedError")


def _made(data: GitLabData, name: str) -> State:
    return _present(data, name) or data.states.setdefault(name, State(name))


def _holds_lock(state: State, lock_id: str | None) -> bool:
    return (state.lock["ID"] if state.lock else None) == lock_id


@router.get("")
async def read(name: str, _: StateReader, data: Data) -> Response:
    """Answer the latest version; 204 if the state has none, as after a lock alone."""
    state = _find(data, name)
    if state.latest is None:
        return Response(status_code=204)
    return Response(state.versions[state.latest], media_type="application/octet-stream")


@router.post("")
async def write(name: str, request: Request, _: StateWriter, data: Data) -> Response:
    """Add a version. `ID` is sent here alone, and must be the lock's."""
    body = await request.body()
    if not body:
        return Response(status_code=204)
    if len(body) > data.config.max_state_bytes:
        raise ApiError(413, {"message": "413 Request Entity Too Large"})
    serial = _serial(body)
    state = _made(data, name)
    if not _holds_lock(state, request.query_params.get("ID")):
        status = data.config.locked_status
        raise ApiError(status, {"message": f"{status} {'Conflict' if status == 409 else 'Internal Server Error'}"})
    if serial in state.versions:
        raise ApiError.unprocessable("Validation failed: Version has already been taken")
    state.versions[serial] = body
    state.latest = max(state.versions)
    return Response(status_code=200)


def _serial(body: bytes) -> int:
    try:
        document: Any = json.loads(body)
    except ValueError as error:
        raise ApiError.unprocessable("invalid JSON") from error
    serial = document.get("serial") if isinstance(document, dict) else None
    if not isinstance(serial, int) or isinstance(serial, bool):
        raise ApiError.unprocessable("No serial in payload")
    return serial


@router.delete("")
async def delete(name: str, _: StateWriter, data: Data) -> Response:
    """Delete the state with all its versions, a little later; one that is locked stays, and nobody is told so."""
    state = _find(data, name)
    if state.lock is None:
        state.deleted_at = data.now()
    return Response(status_code=200)


@router.post("/lock")
async def lock(name: str, request: Request, caller: StateWriter, data: Data) -> Response:
    """Take the lock, or answer 409 and say who holds it."""
    info = await _lock_info(request, caller)
    state = _made(data, name)
    if state.lock is not None:
        # GitLab keeps who, when and which; the rest of what it answers is the asker's own.
        holder = {key: state.lock[key] for key in ("ID", "Who", "Created")}
        return JSONResponse(info | holder, 409)
    state.lock = info | {"Created": when(data.now()) or ""}
    return JSONResponse(state.lock)


async def _lock_info(request: Request, caller: Caller) -> dict[str, str]:
    try:
        body: Any = json.loads(await request.body())
    except ValueError as error:
        raise ApiError.bad_request("invalid JSON") from error
    for key in _LOCK_FIELDS:
        if not isinstance(body, dict) or key not in body:
            raise ApiError.missing(key)
    return {key: str(body[key]) for key in _LOCK_FIELDS} | {"Who": caller.user.username}


@router.delete("/lock")
async def unlock(name: str, request: Request, _: StateWriter, data: Data) -> Response:
    """Give the lock back; without an ID it is taken away by force. Terraform accepts 200 and nothing else."""
    lock_id = request.query_params.get("ID") or _body_id(await request.body())
    state = _made(data, name)
    if lock_id is not None and not _holds_lock(state, lock_id):
        raise ApiError(409, {"message": "409 Conflict"})
    state.lock = None
    return Response(status_code=200)


def _body_id(body: bytes) -> str | None:
    try:
        document: Any = json.loads(body or b"{}")
    except ValueError:
        return None
    return document.get("ID") or None if isinstance(document, dict) else None


@router.get("/versions/{serial}")
async def read_version(name: str, serial: int, _: StateReader, data: Data) -> Response:
    """Answer one version."""
    state = _find(data, name)
    if serial not in state.versions:
        raise ApiError.not_found()
    return Response(state.versions[serial], media_type="application/octet-stream")


@router.delete("/versions/{serial}")
async def delete_version(name: str, serial: int, _: StateWriter, data: Data) -> Response:
    """Delete one version; the newest that is left becomes the latest."""
    state = _find(data, name)
    if state.versions.pop(serial, None) is None:
        raise ApiError.not_found()
    state.latest = max(state.versions, default=None)
    return Response(status_code=204)
