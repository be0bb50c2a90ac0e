"""What the environment may not say: a variable can be set by whoever starts a job, runbook.yml only by a commit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..models.variables import NEVER_FOR_TERRAFORM, TERRAFORM, matches, reason_against

__all__ = ["Refused", "contradiction", "other_slack", "refused_variables", "terraform_variables"]


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


def other_slack(environ: Mapping[str, str], api_url: str) -> Refused | None:
    """The variable that would send messages, and the token with them, elsewhere than runbook.yml does; None if none."""
    given = environ.get("SLACK_API_URL", "")
    if given and given.rstrip("/") != api_url.rstrip("/"):
        remedy = "Unset it, or correct slack.api_url in runbook.yml: a variable can't choose another."
        return Refused("SLACK_API_URL", f"SLACK_API_URL is {given}, and runbook.yml says {api_url}", remedy)
    address = environ.get("SLACK_WEBHOOK_URL", "")
    hook, server = urlsplit(address), urlsplit(api_url)
    hooks = ("https", "hooks.slack.com")
    if address and (hook.scheme, hook.netloc) not in {hooks, (server.scheme, server.netloc)}:
        # Its path is a secret.
        why = f"SLACK_WEBHOOK_URL leads to {hook.hostname or 'no server'}, not to Slack"
        remedy = "Take the address that Slack gave, on https://hooks.slack.com, or name its server in slack.api_url."
        return Refused("SLACK_WEBHOOK_URL", why, remedy)
    return None


_YES = frozenset({"true", "1", "yes", "on", "t", "y"})


def refused_variables(environ: Mapping[str, str], accepted: Collection[str], *, in_ci: bool) -> tuple[Refused, ...]:
    """All variables that would change what is run or believed; those that are empty or accepted by name are none."""
    return tuple(
        Refused(name, f"{name} is set: {why}", f"Unset it, or accept it in runbook.yml: environment.accept: [{name}].")
        for name, value in sorted(environ.items())
        if value and name not in accepted and (why := reason_against(name, in_ci=in_ci))
    )


def terraform_variables(environ: Mapping[str, str], listed: Iterable[str]) -> dict[str, str]:
    """The variables that Terraform may see: those that it needs, and those that are `listed`, by name or `PREFIX_*`.

    The plan's code (providers, provisioners, external data sources) inherits what Terraform is given.
    """
    entries = tuple(listed)
    return {
        name: value
        for name, value in environ.items()
        if not NEVER_FOR_TERRAFORM.fullmatch(name)
        and (TERRAFORM.fullmatch(name) or any(matches(name, entry) for entry in entries))
    }
