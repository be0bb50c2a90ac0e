"""The commit whose plan was applied last, by what GitLab says was deployed."""

from __future__ import annotations

from ..models.run import Run
from ..settings import Settings
from .clients import gitlab_client

__all__ = ["applied_commit", "environment_of"]


def environment_of(settings: Settings, stack: str) -> str:
    """The name of the environment that the apply job of this stack deploys to."""
    return settings.config.gitlab.environment.replace("{stack}", stack)


def applied_commit(settings: Settings, run: Run) -> str:
    """The commit last applied for the run's stack, empty where there is none or no token to ask by; GitLabError.

    Only what the apply job did on the default branch counts: any Developer may report a deployment that never was, or
    make one from a branch of his own.
    """
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token:
        return ""
    branch = gitlab.default_branch()
    found = gitlab.last_deployment(environment_of(settings, run.stack), settings.config.approval.job, branch)
    return found.sha if found else ""
