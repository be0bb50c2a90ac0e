"""The story of the demo: a base with the web rule on the wrong port, a change that puts it right, and its proof."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ..adapters.signing import generate_key
from ..lab.addresses import LabAddresses
from ..lab.process import give_faults
from ..settings import Settings
from .demo_breaks import Break
from .demo_checks import add_rule_by_hand, look_at_page, prove
from .demo_repository import Repository
from .demo_runner import DemoRunner
from .lab_base import lab_down, lab_up

__all__ = ["Story"]

UP_TO_APPLY = ("compliance", "plan", "approval", "apply")


@dataclass
class Story:
    """One telling. `seconds` is what the runbook itself took, without the lab's set-up."""

    settings: Settings
    keep: bool
    broken: Break | None
    tell: Callable[[str], None]
    run_id: str = field(default_factory=lambda: f"demo-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}")
    seconds: float = 0.0
    folder: Path | None = None  # the lab's; beside the repository if none is named
    before_approval: Callable[[], object] = lambda: None  # while the request waits for its answer
    _lines: list[str] = field(default_factory=list)

    def play(self) -> int:
        """Tell it from the lab's start to its end; the runbook's exit status."""
        folder = self.folder or self.settings.root / (".lab" if self.keep else ".lab/demo")
        lab = lab_up(self.settings, folder, lambda line: self.tell(f"lab: {line}"), tied=not self.keep)
        try:
            return self.tell_on(lab)
        finally:
            if not self.keep:
                lab_down(folder)
                self.tell("lab: ended")

    def tell_on(self, lab: LabAddresses) -> int:
        """Tell it on a lab that is up and at its base; the runbook's exit status."""
        self._say(before := f"before: {look_at_page(lab)}")
        self.tell(f"demo: {before}")
        repository = Repository(self.settings, lab)
        pipeline = DemoRunner(lab, self._run_dir, reject=self.broken is Break.APPROVAL, tell=self.tell)
        pipeline.before_approval = self.before_approval
        environment = repository.environment(pipeline.begin(repository.commit_change(self.broken)))
        environment["RUNBOOK_SIGNING_KEY"] = str(self._signing_key(lab))
        with pipeline:
            status = self._runbook(lab, pipeline, environment)
        self._say(f"after: {look_at_page(lab)}")
        self._say(f"runbook: exit status {status} after {self.seconds:.1f} s")
        self._say(f"evidence: {prove(self._run_dir, self._public_key)}")
        self._say(f"to read: {self._run_dir / 'index.html'}")
        if self.keep:
            self._say(f"Slack channel and pipeline: {lab.slack_url}")
            self._say(f"page: {lab.front_url}")
            self._say("the lab goes on; end it with: runbook lab down")
        return status

    def summary(self) -> str:
        """What there is to see afterwards."""
        return "\n".join(self._lines)

    def _runbook(self, lab: LabAddresses, pipeline: DemoRunner, environment: dict[str, str]) -> int:
        if self.broken is Break.PLAN:
            give_faults(lab, {"aws": "deny"})
        if self.broken is Break.APPLY:
            pipeline.before_approval = lambda: give_faults(lab, {"aws": "fail_after"})
        if self.broken is Break.SERVICES:
            give_faults(lab, {"web": "down"})
        if self.broken is not Break.VERIFICATION:
            return self._command(environment)
        status = self._command(environment, *UP_TO_APPLY)
        if status:
            return status
        add_rule_by_hand(lab)
        self.tell("demo: somebody opened SSH to the world in the AWS console")
        return self._command(environment, "verification", "service_tests")

    def _command(self, environment: dict[str, str], *steps: str) -> int:
        shown = " ".join(["runbook run", *steps, f"--run-id {self.run_id}"])
        self.tell(f"$ {shown}")
        arguments = [sys.executable, "-m", "runbook_lib.cli", "run", *steps, "--run-id", self.run_id]
        began = time.monotonic()
        done = subprocess.run(arguments, env={**os.environ, **environment}, check=False)
        self.seconds += time.monotonic() - began
        return done.returncode

    def _signing_key(self, lab: LabAddresses) -> Path:
        private, public = generate_key()
        path = lab.folder / "signing-key.pem"
        path.touch(mode=0o600)
        path.write_text(private)
        self._public_key.write_text(public)
        return path

    @property
    def _run_dir(self) -> Path:
        return self.settings.outputs / self.run_id

    @property
    def _public_key(self) -> Path:
        # Beside the run folder, not in it: evidence can't vouch for its own key.
        return self.settings.outputs / f"{self.run_id}.pub"

    def _say(self, line: str) -> None:
        self._lines.append(line)
