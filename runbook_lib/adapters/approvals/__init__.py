"""Sources of decisions: one Protocol, one leaf a file."""

from .gitlab_deployment import GitLabDeployment
from .gitlab_job import GitLabManualJob
from .gitlab_merge_request import GitLabMergeRequest
from .source import ApprovalSource
from .terminal import Terminal, record_decision

__all__ = [
    "ApprovalSource",
    "GitLabDeployment",
    "GitLabManualJob",
    "GitLabMergeRequest",
    "Terminal",
    "record_decision",
]
