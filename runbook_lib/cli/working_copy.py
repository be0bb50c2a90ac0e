"""The lab's working copy of the repository: what the stacks do not bring, and a runbook.yml that names the lab."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def point_at_lab(path: Path, lab: LabAddresses, change: Callable[[Any], None] = lambda document: None) -> None:
    """Let a runbook.yml name this lab's GitLab; its comments stay. `change` may alter more of it."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    accepted = CommentedSeq(_accepted())
    accepted.fa.set_flow_style()
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(path.read_text(encoding="utf-8"))
    told: dict[str, dict[str, Any]] = {
        "gitlab": {"url": lab.gitlab_url, "project": PROJECT_PATH},
        "slack": {"api_url": f"{lab.slack_url}/api/"},
        # There is nobody but the people of this machine: they may decide at a terminal.
        "approval": {"terminal": True},
        "environment": {"accept": accepted},
    }
    for name, fields in told.items():
        # A section may stand there with nothing in it.
        section = document[name] = document.get(name) or CommentedMap()
        for key, value in fields.items():
            # In its own place, with quotes of its own; what is new at the top, where no blank line follows.
            place = list(section).index(key) if key in section else 0
            section.pop(key, None)
            section.insert(place, key, value)
    document["gitlab"].pop("state_project", None)
    change(document)
    with path.open("w", encoding="utf-8") as stream:
        yaml.dump(document, stream)


def _accepted() -> list[str]:
    """The lab's own variables, and those with which this machine itself leads every job through its proxy."""
    anywhere = {refused.name for refused in refused_variables(os.environ, (), in_ci=False)}
    own = {refused.name for refused in refused_variables(os.environ, (), in_ci=True)} - anywhere
    return sorted({*ACCEPTED, *own})
