"""The requester's working copy in the demo: the repository at its base, and the commit that asks for the change."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from ..lab.addresses import LabAddresses
from ..settings import Settings
from .demo_breaks import Break

__all__ = ["Repository"]

REQUESTER = ("Riley Requester", "riley@example.com")
WHOLE_WORLD_SSH = """  {
    group       = "admin"
    protocol    = "tcp"
    from_port   = 22
    to_port     = 22
    cidr_ipv4   = "0.0.0.0/0"
    description = "SSH from anywhere"
  },
]
"""


class Repository:
    """A git repository around the lab's copies of the stacks, which are initialised already."""

    def __init__(self, settings: Settings, lab: LabAddresses) -> None:
        self._settings = settings
        self._lab = lab
        self.path = lab.repository
        self._copy_rest()
        self._git("init", "--quiet", "--initial-branch=main")
        self._commit("The base, with the web rule on port 8000")

    def commit_change(self, broken: Break | None) -> str:
        """Edit the rules as the requester does, and commit; the commit's id."""
        path = self.path / self._settings.config.stacks["access"].path / "rules.auto.tfvars"
        text = path.read_text()
        if broken is Break.COMPLIANCE:
            text = text.rstrip().removesuffix("]") + WHOLE_WORLD_SSH
            title = "Let everybody in by SSH"
        else:
            text = text.replace("= 8000", "= 80")
            title = "Serve the web page on port 80"
        path.write_text(text)
        self._commit(title)
        return self._git("rev-parse", "HEAD")

    def environment(self, pipeline_id: int) -> dict[str, str]:
        """The variables of a run by the requester, on this copy, for that pipeline."""
        return {
            **self._lab.environment(),
            "CI_PIPELINE_ID": str(pipeline_id),
            "RUNBOOK_ROOT": str(self.path),
            "RUNBOOK_OUTPUTS": str(self._settings.outputs),
        }

    def _copy_rest(self) -> None:
        for name in ("runbook.yml", ".gitignore"):
            shutil.copyfile(self._settings.root / name, self.path / name)
        for name in ("notebooks", self._settings.config.compliance.policies):
            target = self.path / name
            shutil.copytree(self._settings.root / name, target, dirs_exist_ok=True)

    def _commit(self, message: str) -> None:
        self._git("add", "--all")
        name, email = REQUESTER
        identity = ("-c", f"user.name={name}", "-c", f"user.email={email}")
        self._git(*identity, "commit", "--quiet", "--allow-empty", "--message", message)

    def _git(self, *arguments: str) -> str:
        command = ["git", "-C", str(Path(self.path)), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
