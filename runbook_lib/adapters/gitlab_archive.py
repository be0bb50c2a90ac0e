"""What GitLab keeps of pipelines that ended: lists of any length, page by page, and whole artifacts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any, Final
from urllib.parse import quote

from ..errors import InputError
from .gitlab_data import GitLabPipeline
from .gitlab_http import GitLabHttp, GitLabRefusalError

__all__ = ["GitLabArchive", "JobArtifacts", "PagesAccess"]

_LARGEST: Final = 64_000_000


@dataclass(frozen=True)
class JobArtifacts:
    """A job that uploaded something which GitLab still keeps; `size` in bytes."""

    job: int
    name: str
    size: int


@dataclass(frozen=True)
class PagesAccess:
    """Who can open the project, and its GitLab Pages: each `private`, `internal`, `public`, … or empty if not told."""

    project: str
    pages: str

    @property
    def members_only(self) -> bool:
        """Whether nobody but members can open the pages; what is not told is no yes."""
        return self.pages == "private" or (self.pages == "enabled" and self.project == "private")


class GitLabArchive:
    """Of one project, by the calls that its client makes."""

    def __init__(self, http: GitLabHttp, path: str) -> None:
        self._http = http
        self._path = path

    def pipelines(self, since: str = "") -> Iterator[GitLabPipeline]:
        """All pipelines that changed since a time, those of trigger jobs too, in the order of their ids.

        They are asked for page by page, as they are needed.
        """
        query = {"order_by": "id", "sort": "asc"} | ({"updated_after": since} if since else {})
        for more in ({}, {"source": "parent_pipeline"}):
            yield from self._http.each(
                f"{self._path}/pipelines", "list the pipelines", GitLabPipeline.parse, query | more
            )

    def children(self, pipeline: int) -> tuple[int, ...]:
        """The pipelines that a pipeline's trigger jobs started in this project."""
        path, doing = f"{self._path}/pipelines/{pipeline}/bridges", f"list what pipeline {pipeline} started"
        return tuple(number for number in self._http.list(path, doing, _downstream) if number)

    def uploads(self, pipeline: int) -> tuple[JobArtifacts, ...]:
        """The jobs of a pipeline whose artifacts are kept, the newest first."""
        path, doing = f"{self._path}/pipelines/{pipeline}/jobs", f"list the jobs of pipeline {pipeline}"
        found = [one for one in self._http.list(path, doing, _uploaded) if one.name]
        return tuple(sorted(found, key=lambda one: -one.job))

    def download(self, job: int, target: IO[bytes], most: int) -> bool:
        """Write a job's artifacts, a zip, into a file; False if GitLab no longer keeps them or there is too much."""
        path, doing = f"{self._path}/jobs/{job}/artifacts", f"fetch the artifacts of job {job}"
        try:
            return self._http.download(path, doing, target, most)
        except GitLabRefusalError as refusal:
            if refusal.status == 404 and "Project" not in refusal.message:
                return False
            raise

    def file(self, job: int, path: str) -> bytes | None:
        """One file that a job uploaded; None if there is none, InputError for one that nobody's run holds."""
        address, content = f"{self._path}/jobs/{job}/artifacts/{quote(path)}", BytesIO()
        try:
            # A zip of a few megabytes can hold one that no memory takes.
            if self._http.download(address, f"read {path} of job {job}", content, _LARGEST):
                return content.getvalue()
        except GitLabRefusalError as refusal:
            if refusal.status == 404 and "Project" not in refusal.message:
                return None
            raise
        raise InputError(f"{path} of job {job} has more than {_LARGEST // 10**6} MB", "Look at what that job uploads.")

    def log(self, job: int) -> str:
        """What a job wrote so far, as its page shows it; empty if GitLab keeps nothing of it."""
        try:
            kept = self._http.raw(f"{self._path}/jobs/{job}/trace", f"read the log of job {job}") or b""
        except GitLabRefusalError as refusal:
            if refusal.status == 404 and "Project" not in refusal.message:
                return ""
            raise
        return kept.decode("utf-8", "replace")

    def pages_access(self) -> PagesAccess:
        """Who can open the project and its GitLab Pages."""
        return self._http.get(self._path, "ask who can open GitLab Pages", _access)


def _downstream(bridge: dict[str, Any]) -> int:
    # A pipeline of another project has that project's runs.
    started: Mapping[str, Any] = bridge.get("downstream_pipeline") or {}
    same = started.get("project_id") == (bridge.get("pipeline") or {}).get("project_id")
    return int(started.get("id") or 0) if same else 0


def _uploaded(job: dict[str, Any]) -> JobArtifacts:
    file = job.get("artifacts_file") or {}
    return JobArtifacts(int(job["id"]), str(file.get("filename") or ""), int(file.get("size") or 0))


def _access(project: dict[str, Any]) -> PagesAccess:
    return PagesAccess(str(project.get("visibility") or ""), str(project.get("pages_access_level") or ""))
