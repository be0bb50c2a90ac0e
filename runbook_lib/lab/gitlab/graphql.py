"""The one GraphQL query that REST can't answer: who holds a state's lock, and since when."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from .auth import Data, Known
from .data import GitLabData, State
from .http import body_of

__all__ = ["router"]

router = APIRouter()


def _state(state: State) -> dict[str, Any]:
    lock = state.lock
    return {
        "name": state.name,
        "lockedAt": lock["Created"] if lock else None,
        "lockedByUser": {"username": lock["Who"]} if lock else None,
        "latestVersion": {"serial": state.latest} if state.latest is not None else None,
    }


def _project(data: GitLabData, variables: dict[str, Any]) -> dict[str, Any] | None:
    if variables.get("project") != data.world.project.path:
        return None
    state = data.states.get(str(variables.get("name")))
    return {"terraformState": _state(state) if state else None}


@router.post("/api/graphql")
async def graphql(caller: Known, request: Request, data: Data) -> dict[str, Any]:
    """Answer `project(fullPath: $project) { terraformState(name: $name) { … } }`, all fields at once."""
    body = await body_of(request)
    if "terraformState" not in str(body.get("query")):
        return {"errors": [{"message": "The lab's GitLab knows the field terraformState only"}]}
    variables = body.get("variables")
    visible = caller.user.access_level and isinstance(variables, dict)
    return {"data": {"project": _project(data, variables) if visible and isinstance(variables, dict) else None}}
