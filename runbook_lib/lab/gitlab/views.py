"""What the lab remembers, in the JSON that GitLab's API gives."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .config import GitLabLabConfig, LabUser
from .data import Approval, Commit, Deployment, Job, Note, Pipeline
from .flow import pipeline_status

__all__ = [
    "approval_view",
    "bridge_view",
    "brief_view",
    "commit_view",
    "deployment_view",
    "job_view",
    "note_view",
    "pipeline_view",
    "project_view",
    "user_view",
    "when",
    "zipped",
]


def zipped(files: Mapping[str, str]) -> bytes:
    """What a job uploaded, as GitLab hands it out."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return stream.getvalue()


def when(moment: datetime | None) -> str | None:
    """A time as GitLab writes it, with milliseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z" if moment else None


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


def user_view(user: LabUser, base: str) -> dict[str, Any]:
    """A user as others see him."""
    return {
        "id": user.id,
        "username": user.username,
        "name": user.name,
        "state": "active",
        "locked": False,
        "avatar_url": None,
        "web_url": f"{base}/{user.username}",
        "bot": user.username.endswith("_bot"),
    }


def commit_view(commit: Commit) -> dict[str, Any]:
    """A commit."""
    return {
        "id": commit.sha,
        "short_id": commit.sha[:8],
        "title": commit.title,
        "message": commit.message,
        "parent_ids": list(commit.parents),
        "author_name": commit.author_name,
        "author_email": commit.author_email,
        "authored_date": when(commit.created_at),
        "committer_name": commit.committer_name or commit.author_name,
        "committer_email": commit.committer_email or commit.author_email,
        "committed_date": when(commit.created_at),
        "created_at": when(commit.created_at),
    }


def note_view(note: Note, base: str) -> dict[str, Any]:
    """A comment on a commit, as the discussions of one have it."""
    return {
        "id": note.id,
        "type": None,
        "body": note.body,
        "author": user_view(note.author, base),
        "created_at": when(note.created_at),
        "updated_at": when(note.updated_at),
        "system": False,
        "noteable_type": "Commit",
        "resolvable": False,
    }


def project_view(config: GitLabLabConfig, base: str) -> dict[str, Any]:
    """The project, the fields that clients read."""
    project = config.project
    return {
        "id": project.id,
        "name": project.name,
        "path": project.name,
        "path_with_namespace": project.path,
        "default_branch": project.branch,
        "archived": False,
        "web_url": f"{base}/{project.path}",
    }


def brief_view(pipeline: Pipeline, config: GitLabLabConfig, base: str) -> dict[str, Any]:
    """A pipeline as lists have it: without who started it."""
    return {
        "id": pipeline.id,
        "iid": pipeline.id,
        "project_id": config.project.id,
        "sha": pipeline.sha,
        "ref": pipeline.ref,
        "status": pipeline_status(pipeline),
        "source": pipeline.source,
        "created_at": when(pipeline.created_at),
        "updated_at": when(pipeline.updated_at),
        "web_url": f"{base}/{config.project.path}/-/pipelines/{pipeline.id}",
    }


def pipeline_view(pipeline: Pipeline, config: GitLabLabConfig, base: str) -> dict[str, Any]:
    """A pipeline with who started it."""
    started = min((j.started_at for j in pipeline.jobs if j.started_at), default=None)
    finished = max((j.finished_at for j in pipeline.jobs if j.finished_at), default=None)
    more = {
        "before_sha": "0" * 40,
        "tag": False,
        "user": user_view(pipeline.user, base),
        "started_at": when(started),
        "finished_at": when(finished),
        "duration": _seconds(started, finished),
    }
    return brief_view(pipeline, config, base) | more


def job_view(job: Job, config: GitLabLabConfig, base: str, commit: Commit | None = None) -> dict[str, Any]:
    """A job. `user` is who started it, for a manual job who played it."""
    return {
        "id": job.id,
        "status": job.status,
        "stage": job.spec.stage,
        "name": job.spec.name,
        "ref": job.pipeline.ref,
        "tag": False,
        "allow_failure": job.spec.allow_failure,
        "created_at": when(job.created_at),
        "started_at": when(job.started_at),
        "finished_at": when(job.finished_at),
        "duration": _seconds(job.started_at, job.finished_at),
        "queued_duration": _seconds(job.queued_at, job.started_at),
        "failure_reason": job.failure_reason or None,
        "user": user_view(job.user, base),
        "commit": commit_view(commit) if commit else None,
        "pipeline": brief_view(job.pipeline, config, base),
        "web_url": f"{base}/{config.project.path}/-/jobs/{job.id}",
        "project": {"ci_job_token_scope_enabled": True},
        "artifacts": [],
        **(
            {"artifacts_file": {"filename": "artifacts.zip", "size": len(zipped(job.artifacts))}}
            if job.artifacts
            else {}
        ),
        "runner": None,
        "tag_list": [],
    }


def _artifacts_file(job: Job) -> dict[str, Any]:
    # GitLab leaves the field out of a job that uploaded nothing.
    if not job.artifacts:
        return {}
    return {"artifacts_file": {"filename": "artifacts.zip", "size": len(zipped(job.artifacts))}}


_OF_A_RUNNER = frozenset({"artifacts", "artifacts_file", "runner", "tag_list"})


def bridge_view(job: Job, config: GitLabLabConfig, base: str, commit: Commit | None = None) -> dict[str, Any]:
    """A trigger job, with the pipeline that it started."""
    view = {key: value for key, value in job_view(job, config, base, commit).items() if key not in _OF_A_RUNNER}
    return view | {"downstream_pipeline": brief_view(job.downstream, config, base) if job.downstream else None}


def approval_view(approval: Approval, base: str) -> dict[str, Any]:
    """What one person said of a deployment."""
    return {
        "user": user_view(approval.user, base),
        "status": approval.status,
        "created_at": when(approval.created_at),
        "comment": approval.comment,
    }


_STATUS = {"pending": "created", "manual": "created", "skipped": "skipped"}


def deployment_view(deployment: Deployment, config: GitLabLabConfig, base: str) -> dict[str, Any]:
    """A deployment; with its approvals where the environment is protected, as Premium does."""
    job = deployment.job
    status = "blocked" if deployment.blocked and job.status == "manual" else _STATUS.get(job.status, job.status)
    view = {
        "id": deployment.id,
        "iid": deployment.id,
        "ref": job.pipeline.ref,
        "sha": job.pipeline.sha,
        "status": status,
        "created_at": when(deployment.created_at),
        "updated_at": when(job.pipeline.updated_at),
        "user": user_view(job.user, base),
        "environment": {"id": 1, "name": deployment.environment},
        "deployable": job_view(job, config, base),
    }
    if config.required_approvals:
        approved = sum(a.status == "approved" for a in deployment.approvals)
        view["pending_approval_count"] = max(0, config.required_approvals - approved)
        view["approvals"] = [approval_view(a, base) for a in deployment.approvals]
    return view
