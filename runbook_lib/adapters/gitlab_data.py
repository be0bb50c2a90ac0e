"""What is read from GitLab's answers, as plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

__all__ = ["GitLabJob", "GitLabPipeline", "GitLabProject", "StateLock", "login_of", "parse_time"]


def parse_time(text: str | None) -> datetime | None:
    """GitLab's ISO 8601 time, None for none."""
    return datetime.fromisoformat(text) if text else None


def login_of(document: Mapping[str, Any]) -> str:
    """The login of the `user` in an answer, empty if there is none."""
    return str((document.get("user") or {}).get("username") or "")


@dataclass(frozen=True)
class GitLabJob:
    """A job. `user` is the login of who started it: for a manual job, once it is played, the player."""

    id: int
    name: str
    stage: str
    status: str
    user: str
    pipeline_id: int
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    queued_seconds: float
    web_url: str
    commit: str
    commit_author: str

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> GitLabJob:
        """Read the API's job."""
        commit = document.get("commit") or {}
        return cls(
            id=int(document["id"]),
            name=str(document["name"]),
            stage=str(document["stage"]),
            status=str(document["status"]),
            user=login_of(document),
            pipeline_id=int(document["pipeline"]["id"]),
            created_at=parse_time(document.get("created_at")),
            started_at=parse_time(document.get("started_at")),
            finished_at=parse_time(document.get("finished_at")),
            queued_seconds=float(document.get("queued_duration") or 0),
            web_url=str(document.get("web_url") or ""),
            commit=str(commit.get("id") or ""),
            commit_author=str(commit.get("author_email") or ""),
        )

    @property
    def played_at(self) -> datetime | None:
        """When the job was put in the queue: GitLab tells only when it left it, and how long it stayed."""
        return self.started_at - timedelta(seconds=self.queued_seconds) if self.started_at else None


@dataclass(frozen=True)
class GitLabPipeline:
    """A pipeline. `user` is the login of who started it."""

    id: int
    status: str
    user: str
    ref: str
    sha: str
    web_url: str

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> GitLabPipeline:
        """Read the API's pipeline."""
        text = {key: str(document.get(key) or "") for key in ("status", "ref", "sha", "web_url")}
        return cls(id=int(document["id"]), user=login_of(document), **text)


@dataclass(frozen=True)
class GitLabProject:
    """A project."""

    id: int
    path: str
    default_branch: str
    web_url: str

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> GitLabProject:
        """Read the API's project."""
        return cls(
            id=int(document["id"]),
            path=str(document["path_with_namespace"]),
            default_branch=str(document.get("default_branch") or ""),
            web_url=str(document.get("web_url") or ""),
        )


@dataclass(frozen=True)
class StateLock:
    """Who holds the lock of a state, and since when."""

    state: str
    user: str
    since: datetime | None
