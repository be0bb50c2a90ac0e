"""Where a person puts right what was found missing: the page to open."""

from __future__ import annotations

from ..settings import Settings

__all__ = ["page_for"]

# Below the project's address in GitLab.
_IN_GITLAB = {
    "gitlab": "-/settings/access_tokens",
    "protection": "-/settings/repository",
    "approvers": "-/project_members",
    "signing key": "-/settings/ci_cd",
    "encryption": "-/settings/ci_cd",
    "aws": "-/settings/ci_cd",
    "backend": "-/terraform",
    "state": "-/terraform",
}
_ELSEWHERE = {"slack": "https://api.slack.com/apps"}


def page_for(settings: Settings, name: str) -> str:
    """The address of the page for what is called so; empty where a file, and no page, is to be changed."""
    if name in _IN_GITLAB and settings.gitlab_project:
        return f"{settings.gitlab_url}/{settings.gitlab_project}/{_IN_GITLAB[name]}"
    return _ELSEWHERE.get(name, "")
