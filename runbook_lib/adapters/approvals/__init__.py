"""Sources of decisions: one Protocol, one leaf a file."""

from .gitlab_deployment import GitLabDeploymentApprovals
from .gitlab_job import GitLabJobApprovals
from .gitlab_merge_request import GitLabMergeRequestApprovals
from .source import ApprovalSource
from .terminal import TerminalApprovals, record_decision

__all__ = [
    "ApprovalSource",
    "GitLabDeploymentApprovals",
    "GitLabJobApprovals",
    "GitLabMergeRequestApprovals",
    "TerminalApprovals",
    "record_decision",
]
