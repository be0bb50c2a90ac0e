"""What GitLab is asked in GraphQL, as REST does not tell it, and how its answers are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .gitlab_data import StateLock, time_of

__all__ = ["JOB_PLAYED", "STATE_LOCK", "parse_job_variables", "parse_manual_job", "parse_state_lock"]

STATE_LOCK = """
query($project: ID!, $name: String!) {
  project(fullPath: $project) {
    terraformState(name: $name) { lockedAt lockedByUser { username } }
  }
}
"""
JOB_PLAYED = """
query($project: ID!, $job: JobID!) {
  project(fullPath: $project) {
    job(id: $job) { manualJob manualVariables { nodes { key value } } }
  }
}
"""


def parse_state_lock(answer: Mapping[str, Any]) -> StateLock | None:
    """The lock; None if the state is not locked, or is not there."""
    found = _project(answer).get("terraformState") or {}
    if not found.get("lockedAt"):
        return None
    user = (found.get("lockedByUser") or {}).get("username")
    return StateLock(str(user or "a user who is gone"), time_of(found["lockedAt"]))


def parse_job_variables(answer: Mapping[str, Any]) -> dict[str, str] | None:
    """The variables that a job's player gave it; None if they are not for this token to see."""
    told = (_project(answer).get("job") or {}).get("manualVariables")
    return {str(node["key"]): str(node["value"]) for node in told["nodes"]} if told else None


def parse_manual_job(answer: Mapping[str, Any]) -> bool | None:
    """Whether a job is one that somebody plays; None if that is not for this token to see."""
    job = _project(answer).get("job")
    return bool(job.get("manualJob")) if job else None


def _project(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    if answer.get("errors"):
        raise ValueError(str(answer["errors"]))
    found = (answer["data"] or {}).get("project")
    return found if isinstance(found, dict) else {}
