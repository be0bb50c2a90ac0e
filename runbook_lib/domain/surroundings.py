"""What the environment may not say: a variable can be set by whoever starts a job, runbook.yml only by a commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Refused", "contradiction"]


@dataclass(frozen=True)
class Refused:
    """A variable that is not believed: its name, what is wrong, and what to do."""

    name: str
    why: str
    remedy: str


def contradiction(environ: Mapping[str, str], url: str, project: str, *, in_ci: bool) -> Refused | None:
    """The first variable that names another GitLab or another project than runbook.yml does; None if none does.

    A project's id is compared with an id and its path with a path: the one does not say the other.
    """
    if in_ci and environ.get("GITLAB_CI", "true").lower() not in _YES:
        why = f"GITLAB_CI is {environ['GITLAB_CI']!r} inside a job of GitLab"
        return Refused("GITLAB_CI", why, "Start the job without this variable: GitLab sets it to true.")
    if in_ci and not project:
        return Refused(
            "gitlab.project",
            "this is a job of GitLab, and runbook.yml names no project",
            "Set gitlab.url and gitlab.project in runbook.yml: what a job's variables say can be set by its player.",
        )
    server = url.rstrip("/")
    expected = {"CI_SERVER_URL": server, "CI_API_V4_URL": f"{server}/api/v4"}
    if not project:
        expected |= {"CI_PROJECT_ID": "", "CI_PROJECT_PATH": ""}
    else:
        expected["CI_PROJECT_ID" if project.isdigit() else "CI_PROJECT_PATH"] = project
    for name, said in expected.items():
        given = environ.get(name, "")
        if given and given.rstrip("/").lower() != said.lower():
            field = "gitlab.project" if "PROJECT" in name else "gitlab.url"
            says = f"runbook.yml says {said}" if said else "runbook.yml names no project"
            remedy = f"Unset it, or correct {field} in runbook.yml: a variable can't choose another."
            return Refused(name, f"{name} is {given}, and {says}", remedy)
    return None


_YES = frozenset({"true", "1", "yes", "on", "t", "y"})
