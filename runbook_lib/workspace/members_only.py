"""Pages that only members may see are published only where GitLab says that nobody else can."""

from __future__ import annotations

from ..errors import BlockedError, ConfigError
from ..settings import Settings
from .clients import gitlab_client

__all__ = ["hold_pages_to_members"]


def hold_pages_to_members(settings: Settings) -> None:
    """BlockedError unless GitLab says that members alone can open the project's pages; ConfigError without a token."""
    gitlab = gitlab_client(settings)
    if gitlab is None or not gitlab.has_token:
        raise ConfigError("there is no GITLAB_TOKEN to ask who can open the pages", "Set one with the scope read_api.")
    access = gitlab.archive.pages_access()
    if not access.members_only:
        said = f"{access.pages or 'not told to this token'}, the project's visibility {access.project or 'not told'}"
        raise BlockedError(
            f"not only members can open GitLab Pages: access to them is {said}",
            f"Under {gitlab.url}/{gitlab.project}/edit set Pages to 'Only Project Members', or don't publish the page.",
        )
