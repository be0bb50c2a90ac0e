"""The GraphQL queries that REST can't answer: who holds a state's lock, and what a job's player told it."""

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


def _job(data: GitLabData, gid: str) -> dict[str, Any] | None:
    number = gid.removeprefix("gid://gitlab/Ci::Build/")
    job = data.jobs.get(int(number)) if number.isdigit() else None
    if job is None:
        return None
    told = [{"key": key, "value": value} for key, value in job.variables.items()]
    manual = job.spec.when == "manual"
    return {"manualJob": manual, "manualVariables": {"nodes": told if manual else []}}


def _project(data: GitLabData, query: str, variables: dict[str, Any]) -> dict[str, Any] | None:
    if variables.get("project") != data.config.project.path:
        return None
    if "terraformState" in query:
        state = data.states.get(str(variables.get("name")))
        return {"terraformState": _state(state) if state else None}
    return {"job": _job(data, str(variables.get("job")))}


@router.post("/api/graphql")
async def graphql(caller: Known, request: Request, data: Data) -> dict[str, Any]:
    """Answer `terraformState(name: $name)` or `job(id: $job)` of `project(fullPath: $project)`, all fields at once."""
    body = await body_of(request)
    query, variables = str(body.get("query")), body.get("variables")
    if not ("terraformState" in query or "manualVariables" in query) or not isinstance(variables, dict):
        return {"errors": [{"message": "The lab's GitLab knows terraformState and manualVariables only"}]}
    return {"data": {"project": _project(data, query, variables) if caller.user.access_level else None}}
