"""Whether the GitLab project's settings let anybody around the approval, and which of that runbook.yml accepts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..adapters.gitlab import GitLab
from ..errors import ApprovalError, GitLabError
from ..settings import Settings
from .applied_commit import environment_of
from .clients import gitlab_client

__all__ = ["NOT_ASKED", "Unsafe", "check_project", "remedy", "unsafe_settings"]

DEVELOPER = 30
NOT_ASKED = "no GitLab project is asked"
CI_SETTINGS, REPOSITORY = "-/settings/ci_cd", "-/settings/repository"


@dataclass(frozen=True)
class Unsafe:
    """A setting that weakens the approval or can't be read: its name for `gitlab.accept`, and where to mend it."""

    name: str
    found: str
    page: str

    @property
    def known(self) -> bool:
        """Whether it was read, and is not safe."""
        return not self.name.startswith("unknown_")


def unsafe_settings(settings: Settings, stack: str) -> tuple[Unsafe, ...]:
    """All that is not safe and not accepted in runbook.yml; nothing where no GitLab project is configured."""
    gitlab = gitlab_client(settings)
    if gitlab is None:
        return ()
    found = tuple(_unsafe(gitlab, environment_of(settings, stack)))
    return tuple(one for one in found if one.name not in settings.config.gitlab.accept)


def check_project(settings: Settings, stack: str) -> str:
    """ApprovalError if a setting is not safe, or if in a pipeline one can't be read; else what was looked at.

    At a desk nobody's variables and no environment of GitLab's are in play: there what can't be read is let pass.
    """
    strict = settings.environment.in_ci or bool(settings.environment.pipeline_id)
    found = [one for one in unsafe_settings(settings, stack) if strict or one.known]
    if found:
        raise ApprovalError(f"the GitLab project is not safe to apply from: {_said(found)}", remedy(found))
    if gitlab_client(settings) is None:
        return NOT_ASKED
    return "variables, branch and environment are protected"


def remedy(found: list[Unsafe] | tuple[Unsafe, ...]) -> str:
    """Where to change the settings, or how to accept them."""
    pages = ", ".join(dict.fromkeys(one.page for one in found))
    names = ", ".join(one.name for one in found)
    return f"Change it at {pages}, or accept it in runbook.yml: gitlab.accept: [{names}]."


def _said(found: list[Unsafe]) -> str:
    return "; ".join(one.found for one in found)


def _unsafe(gitlab: GitLab, environment: str) -> Iterator[Unsafe]:
    if not gitlab.has_token:
        page = f"{gitlab.url}/{gitlab.project}/{CI_SETTINGS}"
        for name in ("variables", "branch", "environment", "rejections", "history"):
            yield Unsafe(f"unknown_{name}", f"without GITLAB_TOKEN the {name} can't be looked at", page)
        return
    yield from _variables(gitlab)
    yield from _branch(gitlab)
    yield from _environment(gitlab, environment)


def _variables(gitlab: GitLab) -> Iterator[Unsafe]:
    page = f"{gitlab.url}/{gitlab.project}/{CI_SETTINGS}"
    try:
        role = gitlab.project_settings().variables_role
    except GitLabError:
        role = ""
    if not role:
        yield Unsafe("unknown_variables", "this token does not see who may give variables to jobs", page)
    elif role == "developer":
        yield Unsafe("variables_by_developers", "every Developer may give variables to jobs", page)


def _branch(gitlab: GitLab) -> Iterator[Unsafe]:
    page = f"{gitlab.url}/{gitlab.project}/{REPOSITORY}"
    try:
        branch = gitlab.branch(gitlab.default_branch())
    except GitLabError:
        yield Unsafe("unknown_branch", "this token does not see who may change the default branch", page)
        return
    if not branch.protected:
        yield Unsafe("unprotected_branch", f"the branch {branch.name} is not protected", page)
    elif branch.developers_push:
        yield Unsafe("push_by_developers", f"every Developer may push to {branch.name}", page)


def _environment(gitlab: GitLab, name: str) -> Iterator[Unsafe]:
    page = f"{gitlab.url}/{gitlab.project}/{CI_SETTINGS}"
    try:
        levels = gitlab.who_may_deploy(name)
    except GitLabError:
        yield Unsafe("unknown_environment", f"this token does not see who may deploy to {name}", page)
        return
    if levels is None:
        yield Unsafe("unprotected_environment", f"the environment {name} is not protected", page)
    elif any(0 < level <= DEVELOPER for level in levels):
        yield Unsafe("deploy_by_developers", f"every Developer may deploy to {name}", page)
