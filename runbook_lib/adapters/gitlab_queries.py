"""What GitLab is asked in GraphQL, as REST does not tell it."""

from __future__ import annotations

__all__ = ["JOB_PLAYED", "STATE_LOCK"]

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
