"""Where a repository and this program came from: the GitLab project of the one, the CI component of the other."""

from __future__ import annotations

import json
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit

from ..adapters.git import remote_url
from .pipeline_file import Component

__all__ = ["gitlab_project", "installed_component", "read_address"]

_SCP = re.compile(r"(?:[^@/\s]+@)?([\w.-]+):(?!/)(.+)")
# Hosts of git that are no GitLab.
_OTHERS = ("github.com", "bitbucket.org", "dev.azure.com", "ssh.dev.azure.com", "codeberg.org", "git.sr.ht")


def gitlab_project(root: Path) -> tuple[str, str]:
    """The address of the GitLab that a clone came from, and the project's path; both empty where that says nothing."""
    host, path = read_address(remote_url(root))
    if not path or host.partition(":")[0] in _OTHERS or host.startswith("git-codecommit"):
        return "", ""
    return f"https://{host}", path


def read_address(url: str) -> tuple[str, str]:
    """Host (with a port that is HTTP's) and path of a git address; never the credentials that it may hold."""
    if match := _SCP.fullmatch(url) if "://" not in url else None:
        return match[1].lower(), _path(match[2])
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port and parts.scheme in {"http", "https"} else ""
    except ValueError:
        return "", ""
    if parts.scheme not in {"http", "https", "ssh", "git"} or not parts.hostname:
        return "", ""
    return f"{parts.hostname}{port}", _path(parts.path)


def installed_component(gitlab: str, installed: Distribution | None = None) -> Component:
    """The CI component at the tag or commit that this program was installed from, and that installation itself.

    Empty unless that was a project of this very GitLab: it includes no components of another one.
    """
    try:
        found = (installed or distribution("runbook-toolkit")).read_text("direct_url.json")
        source = json.loads(found) if found else {}
    except (PackageNotFoundError, ValueError):
        return Component()
    vcs = source.get("vcs_info") or {}
    host, path = read_address(str(source.get("url", "")))
    at = vcs.get("requested_revision") or vcs.get("commit_id")
    if not (host and at and host == urlsplit(gitlab).netloc):
        return Component()
    return Component(f"{host}/{path}/change@{at}", f"git+https://{host}/{path}.git@{at}")


def _path(text: str) -> str:
    return text.strip("/").removesuffix(".git").strip("/")
