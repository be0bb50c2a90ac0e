"""Changes that are proposed to GitLab: a branch that was pushed becomes a merge request."""

from __future__ import annotations

from dataclasses import dataclass

from .gitlab_data import MergeRequestReference
from .gitlab_http import GitLabHttp

__all__ = ["GitLabChanges", "Proposal"]


@dataclass(frozen=True)
class Proposal:
    """A branch that is to be merged into another, and what is said of it."""

    source: str
    target: str
    title: str
    description: str


class GitLabChanges:
    """Of one project, by the calls that its client makes."""

    def __init__(self, http: GitLabHttp, path: str) -> None:
        self._http = http
        self._path = path

    def propose(self, given: Proposal) -> MergeRequestReference:
        """Open a merge request as the token's user; GitLabRefusalError 409 if the branch has an open one."""
        content: dict[str, object] = {"source_branch": given.source, "target_branch": given.target}
        content |= {"title": given.title, "description": given.description, "remove_source_branch": True}
        doing = f"open a merge request of {given.source}"
        return self._http.post(f"{self._path}/merge_requests", doing, MergeRequestReference.parse, content)
