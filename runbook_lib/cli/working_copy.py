"""The lab's working copy of the repository: what the stacks do not bring, and a runbook.yml that names the lab."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from ..domain.surroundings import refused_variables
from ..lab.addresses import PROJECT_PATH, LabAddresses
from ..settings import Settings

__all__ = ["ACCEPTED", "copy_repository", "point_at_lab"]

# The lab's AWS and its services have addresses of their own, nothing for them goes through a proxy, Terraform and its
# providers may lie anywhere on this machine, and this package need not be installed.
ACCEPTED = (
    *("AWS_ENDPOINT_URL", "NO_PROXY", "no_proxy", "PYTHONPATH"),
    *("RUNBOOK_CONNECT_TO", "RUNBOOK_TERRAFORM", "RUNBOOK_PROVIDER_MIRROR"),
    *("TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"),
)


def copy_repository(settings: Settings, lab: LabAddresses) -> None:
    """Copy runbook.yml, notebooks and policies beside the lab's copies of the stacks."""
    for name in ("runbook.yml", ".gitignore"):
        if (settings.root / name).is_file():
            shutil.copyfile(settings.root / name, lab.repository / name)
    _commit_locks(lab.repository / ".gitignore")
    for name in ("notebooks", settings.config.compliance.policies):
        if (settings.root / name).is_dir():
            shutil.copytree(settings.root / name, lab.repository / name, dirs_exist_ok=True)
    point_at_lab(lab.repository / "runbook.yml", lab)


def _commit_locks(path: Path) -> None:
    # The lab's providers are those that its stacks were initialised with: there a team commits the lock file.
    if path.is_file():
        kept = [line for line in path.read_text().splitlines() if line.strip() != ".terraform.lock.hcl"]
        path.write_text("\n".join(kept) + "\n")


def point_at_lab(path: Path, lab: LabAddresses) -> None:
    """Let a runbook.yml name this lab's GitLab; its comments stay."""
    text = path.read_text()
    text = _set(text, "gitlab", "url", lab.gitlab_url)
    text = _set(text, "gitlab", "project", PROJECT_PATH)
    text = _set(text, "slack", "api_url", f"{lab.slack_url}/api/")
    # There is nobody but the people of this machine: they may decide at a terminal.
    text = _set(text, "approval", "terminal", "true")
    text = _set(text, "environment", "accept", f"[{', '.join(_accepted())}]")
    path.write_text(text)


def _accepted() -> list[str]:
    """The lab's own variables, and those with which this machine itself leads every job through its proxy."""
    anywhere = {refused.name for refused in refused_variables(os.environ, (), in_ci=False)}
    own = {refused.name for refused in refused_variables(os.environ, (), in_ci=True)} - anywhere
    return sorted({*ACCEPTED, *own})


def _set(text: str, section: str, key: str, value: str) -> str:
    head = re.search(rf"(?m)^{section}:[ \t]*(#.*)?\n", text)
    if head is None:
        return f"{text.rstrip()}\n\n{section}:\n  {key}: {value}\n"
    body = re.compile(r"(?m)(?:^(?:[ \t].*)?\n)*").match(text, head.end())
    inside = body.group() if body else ""
    line = f"  {key}: {value}\n"
    changed, count = re.subn(rf"(?m)^  {key}:.*\n", line, inside, count=1)
    return text[: head.end()] + (changed if count else line + inside) + text[head.end() + len(inside) :]
