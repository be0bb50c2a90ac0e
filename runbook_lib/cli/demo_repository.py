"""The requester's working copy in the demo: the repository at its base, and the commit that asks for the change."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

from ..errors import UsageError
from ..lab.addresses import LabAddresses
from ..settings import Settings
from .demo_breaks import Break
from .working_copy import copy_repository

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
        copy_repository(settings, lab)
        self._begin(settings, lab)
        self.deployed("The base, with the web rule on port 8000")

    @classmethod
    def of_copy(cls, settings: Settings, lab: LabAddresses) -> Repository:
        """The same around a copy that lies there already, with nothing committed yet."""
        made = cls.__new__(cls)
        made._begin(settings, lab)
        return made

    @classmethod
    def of_lab(cls, lab: LabAddresses) -> Repository:
        """The one that a running lab works on."""
        if not (lab.repository / ".git").is_dir():
            raise UsageError(f"nothing is committed in {lab.repository}", "End the lab and start it again.")
        return cls.of_copy(Settings.load(lab.repository, checked=False), lab)

    def _begin(self, settings: Settings, lab: LabAddresses) -> None:
        self._settings = settings
        self._lab = lab
        self.path = lab.repository
        self._git("init", "--quiet", "--initial-branch=main")

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
        return self._commit(title)

    def deployed(self, message: str) -> str:
        """Commit what lies here, and let GitLab know it as what was applied last; the commit's id."""
        sha = self._commit(message)
        for stack in self._settings.config.stacks:
            environment = self._settings.config.gitlab.environment.replace("{stack}", stack)
            self._tell_gitlab("deployments", {"environment": environment, "sha": sha})
        return sha

    def check_out(self, commit: str) -> None:
        """Go to a commit, whatever lies in the working copy, and let it be the head of the branch in GitLab too."""
        self._git("reset", "--quiet", "--hard", commit)
        self.push()

    def push(self) -> str:
        """Let the lab's GitLab have what is committed here; the last commit's id."""
        known = ["%H", "%P", "%ae", "%ce", "%B"]
        sha, parents, author, committer, message = self._git("log", "-1", f"--format={'%x00'.join(known)}").split("\0")
        commit = {"sha": sha, "parents": parents.split(), "author": author, "committer": committer, "message": message}
        self._tell_gitlab("commits", commit)
        return sha

    def follow(self) -> None:
        """Let the lab's GitLab have every commit that a person makes here: there is no server to push to."""
        hook = self.path / ".git/hooks/post-commit"
        hook.parent.mkdir(exist_ok=True)
        command = shlex.join([sys.executable, "-m", "runbook_lib.cli", "lab", "push", "--dir", str(self._lab.folder)])
        hook.write_text(f"#!/bin/sh\nexec {command}\n", encoding="utf-8")
        hook.chmod(0o755)

    def environment(self, pipeline_id: int) -> dict[str, str]:
        """The variables of a run by the requester, on this copy, for that pipeline."""
        return {
            **self._lab.environment(),
            # A project's own token, as its pipelines have one.
            "GITLAB_TOKEN": self._lab.credentials.gitlab["terraform-bot"],
            "CI_PIPELINE_ID": str(pipeline_id),
            "RUNBOOK_ROOT": str(self.path),
            "RUNBOOK_OUTPUTS": str(self._settings.outputs),
        }

    def _commit(self, message: str) -> str:
        self._git("add", "--all")
        name, email = REQUESTER
        identity = ("-c", f"user.name={name}", "-c", f"user.email={email}")
        self._git(*identity, "commit", "--quiet", "--allow-empty", "--message", message)
        return self.push()

    def _tell_gitlab(self, path: str, body: dict[str, Any]) -> None:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(f"{self._lab.gitlab_url}/lab/gitlab/{path}", json=body, timeout=30)
            answer.raise_for_status()

    def _git(self, *arguments: str) -> str:
        command = ["git", "-C", str(Path(self.path)), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
