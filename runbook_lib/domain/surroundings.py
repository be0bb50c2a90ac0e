"""What the environment may not say: a variable can be set by whoever starts a job, runbook.yml only by a commit."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

__all__ = ["Refused", "contradiction", "refused_variables", "without_own_secrets"]


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

_EVERYWHERE = (
    (r"TF_CLI_ARGS(_.*)?", "it adds options to Terraform's commands"),
    (r"TF_REATTACH_PROVIDERS", "it puts another program in a provider's place"),
    (r"TF_DATA_DIR", "it names another folder for Terraform's providers and backend"),
    (r"TF_WORKSPACE", "it chooses another state"),
    (r"TF_HTTP_(UN)?LOCK_(ADDRESS|METHOD)|TF_HTTP_(ADDRESS|UPDATE_METHOD)", "it names another place for the state"),
)
_IN_CI = (
    (r"(?i:https?_proxy|all_proxy|no_proxy|ftp_proxy)", "it leads requests, and what they carry, elsewhere"),
    (r"SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE|AWS_CA_BUNDLE|GIT_SSL_.*", "it decides which server is believed"),
    (r"PYTHON(PATH|STARTUP|HOME|INSPECT|USERBASE)", "it lets Python run other code"),
    (r"LD_(PRELOAD|LIBRARY_PATH|AUDIT)|DYLD_.*|BASH_ENV|ENV", "it lets every program run other code"),
    (
        r"GIT_(DIR|WORK_TREE|CONFIG.*|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|EXEC_PATH|SSH_COMMAND)",
        "it shows git another repository",
    ),
    (r"AWS_ENDPOINT_URL(_.*)?", "it names another place for AWS"),
)


def refused_variables(environ: Mapping[str, str], accepted: Collection[str], *, in_ci: bool) -> tuple[Refused, ...]:
    """All variables that would change what is run or believed; those that are empty or accepted by name are none."""
    rules = (*_EVERYWHERE, *(_IN_CI if in_ci else ()))
    return tuple(
        Refused(name, f"{name} is set: {why}", f"Unset it, or accept it in runbook.yml: environment.accept: [{name}].")
        for name, value in sorted(environ.items())
        if value and name not in accepted
        for pattern, why in rules
        if re.fullmatch(pattern, name)
    )


# The plan's code (providers, provisioners, external data sources) inherits what Terraform is given.
_OWN_SECRETS = re.compile(r"SLACK_.*|GITLAB_TOKEN|CI_(JOB|REGISTRY|DEPLOY|DEPENDENCY_PROXY)_.*|RUNBOOK_SIGNING_KEY")


def without_own_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables without Slack's, GitLab's and the job's credentials and the signing key: for Terraform."""
    return {name: value for name, value in environ.items() if not _OWN_SECRETS.fullmatch(name)}
