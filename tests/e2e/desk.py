"""A person at a working copy of the repository: the commands run there, and what the lab's systems saw of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from runbook_lib.adapters.store import RunStore
from runbook_lib.cli.demo_repository import Repository
from runbook_lib.lab.addresses import LabAddresses
from runbook_lib.models.base import Outcome
from runbook_lib.models.results import StepResult
from runbook_lib.runner.folder import ENVELOPE, MANIFEST
from runbook_lib.runner.sealing import seal
from runbook_lib.settings import Settings

TIMEOUT = 240
Ended = subprocess.CompletedProcess[str]


@dataclass
class Desk:
    """Commands of riley, or whoever is named, on the lab's working copy. Each desk has its own run folders."""

    lab: LabAddresses
    settings: Settings
    outputs: Path
    run_id: str = "e2e"
    variables: dict[str, str] = field(default_factory=dict)
    repository: Any = None
    commit: str = ""

    def __post_init__(self) -> None:
        # A desk that is made of another one has its repository as well.
        self.repository = self.repository or Repository(self.settings, self.lab)
        self.root = self.repository.path
        self.store = RunStore(self.outputs, self.run_id)

    def environment(self, user: str = "riley", **variables: str) -> dict[str, str]:
        """All variables of a command; an empty one counts as not set."""
        own = {"RUNBOOK_ROOT": str(self.root), "RUNBOOK_OUTPUTS": str(self.outputs)}
        configuration = self.settings.outputs / ".terraform-cli/terraform.rc"
        if configuration.is_file():
            # The file with which the lab initialised the stacks, so that they need not be initialised again.
            own["TF_CLI_CONFIG_FILE"] = str(configuration)
        return {**os.environ, **self.lab.environment(user), **own, **self.variables, **variables}

    def start(self, *arguments: str, user: str = "riley", **variables: str) -> subprocess.Popen[str]:
        """Start a command and come back."""
        return subprocess.Popen(
            [sys.executable, "-m", "runbook_lib.cli", *arguments],
            cwd=self.root,
            env=self.environment(user, **variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def runbook(self, *arguments: str, user: str = "riley", **variables: str) -> Ended:
        """Run a command to its end."""
        with self.start(*arguments, user=user, **variables) as process:
            try:
                out, err = process.communicate(timeout=TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Ended(process.args, process.returncode, out, err)

    def run(self, *steps: str, user: str = "riley", **variables: str) -> Ended:
        """`runbook run` of these steps, in this desk's run."""
        return self.runbook("run", *steps, "--run-id", self.run_id, user=user, **variables)

    def result(self, step: str) -> StepResult:
        """What the step left."""
        found = self.store.read_result(step)
        assert found, f"{step} left no result"
        return found

    def outcomes(self) -> dict[str, Outcome]:
        """The outcomes of all steps that left a result."""
        return {result.step: result.outcome for result in self.store.results()}

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a text of the working copy."""
        path = self.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    @contextmanager
    def inside(self, user: str = "riley", **variables: str) -> Iterator[None]:
        """Let this very process have the variables, for calls of the library itself."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment(user, **variables).items():
                patch.setenv(name, value)
            yield


def seal_anew(desk: Desk) -> None:
    """Take the seals away and make others over what lies there now, with whatever key the desk has."""
    for name in (MANIFEST, ENVELOPE):
        (desk.outputs / desk.run_id / name).unlink(missing_ok=True)
    with desk.inside():
        seal(Settings.load(desk.root), RunStore(desk.outputs, desk.run_id))


def ask(url: str, method: str = "GET", body: Any = None) -> Any:
    """The JSON that one of the lab's own routes answers."""
    answer = requests.request(method, url, json=body, timeout=30)
    answer.raise_for_status()
    return answer.json()


def slack_threads(lab: LabAddresses, since: int = 0) -> list[dict[str, Any]]:
    """The channel's threads, their replies in `replies`, from the thread of this number on."""
    return list(ask(f"{lab.slack_url}/lab/slack/messages")["messages"][since:])


def visible_errors(ended: Ended) -> dict[str, str]:
    """The `error:` and `hint:` lines of a command, which shows no traceback."""
    assert "Traceback" not in ended.stderr + ended.stdout
    lines = [line.partition(": ") for line in ended.stderr.splitlines()]
    return {word: text for word, _, text in lines if word in {"error", "hint"}}


def eventually(question: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    """The answer, as soon as it is a yes; for what other processes do in their own time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := question():
            return answer
        time.sleep(0.05)
    pytest.fail(f"waited {seconds} s in vain: {what}")
