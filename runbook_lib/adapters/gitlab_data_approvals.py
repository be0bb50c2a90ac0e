"""What GitLab's answers say of approvals: of deployments (Premium) and of merge requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .gitlab_data import login_of, parse_time

__all__ = [
    "DeploymentApproval",
    "DeploymentReference",
    "MergeRequestApproval",
    "MergeRequestReference",
    "parse_deployment_approvals",
]


@dataclass(frozen=True)
class DeploymentReference:
    """A deployment and the job that carries it out; 0 for a deployment without a job."""

    id: int
    job_id: int

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> DeploymentReference:
        """Read the API's deployment."""
        return cls(int(document["id"]), int((document.get("deployable") or {}).get("id") or 0))


@dataclass(frozen=True)
class DeploymentApproval:
    """What one user said of a deployment; `at` is None where GitLab does not tell."""

    user: str
    approved: bool
    at: datetime | None
    comment: str
    url: str


def parse_deployment_approvals(document: Mapping[str, Any]) -> tuple[DeploymentApproval, ...]:
    """The approvals of one deployment; the Free tier's answer has none."""
    url = str((document.get("deployable") or {}).get("web_url") or "")
    return tuple(
        DeploymentApproval(
            user=login_of(approval),
            approved=approval["status"] == "approved",
            at=parse_time(approval.get("created_at")),
            comment=str(approval.get("comment") or ""),
            url=url,
        )
        for approval in document.get("approvals") or ()
    )


@dataclass(frozen=True)
class MergeRequestApproval:
    """Who approved a merge request; `at` is None where GitLab is too old to tell."""

    user: str
    at: datetime | None
    url: str


@dataclass(frozen=True)
class MergeRequestReference:
    """A merge request; `sha` is the head of its source branch."""

    iid: int
    sha: str
    url: str

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> MergeRequestReference:
        """Read the API's merge request."""
        return cls(int(document["iid"]), str(document.get("sha") or ""), str(document.get("web_url") or ""))

    def approvals(self, document: Mapping[str, Any]) -> tuple[MergeRequestApproval, ...]:
        """Read the API's approvals of this merge request."""
        return tuple(
            MergeRequestApproval(login_of(approval), parse_time(approval.get("approved_at")), self.url)
            for approval in document["approved_by"]
        )
