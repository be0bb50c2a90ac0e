"""What REST does not tell, asked by GraphQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .gitlab_data import StateLock, parse_time

__all__ = ["JOB_VARIABLES", "STATE_LOCK", "parse_job_variables", "parse_state_lock"]

STATE_LOCK = """
query($project: ID!, $name: String!) {
  project(fullPath: $project) {
    terraformState(name: $name) { lockedAt lockedByUser { username } }
  }
}
"""
JOB_VARIABLES = """
query($project: ID!, $job: JobID!) {
  project(fullPath: $project) {
    job(id: $job) { manualVariables { nodes { key value } } }
  }
}
"""


def _project(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    if answer.get("errors"):
        raise ValueError(str(answer["errors"]))
    found = (answer["data"] or {}).get("project")
    return found if isinstance(found, dict) else {}


def parse_state_lock(state: str, answer: Mapping[str, Any]) -> StateLock | None:
    """The lock; None if the state is not locked, or is not there."""
    found = _project(answer).get("terraformState") or {}
    if not found.get("lockedAt"):
        return None
    user = (found.get("lockedByUser") or {}).get("username")
    return StateLock(state, str(user or "a user who is gone"), parse_time(found["lockedAt"]))


def parse_job_variables(answer: Mapping[str, Any]) -> dict[str, str] | None:
    """The variables that a job's player gave it; None if they are not for this token to see."""
    told = (_project(answer).get("job") or {}).get("manualVariables")
    return {str(node["key"]): str(node["value"]) for node in told["nodes"]} if told else None
